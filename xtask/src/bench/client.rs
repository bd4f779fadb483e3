//! Nodes in processes of their own, and a client that takes little from them.

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

/// Threads of the client, and connections of each. Every one has a request on its way, so that the
/// client is awake when an answer comes: what it takes to wake it is no matter of the node.
const THREADS: usize = 2;
const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);

/// A node in a process of its own; it ends with this value.
pub(super) struct Running {
    child: Child,
    pub(super) port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already; there is nothing to do about it here.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A connection that stays. It does little for each request, since it shares the processors with
/// the node that is measured.
pub(super) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// A request as it goes over the wire.
fn http(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A call of a method as it goes over the wire.
pub(super) fn request(method: &str, params: &Value) -> Vec<u8> {
    http(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string())
}

/// Where the body of an answer begins and ends, if its head is all there.
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

impl Client {
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, answer: Vec::new() })
    }

    pub(super) fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request)?;
        self.receive()
    }

    fn receive(&mut self) -> Result<&[u8]> {
        self.answer.clear();
        let mut part = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut part)?;
            ensure!(read > 0, "the node has hung up");
            self.answer.extend_from_slice(&part[..read]);
            if let Some((begin, end)) = body_of(&self.answer)?
                && self.answer.len() >= end
            {
                return Ok(&self.answer[begin..end]);
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
    while begun.elapsed() < PATIENCE {
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
    let run = move |part: &[Vec<u8>]| -> Result<()> {
        let clients = (0..CONNECTIONS).map(|_| Client::connect(port));
        let mut clients = clients.collect::<Result<Vec<_>>>()?;
        for requests in part.chunks(CONNECTIONS) {
            for (client, request) in clients.iter_mut().zip(requests) {
                client.stream.write_all(request)?;
            }
            for client in clients.iter_mut().take(requests.len()) {
                let answer = client.receive()?;
                let good = answer.windows(8).any(|part| part == b"\"result\"");
                ensure!(good, "{}", String::from_utf8_lossy(answer));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let parts: Vec<_> = requests
            .chunks(requests.len().div_ceil(THREADS))
            .map(|part| scope.spawn(move || run(part)))
            .collect();
        for part in parts {
            part.join().ok().wrap_err("a client has panicked")??;
        }
        Ok(())
    })
}
