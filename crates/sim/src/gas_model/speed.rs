//! Time on a core, and how fast that core is at the moment.

use std::{fs, hint::black_box, thread, time::Instant};

/// Bytes that the yardstick hashes at once.
const LENGTH: usize = 64 * 1024;
/// Number of repetitions.
const TIMES: usize = 4;
/// Bytes of a permutation.
const RATE: usize = 136;
/// Time of a permutation on the machine for which the prices are made, with the library that is the
/// yardstick, in nanoseconds.
const PERMUTATION: f64 = 290.0;

/// Time of this thread on a core, where the system tells it: what else runs on the machine must not
/// count. Elsewhere the time that passes.
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

    /// The first number that Linux shows of the thread's scheduling, which it counts when it
    /// schedules.
    fn on_core() -> Option<u64> {
        thread::yield_now();
        let statistics = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        statistics.split_whitespace().next()?.parse().ok()
    }
}

/// Reference work that measures how much slower this machine is now than the one for which the
/// prices are made: a core can have another clock, or share its units with other processes. It
/// hashes with a library, so that changes of our own Keccak do not affect it.
pub(crate) struct Yardstick(Vec<u8>);

impl Yardstick {
    pub(crate) fn new() -> Self {
        Self(vec![0x79; LENGTH])
    }

    /// Duration of a permutation relative to the reference machine; 1 on a faster machine.
    pub(crate) fn slowness(&self) -> f64 {
        let timer = Timer::start();
        for _ in 0..TIMES {
            black_box(alloy_primitives::keccak256(black_box(&self.0)));
        }
        let permutations = TIMES * (LENGTH / RATE + 1);
        (timer.nanoseconds() / (permutations as f64 * PERMUTATION)).max(1.0)
    }
}
