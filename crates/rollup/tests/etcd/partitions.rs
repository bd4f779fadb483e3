//! Partitions between candidates and etcd, and between the members of etcd.

use crate::{Candidate, cluster, leader, leases, referee::Referee, until};
use enshrine_rollup::LeaseError;
use std::{thread::sleep, time::Duration};
use testkit::{Cable, Etcd, Timeout};

#[test]
fn holder_without_etcd_stops_before_takeover() {
    let Some(etcd) = Etcd::start(3, "partitions of a holder").unwrap() else { return };
    let cables: Vec<_> = etcd.ports().iter().map(|port| Cable::to(*port).unwrap()).collect();
    let urls = cables.iter().map(|cable| format!("http://127.0.0.1:{}", cable.port())).collect();
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
        until("a check of the token", || fence.check().is_ok());
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
    referee.verdict();
}

#[test]
fn isolated_member_cannot_confirm_token() {
    let Some(etcd) = Etcd::start(3, "a member without a majority").unwrap() else { return };
    let one = Candidate::start(vec![etcd.urls()[0].clone()]);
    until("a holder", || one.holds());
    let fence = one.fence();
    until("a check of the token", || fence.check().is_ok());
    [1, 2].into_iter().for_each(|member| etcd.pause(member).unwrap());
    // The member has the key, and the term lasts for some seconds, but others may have changed it.
    let error = fence.check().unwrap_err();
    assert!(matches!(error, LeaseError::Timeout { .. } | LeaseError::Rejected { .. }), "{error}");
    [1, 2].into_iter().for_each(|member| etcd.resume(member).unwrap());
    until("a check of the present term", || one.fence().check().is_ok());
}

/// A leader of etcd without the other members answers its clients until it steps down, from its old
/// state.
#[test]
fn partitioned_leader_of_etcd_confirms_no_token() {
    let Some(etcd) = Etcd::start(3, "a partitioned leader of etcd").unwrap() else { return };
    for _ in 0..3 {
        let old = leader(&etcd);
        let others = [(old + 1) % 3, (old + 2) % 3];
        let urls = etcd.urls();
        let first = Candidate::start(vec![urls[old].clone()]);
        until("the first holder", || first.holds());
        let second = Candidate::start(others.map(|member| urls[member].clone()).to_vec());
        let candidates = [first, second];
        let referee = Referee::of(&leases(&candidates));
        let fence = candidates[0].fence();
        until("a check of the token", || fence.check().is_ok());
        etcd.cut(&others.map(|member| (old, member)));
        let begun = Timeout::begin();
        // From the partition on, whether etcd has elected another leader or not.
        while !candidates[1].holds() {
            assert!(fence.check().is_err() && begun.lasts());
        }
        eprintln!("takeover with a partitioned leader of etcd: {:?}", begun.spent());
        etcd.cut(&[]);
        etcd.until_healthy().unwrap();
        until("the first to see the second", || {
            candidates[0].lease.leader().as_ref() == Some(candidates[1].lease.own())
        });
        assert!(fence.check().is_err());
        referee.verdict();
        let [first, second] = candidates;
        drop(first);
        second.resign();
    }
}

#[test]
fn partitions_of_etcd_make_no_second_holder() {
    let Some((etcd, candidates)) = cluster("partitions of etcd", 3) else { return };
    let referee = Referee::of(&leases(&candidates));
    // Each member alone, pairs that reach each other only through the third, and none.
    let partitions: [&[(usize, usize)]; 7] = [
        &[(0, 1), (0, 2)],
        &[(1, 0), (1, 2)],
        &[(2, 0), (2, 1)],
        &[(0, 1)],
        &[(1, 2)],
        &[(2, 0)],
        &[(0, 1), (1, 2), (2, 0)],
    ];
    for links in partitions {
        etcd.cut(links);
        let checks = referee.checks();
        sleep(Duration::from_secs(5));
        eprintln!("without {links:?}: {} successful checks", referee.checks() - checks);
    }
    etcd.cut(&[]);
    until("a holder", || candidates.iter().any(Candidate::holds));
    referee.verdict();
}
