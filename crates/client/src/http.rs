//! JSON over HTTP, within bounds.

use crate::HttpError;
use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_transport::{TransportError, TransportErrorKind, TransportFut};
use core::task::{Context, Poll};
use reqwest::{StatusCode, Url, header::CONTENT_TYPE};
use std::time::Duration;

/// The pause after the first failure; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Bytes of an answer that an error shows.
const EXCERPT: usize = 200;

/// How patient a client is, and how much it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Time for one request, from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// Most bytes of an answer.
    pub longest_answer: usize,
    /// How often a request is tried that fails on its way. More than once only for requests that
    /// change nothing: one whose answer is lost may have been heeded.
    pub tries: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(60), longest_answer: 1 << 30, tries: 1 }
    }
}

/// One address that requests are posted to; a transport of alloy's.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    url: Url,
    options: Options,
}

impl Http {
    pub(crate) fn new(url: Url, options: Options) -> Result<Self, HttpError> {
        let mut client = reqwest::Client::builder().timeout(options.timeout);
        if url.scheme() == "http" {
            // Not to look for the certificates of a system that may have none.
            client = client.tls_certs_only([]);
        }
        Ok(Self { client: client.build()?, url, options })
    }

    /// Where it posts to.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Posts a body as it stands; the body of the answer, which is JSON.
    ///
    /// # Errors
    ///
    /// [`HttpError`] of the last try.
    pub async fn post(&self, body: Vec<u8>) -> Result<Vec<u8>, HttpError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..self.options.tries {
            match self.post_once(body.clone()).await {
                Err(error) if may_pass(&error) => tokio::time::sleep(pause).await,
                outcome => return outcome,
            }
            pause *= 2;
        }
        self.post_once(body).await
    }

    async fn post_once(&self, body: Vec<u8>) -> Result<Vec<u8>, HttpError> {
        let failed = |error: reqwest::Error| match error.is_timeout() {
            true => HttpError::Timeout(self.options.timeout),
            false => HttpError::Request(error),
        };
        let request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if answer.len() + part.len() > self.options.longest_answer {
                return Err(HttpError::TooLong(self.options.longest_answer));
            }
            answer.extend_from_slice(&part);
        }
        // JSON-RPC says in the body what is wrong, whatever the status is.
        if serde_json::from_slice::<serde::de::IgnoredAny>(&answer).is_err() {
            let shown = &answer[..answer.len().min(EXCERPT)];
            let excerpt = String::from_utf8_lossy(shown).into_owned();
            return Err(HttpError::NotJson { status: status.as_u16(), excerpt });
        }
        Ok(answer)
    }
}

/// Whether the same request may succeed a moment later.
fn may_pass(error: &HttpError) -> bool {
    match error {
        HttpError::Request(_) | HttpError::Timeout(_) => true,
        HttpError::TooLong(_) => false,
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
            let body = serde_json::to_vec(&request).map_err(TransportError::ser_err)?;
            let answer = http.post(body).await.map_err(TransportErrorKind::custom)?;
            serde_json::from_slice(&answer)
                .map_err(|error| TransportError::deser_err(error, String::from_utf8_lossy(&answer)))
        })
    }
}
