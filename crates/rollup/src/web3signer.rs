//! A key that another process holds: Web3Signer's HTTP API for eth1 keys.

use alloy_primitives::{Address, B256, Bytes, Signature, hex, keccak256};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::json;
use std::{sync::OnceLock, thread, time::Duration};
use tokio::{runtime, time};

/// Longest time for one request. A signature takes milliseconds, and blocks wait for it.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Most bytes of an answer: some thousand public keys.
const MAX_ANSWER: usize = 1 << 20;
/// Bytes of an answer that an error shows.
const EXCERPT: usize = 200;

/// Reason for which a remote signer gives no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The URL is malformed.
    #[error("{url} is not the URL of a signer: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// Error of the parser.
        reason: String,
    },
    /// The signer does not answer.
    #[error("the remote signer at {url} does not answer: {reason}")]
    Silent {
        /// The URL.
        url: String,
        /// Error of the connection.
        reason: String,
    },
    /// The signer refuses a request.
    #[error("the remote signer at {url} answers with HTTP status {status}: {excerpt}")]
    Refused {
        /// The URL.
        url: String,
        /// HTTP status.
        status: u16,
        /// Beginning of the answer.
        excerpt: String,
    },
    /// The answer is not what Web3Signer's API says.
    #[error("the remote signer at {url} answers {excerpt:?}, expected {expected}")]
    Malformed {
        /// The URL.
        url: String,
        /// Beginning of the answer.
        excerpt: String,
        /// Form of a correct answer.
        expected: &'static str,
    },
    /// The signer does not hold the key.
    #[error("the remote signer at {url} has {keys} keys, and none of them is that of {account}")]
    NoKey {
        /// The URL.
        url: String,
        /// Number of its keys.
        keys: usize,
        /// The account.
        account: Address,
    },
    /// The signature is that of another key, or of another transaction.
    #[error("the remote signer at {url} has signed for {got}, expected {expected}")]
    WrongKey {
        /// The URL.
        url: String,
        /// Account that the signature recovers to.
        got: Address,
        /// Account of the key.
        expected: Address,
    },
}

/// A key of a Web3Signer, by its account.
#[derive(Debug)]
pub(crate) struct Web3Signer {
    url: Url,
    client: Client,
    account: Address,
    /// Public key of the account, by which Web3Signer names keys, once the signer has listed it.
    identifier: OnceLock<String>,
}

impl Web3Signer {
    /// A signer at this URL. Nothing is sent yet.
    pub(crate) fn new(url: &str, account: Address) -> Result<Self, SignerError> {
        let bad = |reason: String| SignerError::Url { url: url.to_owned(), reason };
        let parsed: Url = url.parse().map_err(|error| bad(format!("{error}")))?;
        if !["http", "https"].contains(&parsed.scheme()) {
            return Err(bad("it begins neither with http:// nor with https://".to_owned()));
        }
        // A connection belongs to the runtime of one request, so none is kept.
        let mut client = Client::builder().pool_max_idle_per_host(0);
        if parsed.scheme() == "http" {
            // Not to look for the certificates of a system that may have none.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| bad(error.to_string()))?;
        Ok(Self { url: parsed, client, account, identifier: OnceLock::new() })
    }

    pub(crate) const fn account(&self) -> Address {
        self.account
    }

    /// Signature of the Keccak hash of `encoded`, which is `hash`. Waits two seconds for each of two requests at most.
    pub(crate) fn sign(&self, encoded: &[u8], hash: B256) -> Result<Signature, SignerError> {
        let identifier = self.identifier()?;
        let path = format!("/api/v1/eth1/sign/{identifier}");
        let body = json!({ "data": hex::encode_prefixed(encoded) }).to_string();
        let request =
            self.client.post(self.at(&path)).header("content-type", "application/json").body(body);
        let answer = self.ask(request)?;
        // Some versions answer with a JSON string.
        let text = answer.trim().trim_matches('"');
        let signature = hex::decode(text).ok().and_then(|it| Signature::from_raw(&it).ok());
        let signature = signature
            .ok_or_else(|| self.malformed(&answer, "a signature of 65 bytes in hexadecimal"))?;
        let got = signature.recover_address_from_prehash(&hash).unwrap_or_default();
        let expected = self.account;
        if got != expected {
            return Err(SignerError::WrongKey { url: self.url.to_string(), got, expected });
        }
        Ok(signature)
    }

    /// Asks the signer for its keys, and returns the one of the account.
    pub(crate) fn identifier(&self) -> Result<String, SignerError> {
        if let Some(known) = self.identifier.get() {
            return Ok(known.clone());
        }
        let answer = self.ask(self.client.get(self.at("/api/v1/eth1/publicKeys")))?;
        let keys: Vec<Bytes> = serde_json::from_str(&answer)
            .map_err(|_| self.malformed(&answer, "a list of public keys"))?;
        let found = keys.iter().find(|key| account_of(key) == Some(self.account));
        let found = found.ok_or_else(|| SignerError::NoKey {
            url: self.url.to_string(),
            keys: keys.len(),
            account: self.account,
        })?;
        Ok(self.identifier.get_or_init(|| found.to_string()).clone())
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&[url.path().trim_end_matches('/'), path].concat());
        url
    }

    fn malformed(&self, answer: &str, expected: &'static str) -> SignerError {
        let excerpt = answer.chars().take(EXCERPT).collect();
        SignerError::Malformed { url: self.url.to_string(), excerpt, expected }
    }

    /// Sends a request, on a thread of its own: the caller may be on a thread of another runtime.
    fn ask(&self, request: RequestBuilder) -> Result<String, SignerError> {
        let silent = |reason: String| SignerError::Silent { url: self.url.to_string(), reason };
        let asked = || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| silent(error.to_string()))?.block_on(async {
                let answer = time::timeout(TIMEOUT, read(request)).await;
                let answer = answer.map_err(|_| silent(format!("no answer within {TIMEOUT:?}")))?;
                answer.map_err(silent)
            })
        };
        let joined = thread::scope(|scope| scope.spawn(asked).join());
        let (status, text) =
            joined.unwrap_or_else(|_| Err(silent("the request has panicked".to_owned())))?;
        if !(200..300).contains(&status) {
            let excerpt = text.chars().take(EXCERPT).collect();
            return Err(SignerError::Refused { url: self.url.to_string(), status, excerpt });
        }
        Ok(text)
    }
}

/// Status and text of the answer, of which no more is read than any correct answer has.
async fn read(request: RequestBuilder) -> Result<(u16, String), String> {
    let told = |error: reqwest::Error| match error.is_connect() {
        true => "nothing listens there".to_owned(),
        false => error.without_url().to_string(),
    };
    let mut response = request.send().await.map_err(told)?;
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while let Some(part) = response.chunk().await.map_err(told)? {
        if body.len() + part.len() > MAX_ANSWER {
            return Err(format!("the answer is longer than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Account of an uncompressed public key, with or without the prefix of SEC 1.
fn account_of(key: &[u8]) -> Option<Address> {
    let key = match key {
        [4, key @ ..] if key.len() == 64 => key,
        key if key.len() == 64 => key,
        _ => return None,
    };
    Some(Address::from_slice(&keccak256(key)[12..]))
}
