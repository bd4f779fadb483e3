//! JSON over HTTP, within bounds.

use crate::{
    HttpError,
    batch::{Batches, is_any_busy},
    patience::Patience,
    rest::Rest,
};
use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut};
use core::task::{Context, Poll};
use futures_util::future::BoxFuture;
use reqwest::{
    RequestBuilder, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Maximum bytes of an error answer.
const LONGEST_ERROR: usize = 1 << 16;
/// Bytes of an answer that an error shows.
const EXCERPT: usize = 200;

/// Order in which the addresses of a node are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Each request goes to the next address.
    #[default]
    EachRequest,
    /// All requests go to one address, and to the next one from the first failure on.
    OnFailure,
}

/// Time limits, retries and size limits of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Time for one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// Most bytes of an answer.
    pub longest_answer: usize,
    /// Number of tries for a request that fails on its way. More than one only for requests that
    /// change nothing: a request whose answer is lost may have been executed.
    pub tries: u32,
    /// The pause after the first failure; each one after is twice as long.
    pub first_pause: Duration,
    /// Compute units that the provider gives each second: where it says that there are too many
    /// requests, those that wait are spread over as much time as it wants for them.
    pub units_per_second: Option<u64>,
    /// Most requests that are posted as one batch, of those that are made at the same time; below
    /// two, none are gathered. A node that takes no batch is asked one by one.
    pub batch: usize,
    /// Order in which the addresses are asked, if there are several.
    pub rotation: Rotation,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            longest_answer: 1 << 30,
            tries: 1,
            first_pause: Duration::from_millis(50),
            units_per_second: None,
            batch: 1,
            rotation: Rotation::EachRequest,
        }
    }
}

/// Maximum length of an answer at first, if there are several addresses. Blocks of mainnet have a
/// tenth of it.
const FIRST_LONGEST: usize = 32 << 20;

/// Addresses of a node that requests are sent to, in turn; a transport of alloy's.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    urls: Arc<[Url]>,
    options: ClientOptions,
    /// Turn of the next request: its remainder by the number of addresses is the address.
    turn: Arc<AtomicUsize>,
    /// Failures of the addresses, on which the next turn depends.
    rest: Arc<Rest>,
    /// Maximum length of an answer for now. With several addresses it is short at first, and
    /// doubles if no address gives a shorter answer.
    longest: Arc<AtomicUsize>,
    /// Bytes of the answers that are being received.
    receiving: Arc<AtomicUsize>,
    /// `true` once any of the addresses has answered.
    has_answered: Arc<AtomicBool>,
    patience: Patience,
    batches: Arc<Batches>,
}

impl Http {
    pub(crate) fn new(
        urls: Vec<Url>,
        headers: HeaderMap,
        options: ClientOptions,
    ) -> Result<Self, HttpError> {
        let mut client =
            reqwest::Client::builder().timeout(options.timeout).default_headers(headers);
        if urls.iter().all(|url| url.scheme() == "http") {
            // Not to look for the certificates of a system that may have none.
            client = client.tls_certs_only([]);
        }
        let longest = match options.rotation == Rotation::OnFailure && urls.len() > 1 {
            true => options.longest_answer.min(FIRST_LONGEST),
            false => options.longest_answer,
        };
        Ok(Self {
            client: client.build()?,
            rest: Arc::new(Rest::of(urls.len())),
            urls: urls.into(),
            longest: Arc::new(longest.into()),
            receiving: Arc::default(),
            options,
            turn: Arc::default(),
            has_answered: Arc::default(),
            patience: Patience::new(&options),
            batches: Arc::default(),
        })
    }

    /// Returns the first URL that it posts to.
    pub fn url(&self) -> &Url {
        &self.urls[0]
    }

    pub(crate) const fn options(&self) -> ClientOptions {
        self.options
    }

    pub(crate) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// Posts a body unchanged, and returns the body of the answer, which is JSON.
    ///
    /// # Errors
    ///
    /// [`HttpError`] of the last try.
    pub fn post(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, HttpError>> {
        Box::pin(self.post_unless(body, is_any_busy))
    }

    /// Posts a body; `busy` returns `true` for an answer that warrants a retry.
    pub(crate) async fn post_unless(
        &self,
        body: Vec<u8>,
        busy: impl Fn(&ResponsePacket) -> bool,
    ) -> Result<Vec<u8>, HttpError> {
        let request = |url| {
            let request = self.client.post(url).header(CONTENT_TYPE, "application/json");
            request.body(body.clone())
        };
        Ok(self.ask(request, busy).await?.body)
    }

    /// Gets the page with this path and query below the address; its content, which is JSON.
    ///
    /// # Errors
    ///
    /// [`HttpError`] of the last try; [`HttpError::Status`] if the server says that there is no
    /// such page, or that it cannot give it.
    pub fn get<'a>(
        &'a self,
        path: &'a str,
        query: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<u8>, HttpError>> {
        Box::pin(self.get_page(path, query))
    }

    async fn get_page(&self, path: &str, query: Option<&str>) -> Result<Vec<u8>, HttpError> {
        let request = |mut url: Url| {
            let path = [url.path().trim_end_matches('/'), path].concat();
            url.set_path(&path);
            url.set_query(query);
            self.client.get(url)
        };
        let Answer { status, body, .. } = self.ask(request, is_any_busy).await?;
        if status.is_success() {
            return Ok(body);
        }
        Err(HttpError::Status { status: status.as_u16(), excerpt: excerpt(&body) })
    }

    /// Sends a request as often as it takes.
    async fn ask(
        &self,
        request: impl Fn(Url) -> RequestBuilder,
        busy: impl Fn(&ResponsePacket) -> bool,
    ) -> Result<Answer, HttpError> {
        let mut too_long = 0;
        let tries_before_the_last = self.options.tries.saturating_sub(1) as usize;
        for pause in self.patience.pauses().take(tries_before_the_last) {
            let turn = self.next_turn();
            let wait = match self.ask_once(turn, &request).await {
                Ok(answer @ Answer { status, retry_after, .. }) => {
                    if !is_overloaded(status, &answer.body, &busy) {
                        return Ok(answer);
                    }
                    retry_after.unwrap_or_default().max(pause)
                }
                Err(error) if self.is_unreachable(&error) => return Err(error),
                Err(error) if may_pass(&error) || self.has_others() => {
                    too_long += usize::from(matches!(error, HttpError::TooLong(_)));
                    pause
                }
                Err(error) => return Err(error),
            };
            // The pause is for the address that has failed, not for the next one.
            let wait = if self.has_left(turn) { Duration::ZERO } else { wait };
            self.patience.wait(wait).await;
        }
        let turn = self.next_turn();
        let answer = self.ask_once(turn, &request).await;
        if let Err(error) = &answer
            && (may_pass(error) || self.has_others())
        {
            too_long += usize::from(matches!(error, HttpError::TooLong(_)));
            self.has_left(turn);
        }
        // One address that sends without end is left; a long answer that all of them give may be
        // true.
        if self.has_others() && too_long >= self.urls.len() {
            let longest = self.longest.load(Ordering::Relaxed).saturating_mul(2);
            self.longest.store(longest.min(self.options.longest_answer), Ordering::Relaxed);
        }
        answer
    }

    /// Turn of a request that is sent now.
    fn next_turn(&self) -> usize {
        match self.options.rotation {
            Rotation::EachRequest => self.turn.fetch_add(1, Ordering::Relaxed),
            Rotation::OnFailure => self.turn.load(Ordering::Relaxed),
        }
    }

    /// Returns the turn of the address that is asked now, for [`Self::leave`].
    pub(crate) fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    /// Leaves the address of a turn, unless it was left already.
    pub(crate) fn leave(&self, turn: usize) {
        self.has_left(turn);
    }

    /// Returns `true` if the client stays with one address as long as it answers, and has others.
    fn has_others(&self) -> bool {
        self.options.rotation == Rotation::OnFailure && self.urls.len() > 1
    }

    /// Leaves the address of a turn that has failed, if there is another and the client stays with
    /// one as long as it answers. Requests that fail at the same address side by side leave it
    /// once.
    fn has_left(&self, turn: usize) -> bool {
        let leaves = self.has_others();
        if leaves {
            self.rest.leave(&self.turn, turn, Instant::now());
        }
        leaves
    }

    /// Returns `true` if nothing listens at the only address and nothing ever has: the address is
    /// probably wrong.
    fn is_unreachable(&self, error: &HttpError) -> bool {
        let is_refused = matches!(error, HttpError::Request(error) if error.is_connect());
        is_refused && self.urls.len() == 1 && !self.has_answered.load(Ordering::Relaxed)
    }

    async fn ask_once(
        &self,
        turn: usize,
        request: &impl Fn(Url) -> RequestBuilder,
    ) -> Result<Answer, HttpError> {
        let failed = |error: reqwest::Error| match error.is_timeout() {
            true => HttpError::Timeout(self.options.timeout),
            false => HttpError::Request(error.without_url()),
        };
        let mut response =
            request(self.urls[turn % self.urls.len()].clone()).send().await.map_err(failed)?;
        self.has_answered.store(true, Ordering::Relaxed);
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok().map(Duration::from_secs));
        let mut answer = Vec::new();
        let mut received = Receiving { all: &self.receiving, bytes: 0 };
        while let Some(part) = response.chunk().await.map_err(failed)? {
            let longest = self.longest.load(Ordering::Relaxed);
            let all = received.add(part.len());
            // With another address, all answers together count: an address that is asked for many
            // headers at once may send without end to each.
            if answer.len() + part.len() > longest || self.has_others() && all > longest {
                return Err(HttpError::TooLong(longest));
            }
            answer.extend_from_slice(&part);
        }
        drop(received);
        // JSON-RPC reports errors in the body, independent of the HTTP status.
        if serde_json::from_slice::<serde::de::IgnoredAny>(&answer).is_err() {
            return Err(HttpError::NotJson { status: status.as_u16(), excerpt: excerpt(&answer) });
        }
        let is_refused = status.is_client_error() && !OVERLOADED.contains(&status);
        if is_refused && serde_json::from_slice::<ResponsePacket>(&answer).is_err() {
            return Err(HttpError::Status { status: status.as_u16(), excerpt: excerpt(&answer) });
        }
        Ok(Answer { status, retry_after, body: answer })
    }
}

/// Bytes of one of the answers that are being received.
struct Receiving<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl Receiving<'_> {
    /// Counts further bytes, and returns the number of bytes of all answers.
    fn add(&mut self, bytes: usize) -> usize {
        self.bytes += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The beginning of an answer, as an error shows it.
fn excerpt(answer: &[u8]) -> String {
    String::from_utf8_lossy(&answer[..answer.len().min(EXCERPT)]).into_owned()
}

/// A JSON document with its HTTP status.
struct Answer {
    status: StatusCode,
    /// Delay that the server asks for.
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// Statuses of overloaded servers, and of proxies whose server does not answer.
const OVERLOADED: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Returns `true` if an answer reports an overload, by its status or by the error of a request. Any
/// other error of the node is an answer, even with status 500.
fn is_overloaded(status: StatusCode, body: &[u8], busy: impl Fn(&ResponsePacket) -> bool) -> bool {
    if OVERLOADED.contains(&status) {
        return true;
    }
    if body.len() > LONGEST_ERROR {
        return false;
    }
    serde_json::from_slice(body).map_or_else(|_| status.is_server_error(), |packet| busy(&packet))
}

/// Returns `true` if the same request may succeed a moment later.
fn may_pass(error: &HttpError) -> bool {
    match error {
        HttpError::Request(_) | HttpError::Timeout(_) => true,
        HttpError::TooLong(_) | HttpError::Status { .. } => false,
        HttpError::NotJson { status, .. } => StatusCode::from_u16(*status).is_ok_and(|status| {
            status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
        }),
    }
}

impl tower::Service<RequestPacket> for Http {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let http = self.clone();
        Box::pin(async move {
            match request {
                RequestPacket::Single(request) => {
                    http.ask_with_others(request).await.map(ResponsePacket::Single)
                }
                RequestPacket::Batch(_) => http.exchange(&request).await,
            }
        })
    }
}

impl Http {
    /// Posts a packet unchanged.
    pub(crate) async fn exchange(
        &self,
        request: &RequestPacket,
    ) -> Result<ResponsePacket, TransportError> {
        let body = serde_json::to_vec(request).map_err(TransportError::ser_err)?;
        let answer = self.post(body).await.map_err(TransportErrorKind::custom)?;
        serde_json::from_slice(&answer)
            .map_err(|error| TransportError::deser_err(error, String::from_utf8_lossy(&answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_too_much_to_do_says_so_by_status_or_in_json() {
        let failed = |code: i64, message: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"{message}"}}}}"#)
        };
        let good = r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#;
        let busy = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            is_overloaded(status, body.as_bytes(), is_any_busy)
        };
        assert!(!busy(200, good));
        assert!(busy(429, good) && busy(503, good));
        assert!(busy(200, &failed(429, "Too Many Requests")));
        assert!(busy(200, &failed(-32_005, "rate limit exceeded")));
        assert!(!busy(200, &failed(3, "execution reverted")));
        assert!(!busy(400, &failed(-32_601, "no such method")));
        assert!(!busy(500, &failed(-32_000, "no")));
        assert!(busy(500, "oops") && !busy(400, "oops"));
        assert!(busy(200, &format!("[{good},{}]", failed(429, "slow down"))));
        assert!(!busy(200, "[]") && !busy(200, "7"));
    }
}
