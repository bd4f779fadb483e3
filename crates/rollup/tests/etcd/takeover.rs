//! Candidates that end or fail, slow responses, and the cost of checking the fencing token.

use crate::{Candidate, cluster, config, leases, referee::Referee, until};
use alloy_primitives::{Address, B256};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use enshrine_rollup::{HOLD, LeaseConfig, LeaseError};
use serde_json::json;
use std::{thread::sleep, time::Duration};
use testkit::{DelayedLink, Etcd, Timeout};

#[test]
fn killed_holder_is_replaced() {
    let Some((_etcd, mut candidates)) = cluster("takeover from a killed holder", 3) else { return };
    let referee = Referee::of(&leases(&candidates));
    for _ in 0..3 {
        let mut holder = None;
        until("a holder", || {
            holder = candidates.iter().position(Candidate::holds);
            holder.is_some()
        });
        let holder = holder.unwrap();
        candidates[holder].task.abort();
        let begun = Timeout::begin();
        until("a takeover", || {
            candidates.iter().enumerate().any(|(at, candidate)| at != holder && candidate.holds())
        });
        eprintln!("takeover from a killed holder: {:?}", begun.spent());
        candidates[holder].resume();
    }
    referee.verdict();
}

/// etcd keeps a key for longer if it elects a leader. This one is attached to no lease, so etcd
/// never deletes it.
#[test]
fn candidate_deletes_key_of_dead_holder() {
    let Some(etcd) = Etcd::start(3, "a key that etcd keeps").unwrap() else { return };
    let put = |name: &str, value: String| {
        let key = BASE64.encode(format!("enshrine/lease/1/{}/{name}", Address::ZERO));
        let put = json!({ "key": key, "value": BASE64.encode(value) });
        assert!(etcd.post(0, "/v3/kv/put", &put).unwrap()["header"].is_object());
    };
    put("leader", json!({ "id": B256::ZERO, "url": "ws://127.0.0.1:1" }).to_string());
    put("renewal", String::new());
    let candidate = Candidate::start(etcd.urls());
    until("the dead holder", || candidate.lease.leader().is_some());
    until("a takeover", || candidate.holds());
    until("a check of the token", || candidate.fence().check().is_ok());
}

#[test]
fn resigned_holder_is_replaced_without_wait() {
    let Some((_etcd, mut candidates)) = cluster("takeover after a resignation", 2) else { return };
    let referee = Referee::of(&leases(&candidates));
    let fence = candidates[0].fence();
    until("a check of the token", || fence.check().is_ok());
    let begun = Timeout::begin();
    candidates.remove(0).resign();
    until("a takeover", || candidates[0].holds());
    eprintln!("takeover after a resignation: {:?}", begun.spent());
    until("a check of the token", || candidates[0].fence().check().is_ok());
    assert!(matches!(fence.check(), Err(LeaseError::NotHeld { .. })));
    referee.verdict();
}

#[test]
fn leader_without_work_yields() {
    let Some(etcd) = Etcd::start(3, "a holder that cannot work").unwrap() else { return };
    let work_timeout = Duration::from_millis(500);
    let idle = LeaseConfig { work_timeout, ..config(etcd.urls()) };
    let first = Candidate::with(idle).unwrap();
    until("the first holder", || first.holds());
    // Without another candidate it keeps the lease.
    sleep(Duration::from_secs(4));
    assert!(first.holds());
    let second = Candidate::start(etcd.urls());
    until("a takeover", || second.holds());
    assert!(!first.holds());
}

/// A successor waits for the time from when a renewal was sent.
#[test]
fn slow_response_does_not_extend_term() {
    let Some(etcd) = Etcd::start(3, "slow responses of etcd").unwrap() else { return };
    let server = ([127, 0, 0, 1], etcd.ports()[0]).into();
    let latency = Duration::from_millis(300);
    let link = DelayedLink::start(server, latency).unwrap();
    let candidate = Candidate::start(vec![link.http_url()]);
    until("a holder", || candidate.holds());
    let (token, mut renewals) = (candidate.lease.token().unwrap(), 0);
    let mut was_fresh = false;
    until("several renewals", || {
        // A renewal is known only after the request and the response.
        assert!(!candidate.lease.holds(token, HOLD - 2 * latency));
        let is_fresh = candidate.lease.holds(token, HOLD - 4 * latency);
        renewals += u32::from(is_fresh && !was_fresh);
        was_fresh = is_fresh;
        renewals >= 4
    });
}
