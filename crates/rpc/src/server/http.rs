//! Plain requests: one JSON-RPC call in a short `POST` on a keep-alive connection.
//!
//! Nearly all clients of a node send only plain requests. This module serves them with one read and
//! one write each. The first request of another kind, by its head or body, is handed over to the
//! full server together with its connection.

use super::{Access, Client, Handover, call, listen::Connection, next_connection};
use crate::codes;
use jsonrpsee::{
    ConnectionId, Extensions, MethodResponse,
    core::server::MethodCallback,
    server::Methods,
    types::{ErrorObjectOwned, Id, Request, TwoPointZero},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, io, io::Write as _, sync::Arc, time::SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Maximum number of bytes of a plain request, including its head.
const LONGEST: usize = 64 << 10;
/// Maximum number of headers of a plain request.
const HEADERS: usize = 32;
/// Preface of HTTP/2, which browsers never use without TLS. Concurrent requests on one connection
/// could not have a deadline each.
const HTTP_2: &[u8] = b"PRI * HTTP/2";
/// Response to [`HTTP_2`].
const NO_HTTP_2: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A connection that has sent only plain requests so far.
pub(super) struct Plain<'m> {
    connection: Connection,
    id: ConnectionId,
    access: &'m Access,
    methods: &'m Methods,
    max_response: usize,
    /// Bytes received but not yet answered.
    input: Vec<u8>,
    output: Vec<u8>,
    date: Date,
}

/// Classification of the data at the start of the input.
#[derive(Debug, PartialEq, Eq)]
enum RequestStart {
    /// An incomplete request.
    Part,
    /// A plain request; `body..end` is the range of its body.
    Whole { body: usize, end: usize },
    /// Data that the full server must handle.
    Other,
}

impl<'m> Plain<'m> {
    pub(super) fn new(
        connection: Connection,
        access: &'m Access,
        methods: &'m Methods,
        max_response: usize,
    ) -> Self {
        Self {
            connection,
            id: next_connection(),
            access,
            methods,
            max_response,
            input: Vec::with_capacity(1 << 10),
            output: Vec::new(),
            date: Date::default(),
        }
    }

    /// Serves requests until the client disconnects or `stopped` is ready (`None`), or returns the
    /// connection at the first input that is not a plain request.
    pub(super) async fn serve(
        mut self,
        stopped: &mut (impl Future<Output = ()> + Unpin),
    ) -> io::Result<Option<Handover>> {
        let control = Arc::clone(self.connection.control());
        loop {
            let read = loop {
                match read_head(&self.input, self.access) {
                    RequestStart::Whole { body, end } => break Some((body, end)),
                    RequestStart::Other => break None,
                    RequestStart::Part => {}
                }
                let read = tokio::select! {
                    biased;
                    read = self.connection.read_buf(&mut self.input) => read?,
                    () = &mut *stopped => return Ok(None),
                };
                if read == 0 {
                    return Ok(None);
                }
            };
            if read.is_none() && self.input.starts_with(HTTP_2) {
                self.connection.write_all(NO_HTTP_2).await?;
                return Ok(None);
            }
            let answer = match read {
                Some((body, end)) => {
                    let _at_work = control.begin(end - body);
                    tokio::select! {
                    biased;
                    answer = self.answer(body, end) => answer,
                    // The client has disconnected: its queued requests are dropped.
                    () = self.connection.hung_up() => return Ok(None),
                    }
                }
                None => None,
            };
            let Some((answer, end)) = answer else {
                return Ok(Some(Handover::new(self.connection, self.input)));
            };
            self.input.drain(..end);
            // A part of the next request may have arrived with this one.
            control.is_read(self.input.len());
            self.write(answer.as_ref()).await?;
        }
    }

    /// Returns the response to the request at the start of the input, and where the request ends.
    async fn answer(&self, body: usize, end: usize) -> Option<(MethodResponse, usize)> {
        let request = request(&self.input[body..end])?;
        let is_subscription = self.methods.method(&request.method).is_some_and(|method| {
            use MethodCallback::{Subscription, Unsubscription};
            matches!(method, Subscription(_) | Unsubscription(_))
        });
        if is_subscription {
            let message = format!("{} is there over WebSocket and IPC alone", request.method);
            let error = ErrorObjectOwned::owned(codes::METHOD, message, None::<()>);
            return Some((MethodResponse::error(request.id.into_owned(), error), end));
        }
        let mut extensions = Extensions::new();
        extensions.insert(Client(Arc::clone(self.connection.control())));
        let (methods, max_response) = (self.methods, self.max_response);
        let answer = call(methods, &request, self.id, max_response, extensions).await?;
        Some((answer, end))
    }

    async fn write(&mut self, answer: &str) -> io::Result<()> {
        self.output.clear();
        write!(
            self.output,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n\
             content-length: {}\r\ndate: {}\r\n\r\n",
            answer.len(),
            self.date.now(),
        )?;
        self.connection.control().queue(self.output.len() + answer.len());
        // Long responses are written without copying.
        if answer.len() > LONGEST {
            self.connection.write_all(&self.output).await?;
            return self.connection.write_all(answer.as_bytes()).await;
        }
        self.output.extend_from_slice(answer.as_bytes());
        self.connection.write_all(&self.output).await
    }
}

/// Request with an unparsed id. jsonrpsee tries one type of id after another and builds an error
/// for each mismatch, which costs as much as the rest of the request.
#[derive(Deserialize)]
struct Call<'a> {
    jsonrpc: TwoPointZero,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Parses the request in a body; `None` if it is not one.
fn request(body: &[u8]) -> Option<Request<'_>> {
    let Call { jsonrpc, id, method, params } = serde_json::from_slice(body).ok()?;
    let id = match id.get().parse() {
        Ok(number) => Id::Number(number),
        Err(_) => serde_json::from_str(id.get()).ok()?,
    };
    let params = params.map(Cow::Borrowed);
    Some(Request { jsonrpc, id, method, params, extensions: Default::default() })
}

fn read_head(input: &[u8], access: &Access) -> RequestStart {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let body = match request.parse(input) {
        Ok(httparse::Status::Complete(body)) => body,
        Ok(httparse::Status::Partial) if input.len() < LONGEST => return RequestStart::Part,
        Ok(httparse::Status::Partial) | Err(_) => return RequestStart::Other,
    };
    // Tokens are checked by the full server.
    if request.method != Some("POST") || request.version != Some(1) || access.token.is_some() {
        return RequestStart::Other;
    }
    let (mut length, mut is_json) = (None, false);
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let digits = str::from_utf8(header.value).ok().filter(|value| {
                // Rejects a sign, which `parse` would accept.
                value.bytes().all(|byte| byte.is_ascii_digit())
            });
            match digits.and_then(|digits| digits.parse::<usize>().ok()) {
                Some(value) if length.is_none() => length = Some(value),
                _ => return RequestStart::Other,
            }
        } else if is("content-type") {
            is_json = header.value.eq_ignore_ascii_case(b"application/json")
                || header.value.eq_ignore_ascii_case(b"application/json; charset=utf-8");
        } else if is("connection") {
            if !header.value.eq_ignore_ascii_case(b"keep-alive") {
                return RequestStart::Other;
            }
        } else if is("host") {
            // The full server rejects the request.
            if !access.allows_host(header.value) {
                return RequestStart::Other;
            }
        } else if is("transfer-encoding") || is("upgrade") || is("expect") || is("origin") {
            return RequestStart::Other;
        }
    }
    match length {
        Some(length) if is_json && length <= LONGEST - body.min(LONGEST) => {
            let end = body + length;
            if input.len() < end { RequestStart::Part } else { RequestStart::Whole { body, end } }
        }
        _ => RequestStart::Other,
    }
}

/// Current time as an HTTP date, formatted at most once per second.
#[derive(Default)]
struct Date {
    second: u64,
    text: String,
}

impl Date {
    fn now(&mut self) -> &str {
        let now = SystemTime::now();
        let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if self.text.is_empty() || self.second != second {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_parsing_matches_jsonrpsee_for_any_id() {
        let body = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":[1]}}"#);
        let bodies = [
            "1",
            "0",
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "1.5",
            "1e3",
            "null",
            "true",
            "\"1\"",
            "\"a\\n\"",
            "[1]",
            "{}",
            "",
            "01",
        ]
        .map(body);
        let others = [
            r#"{"jsonrpc":"2.0","method":"m"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a\u0062","more":3}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#,
            r#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#,
        ];
        let mut read = 0;
        for body in bodies.iter().map(String::as_str).chain(others) {
            let theirs = serde_json::from_str::<Request<'_>>(body).ok();
            let words = |request: Request<'_>| serde_json::to_string(&request).unwrap();
            read += usize::from(theirs.is_some());
            assert_eq!(request(body.as_bytes()).map(words), theirs.map(words), "{body}");
        }
        assert_eq!(read, 8);
    }

    fn http(more: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Classifies input to a port for local programs.
    fn open_to(input: &[u8]) -> RequestStart {
        read_head(input, &Access::local(None))
    }

    #[test]
    fn request_is_complete_with_its_body() {
        let text = http("", "{}");
        for length in 0..text.len() {
            assert_eq!(open_to(&text.as_bytes()[..length]), RequestStart::Part, "{length}");
        }
        let whole = RequestStart::Whole { body: text.len() - 2, end: text.len() };
        assert_eq!(open_to(text.as_bytes()), whole);
        assert_eq!(open_to(format!("{text}{text}").as_bytes()), whole);
        let kept = http("Connection: keep-alive\r\n", "{}");
        assert!(matches!(open_to(kept.as_bytes()), RequestStart::Whole { .. }));
    }

    #[test]
    fn other_requests_go_to_full_server() {
        for more in [
            "Upgrade: websocket\r\n",
            "Connection: close\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Expect: 100-continue\r\n",
            "Origin: http://here\r\n",
            "Host: attacker.example\r\n",
            "Content-Length: 2\r\n",
            "Content-Length: +2\r\n",
            "Content-Type: text/plain\r\nX: y\r\n",
            "no header\r\n",
        ] {
            let text = http(more, "{}").replacen(
                "Content-Type: application/json\r\n",
                if more.starts_with("Content-Type") {
                    ""
                } else {
                    "Content-Type: application/json\r\n"
                },
                1,
            );
            assert_eq!(open_to(text.as_bytes()), RequestStart::Other, "{more}");
        }
        for (from, to) in [("POST", "GET"), ("HTTP/1.1", "HTTP/1.0")] {
            assert_eq!(
                open_to(http("", "{}").replacen(from, to, 1).as_bytes()),
                RequestStart::Other
            );
        }
        let long = http("", &" ".repeat(LONGEST));
        assert_eq!(open_to(long.as_bytes()), RequestStart::Other);
        assert_eq!(open_to(&vec![b'P'; LONGEST]), RequestStart::Other);
    }
}
