//! JSON-RPC over a Unix socket: a stream of JSON values in each direction.

use super::{HexIds, call, next_connection, notifications};
use crate::{LogLimit, RpcError, codes};
use jsonrpsee::{
    ConnectionId, Extensions, MethodResponse,
    core::{
        middleware::Notification,
        server::{BoundedSubscriptions, MethodCallback, MethodSink, SubscriptionState},
    },
    server::Methods,
    types::{
        ErrorObjectOwned, Id, Params, Request,
        error::{reject_too_big_batch_request, reject_too_many_subscriptions},
    },
};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    collections::HashMap,
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixSocket, UnixStream},
    sync::mpsc,
    task::{JoinHandle, JoinSet},
};

/// Maximum number of responses queued for a slow client.
const BUFFER: usize = 64;
/// Maximum number of concurrent requests per client; at the limit the server stops reading.
const AT_WORK: usize = 1024;
/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// Permissions of the socket: only its owner may connect, since IPC has no other access control.
const MODE: u32 = 0o600;
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

static ACCEPT: LogLimit = LogLimit::new();

/// Limits of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct IpcLimits {
    /// Maximum size of a request or batch, in bytes.
    pub(super) max_request: usize,
    /// Maximum size of a response, in bytes.
    pub(super) max_response: usize,
    /// Maximum number of requests in a batch.
    pub(super) max_batch: usize,
    pub(super) max_subscriptions: u32,
}

/// IPC socket that is served until it is dropped.
#[derive(Debug)]
pub(super) struct IpcServer {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl IpcServer {
    /// Listens on `path`. Replaces a stale socket but no other file. Must be called inside a Tokio
    /// runtime.
    pub(super) fn start(path: &Path, methods: Methods, limits: IpcLimits) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let listener = listen(path)?;
        let task = tokio::spawn(async move {
            // Dropping the task drops the set, which aborts its connections.
            let mut connections = JoinSet::new();
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, Client::new(methods.clone(), limits)));
                    }
                    // Such as too many open files, which ends when other clients disconnect.
                    Err(error) => {
                        if let Some(left_out) = ACCEPT.admit() {
                            tracing::warn!(%error, left_out, "failed to accept IPC connection");
                        }
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { path: path.to_owned(), task })
    }
}

/// Creates a socket to which only its owner can connect. `bind` creates the file with the
/// permissions of the umask, but connections are refused until `listen`.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)
}

impl Drop for IpcServer {
    fn drop(&mut self) {
        self.task.abort();
        // Ignore a socket file that was already removed.
        let _ = fs::remove_file(&self.path);
    }
}

/// State of one connection.
#[derive(Clone)]
struct Client {
    id: ConnectionId,
    methods: Methods,
    limits: IpcLimits,
    subscriptions: BoundedSubscriptions,
}

impl Client {
    fn new(methods: Methods, limits: IpcLimits) -> Self {
        let subscriptions = BoundedSubscriptions::new(limits.max_subscriptions);
        Self { id: next_connection(), methods, limits, subscriptions }
    }
}

/// Serves one connection until the client disconnects or sends invalid JSON.
async fn serve(stream: UnixStream, client: Client) {
    let max_request = client.limits.max_request;
    let (mut reader, mut writer) = stream.into_split();
    let (answers, mut outgoing) = mpsc::channel::<String>(BUFFER);
    let mut tasks = JoinSet::new();
    let mut writing = JoinSet::new();
    writing.spawn(async move {
        while let Some(mut answer) = outgoing.recv().await {
            answer.push('\n');
            if writer.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    let mut requests = JsonStream::default();
    while reader.read_buf(&mut requests.buffer).await.is_ok_and(|read| read > 0) {
        let refusal = loop {
            match requests.next_value() {
                Ok(Some(request)) => {
                    while tasks.len() >= AT_WORK {
                        tasks.join_next().await;
                    }
                    tasks.spawn(answer(request, client.clone(), answers.clone()));
                    while tasks.try_join_next().is_some() {}
                }
                Ok(None) => break (requests.buffer.len() > max_request).then_some(-32600),
                Err(Malformed) => break Some(-32700),
            }
        };
        if let Some(code) = refusal {
            let _ = answers.send(failure(code)).await;
            break;
        }
    }
    drop(answers);
    while tasks.join_next().await.is_some() {}
    while writing.join_next().await.is_some() {}
}

/// The bytes are not JSON.
#[derive(Debug, PartialEq, Eq)]
struct Malformed;

/// Splits a stream into JSON values. An object or array ends where no bracket is open, and a number
/// or literal before the next whitespace or value. Values other than objects and arrays are returned
/// too, since each gets an error as its response.
///
/// Each byte is scanned once, and parsed at most four times, since a client can send a long request
/// byte by byte.
#[derive(Debug, Default)]
struct JsonStream {
    /// Received bytes that [`Self::next_value`] has not returned.
    buffer: Vec<u8>,
    /// Offset of the next value.
    start: usize,
    /// Offset of the first byte that was not scanned.
    scanned: usize,
    /// Number of open objects and arrays.
    depth: usize,
    is_in_string: bool,
    /// `true` inside a number or literal that is not part of an object or array.
    is_in_scalar: bool,
    is_escaped: bool,
    /// Length of the incomplete value when it was last parsed.
    parsed: usize,
}

impl JsonStream {
    /// Returns the next value; `None` until it is complete.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the bytes are not JSON. In an incomplete value, this is detected once its
    /// length has doubled.
    fn next_value(&mut self) -> Result<Option<String>, Malformed> {
        while let Some(byte) = self.buffer.get(self.scanned) {
            let is_space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            if self.is_in_scalar && (is_space || matches!(byte, b'"' | b'{' | b'[')) {
                return self.take().map(Some);
            }
            self.scanned += 1;
            match (*byte, self.is_in_string) {
                _ if self.is_escaped => self.is_escaped = false,
                (b'\\', true) => self.is_escaped = true,
                (b'"', true) => {
                    self.is_in_string = false;
                    if self.depth == 0 {
                        return self.take().map(Some);
                    }
                }
                (_, true) => {}
                (b'"', false) => self.is_in_string = true,
                (b'{' | b'[', false) => self.depth += 1,
                (b'}' | b']', false) if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return self.take().map(Some);
                    }
                }
                _ if self.depth == 0 && is_space => self.start = self.scanned,
                _ => self.is_in_scalar = self.depth == 0,
            }
        }
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        // The parser takes an incomplete number, such as `-` or `1.`, for an invalid one.
        let is_incomplete_number =
            matches!(self.buffer[..], [.., b'-' | b'+'] | [.., b'0'..=b'9', b'.' | b'e' | b'E']);
        let is_due = !self.buffer.is_empty()
            && !is_incomplete_number
            && self.buffer.len() >= 2 * self.parsed;
        if is_due && parse(&self.buffer).is_err_and(|error| !error.is_eof()) {
            return Err(Malformed);
        }
        if is_due {
            self.parsed = self.buffer.len();
        }
        Ok(None)
    }

    /// Returns the value that ends at the last scanned byte.
    fn take(&mut self) -> Result<String, Malformed> {
        let value = parse(&self.buffer[self.start..self.scanned]).map_err(|_| Malformed)?;
        let value = value.get().to_owned();
        (self.start, self.parsed, self.is_in_scalar) = (self.scanned, 0, false);
        Ok(value)
    }
}

fn parse(value: &[u8]) -> serde_json::Result<&RawValue> {
    serde_json::from_slice(value)
}

fn failure(code: i32) -> String {
    let message = match code {
        -32700 => "Parse error",
        _ => "Invalid request",
    };
    format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":"{message}"}}}}"#)
}

/// Returns the error for a batch whose responses are too long. `got` counts the bytes until the
/// server stopped.
fn too_big_batch(got: usize, limit: usize) -> String {
    let error = RpcError::exceeded(
        "the responses to the batch are too large (bytes)",
        got as u128,
        limit as u128,
        "send smaller batches",
    );
    let error = ErrorObjectOwned::from(RpcError { code: codes::BATCH_TOO_BIG, ..error });
    MethodResponse::error(Id::Null, error).as_ref().to_owned()
}

/// Notifications of one subscription.
type Notifications = mpsc::Receiver<Box<RawValue>>;

/// Responds to a request or batch, then forwards the notifications of its subscriptions.
async fn answer(request: String, client: Client, answers: mpsc::Sender<String>) {
    let mut begun = Vec::new();
    let IpcLimits { max_response, max_batch, .. } = client.limits;
    let answer = match serde_json::from_str::<Vec<&RawValue>>(&request) {
        Ok(batch) if batch.is_empty() => Some(failure(-32600)),
        Ok(batch) if batch.len() > max_batch => {
            let error = reject_too_big_batch_request(max_batch);
            Some(MethodResponse::error(Id::Null, error).as_ref().to_owned())
        }
        Ok(batch) => {
            let mut parts = Vec::with_capacity(batch.len());
            let mut bytes = 0;
            for request in batch {
                parts.extend(respond(request.get(), &client, &mut begun).await);
                bytes += parts.last().map_or(0, |part: &String| part.len() + 1);
                if bytes > max_response {
                    parts = Vec::new();
                    break;
                }
            }
            match bytes > max_response {
                true => Some(too_big_batch(bytes, max_response)),
                false => (!parts.is_empty()).then(|| format!("[{}]", parts.join(","))),
            }
        }
        Err(_) => respond(&request, &client, &mut begun).await,
    };
    if let Some(answer) = answer
        && answers.send(answer).await.is_err()
    {
        return;
    }
    // Forward notifications only after the client has received their subscription ids.
    for mut notifications in begun {
        let answers = answers.clone();
        tokio::spawn(async move {
            while let Some(notification) = notifications.recv().await {
                if answers.send(notification.get().to_owned()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Responds to one request; `None` for a notification. Adds a new subscription to `begun`.
async fn respond(request: &str, client: &Client, begun: &mut Vec<Notifications>) -> Option<String> {
    let Client { id, methods, limits: IpcLimits { max_response, .. }, subscriptions } = client;
    if let Ok(call_of) = serde_json::from_str::<Request<'_>>(request) {
        if let Some(answer) = call(methods, &call_of, *id, *max_response, Extensions::new()).await {
            return Some(answer.as_ref().to_owned());
        }
        let params = Params::new(call_of.params.as_ref().map(|params| params.get()));
        let mut extensions = Extensions::new();
        extensions.insert(*id);
        match methods.method(&call_of.method) {
            Some(MethodCallback::Subscription(subscribe)) => {
                let Some(permit) = subscriptions.acquire() else {
                    let error = reject_too_many_subscriptions(subscriptions.max());
                    return Some(MethodResponse::error(call_of.id, error).as_ref().to_owned());
                };
                let (sender, mut notifications) = mpsc::channel(BUFFER);
                let state = SubscriptionState {
                    conn_id: *id,
                    id_provider: &HexIds,
                    subscription_permit: permit,
                };
                let sink = MethodSink::new(sender);
                let answer = subscribe(call_of.id, params, sink, state, extensions).await;
                // The subscription's response is also sent to the sink; discard it.
                notifications.recv().await;
                begun.push(notifications);
                return Some(answer.as_ref().to_owned());
            }
            Some(MethodCallback::Unsubscription(end)) => {
                let answer = end(call_of.id, params, *id, *max_response, extensions);
                return Some(answer.as_ref().to_owned());
            }
            // Unknown methods get their error below.
            _ => {}
        }
    }
    let Ok((answer, _)) = methods.raw_json_request(request, BUFFER).await else {
        let Some(notification) = notification(request) else { return Some(failure(-32600)) };
        if let Some(request) = notifications::request(notification, methods) {
            drop(call(methods, &request, *id, *max_response, Extensions::new()).await);
        }
        return None;
    };
    Some(answer.get().to_owned())
}

/// Parses a notification. A request with an invalid id is not one.
fn notification(text: &str) -> Option<Notification<'_>> {
    let members: HashMap<Cow<'_, str>, IgnoredAny> = serde_json::from_str(text).ok()?;
    if members.contains_key("id") {
        return None;
    }
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the values of a stream that arrives in these parts.
    fn values<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Result<Vec<String>, Malformed> {
        let (mut stream, mut values) = (JsonStream::default(), Vec::new());
        for part in parts {
            stream.buffer.extend_from_slice(part);
            while let Some(value) = stream.next_value()? {
                values.push(value);
            }
        }
        Ok(values)
    }

    #[test]
    fn json_values_split_across_reads() {
        let text = br#" {"a":"}\"]{"} [2,{"b":["\\"]}]
{}[ ]{"half": "#;
        let expected = [r#"{"a":"}\"]{"}"#, r#"[2,{"b":["\\"]}]"#, "{}", "[ ]"];
        for size in 1..=text.len() {
            assert_eq!(values(text.chunks(size)).unwrap(), expected, "{size}");
        }
        assert_eq!(values([]), Ok(Vec::new()));
        for text in ["{nonsense", "{]", "{\"a\":}", "]", "nonsense", "1x ", "12]", "[1] x"] {
            assert_eq!(values([text.as_bytes()]), Err(Malformed), "{text}");
        }
        assert_eq!(values([&b"{\"a\": nonsense"[..], b"}"]), Err(Malformed));
        assert_eq!(values([&b"{\"half\":"[..]]), Ok(Vec::new()));
    }

    #[test]
    fn values_other_than_requests_are_split() {
        let text = br#"12 -1.5e3"{\" [" true{"a":null}null[1] "#;
        let expected = ["12", "-1.5e3", r#""{\" [""#, "true", r#"{"a":null}"#, "null", "[1]"];
        for size in 1..=text.len() {
            assert_eq!(values(text.chunks(size)).unwrap(), expected, "{size}");
        }
        for text in [r#"{"a":-1}"#, "[1.5]", "[1e+7]"] {
            assert_eq!(values(text.as_bytes().chunks(1)).unwrap(), [text]);
            for size in 1..text.len() {
                let parts = [&text.as_bytes()[..size], &text.as_bytes()[size..]];
                assert_eq!(values(parts).unwrap(), [text], "{size}");
            }
        }
        // The next bytes may continue a number.
        assert_eq!(values([&b"12"[..]]), Ok(Vec::new()));
        // Whitespace between values is not kept.
        let mut stream = JsonStream { buffer: vec![b'\n'; 100], ..JsonStream::default() };
        assert_eq!((stream.next_value(), stream.buffer.len()), (Ok(None), 0));
    }

    #[test]
    fn bytes_of_long_request_are_scanned_once() {
        let text = format!("[\"{}\"]", "x".repeat(100_000));
        let (mut stream, mut parses, mut parsed) = (JsonStream::default(), 0, 0);
        for (at, byte) in text.bytes().enumerate().take(text.len() - 1) {
            stream.buffer.push(byte);
            assert_eq!(stream.next_value(), Ok(None));
            assert_eq!(stream.scanned, at + 1);
            if stream.parsed != parsed {
                (parses, parsed) = (parses + 1, stream.parsed);
            }
        }
        assert!(parses <= text.len().ilog2() + 1, "{parses} parses");
        stream.buffer.push(b']');
        assert_eq!((stream.next_value(), stream.next_value()), (Ok(Some(text)), Ok(None)));
        assert!(stream.buffer.is_empty());
    }
}
