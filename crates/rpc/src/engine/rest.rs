//! The Engine API over REST: payloads and witnesses in SSZ, under `/engine/v1/`.

use super::{
    Engine,
    methods::{ClientVersion, public_keys},
    payload_validator::hashes_in,
};
use crate::RpcError;
use codec::{PayloadEnvelope, PayloadStatus, PayloadStatusWithWitness};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;
use wire::ProtocolFork;

/// Path prefix of the REST endpoints.
pub(crate) const PREFIX: &str = "/engine/v1/";
/// Maximum size of a request body, in bytes (`MAX_REQUEST_BODY_SIZE`).
const LONGEST: usize = 1 << 26;
/// Maximum number of payloads that execute concurrently; further requests wait.
const AT_ONCE: usize = 2;
/// Forks that `Eth-Execution-Version` can name. A blob-parameter-only fork (EIP-7892) uses the name
/// of the fork before it.
const FORKS: [ProtocolFork; 4] =
    [ProtocolFork::Cancun, ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Error response (RFC 9457): HTTP status, problem type and detail.
struct Problem(u16, &'static str, Option<String>);

impl Problem {
    fn response(self) -> HttpResponse {
        let Self(status, kind, detail) = self;
        let mut body = json!({ "type": format!("/engine-api/errors/{kind}") });
        if let (Some(detail), Some(fields)) = (detail, body.as_object_mut()) {
            fields.insert("detail".to_owned(), Value::String(detail));
        }
        response(status, "application/problem+json", body.to_string().into_bytes())
    }
}

impl From<RpcError> for Problem {
    fn from(error: RpcError) -> Self {
        tracing::error!(error = error.message, "request failed with an internal error");
        Self(500, "internal", Some(error.message))
    }
}

/// The two endpoints that accept a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Payloads,
    Witness,
}

/// Handler of the paths under [`PREFIX`].
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    engine: Arc<Engine>,
    places: Arc<Semaphore>,
}

impl Rest {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Handles an authenticated request.
    pub(crate) async fn answer(&self, request: HttpRequest<HttpBody>) -> HttpResponse {
        self.try_answer(request).await.unwrap_or_else(Problem::response)
    }

    async fn try_answer(&self, request: HttpRequest<HttpBody>) -> Result<HttpResponse, Problem> {
        let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let endpoint = match (request.method().as_str(), &*path) {
            ("POST", "payloads") => Endpoint::Payloads,
            ("POST", "payloads/witness") => Endpoint::Witness,
            ("GET", "capabilities") => return Ok(document(&capabilities())),
            ("GET", "identity") => return Ok(document(&json!([ClientVersion::own()]))),
            _ => return Err(Problem(404, "method-not-found", None)),
        };
        let (head, sent) = request.into_parts();
        let named = fork_named(&head.headers)?;
        let bytes = body(sent).await?;
        let _place = self.places.acquire().await;
        let engine = Arc::clone(&self.engine);
        let working =
            tokio::task::spawn_blocking(move || execute(&engine, endpoint, &bytes, named));
        let answer = working.await.map_err(|_| Problem(500, "internal", None))??;
        Ok(response(200, "application/octet-stream", answer))
    }
}

/// Returns the fork in `Eth-Execution-Version`, which determines the SSZ schema of the body.
fn fork_named(headers: &HeaderMap) -> Result<ProtocolFork, Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if header("content-type") != Some("application/octet-stream") {
        return Err(Problem(415, "unsupported-media-type", None));
    }
    let named = header("eth-execution-version").and_then(codec::fork_of_name);
    named.filter(|fork| FORKS.contains(fork)).ok_or(Problem(400, "unsupported-fork", None))
}

/// Reads a request body of at most [`LONGEST`] bytes.
async fn body(body: HttpBody) -> Result<Vec<u8>, Problem> {
    match Limited::new(body, LONGEST).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem(413, "request-too-large", Some(format!("more than {LONGEST} bytes"))))
        }
        Err(error) => Err(Problem(400, "invalid-request", Some(error.to_string()))),
    }
}

/// Executes the payload in a request body, and encodes its status.
fn execute(
    engine: &Engine,
    endpoint: Endpoint,
    bytes: &[u8],
    named: ProtocolFork,
) -> Result<Vec<u8>, Problem> {
    let malformed = |_| Problem(400, "ssz-decode-error", None);
    let envelope = PayloadEnvelope::decode(bytes, named).map_err(malformed)?;
    let timestamp = envelope.payload.timestamp;
    let fork = engine.fork_at(timestamp).filter(|fork| {
        // A blob-parameter-only fork uses the name of the fork before it.
        fork.rules() == named
    });
    let fork = fork.ok_or_else(|| {
        let text = format!("{named} is not active at timestamp {timestamp}");
        Problem(400, "unsupported-fork", Some(text))
    })?;
    let requests: Vec<&[u8]> = envelope.execution_requests.iter().collect();
    let status = match hashes_in(envelope.payload.transactions) {
        Ok(hashes) => match envelope.request(&requests, &hashes) {
            Ok(request) => engine.new_payload(&request, fork)?,
            Err(error) => PayloadStatus::invalid(None, error.to_string()),
        },
        Err(reason) => PayloadStatus::invalid(None, reason),
    };
    if endpoint == Endpoint::Payloads {
        return Ok(status.encode());
    }
    let read = engine.witness_if_valid(&status)?;
    let keys = read.as_ref().map(|(block, _)| public_keys(block)).transpose()?;
    let witness = read.map(|(_, witness)| witness);
    let public_keys = keys.unwrap_or_default();
    Ok(PayloadStatusWithWitness { status, witness, public_keys }.encode())
}

fn capabilities() -> Value {
    json!({
        "supported_forks": FORKS.map(ProtocolFork::name),
        "fork_scoped_endpoints": ["payloads", "payloads/witness"],
        "independently_versioned": {},
        "unscoped_endpoints": ["capabilities", "identity"],
        "limits": { "payload.max_bytes": LONGEST },
    })
}

fn document(value: &Value) -> HttpResponse {
    response(200, "application/json", value.to_string().into_bytes())
}

/// Returns a response with this status, content type and body.
pub(crate) fn response(status: u16, kind: &'static str, body: Vec<u8>) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(body));
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    if let Ok(kind) = kind.parse() {
        response.headers_mut().insert("content-type", kind);
    }
    response
}
