//! URLs without secrets.

use reqwest::Url;
use serde::{Serialize, Serializer};
use std::fmt;

/// Maximum length, in bytes, of a text without a scheme that is shown unredacted.
const SHORT: usize = 64;

/// The part of a URL that is safe to show: scheme, host and port.
///
/// User, password, path and query are omitted, because providers put API keys into any of them.
/// Errors, logs, metrics and responses contain URLs only in this form.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RedactedUrl(String);

impl RedactedUrl {
    /// Redacts a text that should be a URL.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        match text.parse::<Url>() {
            Ok(url) if url.has_host() => Self::from(&url),
            // A text such as `localhost:8545`, without a scheme, is shown to the user as typed. A
            // secret would be in one of the parts that begin with these characters.
            _ if text.len() <= SHORT && !text.contains(['@', '/', '?', '#']) => {
                Self(text.to_owned())
            }
            _ => Self("(malformed URL)".to_owned()),
        }
    }
}

impl From<&Url> for RedactedUrl {
    fn from(url: &Url) -> Self {
        let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            text.push_str(&format!(":{port}"));
        }
        Self(text)
    }
}

impl fmt::Display for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedactedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for RedactedUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redacted_url_shows_only_scheme_host_port() {
        for (text, shown) in [
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
            (
                "https://user:S3CRET@node.example/v3/S3CRET?key=S3CRET#S3CRET",
                "https://node.example",
            ),
            ("ws://S3CRET@[::1]:9545/S3CRET", "ws://[::1]:9545"),
            ("https://node.example:443/", "https://node.example"),
            ("node.example:8545", "node.example:8545"),
            ("localhost", "localhost"),
            ("//user:S3CRET@node", "(malformed URL)"),
            ("http//node/S3CRET", "(malformed URL)"),
            ("http://user:S3CRET@no de/", "(malformed URL)"),
        ] {
            let url = RedactedUrl::new(text);
            assert_eq!(url.to_string(), shown, "{text}");
            assert_eq!(format!("{url:?}"), format!("{shown:?}"));
        }
    }
}
