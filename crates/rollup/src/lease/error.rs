//! Errors of the lease.

use client::RedactedUrl;
use std::time::Duration;

/// Reason why a node cannot use etcd, or may not build blocks now.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// No etcd endpoint is configured.
    #[error("the lease has no etcd endpoints")]
    NoEndpoints,
    /// An endpoint is listed twice.
    #[error("the etcd endpoint {0} is listed twice")]
    Twice(RedactedUrl),
    /// An endpoint is not an HTTP or HTTPS URL.
    #[error("{url} is not the URL of an etcd endpoint: {reason}")]
    Url {
        /// The URL.
        url: RedactedUrl,
        /// Reason.
        reason: String,
    },
    /// An endpoint on another machine is used without TLS.
    #[error("the etcd endpoint {0} is not a loopback address and has no TLS: use https")]
    Plain(RedactedUrl),
    /// A PEM file cannot be used.
    #[error("invalid PEM file of the lease, {file}: {reason}")]
    Pem {
        /// Kind of file.
        file: &'static str,
        /// Error of the parser.
        reason: String,
    },
    /// The credentials are not `user:password`.
    #[error("the credentials of the lease have no colon, expected user:password")]
    Credentials,
    /// The URL for followers is longer than accepted.
    #[error("the URL for followers has {got} bytes, expected at most {limit}")]
    UrlTooLong {
        /// Length of the URL in bytes.
        got: usize,
        /// Maximum length.
        limit: usize,
    },
    /// An etcd member cannot be reached, or its certificate is invalid.
    #[error("etcd at {url}: {reason}")]
    Unreachable {
        /// URL of the member.
        url: RedactedUrl,
        /// Error of the connection.
        reason: String,
    },
    /// No etcd member has responded in time.
    #[error("etcd at {url} has not responded within {} ms", .limit.as_millis())]
    Timeout {
        /// URL of the last member to which the request was sent.
        url: RedactedUrl,
        /// The time limit.
        limit: Duration,
    },
    /// A response exceeds the limit.
    #[error("etcd at {url} sent a response of more than {limit} bytes")]
    TooLong {
        /// URL of the member.
        url: RedactedUrl,
        /// Maximum length of a response in bytes.
        limit: usize,
    },
    /// etcd rejects a request.
    #[error("etcd at {url} rejected {path}: {message} (code {code})")]
    Rejected {
        /// URL of the member.
        url: RedactedUrl,
        /// Path of the request.
        path: &'static str,
        /// gRPC status code.
        code: i64,
        /// Message of etcd.
        message: String,
    },
    /// A response is malformed.
    #[error("etcd at {url} responded to {path} with HTTP status {status} and {excerpt:?}")]
    Malformed {
        /// URL of the member.
        url: RedactedUrl,
        /// Path of the request.
        path: &'static str,
        /// HTTP status.
        status: u16,
        /// Beginning of the response.
        excerpt: String,
    },
    /// The node does not hold the lease, or not for long enough to check it.
    #[error("this node does not hold the lease with fencing token {token}")]
    NotHeld {
        /// The fencing token, or zero if the node never had one.
        token: i64,
    },
    /// Another node holds the lease, or none does.
    #[error("etcd no longer has the election key with fencing token {token}")]
    Lost {
        /// The fencing token.
        token: i64,
    },
    /// This leader has already written a record with this number: the response to the earlier
    /// request was lost.
    #[error("record {number} already exists in etcd")]
    RecordExists {
        /// Number of the record.
        number: u64,
    },
    /// A record is longer than accepted.
    #[error("the record has {got} bytes, expected at most {limit}")]
    RecordTooLong {
        /// Length in bytes.
        got: usize,
        /// Maximum length.
        limit: usize,
    },
    /// The total length of the records in etcd is longer than accepted.
    #[error("the records in etcd have {got} bytes, expected at most {limit}")]
    RecordsTooLong {
        /// Total length in bytes of those that were read.
        got: usize,
        /// Maximum length.
        limit: usize,
    },
}

impl LeaseError {
    /// Returns `true` if a response has more bytes than this client or etcd's gateway accepts.
    pub(super) const fn is_too_long(&self) -> bool {
        const RESOURCE_EXHAUSTED: i64 = 8;
        match self {
            Self::TooLong { .. } => true,
            Self::Rejected { code, .. } => *code == RESOURCE_EXHAUSTED,
            _ => false,
        }
    }

    /// Returns `true` if another member may be able to serve the same request.
    pub(super) const fn is_of_member(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::TooLong { .. }
            | Self::Malformed { .. } => true,
            // Invalid argument, not found, permission denied, failed precondition: all members
            // respond with the same error.
            Self::Rejected { code, .. } => !matches!(code, 3 | 5 | 7 | 9),
            _ => false,
        }
    }
}
