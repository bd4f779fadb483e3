//! Candidates and witnesses over real sockets.

use alloy_primitives::Address;
use enshrine_lease::{Lease, LeaseConfig, LeaseError, LeaseName, WitnessServer};
use rpc::engine::{EngineClient, JwtSecret};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};
use testkit::Timeout;

const TTL: Duration = Duration::from_millis(2_500);

fn secret(byte: &str) -> JwtSecret {
    JwtSecret::parse(&byte.repeat(32)).unwrap()
}

fn name() -> LeaseName {
    LeaseName::of_rollup(1, Address::repeat_byte(7))
}

async fn witness() -> WitnessServer {
    witness_for(TTL).await
}

async fn witness_for(ttl: Duration) -> WitnessServer {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    WitnessServer::start(address, secret("5a"), ttl).await.unwrap()
}

fn config(witnesses: Vec<String>, key: &str, url: &str) -> LeaseConfig {
    let work_timeout = Duration::from_millis(500);
    LeaseConfig { witnesses, secret: secret(key), url: url.to_owned(), work_timeout }
}

fn candidate(witnesses: &[WitnessServer], url: &str, key: &str) -> Lease {
    let urls = witnesses.iter().map(|it| format!("http://{}", it.address())).collect();
    Lease::new(name(), config(urls, key, url)).unwrap()
}

async fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let timeout = Timeout::begin();
    while !is_so() {
        assert!(timeout.lasts(), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standby_takes_over_from_dead_or_resigned_leader() {
    let witnesses = [witness().await, witness().await, witness().await];
    let (first, second) =
        (candidate(&witnesses, "ws://first", "5a"), candidate(&witnesses, "ws://second", "5a"));
    first.want(true);
    let works = first.start();
    wait_for("the first leads", || first.is_held()).await;
    second.want(true);
    let _works = second.start();
    wait_for("the second knows", || second.leader().is_some_and(|it| it.url == "ws://first")).await;
    assert!(!second.is_held());
    // The process has died: it sends nothing more.
    works.abort();
    wait_for("the second leads", || second.is_held()).await;
    assert!(!first.is_held(), "its grants expired before");

    let third = candidate(&witnesses, "ws://third", "5a");
    third.want(true);
    let _works = third.start();
    second.want(false);
    assert!(!second.is_held());
    wait_for("the third leads", || third.is_held()).await;
    wait_for("the second knows", || second.leader().is_some_and(|it| it.url == "ws://third")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_leader_yields_only_to_standby() {
    let witnesses = [witness().await, witness().await, witness().await];
    let first = candidate(&witnesses, "ws://first", "5a");
    first.want(true);
    let _works = first.start();
    wait_for("the first leads", || first.is_held()).await;
    // No other candidate requests the lease, so it is kept without work for longer than any grant.
    tokio::time::sleep(2 * TTL).await;
    assert!(first.is_held());
    let second = candidate(&witnesses, "ws://second", "5a");
    second.want(true);
    let _works = second.start();
    wait_for("the second leads", || second.is_held()).await;
    assert!(!first.is_held() && first.is_wanted());
    // A leader that works keeps the lease, although the other candidate requests it again.
    for _ in 0..60 {
        second.has_worked(Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(second.is_held());
    }
}

/// The grant of a leader that dies stays until it expires.
#[tokio::test(flavor = "multi_thread")]
async fn resigning_leader_leaves_no_grant() {
    // Longer than the whole test.
    let witnesses = [witness_for(4 * TTL).await];
    let url = format!("http://{}", witnesses[0].address());
    let witness = EngineClient::new(&url, secret("5a")).unwrap();
    let named = async || {
        let leader = witness.call::<Option<Value>>("lease_leader", json!([name()])).await.unwrap();
        leader.map(|leader| leader["url"].as_str().unwrap().to_owned())
    };
    for resigns in [true, false] {
        let lease = candidate(&witnesses, "ws://leader", "5a");
        lease.want(true);
        let works = lease.start();
        wait_for("it leads", || lease.is_held()).await;
        works.abort();
        let _ = works.await;
        assert!(lease.is_held());
        if resigns {
            lease.resign().await;
            assert_eq!(named().await, None);
        } else {
            assert_eq!(named().await.as_deref(), Some("ws://leader"));
        }
        assert_eq!(lease.is_held(), !resigns);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn leader_survives_loss_of_witness_minority_only() {
    let [a, b, c] = [witness().await, witness().await, witness().await];
    let witnesses = [a, b, c];
    let lease = candidate(&witnesses, "ws://leader", "5a");
    lease.want(true);
    let _works = lease.start();
    wait_for("it leads", || lease.is_held()).await;
    let [a, b, c] = witnesses;
    a.stop().await;
    // Longer than any grant from before.
    tokio::time::sleep(2 * TTL).await;
    wait_for("it leads on", || lease.is_held()).await;
    b.stop().await;
    wait_for("it leads no more", || !lease.is_held()).await;
    c.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_with_another_secret_gets_no_grant() {
    let witnesses = [witness().await];
    let stranger = candidate(&witnesses, "ws://stranger", "5b");
    stranger.want(true);
    let _works = stranger.start();
    let member = candidate(&witnesses, "ws://member", "5a");
    member.want(true);
    let _works = member.start();
    wait_for("the member leads", || member.is_held()).await;
    assert!(!stranger.is_held() && stranger.leader().is_none());
}

#[test]
fn witnesses_that_cannot_make_a_majority_are_refused() {
    let lease = |urls: &[&str], url: &str| {
        let witnesses = urls.iter().map(|it| (*it).to_owned()).collect();
        Lease::new(name(), config(witnesses, "5a", url))
    };
    assert!(lease(&["http://a:1", "http://b:1", "http://c:1"], "ws://x").is_ok());
    assert!(matches!(lease(&[], "ws://x"), Err(LeaseError::NoWitnesses)));
    let twice = lease(&["http://a:1", "http://b:1", "http://a:1"], "ws://x");
    assert!(matches!(twice, Err(LeaseError::Twice(url)) if url.to_string() == "http://a:1"));
    assert!(matches!(lease(&["nonsense"], "ws://x"), Err(LeaseError::Witness { .. })));
    let long = lease(&["http://a:1"], &"x".repeat(257));
    assert!(matches!(long, Err(LeaseError::UrlTooLong { got: 257 })));
}
