//! Blocks of generated chains, which together cover everything that a block can do.

use super::{
    Case,
    contracts::{DESTROY, STORE, TRANSIENT, deploy, pairs, witness_of_the_header},
};
use alloy_consensus::{TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    eip7702::Authorization,
    eip8282::{BUILDER_DEPOSIT_CONTRACT_ADDRESS, BUILDER_EXIT_CONTRACT_ADDRESS},
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, TxKind, U256, keccak256};
use chain::{BlockAttributes, Chain, ChainConfig, ExecutedBlock, empty_genesis};
use executor::{ChainSpec, SYSTEM_CONTRACTS};
use std::collections::HashMap;
pub(crate) use testkit::FORKS;
use testkit::{Key, Transaction};
use wire::ProtocolFork;

const CHAIN_ID: u64 = 8_079;
const GWEI: u128 = 1_000_000_000;
const MAX_FEE: u128 = 100 * GWEI;
const GAS: u64 = 6_000_000;

const STORE_AT: Address = Address::repeat_byte(0x57);
const HEADER_AT: Address = Address::repeat_byte(0x4e);
const DESTROY_AT: Address = Address::repeat_byte(0xde);

/// Empty accounts that exist in the genesis: touching one removes it.
fn empty_account(number: u64) -> Address {
    Address::from_word(keccak256((1_000 + number).to_be_bytes()))
}

fn versioned_hash(number: u8) -> B256 {
    let mut hash = B256::repeat_byte(number);
    hash[0] = 1;
    hash
}

fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(GWEI) * U256::from(GWEI)
}

fn genesis(fork: ProtocolFork) -> Genesis {
    let mut genesis = empty_genesis(fork);
    let mut put = |address, account| genesis.alloc.insert(address, account);
    for name in ["alice", "bob", "carol"] {
        let rich = GenesisAccount { balance: ether(1_000), ..Default::default() };
        put(Key::named(name).address(), rich);
    }
    for number in 0..40 {
        let address = Address::from_word(keccak256(u64::to_be_bytes(number)));
        put(address, GenesisAccount { balance: ether(number + 1), ..Default::default() });
    }
    for number in 0..12 {
        put(empty_account(number), GenesisAccount::default());
    }
    let contract = |code: Vec<u8>, slots: u64| GenesisAccount {
        nonce: Some(1),
        balance: U256::from(7),
        code: Some(code.into()),
        storage: Some(
            (0..slots).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1))).collect(),
        ),
        ..Default::default()
    };
    put(STORE_AT, contract(STORE.to_vec(), 24));
    put(HEADER_AT, contract(witness_of_the_header(fork), 0));
    put(DESTROY_AT, contract(DESTROY.to_vec(), 2));
    genesis
}

struct Builder {
    fork: ProtocolFork,
    spec: ChainSpec,
    chain: Chain,
    nonces: HashMap<String, u64>,
    cases: Vec<Case>,
}

impl Builder {
    fn new(fork: ProtocolFork, genesis: &Genesis) -> Self {
        let spec = ChainSpec::constant(CHAIN_ID, fork);
        let chain = Chain::new(genesis, ChainConfig::new(spec.clone())).expect("a genesis");
        Self { fork, spec, chain, nonces: HashMap::new(), cases: Vec::new() }
    }

    fn nonce(&mut self, name: &str) -> u64 {
        let nonce = self.nonces.entry(name.to_owned()).or_default();
        *nonce += 1;
        *nonce - 1
    }

    fn call(&mut self, name: &str, to: Address, input: Vec<u8>, value: U256) -> Transaction {
        self.send(name, TxKind::Call(to), input, value)
    }

    fn send(&mut self, name: &str, to: TxKind, input: Vec<u8>, value: U256) -> Transaction {
        Key::named(name).sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.nonce(name),
            gas_limit: GAS,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: GWEI,
            to,
            value,
            input: input.into(),
            ..Default::default()
        })
    }

    fn attributes(&self) -> BlockAttributes {
        let parent = &self.chain.head().header;
        let number = parent.number + 1;
        let random = |what: &str| keccak256(format!("{what} {number}"));
        BlockAttributes {
            timestamp: parent.timestamp + 12,
            fee_recipient: Key::named("fees").address(),
            prev_randao: random("randao"),
            parent_beacon_block_root: random("beacon root"),
            extra_data: format!("block {number}").into_bytes().into(),
            slot_number: 500 + number,
            ..Default::default()
        }
    }

    /// Appends a block of these transactions, all of which must succeed, and adds it as a case.
    fn block(&mut self, what: &str, transactions: Vec<Transaction>) -> ExecutedBlock {
        self.block_with(what, &self.attributes(), transactions)
    }

    fn block_with(
        &mut self,
        what: &str,
        attributes: &BlockAttributes,
        transactions: Vec<Transaction>,
    ) -> ExecutedBlock {
        let name = format!("{} {what}", self.fork);
        let (new, rejected) = self.chain.build(attributes, transactions).expect("builds");
        assert!(rejected.is_empty(), "{name}: {rejected:?}");
        let failed = new.block.executed.receipts.iter().position(|receipt| !receipt.success);
        assert_eq!(failed, None, "{name}: a transaction fails");
        self.chain.append(new.clone()).expect("appends");
        let bytes = new.input().expect("encodes");
        let mut case = Case::new(name, self.spec.clone(), new.block.rlp(), bytes);
        case.minimal = true;
        self.cases.push(case);
        new
    }

    /// Transfers in transactions of every type, and withdrawals.
    fn transfers(&mut self) {
        let to = Key::named("dave").address();
        let legacy = TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce: self.nonce("alice"),
            gas_price: MAX_FEE,
            gas_limit: GAS,
            to: TxKind::Call(to),
            value: ether(1),
            ..Default::default()
        };
        let unprotected = TxLegacy { chain_id: None, nonce: self.nonce("alice"), ..legacy.clone() };
        let eip2930 = TxEip2930 {
            chain_id: CHAIN_ID,
            nonce: self.nonce("bob"),
            gas_price: MAX_FEE,
            gas_limit: GAS,
            to: TxKind::Call(to),
            value: ether(1),
            access_list: self.access_list(),
            ..Default::default()
        };
        let blobs = TxEip4844 {
            chain_id: CHAIN_ID,
            nonce: self.nonce("carol"),
            gas_limit: GAS,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: GWEI,
            to,
            max_fee_per_blob_gas: GWEI,
            blob_versioned_hashes: [1, 2].map(versioned_hash).to_vec(),
            ..Default::default()
        };
        let transactions = vec![
            Key::named("alice").sign(legacy),
            Key::named("bob").sign(eip2930),
            Key::named("carol").sign(blobs),
            Key::named("alice").sign(unprotected),
            self.call("bob", to, vec![1, 2, 3], ether(2)),
        ];
        let mut attributes = self.attributes();
        attributes.withdrawals = (0..3)
            .map(|n| Withdrawal {
                index: 70 + n,
                validator_index: 900 + n,
                address: Address::repeat_byte(0xa0 + n as u8),
                amount: 1_000_000 + n,
            })
            .collect();
        self.block_with("transfers", &attributes, transactions);
    }

    fn access_list(&self) -> AccessList {
        AccessList(vec![AccessListItem {
            address: STORE_AT,
            storage_keys: (0..3).map(|slot| B256::from(U256::from(slot))).collect(),
        }])
    }

    /// Contracts that are created, destroyed or both, and empty accounts that are touched.
    fn life_and_death(&mut self) {
        let mut transactions = vec![
            self.send("alice", TxKind::Create, deploy(&STORE), U256::from(5)),
            self.send("bob", TxKind::Create, DESTROY.to_vec(), U256::from(5)),
            self.call("carol", DESTROY_AT, vec![], U256::ZERO),
        ];
        for number in 0..10 {
            transactions.push(self.call("alice", empty_account(number), vec![], U256::ZERO));
        }
        self.block("life and death", transactions);
    }

    /// Slots that are set, changed and cleared, so that branches grow and collapse.
    fn storage(&mut self) {
        let set = pairs((2..40).map(|slot| (slot, slot)));
        let clear = pairs((0..23).map(|slot| (slot, 0)));
        let listed = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.nonce("carol"),
            gas_limit: GAS,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: GWEI,
            to: TxKind::Call(STORE_AT),
            input: pairs([(1, 0), (100, 9)]).into(),
            access_list: self.access_list(),
            ..Default::default()
        };
        let set = self.call("alice", STORE_AT, set, U256::ZERO);
        self.block("slots set", vec![set]);
        let clear = self.call("bob", STORE_AT, clear, U256::ZERO);
        let listed = Key::named("carol").sign(listed);
        self.block("slots cleared", vec![clear, listed]);
    }

    /// A contract that stores what it sees of the header, and hashes of ancestors.
    fn header(&mut self) {
        let look = self.call("alice", HEADER_AT, vec![], U256::ZERO);
        self.block("header seen", vec![look]);
        self.cases.last_mut().expect("just made").sees_header = true;
    }

    /// Codes, slots and accounts that one block creates and later blocks use, change and clear, and
    /// transient storage, which no later block sees.
    fn what_blocks_make(&mut self) {
        let alice = Key::named("alice").address();
        let create = |builder: &mut Self, code: &[u8]| {
            let at = alice.create(builder.nonces["alice"]);
            (at, builder.send("alice", TxKind::Create, deploy(code), U256::ZERO))
        };
        let ((store, first), (transient, second)) =
            (create(self, &STORE), create(self, &TRANSIENT));
        self.block("contracts made", vec![first, second]);
        let erin = Key::named("erin").address();
        let call = |builder: &mut Self, to, values: [(u64, u64); 4]| {
            builder.call("bob", to, pairs(values), U256::ZERO)
        };
        let mut set = vec![
            call(self, store, [(1, 1), (2, 2), (3, 3), (4, 4)]),
            call(self, STORE_AT, [(0, 5), (1, 5), (2, 5), (200, 5)]),
            self.call("carol", transient, vec![], U256::ZERO),
        ];
        if self.fork >= ProtocolFork::Prague {
            set.push(call(self, erin, [(1, 0), (3, 0), (5, 6), (7, 8)]));
        }
        self.block("contracts used", set);
        let clear = vec![
            call(self, store, [(1, 0), (2, 0), (3, 0), (9, 9)]),
            call(self, STORE_AT, [(0, 0), (1, 0), (200, 0), (201, 1)]),
            self.call("carol", transient, vec![], U256::ZERO),
            self.call("alice", HEADER_AT, vec![], U256::ZERO),
        ];
        self.block("contracts cleared", clear);
        // The same once more: nodes reappear that existed before.
        let again = vec![
            call(self, store, [(1, 1), (2, 2), (3, 3), (9, 0)]),
            call(self, STORE_AT, [(0, 5), (1, 5), (200, 5), (201, 0)]),
            self.call("alice", HEADER_AT, vec![], U256::ZERO),
        ];
        self.block("contracts set again", again);
    }

    /// Requests of all types, and an account that delegates to the code of another.
    fn requests_and_delegation(&mut self) {
        let one = U256::ONE;
        let mut transactions = vec![
            self.call("alice", WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, vec![3; 56], one),
            self.call("bob", CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, vec![4; 96], one),
        ];
        if self.fork >= ProtocolFork::Amsterdam {
            let mut deposit = vec![5; 184];
            deposit[80..88].copy_from_slice(&(GWEI as u64).to_be_bytes());
            let value = ether(1) + one;
            transactions.extend([
                self.call("alice", BUILDER_DEPOSIT_CONTRACT_ADDRESS, deposit, value),
                self.call("bob", BUILDER_EXIT_CONTRACT_ADDRESS, vec![6; 48], one),
            ]);
        }
        let delegation =
            Authorization { chain_id: U256::from(CHAIN_ID), address: STORE_AT, nonce: 0 };
        let erin = Key::named("erin");
        let set_code = TxEip7702 {
            chain_id: CHAIN_ID,
            nonce: self.nonce("carol"),
            gas_limit: GAS,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: GWEI,
            to: erin.address(),
            authorization_list: vec![erin.authorize(delegation)],
            input: pairs([(1, 2), (3, 4)]).into(),
            ..Default::default()
        };
        transactions.push(Key::named("carol").sign(set_code));
        let new = self.block("requests and delegation", transactions);
        let requests = new.block.executed.requests.expect("exist since Prague");
        let kinds = if self.fork >= ProtocolFork::Amsterdam { 4 } else { 2 };
        assert_eq!(requests.iter().filter(|request| request.len() > 1).count(), kinds);
        assert!(self.chain.code(erin.address()).expect("a code").len() == 23);
    }
}

/// The blocks of one chain with all system contracts.
fn full_chain(fork: ProtocolFork) -> Builder {
    let mut builder = Builder::new(fork, &genesis(fork));
    builder.transfers();
    builder.life_and_death();
    builder.storage();
    builder.header();
    if fork >= ProtocolFork::Prague {
        builder.requests_and_delegation();
    }
    builder.block("empty", vec![]);
    builder
}

/// A chain and its blocks in order.
pub(crate) struct Line {
    pub(crate) spec: ChainSpec,
    pub(crate) chain: Chain,
    pub(crate) cases: Vec<Case>,
}

/// A chain whose blocks depend on the changes of earlier blocks.
pub(crate) fn line(fork: ProtocolFork) -> Line {
    let mut builder = full_chain(fork);
    builder.what_blocks_make();
    let Builder { spec, chain, cases, .. } = builder;
    Line { spec, chain, cases }
}

/// The blocks of a chain without the optional system contracts, so that a block need not depend on
/// its timestamp or beacon root.
fn bare_chain(fork: ProtocolFork) -> Vec<Case> {
    let mut genesis = genesis(fork);
    for contract in SYSTEM_CONTRACTS.iter().filter(|contract| contract.optional) {
        genesis.alloc.remove(&contract.address);
    }
    let mut builder = Builder::new(fork, &genesis);
    builder.block("bare and empty", vec![]);
    let transfer = builder.call("alice", Key::named("dave").address(), vec![], ether(1));
    builder.block("bare transfer", vec![transfer]);
    builder.cases
}

pub(crate) fn cases() -> Vec<Case> {
    let full = FORKS.into_iter().flat_map(|fork| full_chain(fork).cases);
    let bare = [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam];
    let bare = bare.into_iter().flat_map(bare_chain);
    full.chain(bare).collect()
}
