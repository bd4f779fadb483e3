//! Something between a node and L1 that changes what it passes on.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What the proxy does with an answer.
pub(crate) type Change = Box<dyn Fn(&str, String) -> Option<String> + Send>;

/// What the proxy answers by itself.
pub(crate) type Intercept = Box<dyn Fn(&str) -> Option<String> + Send>;

/// A proxy that runs as long as the test does.
pub(crate) struct Proxy {
    address: SocketAddr,
    change: Arc<Mutex<Change>>,
    intercept: Arc<Mutex<Intercept>>,
}

impl Proxy {
    /// A proxy in front of a node, which passes everything on as it is.
    pub(crate) fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let change: Arc<Mutex<Change>> = Arc::new(Mutex::new(Box::new(|_, answer| Some(answer))));
        let intercept: Arc<Mutex<Intercept>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let (shared, asked) = (Arc::clone(&change), Arc::clone(&intercept));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (change, intercept) = (Arc::clone(&shared), Arc::clone(&asked));
                thread::spawn(move || drop(serve(connection, upstream, &change, &intercept)));
            }
        });
        Ok(Self { address, change, intercept })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From here on requests for which this has an answer do not reach the node.
    pub(crate) fn intercept(&self, answer: impl Fn(&str) -> Option<String> + Send + 'static) {
        *self.intercept.lock().expect("no thread panics with it") = Box::new(answer);
    }

    /// From here on answers are changed like this, given the request; `None` breaks the connection.
    pub(crate) fn set(&self, change: impl Fn(&str, String) -> Option<String> + Send + 'static) {
        *self.change.lock().expect("no thread panics with it") = Box::new(change);
    }
}

fn serve(
    mut client: TcpStream,
    upstream: SocketAddr,
    change: &Mutex<Change>,
    intercept: &Mutex<Intercept>,
) -> std::io::Result<()> {
    while let Some(request) = read_message(&mut client)? {
        let own = intercept.lock().expect("no thread panics with it")(&request);
        if let Some(answer) = own {
            write_answer(&mut client, &answer)?;
            continue;
        }
        let mut node = TcpStream::connect(upstream)?;
        let head = format!(
            "POST / HTTP/1.1\r\nhost: l1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            request.len()
        );
        node.write_all(head.as_bytes())?;
        node.write_all(request.as_bytes())?;
        let Some(answer) = read_message(&mut node)? else { return Ok(()) };
        let changed = change.lock().expect("no thread panics with it")(&request, answer);
        let Some(answer) = changed else { return Ok(()) };
        write_answer(&mut client, &answer)?;
    }
    Ok(())
}

fn write_answer(client: &mut TcpStream, answer: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(answer.as_bytes())
}

/// The id of a request, as its answer has to have it.
pub(crate) fn id_of(request: &str) -> String {
    let request: serde_json::Value = serde_json::from_str(request).unwrap_or_default();
    request["id"].to_string()
}

/// The body of the next message; `None` at the end.
fn read_message(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(String::from_utf8_lossy(&body).into_owned()))
}
