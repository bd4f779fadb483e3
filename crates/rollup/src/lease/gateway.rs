//! Client of etcd's JSON gateway, with multiple endpoints, TLS and password authentication.

use super::{LeaseConfig, LeaseError};
use client::RedactedUrl;
use parking_lot::Mutex;
use reqwest::{Certificate, Identity, Url, header::AUTHORIZATION, redirect};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant, SystemTime},
};

/// Timeout of a request to one member.
const TIMEOUT: Duration = Duration::from_millis(1_000);
/// Maximum length of a response in bytes, more than a page of records in base64.
const MAX_RESPONSE: usize = 4 << 20;
/// Maximum number of bytes of a response in an error.
const EXCERPT: usize = 200;
/// gRPC status of a request without a valid token.
const UNAUTHENTICATED: i64 = 16;

/// User and password of etcd.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Parses `user:password`.
    ///
    /// # Errors
    ///
    /// [`LeaseError::Credentials`] if there is no colon.
    pub fn parse(text: &str) -> Result<Self, LeaseError> {
        let text = text.trim_end_matches(['\r', '\n']);
        let (user, password) = text.split_once(':').ok_or(LeaseError::Credentials)?;
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A response, with the time before the request was sent.
#[derive(Debug)]
pub(super) struct TimedResponse {
    pub(super) body: Value,
    pub(super) sent: TimePoint,
}

/// A point in time by the monotonic clock and the wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimePoint {
    pub(super) instant: Instant,
    pub(super) calendar: SystemTime,
}

impl TimePoint {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), calendar: SystemTime::now() }
    }
}

#[derive(Debug)]
pub(super) struct Gateway {
    http: reqwest::Client,
    endpoints: Vec<Url>,
    /// Index of the endpoint that responded last.
    at: AtomicUsize,
    credentials: Option<Credentials>,
    token: Mutex<Option<String>>,
}

impl Gateway {
    /// Creates a client. Sends no request.
    pub(super) fn new(config: &LeaseConfig) -> Result<Self, LeaseError> {
        let LeaseConfig { endpoints: urls, credentials, ca, identity, .. } = config;
        if urls.is_empty() {
            return Err(LeaseError::NoEndpoints);
        }
        let mut endpoints = Vec::<Url>::new();
        for url in urls {
            let parsed = endpoint(url)?;
            if endpoints.contains(&parsed) {
                return Err(LeaseError::Twice(RedactedUrl::new(url)));
            }
            endpoints.push(parsed);
        }
        let pem = |file, error: &reqwest::Error| LeaseError::Pem { file, reason: chain(error) };
        // Only the endpoint itself may respond, so redirects and proxies are disabled.
        let mut http = reqwest::Client::builder().redirect(redirect::Policy::none()).no_proxy();
        let has_tls = endpoints.iter().any(|url| url.scheme() == "https");
        if let Some(ca) = ca {
            let bundle = Certificate::from_pem_bundle(ca).map_err(|error| pem("the CA", &error))?;
            if bundle.is_empty() {
                let reason = "the file contains no certificate".to_owned();
                return Err(LeaseError::Pem { file: "the CA", reason });
            }
            http = http.tls_certs_only(bundle);
        } else if !has_tls {
            // Without TLS, do not load the system's certificates, which may be missing.
            http = http.tls_certs_only([]);
        }
        if let Some(identity) = identity {
            let identity = Identity::from_pem(identity);
            http = http.identity(identity.map_err(|error| pem("the client certificate", &error))?);
        }
        let http = http.build().map_err(|error| pem("TLS", &error))?;
        let (at, credentials) = (AtomicUsize::new(0), credentials.clone());
        Ok(Self { http, endpoints, at, credentials, token: Mutex::default() })
    }

    /// Sends a request to one endpoint after another, until one responds or the time is over.
    ///
    /// # Errors
    ///
    /// [`LeaseError`] of the last endpoint, or of one whose response was too long: the others have
    /// the same content, and the caller can request less.
    pub(super) async fn post(
        &self,
        path: &'static str,
        body: &Value,
        limit: Duration,
    ) -> Result<TimedResponse, LeaseError> {
        let until = Instant::now() + limit;
        let (mut tried, mut too_long) = (0, None);
        loop {
            let at = self.at.load(Ordering::Relaxed) % self.endpoints.len();
            let endpoint = &self.endpoints[at];
            let remaining = until.saturating_duration_since(Instant::now()).min(TIMEOUT);
            let request = tokio::time::timeout(remaining, self.authenticated(endpoint, path, body));
            let timeout = || LeaseError::Timeout { url: endpoint.into(), limit: remaining };
            let outcome = request.await.unwrap_or_else(|_| Err(timeout()));
            let error = match outcome {
                Err(error) if error.is_of_member() => error,
                outcome => return outcome,
            };
            tracing::debug!(%error, path, "etcd request failed");
            // Concurrent requests must not skip an endpoint.
            let next = (at + 1) % self.endpoints.len();
            let _ = self.at.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
            tried += 1;
            if tried >= self.endpoints.len() || until <= Instant::now() {
                return Err(too_long.unwrap_or(error));
            }
            if error.is_too_long() {
                too_long = Some(error);
            }
        }
    }

    /// Returns the error for a malformed response of etcd.
    pub(super) fn malformed(&self, path: &'static str, body: &Value) -> LeaseError {
        let at = self.at.load(Ordering::Relaxed) % self.endpoints.len();
        malformed(&self.endpoints[at], path, 200, body.to_string().as_bytes())
    }

    /// Sends a request with a token, and repeats it with a new one if the token has expired.
    async fn authenticated(
        &self,
        endpoint: &Url,
        path: &'static str,
        body: &Value,
    ) -> Result<TimedResponse, LeaseError> {
        let Some(credentials) = &self.credentials else {
            return self.send(endpoint, path, body, None).await;
        };
        let cached = self.token.lock().clone();
        if let Some(token) = cached {
            match self.send(endpoint, path, body, Some(&token)).await {
                Err(LeaseError::Rejected { code, message, .. })
                    if code == UNAUTHENTICATED
                        || message.contains("auth store is old")
                        || message.contains("user name is empty") => {}
                outcome => return outcome,
            }
        }
        let Credentials { user, password } = credentials;
        let credentials = json!({ "name": user, "password": password });
        let path_of_token = "/v3/auth/authenticate";
        let TimedResponse { body: response, .. } =
            self.send(endpoint, path_of_token, &credentials, None).await?;
        let Some(token) = response["token"].as_str().map(ToOwned::to_owned) else {
            return Err(malformed(endpoint, path_of_token, 200, b"a response without a token"));
        };
        *self.token.lock() = Some(token.clone());
        self.send(endpoint, path, body, Some(&token)).await
    }

    async fn send(
        &self,
        endpoint: &Url,
        path: &'static str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<TimedResponse, LeaseError> {
        let mut url = endpoint.clone();
        url.set_path(path);
        let mut request =
            self.http.post(url).header("content-type", "application/json").body(body.to_string());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        let failed = |error: reqwest::Error| {
            let reason = chain(&error.without_url());
            LeaseError::Unreachable { url: endpoint.into(), reason }
        };
        let sent = TimePoint::now();
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            if bytes.len() + part.len() > MAX_RESPONSE {
                return Err(LeaseError::TooLong { url: endpoint.into(), limit: MAX_RESPONSE });
            }
            bytes.extend_from_slice(&part);
        }
        let malformed = || malformed(endpoint, path, status.as_u16(), &bytes);
        let body: Value = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
        // Errors of a stream are nested, and have HTTP status 200.
        let error = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
        let code = error.get("code").or_else(|| error.get("grpc_code")).and_then(Value::as_i64);
        if let Some(code) = code {
            let message = error["message"].as_str().or_else(|| error["error"].as_str());
            let message: String = message.unwrap_or_default().chars().take(EXCERPT).collect();
            return Err(LeaseError::Rejected { url: endpoint.into(), path, code, message });
        }
        if !status.is_success() || !body.is_object() {
            return Err(malformed());
        }
        Ok(TimedResponse { body, sent })
    }
}

/// Parses the URL of an endpoint. Without TLS only loopback addresses are accepted, because an
/// attacker on the network could make two nodes lead by changing messages, or read the password.
fn endpoint(text: &str) -> Result<Url, LeaseError> {
    let wrong = |reason: String| LeaseError::Url { url: RedactedUrl::new(text), reason };
    let url: Url = text.parse().map_err(|error| wrong(format!("{error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the URL contains a user, which belongs in the credentials".to_owned()));
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        "http" => Err(LeaseError::Plain(RedactedUrl::new(text))),
        other => Err(wrong(format!("its scheme is {other}, expected https"))),
    }
}

fn malformed(endpoint: &Url, path: &'static str, status: u16, response: &[u8]) -> LeaseError {
    let excerpt = String::from_utf8_lossy(&response[..response.len().min(EXCERPT)]).into_owned();
    LeaseError::Malformed { url: endpoint.into(), path, status, excerpt }
}

/// Formats an error with its sources, because reqwest itself only reports "error sending request".
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufReader, Write as _},
        net::TcpListener,
        thread,
    };

    /// Starts a member whose responses are too long for its gateway.
    fn long_member() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = testkit::read_http(&mut BufReader::new(&stream));
                let body = r#"{"code":8,"message":"grpc: received message larger than max"}"#;
                let head = format!("HTTP/1.1 500 .\r\nContent-Length: {}", body.len());
                let _ = write!(stream, "{head}\r\nConnection: close\r\n\r\n{body}");
            }
        });
        url
    }

    /// Otherwise no node could read long records until the member is back.
    #[tokio::test]
    async fn dead_member_does_not_hide_long_response() {
        let dead = || format!("http://127.0.0.1:{}", testkit::free_port().unwrap());
        for (endpoints, is_too_long) in [
            (vec![long_member(), long_member(), dead()], true),
            (vec![dead(), long_member(), dead()], true),
            (vec![dead(), long_member()], true),
            (vec![dead(), dead()], false),
        ] {
            let config = LeaseConfig {
                endpoints,
                credentials: None,
                ca: None,
                identity: None,
                url: String::new(),
                work_timeout: Duration::ZERO,
            };
            let gateway = Gateway::new(&config).unwrap();
            let response = gateway.post("/v3/kv/range", &json!({}), Duration::from_secs(60)).await;
            let error = response.unwrap_err();
            assert_eq!(error.is_too_long(), is_too_long, "{error}: {:?}", config.endpoints);
        }
    }
}
