//! Undoing blocks: after any work on a branch that is undone, the chain is the same as if that work
//! had never happened.

use crate::support::{Served, serve};
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use client::{Client, ClientOptions};
use enshrine_devnet::TimeOfDay;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use testkit::Random;

/// Writes its calldata word to slot 0.
const STORE: [u8; 5] = hex!("5f355f5500");
/// Does nothing.
const STOP: [u8; 1] = hex!("00");
const CONTRACT: Address = Address::repeat_byte(0xc0);
/// Accounts whose balance and code change.
const OTHERS: [Address; 2] = [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2)];
/// A funded account with an unknown key, which can only send while it is impersonated.
const STRANGER: Address = Address::repeat_byte(0xb1);
/// Number of recent transactions whose receipts are compared.
const RECEIPTS: usize = 10;

/// State that the walk can change. It is small, so that the same changes repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    slot: u64,
    balances: [u64; 2],
    codes: [u8; 2],
    /// Nonce of the stranger.
    nonce: u64,
    /// Written values, changed or not: on a fork, only these are in the tries.
    written: BTreeSet<Written>,
}

/// A write: its kind, the index of the account, and `true` if the value changed.
type Written = (&'static str, usize, bool);

/// Content of a block of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    Nothing,
    /// A transfer of one wei to another account.
    Transfer(usize),
    /// A word for slot 0.
    Store(u64),
    /// A transfer of one wei from the stranger.
    Stranger(usize),
}

#[derive(Debug, Clone)]
struct Block {
    hash: B256,
    time: u64,
    /// Hash of the block's transaction.
    sent: Option<B256>,
    /// State after the block, including later cheats.
    state: State,
}

/// The expected chain.
#[derive(Debug, Clone)]
struct Model {
    blocks: Vec<Block>,
}

struct Walk {
    client: Client,
    dice: Random,
    start: Model,
    model: Model,
    /// Chains of the snapshots, with the time of their clocks.
    snapshots: BTreeMap<u64, (Model, u64)>,
    /// Block hashes by all inputs that may determine them.
    made: HashMap<(B256, State, Content, u64), B256>,
    /// Sent transactions, oldest first.
    sent: Vec<B256>,
    /// Time of the clock, which only cheats change.
    clock: u64,
    /// Timestamp set for the next block.
    next: Option<u64>,
    /// `true` while the stranger is impersonated.
    impersonated: bool,
    /// Number of the first block.
    first: u64,
    first_time: u64,
    /// Number of older states that can be read.
    history: u64,
    sender: Address,
    /// Number of blocks that were rebuilt identically.
    again: usize,
    /// `true` if the walk sometimes resets the chain.
    resets: bool,
}

fn hex_number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

impl Walk {
    fn new(served: &Served, seed: u64, history: u64) -> Self {
        let client = Client::new(&served.url(), ClientOptions::default()).unwrap();
        let block: Value = client.request("eth_getBlockByNumber", ("latest", false)).unwrap();
        let first_time = hex_number(&block["timestamp"]);
        let _: Value = client.request("evm_setTime", (first_time,)).unwrap();
        let genesis = Block {
            hash: block["hash"].as_str().unwrap().parse().unwrap(),
            time: first_time,
            sent: None,
            state: State::default(),
        };
        let start = Model { blocks: vec![genesis] };
        Self {
            client,
            sent: Vec::new(),
            clock: first_time,
            next: None,
            impersonated: false,
            dice: Random::new(seed),
            model: start.clone(),
            start,
            snapshots: BTreeMap::new(),
            made: HashMap::new(),
            first: hex_number(&block["number"]),
            first_time,
            history,
            sender: served.devnet.addresses()[0],
            again: 0,
            resets: true,
        }
    }

    fn ask(&self, method: &str, params: Value) -> Value {
        let asked = format!("{method} {params}");
        self.client.request(method, params).unwrap_or_else(|error| panic!("{asked}: {error}"))
    }

    fn head(&mut self) -> &mut Block {
        self.model.blocks.last_mut().unwrap()
    }

    /// Sets the clock to the head, as after a reset or rollback.
    fn went_back(&mut self) {
        (self.clock, self.next) = (self.head().time, None);
    }

    fn step(&mut self) {
        match self.dice.below(18) {
            0 | 1 => {
                let value = self.dice.below(3);
                let state = &mut self.head().state;
                state.written.insert(("slot", 0, state.slot != value));
                state.slot = value;
                let word = B256::from(U256::from(value));
                self.ask("anvil_setStorageAt", json!([CONTRACT, "0x0", word]));
            }
            2 => {
                let (other, value) = (self.dice.below(2) as usize, self.dice.below(3));
                let state = &mut self.head().state;
                state.written.insert(("balance", other, state.balances[other] != value));
                state.balances[other] = value;
                self.ask("anvil_setBalance", json!([OTHERS[other], format!("{value:#x}")]));
            }
            3 => {
                let (other, code) = (self.dice.below(2) as usize, self.dice.below(3) as u8);
                let state = &mut self.head().state;
                state.written.insert(("code", other, state.codes[other] != code));
                state.codes[other] = code;
                self.ask("anvil_setCode", json!([OTHERS[other], code_of(code)]));
            }
            4 | 5 => {
                let id = hex_number(&self.ask("evm_snapshot", json!([])));
                self.snapshots.insert(id, (self.model.clone(), self.clock));
            }
            6 | 7 => self.revert(),
            8 | 9 => {
                let depth = self.dice.below(self.model.blocks.len().min(4) as u64);
                let depth = depth.min(self.history);
                self.ask("anvil_rollback", json!([depth]));
                let left = self.model.blocks.len() - depth as usize;
                self.model.blocks.truncate(left);
                self.went_back();
            }
            10 if self.resets && self.dice.below(6) == 0 => {
                self.ask("anvil_reset", json!([]));
                self.model = self.start.clone();
                self.snapshots.clear();
                self.impersonated = false;
                self.went_back();
            }
            // A walk without resets reverts instead, so that as many blocks are rebuilt.
            10 if !self.resets => self.revert(),
            11 => {
                self.impersonated = !self.impersonated;
                let method = match self.impersonated {
                    true => "anvil_impersonateAccount",
                    false => "anvil_stopImpersonatingAccount",
                };
                self.ask(method, json!([STRANGER]));
            }
            12 => {
                let seconds = 10 * self.dice.below(2);
                self.clock += seconds;
                self.ask("evm_increaseTime", json!([seconds]));
            }
            13 => {
                // Includes times before the head's, which no block can have.
                let time = (self.head().time + 10 * self.dice.below(3)).saturating_sub(5);
                (self.clock, self.next) = (time, None);
                self.ask("evm_setTime", json!([time]));
            }
            _ => self.mine(),
        }
    }

    fn revert(&mut self) {
        let ids: Vec<_> = self.snapshots.keys().copied().collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[self.dice.below(ids.len() as u64) as usize];
        assert_eq!(self.ask("evm_revert", json!([format!("{id:#x}")])), json!(true));
        // The snapshot and all later ones are removed.
        (self.model, self.clock) = self.snapshots.split_off(&id).remove(&id).unwrap();
        self.next = None;
    }

    /// Sends a transaction of the stranger, which is rejected unless it is impersonated.
    fn sent_by_stranger(&self, request: &Value) -> Option<Value> {
        let sent = self.client.request::<_, Value>("eth_sendTransaction", json!([request]));
        match (sent, self.impersonated) {
            (Ok(hash), true) => Some(hash),
            (Err(error), false) => {
                assert!(error.to_string().contains("No Signer available"), "{error}");
                None
            }
            (sent, impersonated) => panic!("impersonated: {impersonated}, {sent:?}"),
        }
    }

    fn mine(&mut self) {
        let content = match self.dice.below(6) {
            0 => Content::Nothing,
            1 => Content::Transfer(self.dice.below(2) as usize),
            2 => Content::Stranger(self.dice.below(2) as usize),
            _ => Content::Store(self.dice.below(2)),
        };
        let Block { hash: parent, time: last, state: before, .. } = self.head().clone();
        // A fixed interval in most cases, so that identical blocks repeat; otherwise the clock
        // decides.
        if self.dice.below(16) > 0 {
            self.next = Some(last + 10);
            self.ask("evm_setNextBlockTimestamp", json!([last + 10]));
        }
        let mut after = before.clone();
        let time = self.next.unwrap_or(self.clock).max(last + 1);
        let (to, value, data) = match content {
            Content::Nothing => {
                self.ask("evm_mine", json!([]));
                (None, 0, Bytes::new())
            }
            Content::Stranger(other) => {
                after.balances[other] += 1;
                after.nonce += 1;
                after.written.insert(("transfer", other, true));
                after.written.insert(("stranger", 0, true));
                (Some(OTHERS[other]), 1, Bytes::new())
            }
            Content::Transfer(other) => {
                after.balances[other] += 1;
                after.written.insert(("transfer", other, true));
                (Some(OTHERS[other]), 1, Bytes::new())
            }
            Content::Store(word) => {
                after.written.insert(("store", 0, after.slot != word));
                after.slot = word;
                (Some(CONTRACT), 0, B256::from(U256::from(word)).0.into())
            }
        };
        let is_stranger = matches!(content, Content::Stranger(_));
        let from = if is_stranger { STRANGER } else { self.sender };
        let mut sent = None;
        if let Some(to) = to {
            let request = json!({
                "from": from, "to": to, "value": format!("{value:#x}"), "data": data,
                "gas": "0x186a0", "maxFeePerGas": "0x174876e800", "maxPriorityFeePerGas": "0x1",
            });
            let hash = match is_stranger {
                true => self.sent_by_stranger(&request),
                false => Some(self.ask("eth_sendTransaction", json!([request]))),
            };
            let Some(hash) = hash else { return };
            sent = Some(serde_json::from_value::<B256>(hash).unwrap());
        }
        if self.next.take().is_some() {
            self.clock = time;
        }
        let block = self.ask("eth_getBlockByNumber", json!(["latest", false]));
        assert_eq!(hex_number(&block["timestamp"]), time);
        assert_eq!(block["parentHash"], json!(parent));
        let hash: B256 = block["hash"].as_str().unwrap().parse().unwrap();
        if let Some(sent) = sent {
            // The receipt is available once the send has returned.
            let receipt = self.ask("eth_getTransactionReceipt", json!([sent]));
            assert_eq!((&receipt["status"], &receipt["from"]), (&json!("0x1"), &json!(from)));
            assert_eq!(receipt["blockHash"], json!(hash));
            self.sent.retain(|hash| *hash != sent);
            self.sent.push(sent);
        }
        let key = (parent, before.clone(), content, time);
        if let Some(known) = self.made.insert(key, hash) {
            assert_eq!(hash, known, "{content:?} on {before:?}");
            self.again += 1;
        }
        self.model.blocks.push(Block { hash, time, sent, state: after });
        // The block is traced on the state on which it was built this time.
        if let (Some(sent), Content::Store(_)) = (sent, content) {
            let options = json!({ "tracer": "prestateTracer" });
            let traced = self.ask("debug_traceTransaction", json!([sent, options]));
            let account = &traced[format!("{CONTRACT:#x}")];
            let slot = account["storage"].get(B256::ZERO.to_string());
            let slot = slot.map_or(0, hex_number);
            assert_eq!(slot, before.slot, "{account}");
        }
    }

    /// Compares everything that can be read.
    fn check(&self) {
        let height = self.first + self.model.blocks.len() as u64 - 1;
        assert_eq!(hex_number(&self.ask("eth_blockNumber", json!([]))), height);
        let pending = (height, "pending".to_owned());
        let numbered = (self.first.max(height.saturating_sub(self.history))..=height)
            .map(|number| (number, format!("{number:#x}")));
        for (number, tag) in numbered.chain([pending]) {
            let Block { hash, time, state, .. } =
                &self.model.blocks[(number - self.first) as usize];
            let block = self.ask("eth_getBlockByNumber", json!([tag, false]));
            if tag == "pending" {
                let due = self.next.unwrap_or(self.clock).max(time + 1);
                assert_eq!(hex_number(&block["timestamp"]), due, "time of the next block");
            } else {
                assert_eq!(block["hash"], json!(hash), "block {number}");
                assert_eq!(hex_number(&block["timestamp"]), *time, "time of block {number}");
            }
            let nonce = self.ask("eth_getTransactionCount", json!([STRANGER, tag]));
            assert_eq!(hex_number(&nonce), state.nonce, "nonce at {tag}");
            let slot = self.ask("eth_getStorageAt", json!([CONTRACT, "0x0", tag]));
            assert_eq!(hex_number(&slot), state.slot, "slot at {tag}");
            for (other, address) in OTHERS.iter().enumerate() {
                let balance = self.ask("eth_getBalance", json!([address, tag]));
                assert_eq!(hex_number(&balance), state.balances[other], "balance at {tag}");
                let code = self.ask("eth_getCode", json!([address, tag]));
                assert_eq!(code, json!(code_of(state.codes[other])), "code at {tag}");
            }
        }
        // A transaction of an undone branch has no receipt unless a current block includes it
        // again.
        for sent in self.sent.iter().rev().take(RECEIPTS) {
            let receipt = self.ask("eth_getTransactionReceipt", json!([sent]));
            let block = self.model.blocks.iter().find(|block| block.sent == Some(*sent));
            assert_eq!(receipt["blockHash"], json!(block.map(|block| block.hash)), "{sent}");
        }
    }

    fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            self.check();
        }
        assert!(self.again > steps / 200, "only {} blocks were made again", self.again);
        let strangers = self.made.keys().filter(|key| matches!(key.2, Content::Stranger(_)));
        assert!(strangers.count() > steps / 200, "the stranger sent too few transactions");
    }
}

fn code_of(code: u8) -> Bytes {
    match code {
        0 => Bytes::new(),
        1 => STORE.into(),
        _ => STOP.into(),
    }
}

/// A devnet whose genesis contains the contract.
fn with_contract(change: impl FnOnce(&mut enshrine_devnet::DevnetConfig)) -> Served {
    let mut genesis = chain::empty_genesis(wire::ProtocolFork::Osaka);
    let at_once = Some(0);
    genesis.config = ChainConfig {
        chain_id: 31_337,
        terminal_total_difficulty: Some(U256::ZERO),
        homestead_block: at_once,
        eip150_block: at_once,
        eip155_block: at_once,
        eip158_block: at_once,
        byzantium_block: at_once,
        constantinople_block: at_once,
        petersburg_block: at_once,
        istanbul_block: at_once,
        berlin_block: at_once,
        london_block: at_once,
        shanghai_time: at_once,
        cancun_time: at_once,
        prague_time: at_once,
        osaka_time: at_once,
        ..ChainConfig::default()
    };
    let contract = genesis.alloc.entry(CONTRACT).or_default();
    contract.code = Some(STORE.into());
    genesis.alloc.entry(STRANGER).or_default().balance = U256::from(10_u64.pow(18));
    serve(|config| {
        config.time = TimeOfDay::manual(1_700_000_000);
        let genesis = Box::new(genesis);
        config.origin = enshrine_devnet::Origin::Genesis { genesis, blocks: None };
        change(config);
    })
}

#[test]
fn undone_branch_leaves_no_trace() {
    let served = with_contract(|_| {});
    Walk::new(&served, 1, u64::MAX).go(600);
}

#[test]
fn undone_branch_leaves_no_trace_when_pruning() {
    let served = with_contract(|config| config.history = Some(2));
    Walk::new(&served, 2, 2).go(600);
}

#[test]
fn undone_branch_leaves_no_trace_on_fork() {
    let other = with_contract(|_| {});
    let fork = serve(|config| {
        *config = config.clone().forking(other.url(), None);
        config.time = TimeOfDay::manual(1_700_000_000);
    });
    // A reset would end the fork.
    Walk { resets: false, ..Walk::new(&fork, 3, u64::MAX) }.go(500);
}

#[test]
fn rebuilt_block_is_traced_on_its_new_state() {
    let served = with_contract(|_| {});
    let walk = Walk::new(&served, 0, u64::MAX);
    let made = |word: u64| {
        walk.ask("anvil_setStorageAt", json!([CONTRACT, "0x0", B256::from(U256::from(word))]));
        walk.ask("evm_setNextBlockTimestamp", json!([walk.first_time + 10]));
        let request = json!({
            "from": walk.sender, "to": CONTRACT, "data": B256::ZERO, "gas": "0x186a0",
            "maxFeePerGas": "0x174876e800", "maxPriorityFeePerGas": "0x1",
        });
        let sent = walk.ask("eth_sendTransaction", json!([request]));
        let block = walk.ask("eth_getBlockByNumber", json!(["latest", false]));
        let traced =
            walk.ask("debug_traceTransaction", json!([sent, { "tracer": "prestateTracer" }]));
        let slot = &traced[format!("{CONTRACT:#x}")]["storage"][B256::ZERO.to_string()];
        (block["hash"].clone(), hex_number(slot))
    };
    let first = made(1);
    walk.ask("anvil_rollback", json!([1]));
    let second = made(2);
    // Both blocks overwrite another word with 0, which has the same cost and the same result.
    assert_eq!(first.0, second.0);
    assert_eq!((first.1, second.1), (1, 2));
}

/// Without another request: the reorganisation itself mines what arrived in the meantime.
#[test]
fn transaction_during_reorg_is_mined() {
    let served = serve(|_| {});
    let ask = |method: &str, params: Value| {
        let client = Client::new(&served.url(), ClientOptions::default()).unwrap();
        client.request::<_, Value>(method, params).unwrap()
    };
    let accounts = ask("eth_accounts", json!([]));
    ask("anvil_mine", json!([16]));
    for round in 0..100 {
        // Senders take turns, so that no reorganisation can remove a sender's last transaction by
        // the time it sends again. Otherwise a later nonce could be queued behind the missing one.
        let transfer = json!({ "from": accounts[round % 10], "to": accounts[0], "value": "0x1" });
        std::thread::scope(|scope| {
            scope.spawn(|| ask("anvil_reorg", json!([8, []])));
            scope.spawn(|| ask("eth_sendTransaction", json!([transfer])));
        });
        let waits = ask("txpool_status", json!([]));
        assert_eq!(waits, json!({ "pending": "0x0", "queued": "0x0" }));
    }
}
