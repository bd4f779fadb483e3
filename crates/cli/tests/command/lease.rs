//! Two sequencer processes with the same keys and a lease in etcd, under kills, suspensions and
//! network partitions.

use crate::{
    failover::{Node, SequencedRollup, send, until},
    support::free_port,
};
use alloy_primitives::{Address, U256};
use client::Client;
use serde_json::json;
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use testkit::{Cable, Etcd, Key};

/// Longer than a term without a renewal.
const TERM: Duration = Duration::from_secs(6);

/// A node, with a cable to each member of etcd.
pub(crate) struct Member {
    pub(crate) node: Node,
    cables: Vec<Cable>,
    lease: Vec<String>,
}

impl Member {
    fn new(setup: &SequencedRollup, etcd: &Etcd) -> Self {
        Self::of(Node::new(&setup.with_keys(), setup.rollup.folder.path(), free_port()), etcd)
    }

    pub(crate) fn of(node: Node, etcd: &Etcd) -> Self {
        let cables: Vec<_> = etcd.ports().iter().map(|port| Cable::to(*port).unwrap()).collect();
        let urls: Vec<_> =
            cables.iter().map(|cable| format!("http://127.0.0.1:{}", cable.port())).collect();
        let lease = vec!["--lease-endpoints".to_owned(), urls.join(",")];
        Self { node, cables, lease }
    }

    pub(crate) fn start(&mut self) {
        let url = self.node.socket();
        let lease: Vec<_> = self.lease.iter().map(String::as_str).collect();
        let role = ["--role", "sequencer", "--lease-url", &url];
        self.node.start(&[&role[..], &lease].concat());
    }

    fn holds(&self) -> bool {
        self.node.status()["lease"]["held"] == json!(true)
    }

    pub(crate) fn leads(&self) -> bool {
        self.node.role() == "sequencer" && self.holds()
    }

    /// Suspends or resumes the process.
    fn signal(&self, name: &str) {
        let id = self.node.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

/// A user who sends transactions all the time, to any node that acknowledges them.
struct User {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl User {
    fn start(nodes: [Client; 2], from: Key, to: Address) -> Self {
        let ends = Arc::<AtomicBool>::default();
        let end = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut nonce = 0;
            while !end.load(Ordering::SeqCst) {
                // Without a response the transaction may have been accepted.
                let is_known =
                    |it: &str| it.contains("already known") || it.contains("nonce too low");
                let is_sent = |node: &Client| match send(node, &from, nonce, to) {
                    Ok(_) => true,
                    Err(reason) => is_known(&reason),
                };
                nonce += u64::from(nodes.iter().any(is_sent));
                thread::sleep(Duration::from_millis(100));
            }
            nonce
        });
        Self { ends, thread }
    }

    /// Stops, and returns the number of acknowledged transactions.
    fn stop(self) -> u64 {
        self.ends.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

#[test]
fn lease_admits_one_sequencer_under_kills_and_partitions() {
    let Some(mut etcd) = Etcd::start(3, "failover by a lease").unwrap() else { return };
    let setup = SequencedRollup::new();
    let mut first = Member::new(&setup, &etcd);
    let mut second = Member::new(&setup, &etcd);
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let dave = Address::repeat_byte(0xda);
    first.start();
    until("a leader", || first.leads());
    second.start();
    let to_first = json!(first.node.socket());
    until("the second follows", || {
        let status = second.node.status();
        status["lease"]["leader"] == to_first && status["role"] == "follower"
    });
    let clients = [&first, &second].map(|member| member.node.client());
    let user = User::start(clients, Key::named("carol"), dave);
    for nonce in 0..4 {
        first.node.send(&alice, nonce, bob);
    }
    until("the transfers at the second node", || second.node.balance(bob) == U256::from(4));

    // kill -9: the other node takes over and continues the chain.
    first.node.kill();
    until("the second leads", || second.leads());
    for nonce in 4..8 {
        second.node.send(&alice, nonce, bob);
    }
    until("blocks of the second", || second.node.balance(bob) == U256::from(8));
    first.start();
    until("the first follows", || {
        first.node.role() == "follower" && first.node.balance(bob) == U256::from(8)
    });

    // A killed member of etcd has no effect, because the other two are a majority.
    etcd.kill(0);
    thread::sleep(TERM);
    until("the second leads on", || second.leads());
    assert_eq!(first.node.role(), "follower");
    etcd.restart(0).unwrap();
    etcd.until_healthy().unwrap();

    // The second node loses etcd, but still reaches L1 and its users.
    second.cables.iter().for_each(Cable::cut);
    until("the first leads", || {
        let (before, other, after) = (first.holds(), second.holds(), first.holds());
        assert!(!(before && other && after), "both have the lease");
        first.leads()
    });
    assert!(!second.holds());
    until("the second to become a follower", || second.node.role() == "follower");
    for nonce in 8..12 {
        first.node.send(&alice, nonce, bob);
    }
    until("blocks of the first", || first.node.balance(bob) == U256::from(12));
    second.cables.iter().for_each(Cable::mend);
    until("the second follows", || second.node.balance(bob) == U256::from(12));
    assert!(first.leads() && second.node.role() == "follower");
    // The follower forwards a transaction to the leader.
    until("a forwarded send", || second.node.try_send(&alice, 12, bob).is_ok());
    until("all of it", || {
        [&first, &second].iter().all(|member| member.node.balance(bob) == U256::from(13))
    });

    // The suspended leader resumes when the other one leads, and follows it.
    first.signal("STOP");
    until("the second leads", || second.leads());
    for nonce in 13..16 {
        second.node.send(&alice, nonce, bob);
    }
    first.signal("CONT");
    until("the first follows", || first.node.role() == "follower" && !first.holds());
    until("all of it", || {
        [&first, &second].iter().all(|member| member.node.balance(bob) == U256::from(16))
    });
    assert!(second.leads());
    let acknowledged = U256::from(user.stop());
    eprintln!("acknowledged under kills and partitions: {acknowledged}");
    assert!(acknowledged > U256::ZERO);
    until("the acknowledged transactions", || {
        [&first, &second].iter().all(|member| member.node.balance(dave) == acknowledged)
    });
    // Each node may have read another L1 block.
    until("all on L1", || {
        first.node.is_on_l1()
            && second.node.is_on_l1()
            && first.node.status()["safeHead"] == second.node.status()["safeHead"]
    });
}
