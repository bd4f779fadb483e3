//! Requests of HTTP over connections of their own, for tests that read responses as text, and for
//! simulated servers.

use crate::Timeout;
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

/// Reads a request; returns its first line and its body.
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
