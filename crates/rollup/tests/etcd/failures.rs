//! Members of etcd that are killed, suspended or slow, and compaction.

use crate::{Candidate, cluster, leader, leases, referee::Referee, until};
use serde_json::json;
use std::{thread::sleep, time::Duration};
use testkit::Timeout;

fn has_holder(candidates: &[Candidate]) -> bool {
    candidates.iter().any(Candidate::holds)
}

#[test]
fn lease_survives_kill_of_each_member() {
    let Some((mut etcd, candidates)) = cluster("killed members of etcd", 2) else { return };
    let referee = Referee::of(&leases(&candidates));
    for _ in 0..3 {
        let member = leader(&etcd);
        etcd.kill(member);
        let begun = Timeout::begin();
        until("a check after the election", || {
            candidates
                .iter()
                .any(|candidate| candidate.holds() && candidate.fence().check().is_ok())
        });
        eprintln!("a check succeeds {:?} after the kill of etcd's leader", begun.spent());
        sleep(Duration::from_secs(2));
        etcd.restart(member).unwrap();
        etcd.until_healthy().unwrap();
    }
    // Without a majority no candidate leads; with one, a candidate leads again.
    [0, 1].into_iter().for_each(|member| etcd.kill(member));
    until("no holder", || !has_holder(&candidates));
    [0, 1].into_iter().for_each(|member| etcd.restart(member).unwrap());
    until("a holder", || has_holder(&candidates));
    referee.verdict();
}

/// The holder and etcd's leader end at the same time.
#[test]
fn holder_and_etcd_leader_fail_together() {
    let Some((mut etcd, candidates)) = cluster("failure of holder and etcd's leader", 2) else {
        return;
    };
    let referee = Referee::of(&leases(&candidates));
    candidates[0].task.abort();
    let member = leader(&etcd);
    etcd.kill(member);
    let begun = Timeout::begin();
    until("a takeover", || candidates[1].holds());
    eprintln!("takeover with a killed leader of etcd: {:?}", begun.spent());
    referee.verdict();
}

/// A former leader of etcd that resumes after the lease's duration considers all leases as expired.
#[test]
fn suspended_etcd_leader_makes_no_second_holder() {
    let Some((etcd, candidates)) = cluster("a suspended leader of etcd", 3) else { return };
    let referee = Referee::of(&leases(&candidates));
    for milliseconds in [1_500, 3_000, 4_500, 6_000, 7_500, 12_000] {
        let member = leader(&etcd);
        etcd.pause(member).unwrap();
        sleep(Duration::from_millis(milliseconds));
        etcd.resume(member).unwrap();
        sleep(Duration::from_secs(2));
        until("a holder", || has_holder(&candidates));
        let tokens: Vec<_> = candidates.iter().map(|candidate| candidate.lease.token()).collect();
        eprintln!("after {milliseconds} ms: {tokens:?}");
    }
    referee.verdict();
}

/// Members that are suspended for a part of the time, as on an overloaded machine.
#[test]
fn slow_members_make_no_second_holder() {
    let Some((etcd, candidates)) = cluster("slow members of etcd", 3) else { return };
    let referee = Referee::of(&leases(&candidates));
    for round in 0..60 {
        let members = [round % 3, (round + 1) % 3];
        members.iter().for_each(|member| etcd.pause(*member).unwrap());
        sleep(Duration::from_millis(50 * (1 + round as u64 % 7)));
        members.iter().for_each(|member| etcd.resume(*member).unwrap());
        sleep(Duration::from_millis(100));
    }
    until("a holder", || has_holder(&candidates));
    referee.verdict();
}

/// Members whose `fsync` takes up to several seconds. A renewal needs several of them.
#[test]
fn slow_disks_make_no_second_holder() {
    let what = "slow disks of etcd";
    let Some((mut etcd, candidates)) = cluster(what, 3) else { return };
    let referee = Referee::of(&leases(&candidates));
    // Milliseconds of each member: a minority, a majority that is slow, and one that blocks longer
    // than a term lasts.
    for delays in [[400, 0, 0], [400, 400, 0], [0, 1_500, 1_500], [6_000, 6_000, 6_000]] {
        for (member, delay) in delays.into_iter().enumerate() {
            if !etcd.slow_disk(member, Duration::from_millis(delay), what) {
                return;
            }
            etcd.kill(member);
            etcd.restart(member).unwrap();
        }
        let checks = referee.checks();
        sleep(Duration::from_secs(10));
        eprintln!("{delays:?} ms: {} successful checks", referee.checks() - checks);
    }
    for member in 0..3 {
        etcd.slow_disk(member, Duration::ZERO, what);
        etcd.kill(member);
        etcd.restart(member).unwrap();
    }
    until("a holder", || has_holder(&candidates));
    referee.verdict();
}

#[test]
fn compaction_keeps_term() {
    let Some((etcd, candidates)) = cluster("compaction of etcd", 2) else { return };
    let referee = Referee::of(&leases(&candidates));
    let token = candidates[0].lease.token().unwrap();
    for _ in 0..20 {
        let read = etcd.post(0, "/v3/kv/range", &json!({ "key": "AA==" })).unwrap();
        let revision = &read["header"]["revision"];
        let compacted =
            etcd.post(0, "/v3/kv/compaction", &json!({ "revision": revision, "physical": true }));
        assert!(
            compacted.is_some_and(|body| body["header"].is_object() || body["code"] == json!(11))
        );
        sleep(Duration::from_millis(400));
    }
    let defragmented = etcd.post(1, "/v3/maintenance/defragment", &json!({}));
    assert!(defragmented.as_ref().is_some_and(|body| body["code"].is_null()), "{defragmented:?}");
    let fence = candidates[0].fence();
    until("a check of the token", || fence.check().is_ok());
    assert_eq!(candidates[0].lease.token(), Some(token));
    referee.verdict();
}
