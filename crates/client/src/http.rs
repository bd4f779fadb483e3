//! JSON over HTTP, with timeouts, size limits and retries.

use crate::{
    ClientOptions, HttpError, Rotation, backoff::Backoffs, batch_queue::Batches, busy::is_any_busy,
    retry_policy::RetryPolicy,
};
use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportErrorKind};
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

/// Maximum size, in bytes, of a response that is searched for an overload error.
const LONGEST_ERROR: usize = 1 << 16;
/// Maximum length of a response excerpt in an error, in bytes.
const EXCERPT: usize = 200;

/// Initial size limit of a response, in bytes, if there are multiple addresses. Mainnet blocks have
/// a tenth of it.
const FIRST_LONGEST: usize = 32 << 20;

/// HTTP transport for alloy, with one or more addresses of a node.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    urls: Arc<[Url]>,
    options: ClientOptions,
    /// Turn of the next request; modulo the number of addresses, it is the index of its address.
    turn: Arc<AtomicUsize>,
    /// Failures of the addresses, which determine the next turn.
    backoffs: Arc<Backoffs>,
    /// Current size limit of a response, in bytes. With multiple addresses it starts small and
    /// doubles if the responses of all addresses exceed it.
    longest: Arc<AtomicUsize>,
    /// Total bytes of the responses that are being received.
    receiving: Arc<AtomicUsize>,
    /// Set once any of the addresses has responded.
    has_answered: Arc<AtomicBool>,
    retry_policy: RetryPolicy,
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
            // Plain HTTP needs no root certificates, and the system may have none.
            client = client.tls_certs_only([]);
        }
        let longest = match options.rotation == Rotation::OnFailure && urls.len() > 1 {
            true => options.longest_answer.min(FIRST_LONGEST),
            false => options.longest_answer,
        };
        Ok(Self {
            client: client.build()?,
            backoffs: Arc::new(Backoffs::of(urls.len())),
            urls: urls.into(),
            longest: Arc::new(longest.into()),
            receiving: Arc::default(),
            options,
            turn: Arc::default(),
            has_answered: Arc::default(),
            retry_policy: RetryPolicy::new(&options),
            batches: Arc::default(),
        })
    }

    /// Returns the first of the URLs.
    pub fn url(&self) -> &Url {
        &self.urls[0]
    }

    pub(crate) const fn options(&self) -> ClientOptions {
        self.options
    }

    pub(crate) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// Posts a body unchanged and returns the response body, which is JSON.
    ///
    /// # Errors
    ///
    /// [`HttpError`] of the last attempt.
    pub fn post(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, HttpError>> {
        Box::pin(self.post_unless(body, is_any_busy))
    }

    /// Posts a body; `busy` returns `true` for a response after which to retry.
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

    /// Sends a GET request to this path and query relative to the URL, and returns the response
    /// body, which is JSON.
    ///
    /// # Errors
    ///
    /// [`HttpError`] of the last attempt; [`HttpError::Status`] if the server returns an error
    /// status.
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

    /// Sends a request, with retries.
    async fn ask(
        &self,
        request: impl Fn(Url) -> RequestBuilder,
        busy: impl Fn(&ResponsePacket) -> bool,
    ) -> Result<Answer, HttpError> {
        let mut too_long = 0;
        let tries_before_the_last = self.options.tries.saturating_sub(1) as usize;
        for pause in self.retry_policy.pauses().take(tries_before_the_last) {
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
            // The delay applies to the failed address, not to the next one.
            let wait = if self.try_switch(turn) { Duration::ZERO } else { wait };
            self.retry_policy.wait(wait).await;
        }
        let turn = self.next_turn();
        let answer = self.ask_once(turn, &request).await;
        if let Err(error) = &answer
            && (may_pass(error) || self.has_others())
        {
            too_long += usize::from(matches!(error, HttpError::TooLong(_)));
            self.try_switch(turn);
        }
        // A single address that sends an endless response is skipped. If the responses of all
        // addresses are too long, the response may be genuine, so raise the limit.
        if self.has_others() && too_long >= self.urls.len() {
            let longest = self.longest.load(Ordering::Relaxed).saturating_mul(2);
            self.longest.store(longest.min(self.options.longest_answer), Ordering::Relaxed);
        }
        answer
    }

    /// Returns the turn of a request that is sent now.
    fn next_turn(&self) -> usize {
        match self.options.rotation {
            Rotation::EachRequest => self.turn.fetch_add(1, Ordering::Relaxed),
            Rotation::OnFailure => self.turn.load(Ordering::Relaxed),
        }
    }

    /// Returns the turn that the next request uses, for [`Self::switch`].
    pub(crate) fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed)
    }

    /// Switches from the address of a turn to the next one, unless that has already happened.
    pub(crate) fn switch(&self, turn: usize) {
        self.try_switch(turn);
    }

    /// Returns `true` if the rotation is [`Rotation::OnFailure`] and there are multiple addresses.
    fn has_others(&self) -> bool {
        self.options.rotation == Rotation::OnFailure && self.urls.len() > 1
    }

    /// Switches from the failed address of a turn to the next one. Returns `false` if there is
    /// [no other](Self::has_others). Concurrent failures of one turn switch once.
    fn try_switch(&self, turn: usize) -> bool {
        let is_switched = self.has_others();
        if is_switched {
            self.backoffs.switch(&self.turn, turn, Instant::now());
        }
        is_switched
    }

    /// Returns `true` if the only address refuses connections and has never responded: it is
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
        let mut received = ResponseBytes { all: &self.receiving, bytes: 0 };
        while let Some(part) = response.chunk().await.map_err(failed)? {
            let longest = self.longest.load(Ordering::Relaxed);
            let all = received.add(part.len());
            // With multiple addresses, all responses together count towards the limit: an address
            // could send an endless response to each of many concurrent requests.
            if answer.len() + part.len() > longest || self.has_others() && all > longest {
                return Err(HttpError::TooLong(longest));
            }
            answer.extend_from_slice(&part);
        }
        drop(received);
        // A JSON-RPC error is in the body, whatever the HTTP status.
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

/// Byte count of one response that is being received; subtracted from the total on drop.
struct ResponseBytes<'a> {
    all: &'a AtomicUsize,
    bytes: usize,
}

impl ResponseBytes<'_> {
    /// Adds received bytes and returns the total of all responses.
    fn add(&mut self, bytes: usize) -> usize {
        self.bytes += bytes;
        self.all.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

impl Drop for ResponseBytes<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Returns the beginning of a response for an error.
fn excerpt(answer: &[u8]) -> String {
    String::from_utf8_lossy(&answer[..answer.len().min(EXCERPT)]).into_owned()
}

/// A JSON document with its HTTP status.
struct Answer {
    status: StatusCode,
    /// Delay from the `Retry-After` header.
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// Statuses of overloaded servers, and of proxies whose upstream does not respond.
const OVERLOADED: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];

/// Returns `true` if a response reports an overload, by its status or by a JSON-RPC error. Any
/// other JSON-RPC error is a valid response, even with status 500.
fn is_overloaded(status: StatusCode, body: &[u8], busy: impl Fn(&ResponsePacket) -> bool) -> bool {
    if OVERLOADED.contains(&status) {
        return true;
    }
    if body.len() > LONGEST_ERROR {
        return false;
    }
    serde_json::from_slice(body).map_or_else(|_| status.is_server_error(), |packet| busy(&packet))
}

/// Returns `true` if the error is transient, so that a retry may succeed.
fn may_pass(error: &HttpError) -> bool {
    match error {
        HttpError::Request(_) | HttpError::Timeout(_) => true,
        HttpError::TooLong(_) | HttpError::Status { .. } => false,
        HttpError::NotJson { status, .. } => StatusCode::from_u16(*status).is_ok_and(|status| {
            status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
        }),
    }
}

impl Http {
    /// Posts a packet unchanged, without batching.
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
    fn overload_is_detected_by_status_or_error() {
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
