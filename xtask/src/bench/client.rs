//! A node as a process, and a client with little work per request, because it shares the cores with
//! the node under test.

use eyre::{ContextCompat as _, Result, WrapErr as _, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    ops::Range,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Number of connections. Each one always has a request in flight, so that neither node nor client
/// becomes idle.
const CONNECTIONS: usize = 32;
const TIMEOUT: Duration = Duration::from_secs(30);

/// A node process, which is killed when this value is dropped.
pub(super) struct Node {
    child: Child,
    port: u16,
    client: Client,
    /// Time from the start of the process to its first response.
    pub(super) start: Duration,
}

/// A persistent connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the HTTP request for a call of a method.
pub(super) fn request(method: &str, params: &Value) -> Vec<u8> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length";
    format!("{head}: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Returns the range of a response's body, if its head is complete.
fn body_of(response: &[u8]) -> Result<Option<Range<usize>>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = response.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = response[..head].split(|byte| *byte == b'\n');
    let is_length =
        |line: &&[u8]| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    let length = lines.find(is_length).wrap_err("a response without a length")?;
    let length: usize = str::from_utf8(&length[NAME.len()..])?.trim().parse()?;
    Ok(Some(head + 4..head + 4 + length))
}

impl Client {
    fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    fn receive(&mut self) -> Result<&[u8]> {
        let mut length = 0;
        let body = loop {
            if length == self.buffer.len() {
                self.buffer.resize(2 * length, 0);
            }
            let read = self.stream.read(&mut self.buffer[length..])?;
            ensure!(read > 0, "the node has closed the connection");
            length += read;
            let body = body_of(&self.buffer[..length])?;
            if let Some(body) = body.filter(|body| length >= body.end) {
                break body;
            }
        };
        Ok(&self.buffer[body])
    }
}

impl Node {
    pub(super) fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(arguments)
            .args(["--port", &port.to_string(), "--no-mining", "--silent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .wrap_err_with(|| program.display().to_string())?;
        while begun.elapsed() < TIMEOUT {
            if let Ok(client) = Client::connect(port) {
                let mut node = Self { child, port, client, start: Duration::ZERO };
                node.call("eth_chainId", &json!([]))?;
                node.start = begun.elapsed();
                return Ok(node);
            }
            thread::sleep(Duration::from_millis(1));
        }
        drop(child.kill());
        bail!("{} does not respond", program.display())
    }

    /// Sends a request and waits for the response.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.client.stream.write_all(request)?;
        self.client.receive()
    }

    /// Calls a method, and returns its result.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        let mut response: Value = serde_json::from_slice(self.send(&request(method, params))?)?;
        match response.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => bail!("{method}: {response}"),
        }
    }

    /// Sends requests over many connections at once, and returns after the last response.
    pub(super) fn send_all(&self, requests: &[Vec<u8>]) -> Result<()> {
        let clients = (0..CONNECTIONS).map(|_| Client::connect(self.port));
        let mut clients = clients.collect::<Result<Vec<_>>>()?;
        for (client, request) in clients.iter_mut().zip(requests) {
            client.stream.write_all(request)?;
        }
        // The next request follows each response immediately, so that the node is never idle.
        for index in 0..requests.len() {
            let client = &mut clients[index % CONNECTIONS];
            let response = client.receive()?;
            let is_result = response.windows(8).any(|part| part == b"\"result\"");
            ensure!(is_result, "{}", String::from_utf8_lossy(response));
            if let Some(request) = requests.get(index + CONNECTIONS) {
                client.stream.write_all(request)?;
            }
        }
        Ok(())
    }
}
