//! Detects two holders at once, and fencing tokens that go back.

use crate::until;
use enshrine_rollup::{Fence, Lease};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

/// Observes leases on its own threads until [`Self::verdict`] is called.
pub(crate) struct Referee {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    violation: Mutex<Option<String>>,
    /// Highest token of a successful check.
    highest: AtomicI64,
    checks: AtomicU64,
}

impl Referee {
    pub(crate) fn of(leases: &Arc<Vec<Lease>>) -> Self {
        let shared = Arc::<Shared>::default();
        let (watched, all) = (Arc::clone(&shared), Arc::clone(leases));
        let mut threads = vec![thread::spawn(move || watched.watch(&all))];
        for candidate in 0..leases.len() {
            let (shared, leases) = (Arc::clone(&shared), Arc::clone(leases));
            threads.push(thread::spawn(move || shared.check(&leases[candidate])));
        }
        Self { shared, threads }
    }

    /// Number of successful checks so far.
    pub(crate) fn checks(&self) -> u64 {
        self.shared.checks.load(Ordering::SeqCst)
    }

    /// Waits for one more successful check, stops, and fails if two candidates led at once.
    pub(crate) fn verdict(self) {
        let checks = self.checks();
        until("a successful check", || self.checks() > checks);
        self.shared.ends.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        let violation = self.shared.violation.lock().unwrap().take();
        assert_eq!(violation, None);
    }
}

impl Shared {
    fn report(&self, violation: String) {
        self.violation.lock().unwrap().get_or_insert(violation);
    }

    /// A candidate that holds the lease before and after the other one does holds it meanwhile.
    fn watch(&self, leases: &[Lease]) {
        let look = || leases.iter().map(Lease::token).collect::<Vec<_>>();
        while !self.ends.load(Ordering::SeqCst) {
            let (before, after) = (look(), look());
            for (first, token) in before.iter().enumerate() {
                let lasts = token.is_some() && after[first] == *token;
                let other = (first + 1..leases.len()).find(|other| before[*other].is_some());
                if let Some(other) = other.filter(|_| lasts) {
                    self.report(format!("{first} and {other} hold the lease: {before:?}"));
                }
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Once a check of a later term has succeeded, none of an earlier term may.
    fn check(&self, lease: &Lease) {
        let mut fence = Fence::of(lease);
        let mut token = 0;
        while !self.ends.load(Ordering::SeqCst) {
            // A term that has ended is checked once more: its check has to fail.
            if let Some(current) = lease.token().filter(|current| *current != token) {
                (fence, token) = (Fence::of(lease), current);
            }
            let highest = self.highest.load(Ordering::SeqCst);
            if token != 0 && fence.check().is_ok() {
                self.checks.fetch_add(1, Ordering::SeqCst);
                if token < highest {
                    self.report(format!("the check of {token} succeeded after one of {highest}"));
                }
                self.highest.fetch_max(token, Ordering::SeqCst);
            }
            sleep(Duration::from_millis(5));
        }
    }
}
