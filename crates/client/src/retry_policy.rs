//! Retry delays.

use crate::ClientOptions;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Maximum delay between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Average compute units that providers charge for a request.
const UNITS_OF_REQUEST: u64 = 17;

/// Retry policy, shared by all requests of one client.
#[derive(Debug, Clone)]
pub(crate) struct RetryPolicy {
    units_per_second: Option<u64>,
    first_pause: Duration,
    /// Number of requests that currently wait for their next attempt.
    throttled: Arc<AtomicU64>,
}

impl RetryPolicy {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            units_per_second: options.units_per_second,
            first_pause: options.first_pause,
            throttled: Arc::default(),
        }
    }

    /// Returns the delays between the attempts of one request, in exponential backoff.
    pub(crate) fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        std::iter::successors(Some(self.first_pause), |pause| Some((*pause * 2).min(LONGEST_PAUSE)))
    }

    /// Waits before the next attempt. With a rate limit, the delay grows with the number of other
    /// waiting requests.
    pub(crate) async fn wait(&self, pause: Duration) {
        let ahead = self.throttled.fetch_add(1, Ordering::Relaxed);
        let queue = self.units_per_second.map_or(Duration::ZERO, |units| {
            let units = ahead.saturating_mul(UNITS_OF_REQUEST) as f64 / units.max(1) as f64;
            Duration::from_secs_f64(units)
        });
        let waiting = Waiting(&self.throttled);
        // The node may request any delay.
        tokio::time::sleep(pause.saturating_add(queue).min(LONGEST_PAUSE)).await;
        drop(waiting);
    }
}

/// Guard that counts a request as waiting until it is dropped.
struct Waiting<'c>(&'c AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn longest_requested_delay_is_bounded() {
        let options = ClientOptions { units_per_second: Some(1), ..ClientOptions::default() };
        let policy = RetryPolicy::new(&options);
        policy.throttled.store(10, Ordering::Relaxed);
        for pause in [Duration::ZERO, Duration::MAX] {
            let wait = policy.wait(pause);
            assert!(tokio::time::timeout(Duration::ZERO, wait).await.is_err());
        }
        policy.throttled.store(0, Ordering::Relaxed);
        policy.wait(Duration::ZERO).await;
    }
}
