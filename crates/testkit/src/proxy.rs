//! A proxy between a node and its client that changes or withholds messages.

use crate::read_http;
use std::{
    io::{self, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Interval between checks of a hanging request.
const LOOK: Duration = Duration::from_millis(20);

type Change = Box<dyn Fn(&str, String) -> Option<String> + Send>;
type Intercept = Box<dyn Fn(&str) -> Option<Interception> + Send>;

/// Handling of a request that the proxy does not forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interception {
    /// The proxy responds to the request.
    Answer(String),
    /// The proxy rejects the request with this HTTP status.
    Refused(u16),
    /// The request hangs until the interception changes.
    Silence,
    /// The proxy closes the connection.
    Break,
}

impl From<String> for Interception {
    fn from(answer: String) -> Self {
        Self::Answer(answer)
    }
}

/// An HTTP proxy, which runs until the process exits.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl core::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Proxy").field("address", &self.address).finish_non_exhaustive()
    }
}

struct Shared {
    upstream: Mutex<SocketAddr>,
    change: Mutex<Change>,
    intercept: Mutex<Intercept>,
    delay: Mutex<Duration>,
}

impl Proxy {
    /// Starts a proxy in front of a node, which forwards everything unchanged.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream),
            change: Mutex::new(Box::new(|_, answer| Some(answer))),
            intercept: Mutex::new(Box::new(|_| None)),
            delay: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                // A failed connection is treated as closed.
                thread::spawn(move || drop(shared.serve(connection)));
            }
        });
        Ok(Self { address, shared })
    }

    /// Returns the URL of the proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Redirects later requests to another node.
    pub fn redirect(&self, upstream: SocketAddr) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// Intercepts requests for which `instead` returns a value; they are not forwarded.
    pub fn intercept<I: Into<Interception>>(
        &self,
        instead: impl Fn(&str) -> Option<I> + Send + 'static,
    ) {
        *lock(&self.shared.intercept) = Box::new(move |request| instead(request).map(Into::into));
    }

    /// Delays each later response, independently of other connections.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.shared.delay) = delay;
    }

    /// Changes later responses; `change` gets the request and the response. `None` closes the
    /// connection.
    pub fn set(&self, change: impl Fn(&str, String) -> Option<String> + Send + 'static) {
        *lock(&self.shared.change) = Box::new(change);
    }

    /// Removes the change and the interception, so that everything is forwarded unchanged.
    pub fn honest(&self) {
        self.set(|_, answer| Some(answer));
        self.intercept(|_| None::<Interception>);
    }
}

/// Returns the JSON-RPC id of a request, which its response must contain.
pub fn id_of(request: &str) -> String {
    let request: serde_json::Value = serde_json::from_str(request).unwrap_or_default();
    request["id"].to_string()
}

impl Shared {
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        while let Ok((_, request)) = read_http(&mut client) {
            let request = String::from_utf8_lossy(&request);
            match self.instead(&request) {
                Some(Interception::Answer(answer)) => {
                    write_answer(client.get_mut(), "200 OK", &answer)?;
                }
                Some(Interception::Refused(status)) => {
                    write_answer(client.get_mut(), &format!("{status} Refused"), "")?;
                }
                Some(Interception::Silence | Interception::Break) => return Ok(()),
                None => {
                    let Some(answer) = self.ask(&request)? else { return Ok(()) };
                    write_answer(client.get_mut(), "200 OK", &answer)?;
                }
            }
        }
        Ok(())
    }

    /// Returns how to intercept a request, after waiting while it hangs.
    fn instead(&self, request: &str) -> Option<Interception> {
        loop {
            let instead = lock(&self.intercept)(request);
            if instead != Some(Interception::Silence) {
                return instead;
            }
            thread::sleep(LOOK);
        }
    }

    fn ask(&self, request: &str) -> io::Result<Option<String>> {
        let upstream = *lock(&self.upstream);
        let mut node = BufReader::new(TcpStream::connect(upstream)?);
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            request.len()
        );
        node.get_mut().write_all(head.as_bytes())?;
        node.get_mut().write_all(request.as_bytes())?;
        let Ok((_, answer)) = read_http(&mut node) else { return Ok(None) };
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let delay = *lock(&self.delay);
        thread::sleep(delay);
        Ok(lock(&self.change)(request, answer))
    }
}

/// Locks a mutex and ignores poisoning: the value is intact, since no thread panics while changing
/// it.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_answer(client: &mut TcpStream, status: &str, answer: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(answer.as_bytes())
}
