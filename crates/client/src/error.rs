//! Errors of requests to a node.

use crate::{Excerpt, RedactedUrl};
use alloy_transport::TransportError;
use std::{io, time::Duration};

/// Error of a request, or error that the node returned.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The text is not the URL of a node, or the URL cannot be used as given.
    #[error("{url:?} is not the URL of a node: {reason}")]
    Url {
        /// The text, without secrets.
        url: RedactedUrl,
        /// Reason for which it was rejected.
        reason: String,
    },
    /// The name or value is invalid in an HTTP header. Contains the name only: the value may be a
    /// secret.
    #[error("invalid name or value of header {0:?}")]
    Header(String),
    /// The request is not JSON-RPC and needs HTTP, but the URL is a WebSocket.
    #[error("{0} is a WebSocket, which supports only JSON-RPC: this request needs an HTTP URL")]
    NoPages(RedactedUrl),
    /// The client's runtime could not be started.
    #[error("cannot set up the client: {0}")]
    Setup(#[from] io::Error),
    /// The HTTP request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The node returned an error, did not respond, or its result has an unexpected type.
    // Not a source: reports of error chains would contain the whole response.
    #[error("{}", Excerpt::new(.0))]
    Rpc(TransportError),
}

impl From<TransportError> for ClientError {
    fn from(error: TransportError) -> Self {
        Self::Rpc(error)
    }
}

/// Reason for which an HTTP request has no valid response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection or the transfer failed.
    #[error("{}", chain(.0))]
    Request(#[from] reqwest::Error),
    /// The response did not arrive within the timeout.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The response exceeds the size limit, in bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The server rejected the request with an HTTP error status.
    #[error("HTTP {status}: {excerpt}")]
    Status {
        /// The HTTP status code.
        status: u16,
        /// The beginning of the response body.
        excerpt: String,
    },
    /// The response body is not JSON.
    #[error("HTTP {status} without JSON: {excerpt}")]
    NotJson {
        /// The HTTP status code.
        status: u16,
        /// The beginning of the response body.
        excerpt: String,
    },
}

/// Reason for which a request over a WebSocket has no response.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The connection or the response took longer than the timeout.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The connection ended, possibly because a response exceeds the size limit, in bytes.
    #[error("the connection ended before the answer, or the answer is longer than {0} bytes")]
    Ended(usize),
}

/// Formats an error with its sources: reqwest alone reports only "error sending request".
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
