//! Remote signer: Web3Signer's HTTP API for eth1 keys.

use super::SignerError;
use crate::threads;
use alloy_primitives::{Address, B256, Bytes, Signature, hex, keccak256, map::B256Map};
use client::RedactedUrl;
use parking_lot::{Condvar, Mutex};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::json;
use std::{
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};
use tokio::{runtime, time};

/// Timeout of a request. A signature takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum length of a response, enough for some thousand public keys.
const MAX_ANSWER: usize = 1 << 20;
/// Maximum number of characters of a response in an error.
const EXCERPT: usize = 200;

/// Key of an account at a Web3Signer.
#[derive(Debug)]
pub(crate) struct Web3Signer {
    url: Url,
    client: Client,
    account: Address,
    /// Public key of the account, which identifies the key in Web3Signer's API. Set once the signer
    /// has listed it.
    identifier: OnceLock<String>,
    /// Signatures requested on other threads, by the signed hash.
    requests: Mutex<B256Map<SignatureRequest>>,
    has_response: Condvar,
}

/// A signature requested on another thread.
#[derive(Debug)]
enum SignatureRequest {
    Waiting,
    Signed(Signature),
    Failed(SignerError),
}

/// Maximum number of signatures requested on other threads. A block needs three.
const MAX_REQUESTS: usize = 16;

impl Web3Signer {
    /// Creates a signer at this URL. Sends no request yet.
    pub(crate) fn new(url: &str, account: Address) -> Result<Self, SignerError> {
        let bad = |reason: String| SignerError::Url { url: RedactedUrl::new(url), reason };
        let parsed: Url = url.parse().map_err(|error| bad(format!("{error}")))?;
        if !["http", "https"].contains(&parsed.scheme()) {
            return Err(bad("expected http:// or https://".to_owned()));
        }
        // Each request has its own runtime, which owns the connection, so connections cannot be
        // reused.
        let mut client = Client::builder().pool_max_idle_per_host(0);
        if parsed.scheme() == "http" {
            // Without TLS, do not load the system's certificates, which may be missing.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| bad(error.to_string()))?;
        let (identifier, requests, has_response) =
            (OnceLock::new(), Mutex::default(), Condvar::new());
        Ok(Self { url: parsed, client, account, identifier, requests, has_response })
    }

    pub(crate) const fn account(&self) -> Address {
        self.account
    }

    /// Signs `hash`, the Keccak hash of `encoded`. Waits at most two seconds for each of up to two
    /// requests.
    pub(crate) fn sign(&self, encoded: &[u8], hash: B256) -> Result<Signature, SignerError> {
        let identifier = self.identifier()?;
        let path = format!("/api/v1/eth1/sign/{identifier}");
        let body = json!({ "data": hex::encode_prefixed(encoded) }).to_string();
        let request =
            self.client.post(self.at(&path)).header("content-type", "application/json").body(body);
        let response = self.send(request)?;
        // Some versions respond with a JSON string.
        let text = response.trim().trim_matches('"');
        let signature = hex::decode(text).ok().and_then(|bytes| Signature::from_raw(&bytes).ok());
        let signature = signature
            .ok_or_else(|| self.malformed(&response, "a signature of 65 bytes in hexadecimal"))?
            // Cloud key managers may return a high `s`, which is invalid in transactions (EIP-2).
            .normalized_s();
        // With another key's signature, the transaction would be from another account, which would
        // pay for it without effect.
        let got = signature.recover_address_from_prehash(&hash).unwrap_or_default();
        let expected = self.account;
        if got != expected {
            return Err(SignerError::WrongKey { url: (&self.url).into(), got, expected });
        }
        Ok(signature)
    }

    /// Like [`Self::sign`], on another thread, and waits for at most `wait`. A signature that
    /// arrives later is returned by the next call.
    ///
    /// # Errors
    ///
    /// [`SignerError::Pending`] if the signature has not arrived yet; otherwise the signer's error,
    /// after which the next call repeats the request.
    pub(crate) fn sign_within(
        self: &Arc<Self>,
        encoded: Vec<u8>,
        hash: B256,
        wait: Duration,
    ) -> Result<Signature, SignerError> {
        let until = Instant::now() + wait;
        let mut requests = self.requests.lock();
        if !requests.contains_key(&hash) {
            // Drop finished signatures that were not used. The limit also bounds the threads that a
            // hanging signer can block.
            requests.retain(|_, request| matches!(request, SignatureRequest::Waiting));
            if requests.len() >= MAX_REQUESTS {
                return Err(self.pending());
            }
            requests.insert(hash, SignatureRequest::Waiting);
            let signer = Arc::clone(self);
            let spawned = thread::Builder::new().name("signing".to_owned()).spawn(move || {
                let outcome = signer
                    .sign(&encoded, hash)
                    .map_or_else(SignatureRequest::Failed, SignatureRequest::Signed);
                signer.requests.lock().insert(hash, outcome);
                signer.has_response.notify_all();
            });
            if spawned.is_err() {
                requests.remove(&hash);
                return Err(self.pending());
            }
        }
        while matches!(requests.get(&hash), Some(SignatureRequest::Waiting)) {
            if self.has_response.wait_until(&mut requests, until).timed_out() {
                break;
            }
        }
        match requests.remove(&hash) {
            Some(SignatureRequest::Signed(signature)) => {
                // Kept in case the block is too large and is rebuilt.
                requests.insert(hash, SignatureRequest::Signed(signature));
                Ok(signature)
            }
            Some(SignatureRequest::Failed(error)) => Err(error),
            waiting => {
                requests.extend(waiting.map(|probe| (hash, probe)));
                Err(self.pending())
            }
        }
    }

    fn pending(&self) -> SignerError {
        SignerError::Pending { url: (&self.url).into() }
    }

    /// Returns the public key of the account. The first call requests it from the signer.
    pub(crate) fn identifier(&self) -> Result<String, SignerError> {
        if let Some(cached) = self.identifier.get() {
            return Ok(cached.clone());
        }
        let response = self.send(self.client.get(self.at("/api/v1/eth1/publicKeys")))?;
        let keys: Vec<Bytes> = serde_json::from_str(&response)
            .map_err(|_| self.malformed(&response, "a list of public keys"))?;
        let found = keys.iter().find(|key| account_of(key) == Some(self.account));
        let found = found.ok_or_else(|| SignerError::NoKey {
            url: (&self.url).into(),
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

    fn malformed(&self, response: &str, expected: &'static str) -> SignerError {
        let excerpt = response.chars().take(EXCERPT).collect();
        SignerError::Malformed { url: (&self.url).into(), excerpt, expected }
    }

    /// Sends a request on a new thread.
    fn send(&self, request: RequestBuilder) -> Result<String, SignerError> {
        let silent = |reason: String| SignerError::Silent { url: (&self.url).into(), reason };
        let request_in_time = || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| silent(error.to_string()))?.block_on(async {
                let response = time::timeout(TIMEOUT, read(request)).await;
                let response =
                    response.map_err(|_| silent(format!("no answer within {TIMEOUT:?}")))?;
                response.map_err(silent)
            })
        };
        // Tokio panics if a runtime blocks a thread of another runtime, and the caller may be on
        // one.
        let joined = thread::scope(|scope| threads::spawn(scope, request_in_time).join());
        let (status, text) = joined.unwrap_or_else(|_| {
            Err(silent("the thread of the request could not be started or panicked".to_owned()))
        })?;
        if !(200..300).contains(&status) {
            let excerpt = text.chars().take(EXCERPT).collect();
            return Err(SignerError::Refused { url: (&self.url).into(), status, excerpt });
        }
        Ok(text)
    }
}

/// Sends a request, and returns the HTTP status and body of the response, up to [`MAX_ANSWER`].
async fn read(request: RequestBuilder) -> Result<(u16, String), String> {
    let failed = |error: reqwest::Error| match error.is_connect() {
        true => "connection failed".to_owned(),
        false => error.without_url().to_string(),
    };
    let mut response = request.send().await.map_err(failed)?;
    let (status, mut body) = (response.status().as_u16(), Vec::new());
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > MAX_ANSWER {
            return Err(format!("the response is longer than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Returns the account of an uncompressed public key, with or without the SEC 1 prefix.
fn account_of(key: &[u8]) -> Option<Address> {
    let key = match key {
        [4, key @ ..] if key.len() == 64 => key,
        key if key.len() == 64 => key,
        _ => return None,
    };
    Some(Address::from_slice(&keccak256(key)[12..]))
}
