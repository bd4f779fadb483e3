//! Options of a client.

use std::time::Duration;

/// Order in which the addresses of a node are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Each request is sent to the next address.
    #[default]
    EachRequest,
    /// All requests are sent to one address until it fails, then to the next.
    OnFailure,
}

/// Timeout, size limit, retries and batching of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// Timeout of one attempt, from connecting to the last byte of the response.
    pub timeout: Duration,
    /// Maximum size of a response, in bytes.
    pub longest_answer: usize,
    /// Maximum number of attempts of a request that fails in transit or meets an overloaded node.
    /// Set more than one only if all requests are idempotent: one whose response is lost may have
    /// been executed.
    pub tries: u32,
    /// Delay after the first failed attempt; it doubles with each further one.
    pub first_pause: Duration,
    /// Compute units per second that the provider allows. Retries of throttled requests are spread
    /// out to stay within this rate.
    pub units_per_second: Option<u64>,
    /// Maximum number of concurrent requests that are sent as one batch; batching is off below two.
    /// If the node rejects batches, requests are sent one by one.
    pub batch: usize,
    /// Order in which multiple addresses are used.
    pub rotation: Rotation,
}

impl ClientOptions {
    /// The default options: one attempt of a minute, and responses of up to 1 GiB.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_secs(60),
        longest_answer: 1 << 30,
        tries: 1,
        first_pause: Duration::from_millis(50),
        units_per_second: None,
        batch: 1,
        rotation: Rotation::EachRequest,
    };
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}
