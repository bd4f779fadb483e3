//! A chain on a store that can fail, and runs of an operation in which each store access fails in
//! turn.

use super::failing::FailingStore;
use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use core::fmt::Debug;
use enshrine_chain::store::{Block, Store};
use enshrine_chain::{
    BlockAttributes, Chain, ChainConfig, ChainError, ExecutedBlock, RecoveredTransaction,
    empty_genesis,
};
use executor::ChainSpec;
use std::sync::Arc;
use testkit::{Key, Transaction, eip1559};
use wire::ProtocolFork;

pub(crate) const CHAIN_ID: u64 = 8_079;
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;

/// Sets slot `calldata[0]` to `calldata[32]`.
pub(crate) const SETTER: Address = Address::repeat_byte(0x57);
pub(crate) const SETTER_CODE: [u8; 7] = hex!("602035 5f35 55 00");
/// Makes every kind of read: BLOCKHASH of four blocks ago, EXTCODEHASH and BALANCE of the address
/// in `calldata[0]`, size and bytes of the setter's code, its own slot 0; then sets the setter's
/// slot `calldata[32]` to 1, by a call.
pub(crate) const READER: Address = Address::repeat_byte(0x52);

pub(crate) fn reader_code() -> Vec<u8> {
    let setter = SETTER.as_slice();
    [
        &hex!("6004 43 03 40 50")[..],
        &hex!("5f35 3f 50 5f35 31 50 73"),
        setter,
        &hex!("3b 50 6007 5f 5f 73"),
        setter,
        &hex!("3c 5f 54 50"),
        &hex!("602035 5f 52 6001 602052 5f 5f 6040 5f 5f 73"),
        setter,
        &hex!("5a f1 50 00"),
    ]
    .concat()
}

/// Reads BLOCKHASH of one to six blocks ago, a hundred times each, in turn.
pub(crate) const HISTORIAN: Address = Address::repeat_byte(0x48);

fn historian_code() -> Vec<u8> {
    let all = (1..=6).flat_map(|distance| [0x60, distance, 0x43, 0x03, 0x40, 0x50]);
    all.collect::<Vec<u8>>().repeat(100)
}

pub(crate) fn genesis() -> Genesis {
    let mut genesis = empty_genesis(ProtocolFork::Osaka);
    let rich = || GenesisAccount { balance: U256::from(100 * ETHER), ..Default::default() };
    genesis.alloc.insert(Key::named("alice").address(), rich());
    genesis.alloc.insert(Key::named("carol").address(), rich());
    for number in 0..40_u64 {
        let address = Address::from_word(keccak256(number.to_be_bytes()));
        let account = GenesisAccount { balance: U256::from(number + 1), ..Default::default() };
        genesis.alloc.insert(address, account);
    }
    let codes =
        [(SETTER, SETTER_CODE.to_vec()), (READER, reader_code()), (HISTORIAN, historian_code())];
    for (address, code) in codes {
        let slots = (0..12).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1)));
        let contract = GenesisAccount {
            nonce: Some(1),
            code: Some(code.into()),
            storage: Some(slots.collect()),
            ..Default::default()
        };
        genesis.alloc.insert(address, contract);
    }
    genesis
}

pub(crate) fn config() -> ChainConfig {
    ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka))
}

/// Returns a call by Alice of a contract with two words.
pub(crate) fn call(nonce: u64, to: Address, words: [U256; 2]) -> Transaction {
    let input = words.map(|word| word.to_be_bytes::<32>()).concat();
    sign("alice", nonce, TxKind::Call(to), input.into())
}

pub(crate) fn sign(who: &str, nonce: u64, to: TxKind, input: Bytes) -> Transaction {
    Key::named(who).sign(TxEip1559 { input, ..eip1559(nonce, to, 300_000) })
}

pub(crate) fn set(nonce: u64, slot: u64, value: u64) -> Transaction {
    call(nonce, SETTER, [slot, value].map(U256::from))
}

pub(crate) fn child_of(chain: &Chain, mark: u8) -> BlockAttributes {
    BlockAttributes {
        timestamp: chain.head().header.timestamp + 12,
        extra_data: vec![mark].into(),
        ..Default::default()
    }
}

pub(crate) fn build(chain: &Chain, mark: u8, transactions: Vec<Transaction>) -> ExecutedBlock {
    let (block, rejected) = chain.build(&child_of(chain, mark), transactions).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    block
}

/// A chain of six blocks on a store that can fail, a longer non-canonical branch from its second
/// block, and a next block.
pub(crate) struct FailingChain {
    pub(crate) store: Arc<FailingStore>,
    pub(crate) chain: Chain,
    /// Head of the longer branch.
    pub(crate) branch: B256,
    pub(crate) attributes: BlockAttributes,
    /// Transactions for the next block; the second one is invalid in it.
    pub(crate) offered: Vec<Transaction>,
    /// The next block.
    pub(crate) next: ExecutedBlock,
    pub(crate) transactions: Vec<B256>,
}

impl FailingChain {
    pub(crate) fn new() -> Self {
        let store = Arc::new(FailingStore::default());
        let shared = Arc::clone(&store) as Arc<dyn Store>;
        let mut chain = Chain::with_store(&genesis(), config(), shared).unwrap();
        let mut branch = Vec::new();
        for number in 0..6 {
            if number == 2 {
                let mut other = chain.detached();
                for nonce in 2..7 {
                    let block = build(&other, 2, vec![set(nonce, 20 + nonce, nonce)]);
                    other.append(block.clone()).unwrap();
                    branch.push(block);
                }
            }
            let block = build(&chain, 1, vec![set(number, number, number * 7)]);
            chain.append(block).unwrap();
        }
        for block in &branch {
            chain.insert(block.clone()).unwrap();
        }
        let carol = U256::from_be_slice(Key::named("carol").address().as_slice());
        let create = [&hex!("6007600c5f3960075ff3")[..], &[0, 0], &SETTER_CODE].concat();
        let offered = vec![
            call(6, READER, [carol, U256::from(3)]),
            sign("carol", 77, TxKind::Call(SETTER), Bytes::new()),
            // Clears slots, so that branches of the trie collapse.
            set(7, 4, 0),
            set(8, 5, 0),
            sign("alice", 9, TxKind::Create, create.into()),
        ];
        let attributes = child_of(&chain, 1);
        let (next, rejected) = chain.build(&attributes, offered.clone()).unwrap();
        assert_eq!(rejected.len(), 1);
        assert!(next.block.executed.receipts.iter().all(|receipt| receipt.success));
        let mut transactions: Vec<B256> = offered.iter().map(|tx| *tx.hash()).collect();
        for block in branch.iter().map(|new| &new.block) {
            transactions.extend(block.transactions.iter().map(|tx| *tx.hash()));
        }
        for number in 1..=6 {
            let block = chain.canonical_block(number).unwrap().unwrap();
            transactions.extend(block.transactions.iter().map(|tx| *tx.hash()));
        }
        let branch = branch.last().unwrap().block.hash;
        assert_eq!(transactions.len(), 16);
        Self { store, chain, branch, attributes, offered, next, transactions }
    }

    pub(crate) fn recovered(&self) -> Vec<RecoveredTransaction> {
        let recovered = |transaction: &Transaction| RecoveredTransaction {
            transaction: transaction.clone().into(),
            sender: executor::recover_sender(transaction).unwrap(),
            signed: true,
        };
        self.offered.iter().map(recovered).collect()
    }

    /// Returns everything that a reader of the chain can see.
    pub(crate) fn snapshot(&self) -> impl PartialEq + Debug + use<> {
        let chain = &self.chain;
        let canonical: Vec<_> =
            (0..12).map(|number| chain.canonical_hash(number).unwrap()).collect();
        let located = |hash| chain.transaction(hash).unwrap().map(|(block, at)| (block.hash, at));
        let found: Vec<_> = self.transactions.iter().map(located).collect();
        let slots: Vec<_> =
            (0..30).map(|slot| chain.storage(SETTER, U256::from(slot)).unwrap()).collect();
        let alice = chain.account(Key::named("alice").address()).unwrap();
        let head = (chain.head().hash, chain.first_number(), chain.state().root());
        let bodies: Vec<_> = (0..=6)
            .map(|number| chain.canonical_block(number).unwrap().map(|b| b.transactions.len()))
            .collect();
        (head, canonical, found, slots, alice, bodies)
    }

    /// Repeats `operation` with a failure at each store access in turn, until it succeeds. Checks
    /// each time that it returns the injected error, that the chain is unchanged, and that it
    /// succeeds on a detached chain over the same store. Returns the number of accesses.
    pub(crate) fn at_each_operation(
        &mut self,
        what: &str,
        operation: impl Fn(&mut Chain) -> Result<(), ChainError>,
    ) -> usize {
        let before = self.snapshot();
        for count in 0.. {
            self.store.fail_after(count);
            let result = operation(&mut self.chain);
            let Some(injected) = self.store.heal() else {
                assert_eq!(result, Ok(()), "{what}");
                assert!(count > 0, "{what} has not touched the store");
                return count;
            };
            assert_eq!(result, Err(ChainError::Store(injected)), "{what}, operation {count}");
            assert_eq!(self.snapshot(), before, "{what}, operation {count}");
            assert_eq!(operation(&mut self.chain.detached()), Ok(()), "{what}, after {count}");
            assert_eq!(self.snapshot(), before, "{what}, after {count} on a detached chain");
        }
        unreachable!("the loop ends when nothing fails");
    }

    /// Runs an operation that changes nothing, with a failure at each store access in turn.
    pub(crate) fn reads(
        &mut self,
        what: &str,
        operation: impl Fn(&Chain) -> Result<(), ChainError>,
    ) -> usize {
        let before = self.snapshot();
        let count = self.at_each_operation(what, |chain| operation(chain));
        assert_eq!(self.snapshot(), before, "{what}");
        count
    }

    pub(crate) fn block(&self, number: u64) -> Arc<Block> {
        self.chain.canonical_block(number).unwrap().unwrap()
    }
}
