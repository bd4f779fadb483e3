//! CPU time and wall-clock time, and statistics of them.

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Duration of a piece of work, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Elapsed {
    /// CPU time of the calling thread, without other threads and processes.
    pub on_core: f64,
    /// Wall-clock time.
    pub by_clock: f64,
}

/// Runs `work`, and returns its result and duration.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Elapsed) {
    let (clock, core) = (Instant::now(), on_core());
    let result = work();
    let (core, clock) = (on_core().saturating_sub(core), clock.elapsed());
    (result, Elapsed { on_core: milliseconds(core), by_clock: milliseconds(clock) })
}

/// Returns the CPU time of the calling thread.
pub(crate) fn on_core() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative, and nanoseconds are below a second.
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or_default())
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the median of the values; NaN if there are none.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

/// Returns the minimum of the values; NaN if there are none.
pub fn minimum(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NAN, f64::min)
}

/// Returns the geometric mean of the values; NaN if there are none.
pub fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) =
        values.fold((0_u32, 0.0), |(count, sum), value| (count + 1, sum + value.ln()));
    (sum / f64::from(count)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_values() {
        let all = [4.0, 1.0, 2.0];
        assert_eq!((median(all.into_iter()), minimum(all.into_iter())), (2.0, 1.0));
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert!((geometric_mean(all.into_iter()) - 2.0).abs() < 1e-9);
        assert!(
            median(core::iter::empty()).is_nan() && geometric_mean(core::iter::empty()).is_nan()
        );
    }

    #[test]
    fn sleeping_thread_uses_no_core_time() {
        let ((), waited) = timed(|| std::thread::park_timeout(Duration::from_millis(20)));
        assert!(waited.on_core < waited.by_clock, "{waited:?}");
    }
}
