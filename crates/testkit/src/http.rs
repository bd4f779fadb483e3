//! Requests of HTTP over connections of their own, for tests that read responses as text.

use crate::Timeout;
use std::{
    io::{self, Read as _, Write as _},
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
