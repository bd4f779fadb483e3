//! A process that appends blocks is killed at random moments: all acknowledged blocks are stored.

use crate::{
    queue::on_store,
    twin::{Twin, child, config, genesis, options, random},
};
use alloy_primitives::B256;
use chain::Chain;
use enshrine_disk::{DiskOptions, DiskStore, open_chain_with};
use std::{
    env,
    io::{BufRead, BufReader, Write, stdout},
    iter,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};
use tempfile::tempdir;

/// Environment variable with the folder, for the test that runs as the process to be killed.
pub(crate) const FOLDER: &str = "ENSHRINE_DISK_APPEND";
/// Environment variable with the number of kills, for longer runs.
const KILLS: &str = "ENSHRINE_DISK_KILLS";
const ACKNOWLEDGED: &str = "acknowledged ";

/// Number of retained states, low enough that the process is also killed during pruning.
const STATES: u64 = 20;

fn open(folder: &Path) -> Chain {
    let options = DiskOptions { states: STATES, lag: 5, ..options() };
    open_chain_with(folder, &genesis(), config(), options).unwrap()
}

/// Returns `true` for every fifth block, which a sibling replaces.
const fn has_sibling(number: u64) -> bool {
    number % 5 == 4
}

/// Not a test by itself: the body of the process that is killed.
#[test]
fn appends_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let mut chain = open(folder.as_ref());
    acknowledge(&chain);
    loop {
        let block = child(&chain, 0);
        let sibling = has_sibling(block.block.header.number).then(|| child(&chain, 1));
        for block in [Some(block), sibling].into_iter().flatten() {
            chain.append(block).unwrap();
            acknowledge(&chain);
        }
    }
}

pub(crate) fn acknowledge(chain: &Chain) {
    let mut out = stdout().lock();
    writeln!(out, "{ACKNOWLEDGED}{}", chain.head().hash).unwrap();
    out.flush().unwrap();
}

/// Not a test by itself: appends while the state store does not apply commits.
#[test]
fn appends_until_nothing_more_may_wait() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let (store, mut chain) = on_store(folder.as_ref());
    let _held = store.hold();
    loop {
        chain.append(child(&chain, 0)).unwrap();
        acknowledge(&chain);
    }
}

pub(crate) struct Appender {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Appender {
    /// Starts a process that runs the body of an appending test.
    pub(crate) fn start(folder: &Path, test: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// Returns the next acknowledged hash; `None` once the process has ended and its output has
    /// been read.
    pub(crate) fn next(&mut self) -> Option<B256> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test runner may have printed the beginning of the line, and the line may be cut
            // off.
            if let Some((_, hash)) = line.split_once(ACKNOWLEDGED)
                && line.ends_with('\n')
            {
                return Some(hash.trim().parse().unwrap());
            }
        }
    }

    /// Kills the process, and returns the acknowledged hashes that have not been read yet.
    pub(crate) fn kill(mut self) -> Vec<B256> {
        self.process.kill().unwrap();
        let rest = iter::from_fn(|| self.next()).collect();
        self.process.wait().unwrap();
        rest
    }
}

/// Appends the block that the appender appends next, if that makes `hash` the head.
fn follow(twin: &mut Twin, hash: B256) -> bool {
    let block = child(&twin.chain, 0);
    if block.block.hash == hash {
        twin.witnesses.push((hash, block.witness.clone()));
        twin.chain.append(block).unwrap();
        return true;
    }
    let head = twin.chain.head();
    if !has_sibling(head.header.number) {
        return false;
    }
    let (own, parent) = (head.hash, head.header.parent_hash);
    twin.chain.set_head(&parent).unwrap();
    let sibling = child(&twin.chain, 1);
    if sibling.block.hash != hash {
        twin.chain.set_head(&own).unwrap();
        return false;
    }
    twin.witnesses.push((hash, sibling.witness.clone()));
    twin.chain.append(sibling).unwrap();
    true
}

#[test]
fn acknowledged_blocks_survive_kill_9() {
    let kills = env::var(KILLS).map_or(60, |kills| kills.parse::<u64>().unwrap());
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let mut beyond = 0;
    for kill in 0..kills {
        let mut appender = Appender::start(folder.path(), "killing::appends_until_it_is_killed");
        // The appender first reports the current head.
        assert_eq!(appender.next(), Some(twin.chain.head().hash), "kill {kill}");
        for _ in 0..random(kill) % 9 {
            let hash = appender.next().expect("the appender runs until it is killed");
            assert!(follow(&mut twin, hash), "kill {kill}: {hash} is not the next block");
        }
        thread::sleep(Duration::from_micros(random(1_000_000 + kill) % 6_000));
        // Output until the kill counts as well.
        for hash in appender.kill() {
            assert!(follow(&mut twin, hash), "kill {kill}: {hash} is not the next block");
        }
        let chain = open(folder.path());
        // One block may have been stored but not acknowledged.
        let head = chain.head().hash;
        if head != twin.chain.head().hash {
            assert!(
                follow(&mut twin, head),
                "kill {kill}: {head} is neither acknowledged nor next"
            );
            beyond += 1;
        }
        let (number, end) = (random(kill), chain.head().header.number + 1);
        let oldest = end.saturating_sub(STATES);
        if kill % 10 == 9 {
            twin.assert_same(&chain, oldest);
        } else {
            let above = (oldest + 1).min(end - 1);
            twin.assert_same_at(&chain, above + number % (end - above));
        }
    }
    let blocks = twin.chain.head().header.number;
    println!("{kills} kills, {blocks} blocks, {beyond} of which nothing had been said");
    assert!(blocks >= kills, "{blocks} blocks");
}

#[test]
fn acknowledged_blocks_survive_kill_9_with_full_queue() {
    let folder = tempdir().unwrap();
    let mut twin = Twin::new();
    let test = "killing::appends_until_nothing_more_may_wait";
    let mut appender = Appender::start(folder.path(), test);
    let queue = options().queue;
    for number in 0..queue {
        let hash = appender.next().expect("there is room for as many");
        assert!(follow(&mut twin, hash), "block {number}");
    }
    // The next commit waits for capacity, which never becomes available.
    thread::sleep(Duration::from_millis(50));
    assert!(appender.kill().is_empty());
    let store = DiskStore::open(folder.path(), options()).unwrap();
    assert_eq!(store.behind(), queue);
    drop(store);
    let chain = open(folder.path());
    twin.assert_same(&chain, (queue as u64 + 1).saturating_sub(STATES));
}
