//! Access control of a port: checks the Host and Origin headers of a request, and its bearer token.
//!
//! A browser sends requests on behalf of any web page to any address, including the loopback
//! interface. CORS only hides the responses, and it does not cover WebSockets. DNS rebinding makes
//! a page and a local port the same origin, but the Host header then still contains the name of the
//! page's server.

use alloy_primitives::keccak256;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use std::{
    fmt,
    future::ready,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Maximum number of bytes of a rejected header value that an error contains.
const SHOWN: usize = 64;

/// Secret that every request to a port must contain as `Authorization: Bearer …`.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// Creates a random token: 32 bytes in hexadecimal.
    pub fn random() -> Self {
        Self(alloy_primitives::hex::encode(rand::random::<[u8; 32]>()))
    }

    /// Parses a token of 32 to 1,024 visible ASCII characters; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_token =
            (32..=1024).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_token.then(|| Self(text.to_owned()))
    }

    /// Returns the token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    // Compare hashes, so that the duration does not leak how much of the token matches.
    fn is(&self, got: &[u8]) -> bool {
        keccak256(got) == keccak256(&self.0)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// Reason to reject a request before its body is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The Host header is neither an IP address nor an allowed name.
    #[error("host {got:?} is not allowed")]
    Host {
        /// The start of the header.
        got: String,
    },
    /// A web page of an origin that is not allowed sent the request.
    #[error("origin {got:?} is not allowed")]
    Origin {
        /// The start of the header.
        got: String,
    },
    /// The bearer token is missing or wrong.
    #[error("a bearer token is missing or wrong")]
    Token,
}

impl AccessError {
    const fn status(&self) -> u16 {
        match self {
            Self::Host { .. } | Self::Origin { .. } => 403,
            Self::Token => 401,
        }
    }
}

/// Access rules for requests to a port.
#[derive(Debug, Clone)]
pub struct Access {
    /// Names that the Host header may contain, besides IP addresses; `*` allows all.
    pub hosts: Vec<String>,
    /// Origin of web pages that may send requests; `*` allows every origin, `None` rejects all.
    pub origin: Option<String>,
    /// Bearer token that requests must contain, if any.
    pub token: Option<AccessToken>,
}

impl Access {
    /// Rules for local programs: no web pages, and only `localhost` or an IP address as the host.
    pub fn local(token: Option<AccessToken>) -> Self {
        Self { hosts: vec!["localhost".to_owned()], origin: None, token }
    }

    /// Checks the headers of a request, including WebSocket upgrades.
    ///
    /// # Errors
    ///
    /// [`AccessError`] if the request must be rejected.
    pub fn check<B>(&self, request: &HttpRequest<B>) -> Result<(), AccessError> {
        let header = |name: &str| request.headers().get_all(name).into_iter();
        for host in header("host") {
            if !self.allows_host(host.as_bytes()) {
                return Err(AccessError::Host { got: start(host.as_bytes()) });
            }
        }
        // HTTP/2 and absolute-form targets contain the host in the target.
        if let Some(host) = request.uri().host()
            && !self.allows_host(host.as_bytes())
        {
            return Err(AccessError::Host { got: start(host.as_bytes()) });
        }
        for origin in header("origin") {
            let allowed = self.origin.as_deref();
            if !allowed.is_some_and(|name| name == "*" || name.as_bytes() == origin.as_bytes()) {
                return Err(AccessError::Origin { got: start(origin.as_bytes()) });
            }
        }
        match &self.token {
            Some(token) => {
                let credentials = header("authorization").next().map(|value| value.as_bytes());
                let bearer = credentials.and_then(|value| value.strip_prefix(b"Bearer "));
                match bearer.is_some_and(|bearer| token.is(bearer)) {
                    true => Ok(()),
                    false => Err(AccessError::Token),
                }
            }
            None => Ok(()),
        }
    }

    /// Returns `true` if the value of a Host header, with or without a port, is allowed.
    pub(super) fn allows_host(&self, host: &[u8]) -> bool {
        if self.hosts.iter().any(|allowed| allowed == "*") {
            return true;
        }
        let Ok(host) = str::from_utf8(host) else { return false };
        let name = match host.rsplit_once(':') {
            Some((name, port))
                if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                // An IPv6 address without a port contains colons too, but is enclosed in brackets.
                if host.ends_with(']') { host } else { name }
            }
            _ => host,
        };
        let address =
            name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        address.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

fn start(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..value.len().min(SHOWN)]).into_owned()
}

/// Middleware that enforces [`Access`].
#[derive(Debug, Clone)]
pub(super) struct AccessLayer(pub(super) Arc<Access>);

impl<S> Layer<S> for AccessLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { access: Arc::clone(&self.0), inner }
    }
}

/// Service behind an [`AccessLayer`].
#[derive(Debug, Clone)]
pub(super) struct Guarded<S> {
    access: Arc<Access>,
    inner: S,
}

impl<S, B> Service<HttpRequest<B>> for Guarded<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        match self.access.check(&request) {
            Ok(()) => Box::pin(self.inner.call(request)),
            Err(error) => {
                tracing::debug!(%error, "refused request by its headers");
                Box::pin(ready(Ok(refusal(&error))))
            }
        }
    }
}

/// Returns the response to a rejected request.
fn refusal(error: &AccessError) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpBody::from(error.to_string()));
    if let Ok(status) = error.status().try_into() {
        *answer.status_mut() = status;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(hosts: &[&str], origin: Option<&str>, token: Option<&AccessToken>) -> Access {
        Access {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            origin: origin.map(str::to_owned),
            token: token.cloned(),
        }
    }

    fn request(headers: &[(&'static str, &str)]) -> HttpRequest<()> {
        let mut request = HttpRequest::new(());
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn hosts_must_be_addresses_or_listed() {
        let local = access(&["localhost"], None, None);
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:80",
            "10.0.0.1",
        ] {
            assert!(local.allows_host(host.as_bytes()), "{host}");
        }
        for host in [
            "attacker.example",
            "attacker.example:80",
            "localhost.attacker.example",
            "",
            ":80",
            "127.0.0.1.nip.io",
        ] {
            assert!(!local.allows_host(host.as_bytes()), "{host}");
            assert!(access(&["*"], None, None).allows_host(host.as_bytes()), "{host}");
        }
        assert!(access(&["node"], None, None).allows_host(b"node:8545"));
    }

    #[test]
    fn only_configured_origins_are_allowed() {
        let page = request(&[("host", "localhost"), ("origin", "http://here")]);
        let program = request(&[("host", "localhost")]);
        for (allowed, passes) in [
            (None, false),
            (Some("http://there"), false),
            (Some("http://here"), true),
            (Some("*"), true),
        ] {
            let access = access(&["localhost"], allowed, None);
            assert_eq!(access.check(&page).is_ok(), passes, "{allowed:?}");
            assert_eq!(access.check(&program), Ok(()));
        }
    }

    #[test]
    fn requests_require_the_exact_token() {
        let token = AccessToken::random();
        let local = Access::local(Some(token.clone()));
        let check = |value: &str| local.check(&request(&[("authorization", value)]));
        assert_eq!(check(&format!("Bearer {}", token.expose())), Ok(()));
        for wrong in
            [format!("Bearer {}x", token.expose()), token.expose().to_owned(), "Bearer ".to_owned()]
        {
            assert_eq!(check(&wrong), Err(AccessError::Token), "{wrong}");
        }
        assert_eq!(local.check(&request(&[])), Err(AccessError::Token));
        assert!(!format!("{local:?}").contains(token.expose()));
    }

    #[test]
    fn short_tokens_are_rejected() {
        assert_eq!(AccessToken::parse("secret"), None);
        assert_eq!(AccessToken::parse(&" ".repeat(40)), None);
        let text = "a".repeat(32);
        assert_eq!(AccessToken::parse(&format!("{text}\n")).unwrap().expose(), text);
    }
}
