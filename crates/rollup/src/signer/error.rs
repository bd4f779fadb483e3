//! Errors of signers.

use alloy_primitives::Address;
use client::RedactedUrl;

/// Error of a local key or a remote signer.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// A local key is invalid, or cannot sign.
    #[error("{field}: {reason}")]
    Key {
        /// Name of the field of the configuration.
        field: &'static str,
        /// Reason.
        reason: String,
    },
    /// The URL is malformed.
    #[error("{url} is not the URL of a signer: {reason}")]
    Url {
        /// The URL.
        url: RedactedUrl,
        /// Error of the parser.
        reason: String,
    },
    /// The signer does not respond.
    #[error("the remote signer at {url} does not respond: {reason}")]
    Silent {
        /// The URL.
        url: RedactedUrl,
        /// Error of the connection or timeout.
        reason: String,
    },
    /// The signer rejects a request.
    #[error("the remote signer at {url} responded with HTTP status {status}: {excerpt}")]
    Refused {
        /// The URL.
        url: RedactedUrl,
        /// HTTP status.
        status: u16,
        /// Beginning of the response.
        excerpt: String,
    },
    /// The signer has not responded within the time that a block reserves for it.
    #[error("the remote signer at {url} has not signed yet")]
    Pending {
        /// The URL.
        url: RedactedUrl,
    },
    /// The response does not follow Web3Signer's API.
    #[error("the remote signer at {url} responded {excerpt:?}, expected {expected}")]
    Malformed {
        /// The URL.
        url: RedactedUrl,
        /// Beginning of the response.
        excerpt: String,
        /// Expected format.
        expected: &'static str,
    },
    /// The signer does not have the key.
    #[error("the remote signer at {url} has {keys} keys, but not that of {account}")]
    NoKey {
        /// The URL.
        url: RedactedUrl,
        /// Number of the signer's keys.
        keys: usize,
        /// The account.
        account: Address,
    },
    /// The signature of a transaction is invalid, or recovers to another account.
    #[error("the signature of {expected} recovers to {got:?}")]
    Unrecoverable {
        /// Account that the signature recovers to, if it is valid.
        got: Option<Address>,
        /// Account of the key.
        expected: Address,
    },
    /// The signature was made with another key, or for another transaction.
    #[error("the remote signer at {url} has signed for {got}, expected {expected}")]
    WrongKey {
        /// The URL.
        url: RedactedUrl,
        /// Account that the signature recovers to.
        got: Address,
        /// Account of the key.
        expected: Address,
    },
}
