//! CPU time, and the current speed of the core.

use std::{fs, hint::black_box, thread, time::Instant};

/// Bytes per hash of the yardstick.
const LENGTH: usize = 64 * 1024;
/// Number of hashes per measurement.
const TIMES: usize = 4;
/// Bytes absorbed per Keccak permutation.
const RATE: usize = 136;
/// Time of a permutation by the yardstick's library on the reference machine of the prices, in
/// nanoseconds.
const PERMUTATION: f64 = 290.0;

/// Timer for the CPU time of this thread if the system reports it, so that other processes do not
/// count, and for the elapsed time otherwise.
pub(crate) struct Timer {
    start: Instant,
    on_core: Option<u64>,
}

impl Timer {
    pub(crate) fn start() -> Self {
        Self { on_core: Self::on_core(), start: Instant::now() }
    }

    pub(crate) fn nanoseconds(&self) -> f64 {
        let elapsed = self.start.elapsed().as_secs_f64() * 1e9;
        match (Self::on_core(), self.on_core) {
            (Some(now), Some(then)) => now.saturating_sub(then) as f64,
            _ => elapsed,
        }
    }

    /// Returns the thread's CPU time from `schedstat`, which Linux updates when it schedules the
    /// thread.
    fn on_core() -> Option<u64> {
        thread::yield_now();
        let statistics = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        statistics.split_whitespace().next()?.parse().ok()
    }
}

/// Reference work that measures how much slower this machine currently is than the reference
/// machine of the prices: the clock rate may differ, or another process may share the core. It uses
/// a library's Keccak, so that changes to this project's own Keccak do not affect it.
pub(crate) struct ReferenceWork(Vec<u8>);

impl ReferenceWork {
    pub(crate) fn new() -> Self {
        Self(vec![0x79; LENGTH])
    }

    /// Returns the duration of a permutation relative to the reference machine, and 1 if this
    /// machine is faster.
    pub(crate) fn slowness(&self) -> f64 {
        let timer = Timer::start();
        for _ in 0..TIMES {
            black_box(alloy_primitives::keccak256(black_box(&self.0)));
        }
        let permutations = TIMES * (LENGTH / RATE + 1);
        (timer.nanoseconds() / (permutations as f64 * PERMUTATION)).max(1.0)
    }
}
