//! Private chains: the witness of a block consists of exactly the items that it reads.

use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxLegacy, Typed2718};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use codec::{OwnedWitness, RawBlock};
use enshrine_chain::{BlockAttributes, Call, Chain, ChainConfig, ExecutedBlock};
use execute::Execute;
use executor::{ChainSpec, Cryptography, Invalid};
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::{CHAIN_ID, ETHER, FORKS, Key, Transaction, eip1559, rich_genesis};
use wire::ProtocolFork;

/// Runtime code: sets slot `calldata[0]` to `calldata[32]`, then reads BLOCKHASH(calldata[64]).
const STORE: [u8; 16] = hex!("602035 5f35 55 604035 40 5f52 60205f f3");

struct Test {
    chain: Chain,
    nonce: u64,
}

impl Test {
    fn new(fork: ProtocolFork) -> Self {
        let mut genesis = rich_genesis(fork, ["alice", "carol"], 100 * ETHER);
        // Further accounts, so that tries have some depth.
        for number in 0..200_u64 {
            let address = Address::from_word(keccak256(number.to_be_bytes()));
            let account = GenesisAccount { balance: U256::from(number + 1), ..Default::default() };
            genesis.alloc.insert(address, account);
        }
        let store = GenesisAccount {
            nonce: Some(1),
            code: Some(Bytes::from_static(&STORE)),
            storage: Some(
                (0..40).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1))).collect(),
            ),
            ..Default::default()
        };
        genesis.alloc.insert(Self::STORE, store);
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
        Self { chain: Chain::new(&genesis, config).unwrap(), nonce: 0 }
    }

    const STORE: Address = Address::repeat_byte(0x57);

    fn call(&mut self, to: TxKind, input: Vec<u8>, value: U256) -> Transaction {
        let tx = TxEip1559 {
            max_priority_fee_per_gas: 1,
            value,
            input: input.into(),
            ..eip1559(self.next_nonce(), to, 1_000_000)
        };
        Key::named("alice").sign(tx)
    }

    const fn next_nonce(&mut self) -> u64 {
        self.nonce += 1;
        self.nonce - 1
    }

    fn store(&mut self, slot: u64, value: u64, ancestor: u64) -> Transaction {
        let words = [slot, value, ancestor].map(|word| U256::from(word).to_be_bytes::<32>());
        self.call(TxKind::Call(Self::STORE), words.concat(), U256::ZERO)
    }

    fn attributes(&self) -> BlockAttributes {
        let parent = &self.chain.head().header;
        BlockAttributes {
            timestamp: parent.timestamp + 12,
            fee_recipient: Key::named("fees").address(),
            slot_number: parent.number + 1,
            ..Default::default()
        }
    }

    /// Builds a block and checks that EXECUTE accepts it.
    fn build(&self, transactions: Vec<Transaction>) -> ExecutedBlock {
        let (block, rejected) = self.chain.build(&self.attributes(), transactions).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        assert_eq!(verifies(&block, &block.witness), Ok(()));
        block
    }

    /// Builds and appends a block.
    fn advance(&mut self, transactions: Vec<Transaction>) -> ExecutedBlock {
        let block = self.build(transactions);
        self.chain.append(block.clone()).unwrap();
        block
    }

    /// Transactions of every type that an L2 allows in the fork.
    fn all_types(&mut self, fork: ProtocolFork) -> Vec<Transaction> {
        let alice = Key::named("alice");
        let to = TxKind::Call(Key::named("bob").address());
        let access_list = AccessList(vec![AccessListItem {
            address: Self::STORE,
            storage_keys: vec![B256::ZERO],
        }]);
        let legacy = TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce: self.next_nonce(),
            gas_price: 10_000_000_000,
            gas_limit: 100_000,
            to,
            ..Default::default()
        };
        let unprotected = TxLegacy { chain_id: None, nonce: self.next_nonce(), ..legacy.clone() };
        let eip2930 = TxEip2930 {
            chain_id: CHAIN_ID,
            nonce: self.next_nonce(),
            gas_price: 10_000_000_000,
            gas_limit: 100_000,
            to,
            access_list: access_list.clone(),
            ..Default::default()
        };
        let mut transactions =
            vec![alice.sign(legacy), alice.sign(unprotected), alice.sign(eip2930)];
        transactions.push(self.call(to, vec![1, 2, 3], U256::from(5)));
        if fork >= ProtocolFork::Prague {
            let delegation =
                Authorization { chain_id: U256::from(CHAIN_ID), address: Self::STORE, nonce: 0 };
            let eip7702 = TxEip7702 {
                chain_id: CHAIN_ID,
                nonce: self.next_nonce(),
                gas_limit: 500_000,
                max_fee_per_gas: 10_000_000_000,
                to: Key::named("dave").address(),
                access_list,
                authorization_list: vec![Key::named("dave").authorize(delegation)],
                ..Default::default()
            };
            transactions.push(alice.sign(eip7702));
        }
        transactions
    }
}

fn verifies(block: &ExecutedBlock, witness: &OwnedWitness) -> Result<(), execute::ExecuteError> {
    Execute::on(block.fork).run(&block.input_with(witness).unwrap(), u64::MAX).map(|_| ())
}

/// Returns a block that combines many operations: it reads, writes, clears existing slots so that
/// branches collapse, creates a contract, and reads an old block hash.
fn busy_block(fork: ProtocolFork) -> (Test, ExecutedBlock) {
    let mut test = Test::new(fork);
    for _ in 0..4 {
        let transaction = test.store(100, 1, 0);
        test.advance(vec![transaction]);
    }
    let mut transactions = test.all_types(fork);
    let init = [&hex!("6010600c5f3960105ff3")[..], &[0, 0], &STORE[..]].concat();
    transactions.push(test.call(TxKind::Create, init, U256::ZERO));
    for slot in 0..30 {
        transactions.push(test.store(slot, 0, 2));
    }
    transactions.push(test.store(7, 9, 1));
    let block = test.build(transactions);
    (test, block)
}

#[test]
fn every_block_verifies_from_its_own_witness() {
    for fork in FORKS {
        let (_, block) = busy_block(fork);
        assert_eq!(verifies(&block, &block.witness), Ok(()), "{fork}");
        let kinds: std::collections::BTreeSet<u8> =
            block.block.transactions.iter().map(Typed2718::ty).collect();
        assert!(kinds.contains(&0) && kinds.contains(&1) && kinds.contains(&2));
        assert_eq!(kinds.contains(&4), fork >= ProtocolFork::Prague);
        assert!(block.block.executed.receipts.iter().all(|receipt| receipt.success), "{fork}");
        assert_eq!(block.fork, fork);
    }
}

#[test]
fn witness_is_canonical_and_minimal() {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let (test, block) = busy_block(fork);
        let full = &block.witness;
        assert!(full.state.is_sorted_by(|a, b| a < b) && full.codes.is_sorted_by(|a, b| a < b));
        assert!(full.state.len() > 40 && full.codes.len() >= 5, "{} nodes", full.state.len());
        assert_eq!(full.headers.len(), 5, "BLOCKHASH(0) in a block whose parent is 4");
        for index in 0..full.state.len() {
            let mut less = full.clone();
            less.state.remove(index);
            let refusal = verifies(&block, &less).unwrap_err();
            assert!(refusal.to_string().contains("is missing"), "node {index}: {refusal}");
        }
        for index in 0..full.codes.len() {
            let mut less = full.clone();
            less.codes.remove(index);
            let refusal = verifies(&block, &less).unwrap_err();
            assert!(refusal.to_string().contains("is missing"), "code {index}: {refusal}");
        }
        let mut less = full.clone();
        less.headers.remove(0);
        let refusal = verifies(&block, &less).unwrap_err();
        assert!(refusal.to_string().contains("ancestor 0 is missing"), "{refusal}");
        // The whole content of the store is a valid witness too.
        let mut more = full.clone();
        let all = test.chain.store().everything().unwrap();
        more.state.extend(all.nodes);
        more.codes.extend(all.codes);
        more.canonicalize();
        assert!(more.state.len() > full.state.len());
        assert_eq!(verifies(&block, &more), Ok(()));
    }
}

#[test]
fn rejected_transactions_do_not_change_the_witness() {
    let mut test = Test::new(ProtocolFork::Osaka);
    let good = test.store(1, 2, 0);
    let clean = test.build(vec![good.clone()]);
    // A sender without funds, a nonce that is too high, and a signature for another chain.
    let stranger = eip1559(0, Address::ZERO, 21_000);
    let early = TxEip1559 { nonce: 77, ..stranger.clone() };
    let foreign = TxEip1559 { chain_id: 1, ..stranger.clone() };
    let bad = [
        Key::named("stranger").sign(stranger),
        Key::named("carol").sign(early),
        Key::named("carol").sign(foreign),
    ];
    let offered = vec![bad[0].clone(), good, bad[1].clone(), bad[2].clone()];
    let (block, rejected) = test.chain.build(&test.attributes(), offered).unwrap();
    assert_eq!(rejected.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2, 3]);
    assert!(rejected.iter().all(|(_, reason)| matches!(reason, Invalid::Transaction { .. })));
    assert_eq!(block.block.hash, clean.block.hash);
    assert_eq!(block.witness, clean.witness);
}

#[test]
fn import_reproduces_built_block_and_witness() {
    for fork in FORKS {
        let (test, block) = busy_block(fork);
        let raw = RawBlock::decode(&block.block.rlp()).unwrap();
        let imported = test.chain.import(&raw).unwrap();
        assert_eq!(imported.block.hash, block.block.hash, "{fork}");
        assert_eq!(imported.block.executed, block.block.executed);
        assert_eq!(imported.witness, block.witness);
        assert_eq!(imported.input(), block.input());
    }
}

#[test]
fn base_fee_and_gas_limit_follow_the_parent() {
    let mut test = Test::new(ProtocolFork::Osaka);
    let mut attributes = test.attributes();
    attributes.gas_limit = Some(60_000_000);
    let (block, _) = test.chain.build(&attributes, vec![]).unwrap();
    let parent = test.chain.head().header.clone();
    let header = &block.block.header;
    assert_eq!(header.gas_limit, parent.gas_limit + parent.gas_limit / 1024 - 1);
    assert_eq!(header.base_fee_per_gas, Some(1_000_000_000 - 1_000_000_000 / 8));
    test.chain.append(block).unwrap();
    let mut attributes = test.attributes();
    attributes.gas_limit = Some(0);
    let (block, _) = test.chain.build(&attributes, vec![]).unwrap();
    assert!(block.block.header.gas_limit < test.chain.head().header.gas_limit);
    assert!(Execute::default().run(&block.input().unwrap(), u64::MAX).is_ok());
}

#[test]
fn system_contracts_return_anchor_and_parent_hash() {
    let mut test = Test::new(ProtocolFork::Osaka);
    let root = B256::repeat_byte(0xbe);
    let mut attributes = test.attributes();
    attributes.parent_beacon_block_root = root;
    let (block, _) = test.chain.build(&attributes, vec![]).unwrap();
    let parent = test.chain.head().hash;
    test.chain.append(block).unwrap();
    // EIP-4788 returns the anchor for the block's timestamp, EIP-2935 the parent's hash.
    let word = |value: u64| Bytes::from(U256::from(value).to_be_bytes::<32>());
    let ask = |to: Address, data: Bytes| {
        test.chain.call(Call { to: Some(to), data, ..Default::default() }).unwrap().output
    };
    let beacon_roots = alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;
    assert_eq!(ask(beacon_roots, word(attributes.timestamp))[..], root[..]);
    let history = alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
    assert_eq!(ask(history, word(0))[..], parent[..]);
}

#[test]
fn proofs_pass_an_independent_verifier() {
    use alloy_trie::{Nibbles, proof::verify_proof};
    let (mut test, block) = busy_block(ProtocolFork::Osaka);
    let head = test.chain.append(block).unwrap();
    let slots = [7_u64, 35, 12, 9_999].map(U256::from);
    let proof = test.chain.prove(&head, Test::STORE, &slots).unwrap();
    let account = proof.account.unwrap();
    let key = |bytes: &[u8]| Nibbles::unpack(keccak256(bytes));
    let value = Some(alloy_rlp::encode(account));
    verify_proof(head.header.state_root, key(Test::STORE.as_slice()), value, &proof.nodes).unwrap();
    let expected = [U256::from(9), B256::repeat_byte(1).into(), U256::ZERO, U256::ZERO];
    for (slot, expected) in proof.slots.iter().zip(expected) {
        assert_eq!(slot.value, expected);
        let value = (!expected.is_zero()).then(|| alloy_rlp::encode(expected));
        let path = key(&slot.slot.to_be_bytes::<32>());
        verify_proof(account.storage_root, path, value, &slot.nodes).unwrap();
    }
    let stranger = Address::repeat_byte(0xee);
    let absent = test.chain.prove(&head, stranger, &[]).unwrap();
    assert_eq!(absent.account, None);
    verify_proof(head.header.state_root, key(stranger.as_slice()), None, &absent.nodes).unwrap();
}

#[test]
fn invalid_block_is_rejected_and_changes_nothing() {
    let (test, block) = busy_block(ProtocolFork::Osaka);
    let head = test.chain.head().hash;
    let raw = RawBlock::decode(&block.block.rlp()).unwrap();
    assert!(test.chain.import(&raw).is_ok());
    let change = |change: &dyn Fn(&mut RawBlock)| {
        let mut raw = raw.clone();
        change(&mut raw);
        test.chain.import(&raw).unwrap_err().to_string()
    };
    for (reason, error) in [
        ("state root", change(&|raw| raw.header.state_root = B256::ZERO)),
        ("receipts root", change(&|raw| raw.header.receipts_root = B256::ZERO)),
        ("transactions root", change(&|raw| raw.transactions.swap(0, 1))),
        ("withdrawals root", change(&|raw| raw.withdrawals = Some(vec![[1; 44]]))),
        ("gas used", change(&|raw| raw.header.gas_used += 1)),
        ("base fee", change(&|raw| raw.header.base_fee_per_gas = Some(1))),
        ("number", change(&|raw| raw.header.number += 1)),
        ("timestamp", change(&|raw| raw.header.timestamp = 0)),
        ("gas limit", change(&|raw| raw.header.gas_limit *= 2)),
        ("is not known", change(&|raw| raw.header.parent_hash = B256::ZERO)),
        ("requests hash", change(&|raw| raw.header.requests_hash = Some(B256::ZERO))),
        ("difficulty", change(&|raw| raw.header.difficulty = U256::ONE)),
    ] {
        assert!(error.contains(reason), "{reason}: {error}");
    }
    assert_eq!(test.chain.head().hash, head);
}

/// Counts the senders that it recovers.
#[derive(Debug)]
struct Counting(AtomicUsize);

impl Cryptography for Counting {
    fn senders(&self, transactions: &[Transaction]) -> Vec<Option<Address>> {
        self.0.fetch_add(transactions.len(), Ordering::Relaxed);
        ().senders(transactions)
    }
}

#[test]
fn senders_are_recovered_with_the_given_cryptography() {
    static GIVEN: Counting = Counting(AtomicUsize::new(0));
    let recoveries = || GIVEN.0.swap(0, Ordering::Relaxed);
    let mut test = Test::new(ProtocolFork::Osaka);
    let transfer = test.call(TxKind::Call(Key::named("bob").address()), Vec::new(), U256::ONE);
    let plain = test.build(vec![transfer.clone()]);
    assert_eq!(recoveries(), 0);

    test.chain.configure(|config| config.cryptography = &GIVEN);
    assert_eq!(test.build(vec![transfer]).block.hash, plain.block.hash);
    assert_eq!(recoveries(), 1);
    test.chain.import(&RawBlock::decode(&plain.block.rlp()).unwrap()).unwrap();
    assert_eq!(recoveries(), 1);
    let execute = Execute { cryptography: &GIVEN, ..Execute::default() };
    assert!(execute.run(&plain.input().unwrap(), u64::MAX).is_ok());
    assert_eq!(recoveries(), 1);
}
