//! Errors of requests to a node.

use crate::RedactedUrl;
use alloy_transport::TransportError;
use std::{io, time::Duration};

/// Reason for which a request failed, or error of the node.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The text is not the URL of a node.
    #[error("{url:?} is not the URL of a node: {reason}")]
    Url {
        /// The text.
        url: RedactedUrl,
        /// Reason of the parser.
        reason: String,
    },
    /// The text is not valid in a request header. The value may be a secret.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// The URL only accepts JSON-RPC, and the request is for a page or another format.
    #[error(
        "{0} is a WebSocket, which has answers to JSON-RPC only: this needs an address of HTTP"
    )]
    NoPages(RedactedUrl),
    /// The client itself could not be set up.
    #[error("cannot set up the client: {0}")]
    Setup(#[from] io::Error),
    /// HTTP failed below JSON-RPC.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The node refused, did not answer or answered something else than it was asked for.
    #[error(transparent)]
    Rpc(#[from] TransportError),
}

/// Reason for which an HTTP request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The request failed on its way.
    #[error("{}", chain(.0))]
    Request(#[from] reqwest::Error),
    /// The answer took too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The answer is longer than the client reads.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The server does not give a page.
    #[error("HTTP {status}: {excerpt}")]
    Status {
        /// The status.
        status: u16,
        /// Beginning of the answer.
        excerpt: String,
    },
    /// The server answered something else than JSON.
    #[error("HTTP {status} without JSON: {excerpt}")]
    NotJson {
        /// The status.
        status: u16,
        /// The beginning of the answer.
        excerpt: String,
    },
}

/// Reason for which a request over a WebSocket has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The answer, or the connection, took too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The connection has ended, be it that an answer is longer than the client reads.
    #[error("the connection ended before the answer, or the answer is longer than {0} bytes")]
    Ended(usize),
}

/// An error with its causes: reqwest alone reports only "error sending request".
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
