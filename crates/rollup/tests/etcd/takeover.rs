//! Candidates that end, hang or are cut off, and what a check of the fencing token costs.

use crate::{Candidate, cluster, config, leases, referee::Referee, until};
use enshrine_rollup::{LeaseConfig, LeaseError};
use std::{thread::sleep, time::Duration};
use testkit::{Cable, Etcd, Timeout};

#[test]
fn killed_holder_is_replaced() {
    let Some((_etcd, mut candidates)) = cluster("takeover from a killed holder", 3) else { return };
    let referee = Referee::of(&leases(&candidates));
    for _ in 0..3 {
        let holder = candidates.iter().position(Candidate::holds).unwrap();
        candidates[holder].task.abort();
        let begun = Timeout::begin();
        until("a takeover", || {
            candidates.iter().enumerate().any(|(at, it)| at != holder && it.holds())
        });
        eprintln!("takeover from a killed holder: {:?}", begun.spent());
        candidates[holder].resume();
    }
    assert!(referee.verdict() > 0);
}

#[test]
fn resigned_holder_is_replaced_without_wait() {
    let Some((_etcd, mut candidates)) = cluster("takeover after a resignation", 2) else { return };
    let referee = Referee::of(&leases(&candidates));
    let fence = candidates[0].fence();
    fence.check().unwrap();
    let begun = Timeout::begin();
    candidates.remove(0).resign();
    until("a takeover", || candidates[0].holds());
    eprintln!("takeover after a resignation: {:?}", begun.spent());
    candidates[0].fence().check().unwrap();
    assert!(matches!(fence.check(), Err(LeaseError::NotHeld { .. })));
    assert!(referee.verdict() > 0);
}

#[test]
fn holder_without_etcd_stops_before_takeover() {
    let Some(etcd) = Etcd::start(3, "partitions of a holder").unwrap() else { return };
    let cables: Vec<_> = etcd.ports().iter().map(|port| Cable::to(*port).unwrap()).collect();
    let urls = cables.iter().map(|it| format!("http://127.0.0.1:{}", it.port())).collect();
    let candidates = vec![Candidate::start(urls)];
    until("the first holder", || candidates[0].holds());
    let candidates: Vec<_> =
        candidates.into_iter().chain([Candidate::start(etcd.urls())]).collect();
    let referee = Referee::of(&leases(&candidates));
    let faults: [fn(&Cable); 2] = [Cable::cut, Cable::silence];
    for fault in faults {
        // One member suffices for the holder.
        cables[1..].iter().for_each(fault);
        sleep(Duration::from_secs(8));
        until("the holder to lead on", || candidates[0].holds() && !candidates[1].holds());
        let fence = candidates[0].fence();
        fence.check().unwrap();
        cables.iter().for_each(fault);
        let begun = Timeout::begin();
        until("a takeover", || candidates[1].holds());
        eprintln!("takeover from a holder without etcd: {:?}", begun.spent());
        assert!(!candidates[0].holds() && fence.check().is_err());
        // Requests that were delayed by the partition arrive now.
        cables.iter().for_each(Cable::mend);
        sleep(Duration::from_secs(2));
        assert!(candidates[1].holds() && fence.check().is_err());
        assert_eq!(candidates[0].lease.leader().as_ref(), Some(candidates[1].lease.own()));
        // Back to the first one.
        candidates[1].lease.want(false);
        until("the first again", || candidates[0].holds());
        candidates[1].lease.want(true);
    }
    assert!(referee.verdict() > 0);
}

#[test]
fn isolated_member_cannot_confirm_token() {
    let Some(etcd) = Etcd::start(3, "a member without a majority").unwrap() else { return };
    let one = Candidate::start(vec![etcd.urls()[0].clone()]);
    until("a holder", || one.holds());
    let fence = one.fence();
    fence.check().unwrap();
    [1, 2].into_iter().for_each(|member| etcd.pause(member).unwrap());
    // The member has the key, and the term lasts for some seconds, but others may have changed it.
    let error = fence.check().unwrap_err();
    assert!(matches!(error, LeaseError::Timeout { .. } | LeaseError::Rejected { .. }), "{error}");
    [1, 2].into_iter().for_each(|member| etcd.resume(member).unwrap());
    until("a check of the present term", || one.fence().check().is_ok());
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

#[test]
fn token_checks_are_measured() {
    let Some((_etcd, candidates)) = cluster("the cost of a token check", 2) else { return };
    let fence = candidates[0].fence();
    let mut times: Vec<_> = (0..500)
        .filter_map(|_| {
            let begun = Timeout::begin();
            fence.check().is_ok().then(|| begun.spent())
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100];
    eprintln!("token check: p50 {:?}, p99 {:?}, {} checks", at(50), at(99), times.len());
    assert!(times.len() > 400);
}
