//! Candidates for the lease at real etcd clusters of three members, under failures of the
//! candidates, the members, the network and the certificates.

mod authentication;
mod failures;
mod partitions;
mod records;
mod referee;
mod takeover;

use enshrine_rollup::{Fence, Lease, LeaseConfig, LeaseError, LeaseName, LeaseTask};
use std::{
    sync::{Arc, LazyLock},
    thread::sleep,
    time::Duration,
};
use testkit::{Etcd, Timeout};
use tokio::runtime::Runtime;

/// Runtime of the candidates' tasks.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A candidate with its task, which ends when this value is dropped, as in a killed process.
struct Candidate {
    lease: Lease,
    task: LeaseTask,
}

impl Candidate {
    fn start(endpoints: Vec<String>) -> Self {
        Self::with(config(endpoints)).unwrap()
    }

    fn with(config: LeaseConfig) -> Result<Self, LeaseError> {
        let _guard = RUNTIME.enter();
        let lease = Lease::new(LeaseName::of_rollup(1, Default::default()), config)?;
        lease.want(true);
        let task = lease.start();
        Ok(Self { lease, task })
    }

    fn holds(&self) -> bool {
        self.lease.is_held()
    }

    fn fence(&self) -> Fence {
        Fence::of(&self.lease)
    }

    /// Starts the task again, as a process that was suspended.
    fn resume(&mut self) {
        let _guard = RUNTIME.enter();
        self.task = self.lease.start();
    }

    fn resign(self) {
        RUNTIME.block_on(self.task.resign());
    }
}

fn config(endpoints: Vec<String>) -> LeaseConfig {
    LeaseConfig {
        endpoints,
        credentials: None,
        ca: None,
        identity: None,
        url: "ws://127.0.0.1:9545".to_owned(),
        // The candidates do no work that could fail.
        work_timeout: Duration::from_secs(3_600),
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let timeout = Timeout::begin();
    while !holds() {
        assert!(timeout.lasts(), "timed out waiting for {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Starts three members and candidates that use all of them, of which the first holds the lease.
fn cluster(what: &str, candidates: usize) -> Option<(Etcd, Vec<Candidate>)> {
    let etcd = Etcd::start(3, what).unwrap()?;
    let first = Candidate::start(etcd.urls());
    until("the first holder", || first.holds());
    let mut all = vec![first];
    all.extend((1..candidates).map(|_| Candidate::start(etcd.urls())));
    until("the others to see the holder", || {
        all.iter()
            .skip(1)
            .all(|candidate| candidate.lease.leader().as_ref() == Some(all[0].lease.own()))
    });
    Some((etcd, all))
}

/// Waits until etcd has a leader, and returns its number.
fn leader(etcd: &Etcd) -> usize {
    let mut leader = None;
    until("a leader of etcd", || {
        leader = etcd.leader();
        leader.is_some()
    });
    leader.unwrap()
}

fn leases(candidates: &[Candidate]) -> Arc<Vec<Lease>> {
    Arc::new(candidates.iter().map(|candidate| candidate.lease.clone()).collect())
}
