//! Requests of HTTP over connections of their own, for tests that read responses as text, and for
//! simulated servers; and a WebSocket.

use crate::Timeout;
use serde_json::Value;
use std::{
    io::{self, BufRead, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs},
};

/// Sends a request over a new connection, which the server closes after its response. `head` is the
/// request line and further headers; a body is JSON.
pub fn send_http(server: impl ToSocketAddrs, head: &str, body: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(Timeout::LIMIT))?;
    let content = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    write!(stream, "{head}\r\nHost: localhost\r\nConnection: close\r\n{content}\r\n{body}")?;
    Ok(stream)
}

/// Returns the response to such a request, with its status line and headers.
pub fn http(server: impl ToSocketAddrs, head: &str, body: &str) -> io::Result<String> {
    let mut response = String::new();
    send_http(server, head, body)?.read_to_string(&mut response)?;
    Ok(response)
}

/// Reads a request or a response; returns its first line and its body.
pub fn read_http(reader: &mut impl BufRead) -> io::Result<(String, Vec<u8>)> {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((first, body))
}

/// Minimal WebSocket client that sends and receives one text frame per message.
#[derive(Debug)]
pub struct Socket(pub TcpStream);

impl Socket {
    /// Opens a WebSocket; fails if the server does not accept it.
    pub fn connect(server: impl ToSocketAddrs) -> io::Result<Self> {
        let mut stream = TcpStream::connect(server)?;
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket";
        write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n{key}\r\n\r\n")?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other(String::from_utf8_lossy(&head)));
        }
        Ok(Self(stream))
    }

    /// Sends a text; fails if the server has closed the connection.
    pub fn try_send(&mut self, text: &str) -> io::Result<()> {
        let mut frame = vec![0x81, 0x80 | 127];
        frame.extend((text.len() as u64).to_be_bytes());
        // A zero mask leaves the text unchanged.
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame)
    }

    /// Sends a request.
    ///
    /// # Panics
    ///
    /// Panics if the server has closed the connection.
    pub fn send(&mut self, value: &Value) {
        self.try_send(&value.to_string()).expect("the server is connected");
    }

    /// Receives the next message.
    ///
    /// # Panics
    ///
    /// Panics if the server has closed the connection.
    pub fn receive(&mut self) -> Value {
        self.try_receive().expect("the server is connected")
    }

    /// Receives the next message; fails if the server has closed the connection.
    pub fn try_receive(&mut self) -> io::Result<Value> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        if head[0] != 0x81 {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut length = [0; 8];
        let bytes = match head[1] {
            126 => 2,
            127 => 8,
            short => {
                length[7] = short;
                0
            }
        };
        self.0.read_exact(&mut length[8 - bytes..])?;
        let mut text = vec![0; u64::from_be_bytes(length) as usize];
        self.0.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}
