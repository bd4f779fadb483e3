//! Nodes as processes, and a client with little overhead.

use eyre::{ContextCompat, Result, WrapErr, bail, ensure};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Number of connections. Each one always has a request in flight, so that neither node nor client
/// becomes idle.
const CONNECTIONS: usize = 32;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// A node process, which is killed when this value is dropped.
pub(super) struct Running {
    child: Child,
    pub(super) port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A persistent connection with little work per request, because it shares the cores with the node
/// under test.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// Start and end of the body of the last response. Responses to the same request mostly have
    /// the same layout, which saves parsing.
    body: (usize, usize),
}

/// Returns the HTTP request with this body.
fn http(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Returns the HTTP request for a call of a method.
pub(super) fn request(method: &str, params: &Value) -> Vec<u8> {
    http(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string())
}

/// Returns the range of a response's body, if its head is complete.
fn body_of(answer: &[u8]) -> Result<Option<(usize, usize)>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
        return Ok(None);
    };
    let length = answer[..head]
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))
        .wrap_err("an answer without a length")?;
    let length: usize = std::str::from_utf8(&length[NAME.len()..])?.trim().parse()?;
    Ok(Some((head + 4, head + 4 + length)))
}

/// Returns `true` if a response has head and body at the same offsets as an earlier one.
fn is_as_before(answer: &[u8], (begin, end): (usize, usize)) -> bool {
    answer.len() == end
        && begin.checked_sub(4).is_some_and(|head| answer[head..].starts_with(b"\r\n\r\n"))
        && answer.ends_with(b"}")
}

impl Client {
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(RETRY_TIMEOUT))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024].into(), body: (usize::MAX, 0) })
    }

    pub(super) fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        self.receive()
    }

    fn receive(&mut self) -> Result<&[u8]> {
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                let larger = [&self.buffer[..], &vec![0; length]].concat();
                self.buffer = larger.into();
            }
            let read = self.stream.read(&mut self.buffer[length..])?;
            ensure!(read > 0, "the node has hung up");
            length += read;
            let answer = &self.buffer[..length];
            if !is_as_before(answer, self.body) {
                let Some(body) = body_of(answer)? else { continue };
                self.body = body;
            }
            let (begin, end) = self.body;
            if length >= end {
                return Ok(&self.buffer[begin..end]);
            }
        }
    }

    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Result<Value> {
        let mut answer: Value = serde_json::from_slice(self.send(&request(method, params))?)?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => bail!("{method}: {answer}"),
        }
    }
}

pub(super) fn start(program: &Path, arguments: &[&str]) -> Result<(Running, Duration)> {
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let begun = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .args(["--port", &port.to_string(), "--no-mining", "--silent"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .wrap_err_with(|| program.display().to_string())?;
    let running = Running { child, port };
    while begun.elapsed() < RETRY_TIMEOUT {
        if let Ok(mut client) = Client::connect(port)
            && client.ask("eth_chainId", &json!([])).is_ok()
        {
            return Ok((running, begun.elapsed()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    bail!("{} does not answer", program.display())
}

/// Sends requests over many connections at once, and ends when all are answered.
pub(super) fn send_all(port: u16, requests: &[Vec<u8>]) -> Result<()> {
    let clients = (0..CONNECTIONS).map(|_| Client::connect(port));
    let mut clients = clients.collect::<Result<Vec<_>>>()?;
    for (client, request) in clients.iter_mut().zip(requests) {
        client.stream.write_all(request)?;
    }
    // The next request follows each response immediately, so that the node is never idle.
    for index in 0..requests.len() {
        let client = &mut clients[index % CONNECTIONS];
        let answer = client.receive()?;
        let good = answer.windows(8).any(|part| part == b"\"result\"");
        ensure!(good, "{}", String::from_utf8_lossy(answer));
        if let Some(request) = requests.get(index + CONNECTIONS) {
            client.stream.write_all(request)?;
        }
    }
    Ok(())
}
