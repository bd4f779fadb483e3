//! Simulation of a day with two signers that share a journal, and an adversarial L1.
//!
//! The time is simulated, but the signers are real: each has its file, and both share a journal in
//! an ideal [store](super::store). L1 reorgs every few minutes, and often returns to the previous
//! chain; a node is killed every ten minutes, or suspended between record and signature; L1 censors
//! the nodes for up to three hours; its time jumps; and other accounts post signed blocks, and
//! backdated ones once the policy allows it. At the end, each pair of messages, and each message
//! with each block that the rollup ever had in its place, is checked on every L1 chain: only a
//! delay may be a fault. Block production never stops for longer than both nodes are away.
//!
//! The model has no execution, so EXECUTE rejects nothing and has no price, and no block is split
//! to isolate a transaction that L1 rejects. It also has no checkpoints, operator transactions,
//! forced transactions, or changes of the policy, the rules and the bond.
//!
//! `ENSHRINE_MODEL_HOURS` sets the length, `ENSHRINE_MODEL_SEED` the seed.

mod checks;
mod l1;
mod nodes;

use super::store::Store;
use crate::{
    RollupRules, Signer,
    l1::L1View,
    prefix::{L1Condition, Prefix, PrefixSigner},
};
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, SignableTransaction as _, TxEip1559,
    proofs::ordered_trie_root_with_encoder,
};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, FixedBytes, Signature, keccak256, map::B256Map};
use alloy_rlp::{Decodable as _, Encodable as _};
use alloy_sol_types::SolCall as _;
use contracts::{Anchor, L1_ANCHOR};
use parking_lot::Mutex;
use preconf::{Domain, Preconfirmation};
use std::{env, path::Path, sync::Arc};
use tempfile::TempDir;
use testkit::{Random, bare_deployment};
use wire::SchemaId;

/// Seconds between two slices.
const TICK: u64 = 4;
/// Number of slices of a block.
const SLICES: u64 = 3;
/// Seconds between two L1 blocks.
const SLOT: u64 = 12;
const MAX_LAG: u64 = 3_600;
const TIMEOUT: u64 = 7 * MAX_LAG / 4;
const POST_DELAY: u64 = 300;
/// Depth below the head at which L1 blocks are final.
const FINAL: u64 = 64;
/// Maximum depth of an L1 reorg, in blocks.
const DEEPEST: u64 = 12;
/// Maximum number of successive L1 blocks without a new L2 block: each node may be away for ten.
const LONGEST_IDLE: u64 = 24;
/// Time of the first L1 block.
const BEGIN: u64 = 1_000_000;
const ROLLUP: Address = Address::repeat_byte(0xa0);
const DOMAIN: Domain = Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };

#[derive(Debug, Clone)]
struct L1Block {
    number: u64,
    parent: B256,
    timestamp: u64,
    /// L2 blocks posted in this L1 block.
    posted: Vec<B256>,
    /// The rollup's head after this L1 block.
    head: B256,
}

/// A block of the L2, with the L1 block of its anchor.
#[derive(Debug, Clone)]
struct L2Block {
    header: Header,
    hash: B256,
    anchor: (u64, B256),
    has_new_anchor: bool,
    transactions: Vec<Bytes>,
}

/// Returns the anchor at an L1 block.
fn l2_anchor((l1_block_number, l1_block_hash): (u64, B256)) -> Anchor {
    Anchor { l1_block_number, l1_block_hash, message_count: 0, message_root: B256::ZERO }
}

/// Returns the transaction that proves an anchor on the L2.
fn prove(anchor: (u64, B256)) -> Bytes {
    let input = l2_anchor(anchor).prove_call().abi_encode().into();
    let call = TxEip1559 { to: L1_ANCHOR.into(), input, ..TxEip1559::default() };
    call.into_signed(Signature::test_signature()).encoded_2718().into()
}

impl L2Block {
    fn child(parent: &Self, timestamp: u64, anchor: (u64, B256), transactions: Vec<Bytes>) -> Self {
        let put = |bytes: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(bytes);
        let transactions_root = ordered_trie_root_with_encoder(&transactions, put);
        let header = Header {
            parent_hash: parent.hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            number: parent.header.number + 1,
            timestamp,
            transactions_root,
            // A deterministic stand-in for the result of execution.
            state_root: keccak256([parent.hash, transactions_root].concat()),
            parent_beacon_block_root: Some(l2_anchor(anchor).hash()),
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::ZERO),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            ..Header::default()
        };
        let has_new_anchor = anchor != parent.anchor;
        Self { hash: header.hash_slow(), header, anchor, has_new_anchor, transactions }
    }

    fn prefix(&self, is_sealed: bool, condition: L1Condition) -> Prefix {
        let mut header = Vec::new();
        self.header.encode(&mut header);
        let message = Preconfirmation {
            rollup: ROLLUP,
            block_hash: self.hash,
            schema: SchemaId::OSAKA,
            is_sealed,
            l1_block: condition.number,
            l1_hash: condition.hash,
        };
        let anchor = Some(l2_anchor(self.anchor)).filter(|_| self.has_new_anchor);
        Prefix::new(message, header.into(), self.transactions.clone(), anchor.as_ref()).unwrap()
    }
}

/// A published message.
#[derive(Debug)]
struct PublishedMessage {
    prefix: Prefix,
    signature: FixedBytes<65>,
}

#[derive(Debug)]
struct OpenBlock {
    block: L2Block,
    condition: L1Condition,
    slices: u64,
}

/// Point at which a node is killed or suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Before any action.
    Idle,
    /// After the record of a prefix.
    Recorded,
    /// After its signature was published.
    Shown,
}

#[derive(Debug)]
struct Node {
    folder: TempDir,
    /// `None` while the process does not run.
    signer: Option<PrefixSigner>,
    view: L1View,
    /// L1 blocks of the view, from number 1 on.
    read: Vec<B256>,
    head: B256,
    /// `true` until the node learns that another one leads.
    leads: bool,
    term: u64,
    open: Option<OpenBlock>,
    /// Signature to publish, and block to make the head, after a suspension.
    unseen: Option<PublishedMessage>,
    unsealed: Option<L2Block>,
    /// Time until which the node is down or suspended.
    away_until: u64,
}

impl Node {
    fn new(genesis: B256) -> Self {
        // The journal is synced for each signature, which is fast in memory.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let mut node = Self {
            folder: folder.unwrap(),
            signer: None,
            view: L1View::new(bare_deployment(ROLLUP, Address::ZERO)),
            read: Vec::new(),
            head: genesis,
            leads: false,
            term: 0,
            open: None,
            unseen: None,
            unsealed: None,
            away_until: 0,
        };
        node.start(false);
        node
    }

    fn start(&mut self, has_history: bool) {
        let rules = RollupRules {
            max_lag: MAX_LAG,
            open_after: 0,
            relay_deadline: 0,
            forced_delay: 0,
            forced_grace: 0,
            forced_expiry: 0,
        };
        let key = Signer::new("key", B256::repeat_byte(7)).unwrap();
        let path = self.folder.path().join("preconfirmations");
        let signer = PrefixSigner::open(&path, ROLLUP, DOMAIN, key, &rules, has_history).unwrap();
        self.signer = Some(signer.with_shared_journal());
    }

    /// Loses all state that is not on disk.
    fn kill(&mut self) {
        (self.signer, self.open, self.leads) = (None, None, false);
        (self.unseen, self.unsealed) = (None, None);
    }
}

#[derive(Debug, Default)]
struct Counts {
    reorgs: u64,
    flips: u64,
    kills: u64,
    suspensions: u64,
    terms: u64,
    /// Number of terms that began on a branch without the newest promise.
    branches: u64,
    censored: u64,
    jumps: u64,
    backdated: u64,
    posted_by_strangers: u64,
    l2_blocks: u64,
    /// Number of unsigned blocks that were recorded as replaced.
    replaced: u64,
    /// Maximum number of successive L1 blocks without a new L2 block.
    longest_idle: u64,
}

#[derive(Debug)]
struct Simulation {
    random: Random,
    time: u64,
    l1: B256Map<L1Block>,
    canonical: Vec<B256>,
    /// Heads of reorged chains, with the time from which L1 may return to them.
    left: Vec<(B256, u64)>,
    l2: B256Map<L2Block>,
    store: Arc<Mutex<Store>>,
    nodes: [Node; 2],
    /// Newest block that any node has sealed.
    feed: B256,
    shown: Vec<PublishedMessage>,
    /// Sealed blocks that anyone may post, with the condition.
    sealed: Vec<(B256, L1Condition)>,
    censored_until: u64,
    /// Number of L1 blocks since the last new L2 block.
    idle: u64,
    fresh: u64,
    counts: Counts,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let header = Header { timestamp: BEGIN, ..Header::default() };
        let first = L1Block {
            number: 1,
            parent: B256::ZERO,
            timestamp: BEGIN,
            posted: Vec::new(),
            head: header.hash_slow(),
        };
        let (genesis, l1_hash) = (header.hash_slow(), B256::repeat_byte(1));
        let anchor = (1, l1_hash);
        let transactions = Vec::new();
        let block = L2Block { hash: genesis, header, anchor, has_new_anchor: false, transactions };
        Self {
            random: Random::new(seed),
            time: BEGIN,
            l1: [(l1_hash, first)].into_iter().collect(),
            canonical: vec![l1_hash],
            left: Vec::new(),
            l2: [(genesis, block)].into_iter().collect(),
            store: Arc::default(),
            nodes: [Node::new(genesis), Node::new(genesis)],
            feed: genesis,
            shown: Vec::new(),
            sealed: Vec::new(),
            censored_until: 0,
            idle: 0,
            fresh: 1,
            counts: Counts::default(),
        }
    }

    /// Returns `true` once in this many seconds, on average.
    fn comes_every(&mut self, seconds: u64) -> bool {
        self.random.below(seconds / TICK) == 0
    }

    fn fresh(&mut self) -> B256 {
        self.fresh += 1;
        keccak256(self.fresh.to_be_bytes())
    }

    fn l1_head(&self) -> &L1Block {
        &self.l1[self.canonical.last().unwrap()]
    }

    /// Returns `true` if L1's chain has this block.
    fn is_on_l1(&self, (number, hash): (u64, B256)) -> bool {
        self.canonical.get(number as usize - 1) == Some(&hash)
    }

    fn tick(&mut self) {
        self.time += TICK;
        if self.comes_every(3_600) {
            self.time += SLOT * self.random.below(300);
            self.counts.jumps += 1;
        }
        if self.time >= self.censored_until && self.comes_every(1_800) {
            let max_seconds = if self.random.one_in(6) { 3 * 3_600 } else { 1_800 };
            self.censored_until = self.time + self.random.below(max_seconds);
            self.counts.censored += 1;
        }
        if self.comes_every(300) {
            self.reorganise();
        }
        let back = self.left.iter().position(|(_, from)| *from <= self.time);
        if let Some(at) = back {
            let (head, _) = self.left.remove(at);
            self.return_to(head);
        }
        if self.time >= self.l1_head().timestamp + SLOT {
            self.add_l1_block();
        }
        let stop = if self.comes_every(600) { Some((true, self.stop())) } else { None };
        let stop = stop.or_else(|| self.comes_every(900).then(|| (false, self.stop())));
        self.run_nodes(stop);
    }

    fn stop(&mut self) -> Stop {
        *self.random.pick(&[Stop::Idle, Stop::Recorded, Stop::Shown])
    }
}

/// Signs a block whose timestamp differs from that of a message about the same parent.
fn forge(simulation: &Simulation) -> PublishedMessage {
    let holds = |published: &&PublishedMessage| {
        let message = &published.prefix.promised.message;
        message.is_unconditional() || simulation.is_on_l1((message.l1_block, message.l1_hash))
    };
    let last = simulation.shown.iter().rev().find(holds);
    let prefix = &last.unwrap().prefix;
    let header = Header::decode(&mut &prefix.header[..]).unwrap();
    let mut rlp = Vec::new();
    Header { timestamp: header.timestamp + 1, ..header }.encode(&mut rlp);
    let message = Preconfirmation { block_hash: keccak256(&rlp), ..prefix.promised.message };
    let key = Signer::new("key", B256::repeat_byte(7)).unwrap();
    let signature = key.sign_preconfirmation(DOMAIN, &message).unwrap().as_bytes().into();
    let transactions = prefix.transactions.clone();
    PublishedMessage {
        prefix: Prefix::new(message, rlp.into(), transactions, None).unwrap(),
        signature,
    }
}

#[test]
fn day_of_honest_signers_has_no_fault() {
    let setting = |name, default| env::var(name).map_or(default, |value| value.parse().unwrap());
    let (hours, seed) = (setting("ENSHRINE_MODEL_HOURS", 3), setting("ENSHRINE_MODEL_SEED", 50));
    let mut simulation = Simulation::new(seed);
    while simulation.time < BEGIN + hours * 3_600 {
        simulation.tick();
    }
    let verdicts = simulation.verdicts();
    eprintln!(
        "{hours} hours, {} messages, {:?}\n{} pairs, {} by blocks of the rollup, {} late, {:#?}",
        simulation.shown.len(),
        simulation.counts,
        verdicts.pairs,
        verdicts.posted,
        verdicts.late,
        verdicts.refusals
    );
    assert!(verdicts.faults.is_empty(), "{}", verdicts.faults.join("\n\n"));
    let reasons = ["NotInConflict", "ConditionVoid", "ParentDiffers", "PromiseEnded"];
    // Within a day, promises rarely end before L1 includes their block.
    for reason in reasons.into_iter().take(if hours < 48 { 3 } else { 4 }) {
        assert!(verdicts.refused(reason) > 0, "nothing was refused as {reason}");
    }
    let idle = simulation.counts.longest_idle;
    assert!(idle <= LONGEST_IDLE, "no block was made for {idle} L1 blocks");
    let forged = forge(&simulation);
    simulation.shown.push(forged);
    assert!(!simulation.verdicts().faults.is_empty(), "the checks find no fault");
}
