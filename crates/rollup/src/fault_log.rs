//! Rate limit for the log lines of a fault that is retried.

use rpc::LogLimit;
use std::time::Duration;

/// Minimum time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Decides which faults of a loop that retries are logged: each new one, but at most one per
/// interval. The text of a fault may change at each attempt, and the loop may run fifty times per
/// second for days.
#[derive(Debug)]
pub(crate) struct FaultLog {
    limit: LogLimit,
    /// The last logged fault, unless an attempt has succeeded since.
    logged: Option<String>,
}

impl FaultLog {
    pub(crate) const fn new() -> Self {
        Self::every(INTERVAL)
    }

    const fn every(interval: Duration) -> Self {
        Self { limit: LogLimit::every(interval), logged: None }
    }

    /// Returns `true` if a line about the fault is due.
    pub(crate) fn admit(&mut self, fault: &str) -> bool {
        let is_due = self.logged.as_deref() != Some(fault) && self.limit.admit().is_some();
        if is_due {
            self.logged = Some(fault.to_owned());
        }
        is_due
    }

    /// Records a successful attempt, after which the same fault is logged again.
    pub(crate) fn clear(&mut self) {
        self.logged = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_fault_is_logged_once_per_interval() {
        let mut log = FaultLog::every(Duration::MAX);
        assert!(log.admit("no answer after 1 ms"));
        for milliseconds in 1..100 {
            assert!(!log.admit(&format!("no answer after {milliseconds} ms")));
            log.clear();
        }
        log.limit = LogLimit::every(Duration::ZERO);
        assert!(log.admit("no answer after 99 ms"), "suppressed, but never logged");
    }

    #[test]
    fn same_fault_is_logged_again_after_success() {
        let mut log = FaultLog::every(Duration::ZERO);
        assert!(log.admit("no answer"));
        assert!(!log.admit("no answer"));
        assert!(log.admit("no funds"));
        assert!(!log.admit("no funds"));
        log.clear();
        assert!(log.admit("no funds"));
    }
}
