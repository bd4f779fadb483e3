//! Tests that a log equals, after reorgs, one that has read only the final chain.

use super::{
    tests::{events, files, header},
    *,
};
use crate::l1::{ClaimedMessage, ForcedDischarge};
use std::collections::{BTreeMap, BTreeSet};
use testkit::Random;

/// Maximum number of records of each kind that lookups return.
const LIMIT: usize = 16;
/// Number of blocks that a reorg may replace.
const OPEN: u64 = 4;

/// Events of an L1 block, with the counts after it.
struct L1Block {
    events: Events,
    sent: u64,
    forced: u64,
    discharged: u64,
}

/// Random L1 within the rules of the contracts.
struct ScriptedL1 {
    random: Random,
    blocks: Vec<L1Block>,
    /// The oldest block that a node remembers.
    oldest: u64,
    /// Maximum number of messages, and of claims, in a block.
    max_events: usize,
}

impl ScriptedL1 {
    fn extend(&mut self) {
        let number = self.blocks.len() as u64;
        let [mut sent, mut forced, mut discharged] =
            self.blocks.last().map_or([0; 3], |last| [last.sent, last.forced, last.discharged]);
        let template = events(number);
        let mut new = Events::default();
        for _ in 0..self.random.in_range(0..self.max_events + 1) {
            let mut message = template.messages[0].clone();
            message.message.index = sent;
            message.message.sender = self.random.bytes(20)[..].try_into().unwrap();
            message.l1_transaction = self.random.bytes(32)[..].try_into().unwrap();
            new.messages.push(message);
            sent += 1;
        }
        if self.random.in_range(0..2) == 0 {
            let mut entry = template.forced[0].clone();
            entry.index = forced;
            new.forced.push(entry);
            forced += 1;
        }
        while discharged < forced && self.random.in_range(0..3) > 0 {
            let outcome = self.random.in_range(0..6) as u8;
            new.discharged.push(ForcedDischarge { index: discharged, outcome });
            discharged += 1;
        }
        let mut claimed = self.claimed();
        for _ in 0..self.random.in_range(0..self.max_events + 1) {
            // Each message is claimed once, the newest ones soon or late.
            let index = 3 * number + self.random.in_range(0..40) as u64;
            if claimed.insert(index) {
                new.claimed.push(ClaimedMessage {
                    index,
                    is_refunded: self.random.in_range(0..2) == 0,
                    l1_block: number,
                    l1_transaction: self.random.bytes(32)[..].try_into().unwrap(),
                });
            }
        }
        for _ in 0..self.random.in_range(0..6).saturating_sub(3) {
            new.pauses.push(self.random.in_range(0..1_000) as u64);
        }
        self.blocks.push(L1Block { events: new, sent, forced, discharged });
        self.oldest = self.oldest.max((number + 1).saturating_sub(OPEN));
    }

    fn claimed(&self) -> BTreeSet<u64> {
        self.blocks
            .iter()
            .flat_map(|block| &block.events.claimed)
            .map(|claim| claim.index)
            .collect()
    }

    fn take(&self, log: &mut BridgeLog, from: u64) {
        for (number, block) in (0..).zip(&self.blocks).skip(from as usize) {
            log.apply(&header(number), &block.events);
        }
    }

    /// Returns a log that has read only these blocks.
    fn rebuilt(&self, folder: Option<&Path>) -> BridgeLog {
        let mut log = limited(BridgeLog::default());
        if let Some(folder) = folder {
            log.attach(&files(folder)).unwrap();
        }
        self.take(&mut log, 0);
        log.settle(self.oldest);
        log
    }
}

fn limited(mut log: BridgeLog) -> BridgeLog {
    (log.sent.limit, log.claims.limit) = (LIMIT, LIMIT);
    (log.parties.limit, log.forced.limit) = (LIMIT, LIMIT);
    log
}

/// Drops the blocks after this one, as a reorg or a checkpoint does.
fn cut_back(log: &mut BridgeLog, l1: &ScriptedL1, common: u64) {
    log.reload(common).unwrap();
    log.cut_back(common, l1.blocks[common as usize].forced);
}

/// Returns everything that the RPC methods can return.
fn answers(log: &BridgeLog, l1: &ScriptedL1) -> String {
    let mut parties = log.sent_parties();
    let sent =
        (log.first_sent()..=log.sent_len()).map(|index| (log.sent(index).unwrap(), parties(index)));
    let forced = (0..=log.forced_len()).map(|index| log.forced(index));
    let (sent, forced): (Vec<_>, Vec<_>) = (sent.collect(), forced.collect());
    // Without a file, claims are dropped in the order of L1, not by index.
    let positions: BTreeMap<_, _> = l1
        .blocks
        .iter()
        .flat_map(|block| &block.events.claimed)
        .map(|claim| claim.index)
        .zip(0..)
        .collect();
    let highest = positions.iter().rev().take(LIMIT);
    let found = highest.filter(|(_, position)| **position >= log.claims.first());
    let claims: Vec<_> = found.map(|(index, _)| log.claim(*index).unwrap().unwrap()).collect();
    let is_claimed = |index: &u64| positions.contains_key(index);
    assert!(
        (0..500)
            .filter(|index| !is_claimed(index))
            .all(|index| log.claim(index).unwrap().is_none())
    );
    let first = (log.first_sent(), log.first_forced());
    format!("{first:?} {sent:?} {forced:?} {claims:?} {}", log.paused_until())
}

#[test]
fn log_after_reorgs_equals_rebuilt_log() {
    let (mut detours, mut restarts, mut dropped) = (0, 0, [0; 2]);
    for seed in 0..40_u64 {
        // Without files, a reorg may remove as many records as there are in reserve.
        for (has_files, max_events, steps) in [(true, 6, 60), (false, 1, 200)] {
            let folder = tempfile::tempdir().unwrap();
            let random = Random::from_hash(&keccak256(seed.to_be_bytes()));
            let mut l1 = ScriptedL1 { random, blocks: Vec::new(), oldest: 0, max_events };
            let mut log = limited(BridgeLog::default());
            if has_files {
                log.attach(&files(folder.path())).unwrap();
            }
            for step in 0..steps {
                let head = l1.blocks.len() as u64;
                match l1.random.in_range(0..6) {
                    0 if head > 0 => {
                        let depth = l1.random.in_range(0..OPEN as usize) as u64;
                        let common = (head - 1).saturating_sub(depth).max(l1.oldest);
                        cut_back(&mut log, &l1, common);
                        l1.blocks.truncate(common as usize + 1);
                        detours += 1;
                    }
                    1 if has_files && head > 0 => {
                        let mut base = log.clone();
                        cut_back(&mut base, &l1, l1.oldest);
                        let mut out = Writer::default();
                        base.save(&mut out);
                        let saved = out.0.into();
                        let read = BridgeLog::load(&mut Reader::new("records", &saved));
                        log = limited(read.unwrap());
                        log.attach(&files(folder.path())).unwrap();
                        l1.take(&mut log, l1.oldest + 1);
                        restarts += 1;
                    }
                    _ => {
                        l1.extend();
                        l1.take(&mut log, head);
                    }
                }
                log.settle(l1.oldest);
                let other = tempfile::tempdir().unwrap();
                let rebuilt = l1.rebuilt(has_files.then(|| other.path()));
                let [got, expected] = [&log, &rebuilt].map(|log| answers(log, &l1));
                assert_eq!(got, expected, "seed {seed}, step {step}, files {has_files}");
                let has_dropped = log.claimed.from > 0 && log.parties.dropped > 0;
                dropped[usize::from(has_files)] += u64::from(has_dropped);
            }
        }
    }
    assert!(detours > 1_000 && restarts > 300, "{detours} reorgs, {restarts} restarts");
    assert!(dropped.iter().all(|steps| *steps > 1_000), "{dropped:?} steps with dropped records");
}
