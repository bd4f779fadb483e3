//! Delay before a refused or unanswered request is tried again.

use crate::ClientOptions;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Maximum pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Compute units of a request, as providers count them on average.
const UNITS_OF_REQUEST: u64 = 17;

/// The pauses of all requests of one client.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    units_per_second: Option<u64>,
    first_pause: Duration,
    /// Requests that wait because the provider has said that there are too many.
    throttled: Arc<AtomicU64>,
}

impl Patience {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            units_per_second: options.units_per_second,
            first_pause: options.first_pause,
            throttled: Arc::default(),
        }
    }

    /// The pauses between the tries of one request, which double.
    pub(crate) fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        std::iter::successors(Some(self.first_pause), |pause| Some((*pause * 2).min(LONGEST_PAUSE)))
    }

    /// Waits before the next try; longer, the more others wait too.
    pub(crate) async fn wait(&self, pause: Duration) {
        let ahead = self.throttled.fetch_add(1, Ordering::Relaxed);
        let queue = self.units_per_second.map_or(Duration::ZERO, |units| {
            let units = ahead.saturating_mul(UNITS_OF_REQUEST) as f64 / units.max(1) as f64;
            Duration::from_secs_f64(units)
        });
        let waiting = Waiting(&self.throttled);
        tokio::time::sleep((pause + queue).min(LONGEST_PAUSE)).await;
        drop(waiting);
    }
}

/// Counts as waiting until it is dropped.
struct Waiting<'c>(&'c AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
