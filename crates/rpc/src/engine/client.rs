//! Client for the Engine API of another execution client.

use super::{
    BuiltPayload, ForkchoiceState, ForkchoiceUpdated, JwtSecret, NewPayload, PayloadAttributes,
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, FixedBytes, U64};
use client::RedactedUrl;
use codec::{OwnedWitness, PayloadEnvelope, PayloadStatus, PayloadStatusWithWitness};
use futures_util::future::BoxFuture;
use reqwest::{RequestBuilder, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use wire::{ByteLists, DecodeError, ProtocolFork};

/// Timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of a response, in bytes.
const LONGEST: usize = 1 << 30;
/// Maximum length of a response excerpt in an error, in bytes.
const EXCERPT: usize = 200;

/// Error of a request to another execution client.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The URL is invalid.
    #[error("{url:?} is not an HTTP URL: {reason}")]
    Url {
        /// The URL, without credentials.
        url: RedactedUrl,
        /// Error of the URL parser, or the unsupported scheme.
        reason: String,
    },
    /// The client is unreachable, or the connection failed.
    #[error("request to the execution client failed: {0}")]
    Request(#[from] reqwest::Error),
    /// The response exceeds the size limit.
    #[error("response exceeds {LONGEST} bytes")]
    TooLong,
    /// The client returned an HTTP error status; 401 if the JWT secrets differ.
    #[error("the execution client returned HTTP status {status}: {excerpt}")]
    Status {
        /// The HTTP status code.
        status: u16,
        /// The beginning of the response body.
        excerpt: String,
    },
    /// The response cannot be parsed as the method's result.
    #[error("{method}: {reason}")]
    Answer {
        /// The method.
        method: String,
        /// Error of the parser.
        reason: String,
    },
    /// The client returned a JSON-RPC error.
    #[error("{method}: error {code}: {message}")]
    Refused {
        /// The method.
        method: String,
        /// The error's code.
        code: i64,
        /// Message of the error.
        message: String,
    },
    /// A request cannot be encoded, or a response cannot be decoded.
    #[error(transparent)]
    Format(#[from] DecodeError),
}

/// Client for the authenticated port of another execution client, over HTTP.
#[derive(Debug)]
pub struct EngineClient {
    http: reqwest::Client,
    url: Url,
    secret: JwtSecret,
    next_id: AtomicU64,
}

impl EngineClient {
    /// Creates a client for the Engine API at this URL. Sends no request.
    ///
    /// # Errors
    ///
    /// [`EngineError::Url`], or [`EngineError::Request`] if the HTTP client cannot be set up.
    pub fn new(url: &str, secret: JwtSecret) -> Result<Self, EngineError> {
        let wrong = |reason: String| EngineError::Url { url: RedactedUrl::new(url), reason };
        let parsed: Url = url.parse().map_err(|error| wrong(format!("{error}")))?;
        let mut http = reqwest::Client::builder().timeout(TIMEOUT);
        match parsed.scheme() {
            // Plain HTTP needs no root certificates, and the system may have none.
            "http" => http = http.tls_certs_only([]),
            "https" => {}
            other => return Err(wrong(format!("its scheme is {other}"))),
        }
        Ok(Self { http: http.build()?, url: parsed, secret, next_id: AtomicU64::new(0) })
    }

    /// Returns the URL of the Engine API, without credentials.
    pub fn address(&self) -> RedactedUrl {
        (&self.url).into()
    }

    /// Calls a JSON-RPC method.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<T, EngineError> {
        let result = self.call_for_value(method, params).await?;
        serde_json::from_value(result).map_err(|error| not_an_answer(method, &error))
    }

    fn call_for_value<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, EngineError>> {
        #[derive(Deserialize)]
        struct Failure {
            code: i64,
            message: String,
        }
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            result: Value,
            error: Option<Failure>,
        }
        Box::pin(async move {
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
            let request = self
                .http
                .post(self.url.clone())
                .header("content-type", "application/json")
                .body(body.to_string());
            let bytes = self.send(request).await?;
            let answer: Answer =
                serde_json::from_slice(&bytes).map_err(|error| not_an_answer(method, &error))?;
            if let Some(Failure { code, message }) = answer.error {
                return Err(EngineError::Refused { method: method.to_owned(), code, message });
            }
            Ok(answer.result)
        })
    }

    /// Sends a payload for execution (`engine_newPayload`).
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn new_payload(
        &self,
        new: &NewPayload,
        fork: ProtocolFork,
    ) -> Result<PayloadStatus, EngineError> {
        let mut params = json!([new.payload, new.versioned_hashes, new.parent_beacon_block_root]);
        if let (true, Some(list)) = (fork >= ProtocolFork::Prague, params.as_array_mut()) {
            list.push(json!(new.requests));
        }
        let method = match fork {
            ProtocolFork::Amsterdam => "engine_newPayloadV5",
            fork if fork >= ProtocolFork::Prague => "engine_newPayloadV4",
            _ => "engine_newPayloadV3",
        };
        self.call(method, params).await
    }

    /// Sets the head and, with attributes, starts building a payload
    /// (`engine_forkchoiceUpdated`). `fork` is the fork of that payload, or without attributes of
    /// the head.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn forkchoice_updated(
        &self,
        state: ForkchoiceState,
        attributes: Option<&PayloadAttributes>,
        fork: ProtocolFork,
    ) -> Result<ForkchoiceUpdated, EngineError> {
        let is_amsterdam = fork >= ProtocolFork::Amsterdam;
        let method =
            if is_amsterdam { "engine_forkchoiceUpdatedV4" } else { "engine_forkchoiceUpdatedV3" };
        self.call(method, json!([state, attributes])).await
    }

    /// Fetches a payload whose build an earlier [`Self::forkchoice_updated`] started.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn get_payload(
        &self,
        id: FixedBytes<8>,
        fork: ProtocolFork,
    ) -> Result<BuiltPayload, EngineError> {
        let method = match fork {
            ProtocolFork::Amsterdam => "engine_getPayloadV6",
            fork if fork >= ProtocolFork::Osaka => "engine_getPayloadV5",
            ProtocolFork::Prague => "engine_getPayloadV4",
            _ => "engine_getPayloadV3",
        };
        self.call(method, json!([id])).await
    }

    /// Sends a payload for execution and returns its witness: over REST with SSZ, or over JSON-RPC
    /// if the client does not support REST.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn new_payload_with_witness(
        &self,
        new: &NewPayload,
        fork: ProtocolFork,
    ) -> Result<(PayloadStatus, Option<OwnedWitness>), EngineError> {
        match self.witness_by_rest(new, fork).await {
            Ok(PayloadStatusWithWitness { status, witness, .. }) => Ok((status, witness)),
            // The client rejected the path, the media type or the fork.
            Err(EngineError::Status { status, .. })
                if (400..500).contains(&status) && status != 401 =>
            {
                self.witness_by_json(new, fork).await
            }
            Err(error) => Err(error),
        }
    }

    /// Requests a witness with `POST /engine/v1/payloads/witness`.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn witness_by_rest(
        &self,
        new: &NewPayload,
        fork: ProtocolFork,
    ) -> Result<PayloadStatusWithWitness, EngineError> {
        let body = new.with_request(fork, |request| {
            let envelope = PayloadEnvelope {
                payload: request.payload.clone(),
                parent_beacon_block_root: request.parent_beacon_block_root,
                execution_requests: ByteLists::from(&new.requests),
            };
            envelope.encode(fork)
        })?;
        let mut url = self.url.clone();
        url.set_path("/engine/v1/payloads/witness");
        let request = self
            .http
            .post(url)
            .header("content-type", "application/octet-stream")
            .header("accept", "application/octet-stream")
            .header("eth-execution-version", fork.rules().name())
            .body(body);
        Ok(PayloadStatusWithWitness::decode(&self.send(request).await?)?)
    }

    /// Requests a witness with `engine_newPayloadWithWitness`, which encodes it as geth's RLP.
    ///
    /// # Errors
    ///
    /// [`EngineError`].
    pub async fn witness_by_json(
        &self,
        new: &NewPayload,
        fork: ProtocolFork,
    ) -> Result<(PayloadStatus, Option<OwnedWitness>), EngineError> {
        let mut params = json!([new.payload, new.versioned_hashes, new.parent_beacon_block_root]);
        if let (true, Some(list)) = (fork >= ProtocolFork::Prague, params.as_array_mut()) {
            list.push(json!(new.requests));
        }
        let method = match fork {
            ProtocolFork::Amsterdam => "engine_newPayloadWithWitnessV5",
            fork if fork >= ProtocolFork::Prague => "engine_newPayloadWithWitnessV4",
            _ => "engine_newPayloadWithWitnessV3",
        };
        let answer: super::methods::StatusWithWitness = self.call(method, params).await?;
        let witness = answer.witness.map(|rlp| OwnedWitness::from_geth_rlp(&rlp)).transpose()?;
        Ok((answer.status, witness))
    }

    /// Returns number and hash of the block with this number or tag, or `None` if the client does
    /// not have it. The hash is not checked.
    pub(crate) async fn block(&self, tag: &str) -> Result<Option<BlockNumHash>, EngineError> {
        #[derive(Deserialize)]
        struct Answer {
            number: U64,
            hash: B256,
        }
        let answer: Option<Answer> = self.call("eth_getBlockByNumber", json!([tag, false])).await?;
        Ok(answer.map(|Answer { number, hash }| BlockNumHash { number: number.to(), hash }))
    }

    fn send(&self, request: RequestBuilder) -> BoxFuture<'_, Result<Vec<u8>, EngineError>> {
        Box::pin(async move {
            let request = request.bearer_auth(self.secret.token());
            let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
            let status = response.status();
            let mut answer = Vec::new();
            while let Some(part) = response.chunk().await.map_err(reqwest::Error::without_url)? {
                if answer.len() + part.len() > LONGEST {
                    return Err(EngineError::TooLong);
                }
                answer.extend_from_slice(&part);
            }
            // A JSON-RPC error is in the body, whatever the HTTP status.
            let is_rpc_error = || {
                let body: Option<Value> = serde_json::from_slice(&answer).ok();
                body.is_some_and(|body| {
                    body.get("jsonrpc").is_some() && body["error"]["code"].is_i64()
                })
            };
            let is_unauthorized = status.as_u16() == 401;
            if !status.is_success() && (is_unauthorized || !is_rpc_error()) {
                let excerpt = String::from_utf8_lossy(&answer[..answer.len().min(EXCERPT)]);
                let (status, excerpt) = (status.as_u16(), excerpt.into_owned());
                return Err(EngineError::Status { status, excerpt });
            }
            Ok(answer)
        })
    }
}

fn not_an_answer(method: &str, error: &serde_json::Error) -> EngineError {
    EngineError::Answer { method: method.to_owned(), reason: error.to_string() }
}
