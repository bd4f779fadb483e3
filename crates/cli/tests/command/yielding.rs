//! Leaders that run but cannot work, for different reasons: the standby takes over, and no
//! acknowledged transaction is lost.

use crate::{
    failover::{Node, SequencedRollup, until},
    lease::Member,
    support::free_port,
};
use alloy_primitives::{Address, U256};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use testkit::{ETHER, Etcd, Interception, Key, Proxy, SignerMode, Timeout, Web3Signer, id_of};

/// Library that blocks each `fsync` while the file in `HANG_WHILE` exists, like an unresponsive
/// disk.
const HANGING_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait(void) {
    const char *file = getenv("HANG_WHILE");
    while (file && access(file, F_OK) == 0) usleep(20000);
}
int fdatasync(int fd) { wait(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
int fsync(int fd) { wait(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
"#;

/// Two members of a lease, each with its own L1 node, signer, L1 account and disk.
struct Pair {
    setup: SequencedRollup,
    l1: [Proxy; 2],
    accounts: [Key; 2],
    signers: [Web3Signer; 2],
    members: [Member; 2],
    _etcd: Etcd,
}

impl Pair {
    /// Returns `None` if etcd is not installed.
    fn new() -> Option<Self> {
        let etcd = Etcd::start(3, "leaders that cannot work").unwrap()?;
        let setup = SequencedRollup::new();
        let folder = setup.rollup.folder.path();
        let library = hanging_disk(folder);
        let upstream =
            setup.rollup.l1.client().url().trim_start_matches("http://").trim_end_matches('/');
        let l1 = [(), ()].map(|()| Proxy::start(upstream.parse().unwrap()).unwrap());
        let accounts = ["advance", "deployer"].map(Key::named);
        let signers = [0, 1].map(|at: usize| Web3Signer::start(&accounts[at]).unwrap());
        let both = accounts.iter().map(|key| key.address().to_string()).collect::<Vec<_>>();
        let both = both.join(",");
        let members = [0, 1].map(|at: usize| {
            let mut arguments = setup.common();
            let l1_url = l1[at].url();
            let place = arguments.iter().position(|argument| *argument == "--l1").unwrap();
            arguments[place + 1] = &l1_url;
            arguments.extend(["--advance-signer", signers[at].url(), "--feed-signer", &both]);
            arguments.extend(["--advance-address", both.split(',').nth(at).unwrap()]);
            arguments.extend(["--operator-key", setup.keys()]);
            let mut node = Node::new(&arguments, folder, free_port());
            node.environment = vec![
                ("LD_PRELOAD".to_owned(), library.display().to_string()),
                ("HANG_WHILE".to_owned(), hang_while(folder, at).display().to_string()),
            ];
            Member::of(node, &etcd)
        });
        Some(Self { setup, l1, accounts, signers, members, _etcd: etcd })
    }

    fn limit_files(&self, at: usize, bytes: &str) {
        let id = self.members[at].node.id().unwrap().to_string();
        let status = Command::new("prlimit").args(["--pid", &id, bytes]).status().unwrap();
        assert!(status.success());
    }

    fn set_balance(&self, at: usize, wei: U256) {
        let params = (self.accounts[at].address(), wei);
        let _: Value = self.setup.rollup.l1.client().request("anvil_setBalance", params).unwrap();
    }
}

fn hang_while(folder: &Path, at: usize) -> PathBuf {
    folder.join(format!("disk-{at}-hangs"))
}

fn hanging_disk(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("hang.c"), folder.join("hang.so"));
    fs::write(&source, HANGING_DISK).unwrap();
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(status.success());
    library
}

/// Causes or repairs a fault of the leader at an index.
type Change = fn(&Pair, usize);

const FAULTS: [(&str, Change, Change); 7] = [
    (
        "L1 is silent",
        |pair, at| pair.l1[at].intercept(|_| Some(Interception::Silence)),
        |pair, at| pair.l1[at].honest(),
    ),
    (
        "L1 lies",
        |pair, at| {
            pair.l1[at].set(|request, answer| {
                let lies = request.contains("eth_getBlockByNumber");
                Some(if lies {
                    answer.replace("\"stateRoot\":\"0x", "\"stateRoot\":\"0x0")
                } else {
                    answer
                })
            });
        },
        |pair, at| pair.l1[at].honest(),
    ),
    (
        "L1 refuses what is posted",
        |pair, at| {
            pair.l1[at].intercept(|request| {
                let error = r#""error":{"code":-32000,"message":"not from you"}"#;
                let posts = request.contains("eth_sendRawTransaction");
                posts.then(|| format!(r#"{{"jsonrpc":"2.0","id":{},{error}}}"#, id_of(request)))
            });
        },
        |pair, at| pair.l1[at].honest(),
    ),
    (
        "the disk is full",
        |pair, at| pair.limit_files(at, "--fsize=4096:"),
        |pair, at| pair.limit_files(at, "--fsize=unlimited:"),
    ),
    (
        "the disk hangs",
        |pair, at| fs::write(hang_while(pair.setup.rollup.folder.path(), at), "").unwrap(),
        |pair, at| fs::remove_file(hang_while(pair.setup.rollup.folder.path(), at)).unwrap(),
    ),
    (
        "the signer is gone",
        |pair, at| pair.signers[at].set(SignerMode::Gone),
        |pair, at| pair.signers[at].set(SignerMode::Good),
    ),
    (
        "the account is out of ether",
        |pair, at| pair.set_balance(at, U256::ZERO),
        |pair, at| pair.set_balance(at, U256::from(1_000) * U256::from(ETHER)),
    ),
];

#[test]
fn faulty_leader_yields_lease() {
    let Some(mut pair) = Pair::new() else { return };
    pair.members[0].start();
    until("a leader", || pair.members[0].leads());
    pair.members[1].start();
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let mut nonce = 0;
    let mut leader = 0;
    for (what, stop, mend) in FAULTS {
        let standby = 1 - leader;
        // Restart the standby: after a fault, a node requests the lease only after a while.
        pair.members[standby].node.kill();
        pair.members[standby].start();
        until("the standby follows", || {
            let status = pair.members[standby].node.status();
            status["synced"] == json!(true) && status["role"] == "follower"
        });
        stop(&pair, leader);
        let begun = Timeout::begin();
        // Transactions that the faulty leader acknowledges. Without a disk it acknowledges none.
        for _ in 0..3 {
            match pair.members[leader].node.try_send(&alice, nonce, bob) {
                Ok(_) => nonce += 1,
                Err(_) => assert!(what.contains("disk"), "{what}"),
            }
        }
        until(what, || pair.members[standby].leads());
        eprintln!("{what}: the standby leads after {:?}", begun.spent());
        mend(&pair, leader);
        until("no second leader", || pair.members[leader].node.role() == "follower");
        until("a send to the new leader", || {
            match pair.members[standby].node.try_send(&alice, nonce, bob) {
                Ok(_) => nonce += 1,
                // Sent before, but the hanging disk delayed the response.
                Err(reason) if reason.contains("already known") || reason.contains("nonce") => {
                    nonce += 1;
                    return false;
                }
                Err(_) => return false,
            }
            true
        });
        until("the acknowledged transactions", || {
            pair.members.iter().all(|member| member.node.balance(bob) == U256::from(nonce))
        });
        until("all on L1", || pair.members[standby].node.is_on_l1());
        leader = standby;
    }
}
