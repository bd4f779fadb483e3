//! Model of two leaders that sign prefixes of one block, over an ideal store.
//!
//! A schedule is a list of steps: a node becomes the leader; builds a prefix whose record the store
//! accepts, loses, or accepts without a response; stops between record and signature; or seals. All
//! schedules of [`LENGTH`] steps are played, and longer random ones. Signatures never conflict, and
//! the next leader can always seal the last recorded block, which extends all signed prefixes.

use super::*;
use crate::{lease::MAX_RECORD, prefix::Prefix};
use alloy_consensus::Header;
use alloy_primitives::{Address, Bytes, keccak256};
use alloy_rlp::Encodable as _;
use client::RedactedUrl;
use parking_lot::Mutex;
use preconf::{Preconfirmation, Promised, Promises};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use testkit::Random;
use wire::SchemaId;

/// Length of the exhaustively played schedules.
const LENGTH: usize = 5;

/// Fate of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    /// The record is added, and the response is lost.
    Unanswered,
    Lost,
}

/// A step of the node with this index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Lead(usize),
    Extend(usize, Fate),
    /// Like [`Self::Extend`], but the node stops before it signs.
    Stop(usize),
    /// Signs what was recorded before the stop.
    Resume(usize),
    Seal(usize, Fate),
}

impl Step {
    fn all() -> Vec<Self> {
        let fates = [Fate::Answered, Fate::Unanswered, Fate::Lost];
        let of = |node| {
            let extend = fates.map(|fate| Self::Extend(node, fate));
            let seal = fates.map(|fate| Self::Seal(node, fate));
            let others = [Self::Lead(node), Self::Stop(node), Self::Resume(node)];
            others.into_iter().chain(extend).chain(seal)
        };
        (0..2).flat_map(of).collect()
    }
}

#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) term: u64,
    records: BTreeMap<u64, Bytes>,
    pub(super) fate: Option<Fate>,
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }
}

/// Handle of the leader of a term.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) term: u64,
}

impl Records for Handle {
    fn read(&self, from: u64) -> Result<Vec<Record>, LeaseError> {
        let store = self.store.lock();
        let records = store.records.range(from..);
        Ok(records
            .map(|(number, bytes)| Record { number: *number, bytes: bytes.clone() })
            .collect())
    }

    fn append(&self, number: u64, record: &[u8]) -> Result<(), LeaseError> {
        if record.len() > MAX_RECORD {
            return Err(LeaseError::RecordTooLong { got: record.len(), limit: MAX_RECORD });
        }
        let mut store = self.store.lock();
        let fate = store.fate.take().unwrap_or(Fate::Answered);
        let silent = LeaseError::Timeout {
            url: RedactedUrl::new("http://127.0.0.1:2379"),
            limit: Duration::ZERO,
        };
        if fate == Fate::Lost {
            return Err(silent);
        }
        if store.term != self.term {
            return Err(LeaseError::Lost { token: 0 });
        }
        if store.records.contains_key(&number) {
            return Err(LeaseError::RecordExists { number });
        }
        store.records.insert(number, record.to_vec().into());
        if fate == Fate::Answered { Ok(()) } else { Err(silent) }
    }

    fn remove_before(&self, number: u64) -> Result<(), LeaseError> {
        let mut store = self.store.lock();
        store.records = store.records.split_off(&number);
        Ok(())
    }
}

/// A node, with its state since it became the leader.
#[derive(Debug)]
struct Node {
    journal: SharedJournal,
    promises: Promises,
    /// Transactions of the open block.
    open: Vec<u8>,
    /// Recorded before a stop.
    pending: Option<Promised>,
    has_sealed: bool,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            journal: SharedJournal::default(),
            promises: Promises::new(3_612),
            open: Vec::new(),
            pending: None,
            has_sealed: false,
        }
    }
}

/// Returns a block with these transactions of one byte each.
fn prefix(transactions: &[u8], is_sealed: bool) -> Prefix {
    let root = keccak256(transactions);
    let base_fee_per_gas = Some(7);
    let header = Header {
        number: 1,
        state_root: root,
        transactions_root: root,
        base_fee_per_gas,
        withdrawals_root: Some(B256::ZERO),
        ..Header::default()
    };
    let mut rlp = Vec::new();
    header.encode(&mut rlp);
    let message = Preconfirmation {
        rollup: Address::repeat_byte(0xa0),
        block_hash: keccak256(&rlp),
        schema: SchemaId::OSAKA,
        is_sealed,
        l1_block: 9,
        l1_hash: B256::repeat_byte(9),
    };
    let transactions = transactions.iter().map(|byte| Bytes::from(vec![*byte; 40]));
    Prefix::new(message, rlp.into(), transactions.collect(), None).unwrap()
}

#[derive(Debug, Default)]
struct Cluster {
    store: Arc<Mutex<Store>>,
    nodes: [Node; 2],
    signed: Vec<Promised>,
    /// Number of transactions so far; each is unique.
    transactions: u8,
}

impl Cluster {
    /// Runs a step. Returns `false` if it is not possible.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Lead(at) => self.lead(at),
            Step::Extend(at, fate) => return self.extend(at, fate, true),
            Step::Stop(at) => return self.extend(at, Fate::Answered, false),
            Step::Resume(at) => match self.nodes[at].pending.take() {
                Some(pending) => self.signed.push(pending),
                None => return false,
            },
            Step::Seal(at, fate) => {
                let node = &self.nodes[at];
                if node.has_sealed || node.open.is_empty() {
                    return false;
                }
                let sealed = prefix(&node.open, true);
                self.sign(at, &sealed, fate, true);
                // The block is decided, with or without a signature.
                self.nodes[at].has_sealed = true;
            }
        }
        true
    }

    /// Begins a term, in which the node seals the recorded block.
    fn lead(&mut self, at: usize) {
        let term = {
            let mut store = self.store.lock();
            store.term += 1;
            store.term
        };
        let handle = Handle { store: Arc::clone(&self.store), term };
        // A pending signature belongs to an earlier term.
        let pending = self.nodes[at].pending.take();
        let mut node = Node { pending, ..Node::default() };
        let recorded = node.journal.join(Box::new(handle)).unwrap();
        for it in &recorded {
            node.promises.add(it.prefix.promised.clone());
        }
        self.nodes[at] = node;
        let Some(Recorded { prefix: last, .. }) = recorded.last() else { return };
        for signed in &self.signed {
            let is_kept = last.promised.transactions.starts_with(&signed.transactions);
            assert!(is_kept, "a signed prefix is not sealed by the next leader");
        }
        let open: Vec<u8> = last.transactions.iter().map(|it| it[0]).collect();
        let sealed = prefix(&open, true);
        self.nodes[at].open = open;
        assert!(
            self.sign(at, &sealed, Fate::Answered, true),
            "the next leader cannot seal: {recorded:?}"
        );
        self.nodes[at].has_sealed = true;
    }

    fn extend(&mut self, at: usize, fate: Fate, signs: bool) -> bool {
        if self.nodes[at].has_sealed || self.nodes[at].pending.is_some() {
            return false;
        }
        self.transactions += 1;
        let mut open = self.nodes[at].open.clone();
        open.push(self.transactions);
        self.sign(at, &prefix(&open, false), fate, signs);
        // Also if the record may exist.
        self.nodes[at].open = open;
        true
    }

    /// Signs as [`PrefixSigner`](crate::prefix::PrefixSigner) does: check, record, signature.
    fn sign(&mut self, at: usize, prefix: &Prefix, fate: Fate, signs: bool) -> bool {
        let node = &mut self.nodes[at];
        if node.promises.check(&prefix.promised, &|_, _| false).is_err() {
            return false;
        }
        self.store.lock().fate = Some(fate);
        let mut recorded = node.journal.record(prefix, true);
        if let Err(PrefixError::NotShared(LeaseError::RecordExists { .. })) = recorded {
            for lost in node.journal.load().unwrap() {
                node.promises.add(lost.prefix.promised);
            }
            if node.promises.check(&prefix.promised, &|_, _| false).is_err() {
                return false;
            }
            recorded = node.journal.record(prefix, true);
        }
        self.store.lock().fate = None;
        if recorded.is_err() {
            return false;
        }
        node.promises.add(prefix.promised.clone());
        match signs {
            true => self.signed.push(prefix.promised.clone()),
            false => node.pending = Some(prefix.promised.clone()),
        }
        true
    }

    /// Checks that all signatures are prefixes of one chain.
    fn require_no_conflict(&self, schedule: &[Step]) {
        let follows = |a: &Promised, b: &Promised| {
            let is_longer = !a.message.is_sealed && b.transactions.len() > a.transactions.len();
            a.header.hash == b.header.hash
                || is_longer && b.transactions.starts_with(&a.transactions)
        };
        for (index, a) in self.signed.iter().enumerate() {
            for b in &self.signed[index + 1..] {
                assert!(follows(a, b) || follows(b, a), "{schedule:?}: {a:?} {b:?}");
            }
        }
    }
}

/// Plays a schedule after node 0 has become the leader, and returns the number of signatures, or
/// `None` if its last step is not possible.
fn play(schedule: &[Step]) -> Option<usize> {
    let mut cluster = Cluster::default();
    cluster.step(Step::Lead(0));
    let mut is_possible = true;
    for step in schedule {
        is_possible = cluster.step(*step);
        cluster.require_no_conflict(schedule);
    }
    is_possible.then_some(cluster.signed.len())
}

/// Plays all schedules that begin with this one, and returns their number and that of signatures.
fn play_all(schedule: &mut Vec<Step>, steps: &[Step]) -> (usize, usize) {
    let (mut played, mut signed) = (0, 0);
    for step in steps {
        schedule.push(*step);
        if let Some(signatures) = play(schedule) {
            (played, signed) = (played + 1, signed + signatures);
            if schedule.len() < LENGTH {
                let (more, signatures) = play_all(schedule, steps);
                (played, signed) = (played + more, signed + signatures);
            }
        }
        schedule.pop();
    }
    (played, signed)
}

#[test]
fn leaders_never_sign_in_conflict() {
    let steps = Step::all();
    let (played, signed) = play_all(&mut Vec::new(), &steps);
    eprintln!("{played} schedules, {signed} signatures");
    assert!(played > 100_000 && signed > 100_000, "{played} {signed}");
    let mut random = Random::new(46);
    for _ in 0..20_000 {
        let schedule: Vec<_> =
            (0..24).map(|_| steps[random.below(steps.len() as u64) as usize]).collect();
        play(&schedule);
    }
}
