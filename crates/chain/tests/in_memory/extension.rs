//! A chain with an extension that runs hooks at the start and end of blocks and before each
//! transaction. Building, importing, replaying and verifying agree with it, and verifiers without
//! the extension reject the blocks.

use crate::support::market::{CHAIN_ID, verify};
use alloy_consensus::Header;
use alloy_evm::precompiles::{DynPrecompile, PrecompilesMap};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, U256, map::AddressMap};
use codec::RawBlock;
use enshrine_chain::{
    BlockAttributes, Call, Chain, ChainConfig, ChainError, ExecutedBlock, Extension, empty_genesis,
    witness_of,
};
use execute::{Execute, ExecuteError};
use executor::{
    BlockError, BlockTally, ChainSpec, EvmOverrides, HookState, InternalError, Invalid, ReadError,
    Transaction,
};
use revm::{
    precompile::{PrecompileError, PrecompileId},
    state::{Account, EvmStorageSlot},
};
use std::sync::Arc;
use testkit::{Key, eip1559};
use wire::ProtocolFork;

const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Contract to which the hooks write. It has code, so that it is not empty.
const LEDGER: Address = Address::repeat_byte(0x1e);
/// Number of blocks started.
const BEGUN: U256 = U256::ZERO;
/// Number of transactions admitted.
const ADMITTED: U256 = U256::from_limbs([1, 0, 0, 0]);
/// Number of transactions admitted until the end of the last block.
const CLOSED: U256 = U256::from_limbs([2, 0, 0, 0]);
/// Value of `CLOSED` at the start of the block.
const CARRIED: U256 = U256::from_limbs([3, 0, 0, 0]);

/// Counts blocks and transactions in a contract's storage, and rejects those of one sender.
#[derive(Debug)]
struct Ledger {
    refused: Address,
}

fn write(state: &mut dyn HookState, slot: U256, value: U256) -> Result<(), ReadError> {
    let info = state.basic(LEDGER)?.unwrap_or_default();
    let before = state.storage(LEDGER, slot)?;
    let mut account = Account::from(info);
    account.mark_touch();
    account.storage.insert(slot, EvmStorageSlot::new_changed(before, value, Default::default()));
    state.commit(AddressMap::from_iter([(LEDGER, account)]));
    Ok(())
}

fn increment(state: &mut dyn HookState, slot: U256) -> Result<(), ReadError> {
    let before = state.storage(LEDGER, slot)?;
    write(state, slot, before + U256::ONE)
}

impl EvmOverrides for Ledger {
    fn begin_block(&self, _: &Header, state: &mut dyn HookState) -> Result<(), BlockError> {
        increment(state, BEGUN)?;
        let closed = state.storage(LEDGER, CLOSED)?;
        Ok(write(state, CARRIED, closed)?)
    }

    fn before_transaction(
        &self,
        index: usize,
        _: &Transaction,
        sender: Address,
        state: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        if sender == self.refused {
            let reason = "the ledger does not admit its sender".to_owned();
            return Err(Invalid::Transaction { index, reason }.into());
        }
        Ok(increment(state, ADMITTED)?)
    }

    fn end_block(
        &self,
        _: &Header,
        state: &mut dyn HookState,
        _: &BlockTally,
    ) -> Result<(), BlockError> {
        let admitted = state.storage(LEDGER, ADMITTED)?;
        Ok(write(state, CLOSED, admitted)?)
    }
}

fn chain(fork: ProtocolFork, extension: Option<Arc<dyn Extension>>) -> Chain {
    let mut genesis = empty_genesis(fork);
    for name in ["alice", "mallory"] {
        let rich = GenesisAccount { balance: U256::from(10_u128.pow(20)), ..Default::default() };
        genesis.alloc.insert(Key::named(name).address(), rich);
    }
    let ledger =
        GenesisAccount { code: Some(Bytes::from_static(&[0])), ..GenesisAccount::default() };
    genesis.alloc.insert(LEDGER, ledger);
    let mut config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
    if let Some(extension) = extension {
        config.set_extension(extension);
    }
    Chain::new(&genesis, config).unwrap()
}

fn with_ledger(fork: ProtocolFork) -> Chain {
    chain(fork, Some(Arc::new(Ledger { refused: Key::named("mallory").address() })))
}

fn transfer(who: &str, nonce: u64, to: Address) -> Transaction {
    Key::named(who).sign(eip1559(nonce, to, 100_000))
}

fn build(chain: &Chain, offered: Vec<Transaction>) -> (ExecutedBlock, Vec<usize>) {
    let parent = &chain.head().header;
    let attributes = BlockAttributes {
        timestamp: parent.timestamp + 12,
        slot_number: parent.number + 1,
        ..Default::default()
    };
    let (block, rejected) = chain.build(&attributes, offered).unwrap();
    (block, rejected.into_iter().map(|(index, _)| index).collect())
}

fn ledger(chain: &Chain) -> [u64; 4] {
    [BEGUN, ADMITTED, CLOSED, CARRIED].map(|slot| chain.storage(LEDGER, slot).unwrap().to())
}

#[test]
fn state_writes_of_hooks_persist_across_blocks() {
    for fork in FORKS {
        let mut chain = with_ledger(fork);
        let bob = Key::named("bob").address();
        let (first, _) = build(&chain, (0..3).map(|nonce| transfer("alice", nonce, bob)).collect());
        chain.append(first).unwrap();
        assert_eq!(ledger(&chain), [1, 3, 3, 0], "{fork}");
        let (second, _) = build(&chain, vec![transfer("alice", 3, bob)]);
        chain.append(second).unwrap();
        assert_eq!(ledger(&chain), [2, 4, 4, 3], "{fork}");
        let (empty, _) = build(&chain, vec![]);
        chain.append(empty).unwrap();
        assert_eq!(ledger(&chain), [3, 4, 4, 4], "{fork}");
    }
}

#[test]
fn builder_skips_transactions_that_a_hook_rejects() {
    for fork in FORKS {
        let (chain, bob) = (with_ledger(fork), Key::named("bob").address());
        let (alice, mallory) = (|nonce| transfer("alice", nonce, bob), transfer("mallory", 0, bob));
        let offered = vec![mallory.clone(), alice(0), mallory.clone(), alice(1)];
        let (block, rejected) = build(&chain, offered);
        assert_eq!(rejected, [0, 2]);
        let (clean, rejected) = build(&chain, vec![alice(0), alice(1)]);
        assert!(rejected.is_empty());
        assert_eq!(block.block.hash, clean.block.hash, "{fork}");
        assert_eq!(block.witness, clean.witness, "{fork}");

        // A builder without the hook includes the transaction; no chain with the hook accepts the
        // block.
        let lax = chain_without_refusal(fork);
        let (block, rejected) = build(&lax, vec![alice(0), mallory]);
        assert!(rejected.is_empty());
        let raw = RawBlock::decode(&block.block.rlp()).unwrap();
        assert!(lax.import(&raw).is_ok());
        let refused = Err(Invalid::Transaction {
            index: 1,
            reason: "the ledger does not admit its sender".to_owned(),
        });
        assert_eq!(chain.import(&raw).map(drop), refused.clone().map_err(ChainError::from));
        let strict = chain.config();
        assert_eq!(verify(&block, strict), refused.map_err(BlockError::from));
        assert_eq!(verify(&block, lax.config()), Ok(()));
    }
}

fn chain_without_refusal(fork: ProtocolFork) -> Chain {
    chain(fork, Some(Arc::new(Ledger { refused: Address::ZERO })))
}

#[test]
fn block_is_valid_only_with_the_extension() {
    for fork in FORKS {
        let mut chain = with_ledger(fork);
        let bob = Key::named("bob").address();
        let (block, _) = build(&chain, vec![transfer("alice", 0, bob), transfer("alice", 1, bob)]);
        assert!(!block.block.provable, "only this chain knows the extension");
        let raw = RawBlock::decode(&block.block.rlp()).unwrap();
        let imported = chain.import(&raw).unwrap();
        assert_eq!(imported.block.hash, block.block.hash, "{fork}");
        assert_eq!(imported.witness, block.witness, "{fork}");
        assert_eq!(verify(&block, chain.config()), Ok(()), "{fork}");
        let head = chain.append(block.clone()).unwrap();
        let before = chain.state_before(&head).unwrap().unwrap();
        assert_eq!(witness_of(&before, &head).unwrap(), block.witness, "{fork}");

        // Without the extension, the state root differs, or the access list in a fork that has one.
        let is_commitment = |reason: &Invalid| matches!(reason, Invalid::Commitment { .. });
        let refused = verify(&block, &()).unwrap_err();
        assert!(matches!(&refused, BlockError::Invalid(reason) if is_commitment(reason)), "{fork}");
        let refused = Execute::on(fork).run(&block.input().unwrap(), u64::MAX).unwrap_err();
        assert!(matches!(&refused, ExecuteError::Invalid(reason) if is_commitment(reason)));
        let plain = self::chain(fork, None);
        let refused = plain.import(&raw).unwrap_err();
        assert!(matches!(&refused, ChainError::Invalid(reason) if is_commitment(reason)));
        // Counterpart: every verifier accepts the blocks of a chain without the extension.
        let (block, _) = build(&plain, vec![transfer("alice", 0, bob)]);
        assert!(block.block.provable);
        assert_eq!(verify(&block, &()), Ok(()));
    }
}

/// Address of a precompile that fails.
const BROKEN: Address = Address::repeat_byte(0xbb);

/// An extension with a precompile that fails because of a local fault.
#[derive(Debug)]
struct Faulty;

impl EvmOverrides for Faulty {
    fn precompiles(&self, precompiles: &mut PrecompilesMap, _: &Arc<BlockTally>) {
        let broken = DynPrecompile::new(PrecompileId::custom("broken"), |_| {
            Err(PrecompileError::Fatal("the disk is gone".to_owned()))
        });
        precompiles.apply_precompile(&BROKEN, |_| Some(broken));
    }
}

#[test]
fn internal_precompile_failure_is_no_verdict() {
    for fork in FORKS {
        let (faulty, plain) = (chain(fork, Some(Arc::new(Faulty))), chain(fork, None));
        let offered = vec![transfer("alice", 0, BROKEN)];
        let attributes = BlockAttributes { timestamp: 12, slot_number: 1, ..Default::default() };
        let is_internal = |error: &InternalError| matches!(error, InternalError::Executor(text) if text.contains("the disk is gone"));
        let assert_internal = |what: &str, result: Result<(), ChainError>| match result {
            Err(error @ ChainError::Internal(_)) => {
                assert!(error.is_internal());
                let ChainError::Internal(error) = error else { unreachable!() };
                assert!(is_internal(&error), "{what}: {error}");
            }
            other => panic!("{fork}, {what}: {other:?}"),
        };
        assert_internal("build", faulty.build(&attributes, offered.clone()).map(drop));
        let (block, rejected) = plain.build(&attributes, offered).unwrap();
        assert!(rejected.is_empty());
        let raw = RawBlock::decode(&block.block.rlp()).unwrap();
        assert_internal("import", faulty.import(&raw).map(drop));
        assert_internal("witness_of", witness_of(&faulty.state(), &block.block).map(drop));
        let call = Call { to: Some(BROKEN), ..Call::default() };
        assert_internal("call", faulty.call(call.clone()).map(drop));
        match verify(&block, &Faulty) {
            Err(BlockError::Internal(error)) => assert!(is_internal(&error)),
            other => panic!("{fork}: {other:?}"),
        }
        // With a working precompile, both import and call succeed.
        assert!(plain.import(&raw).is_ok() && plain.call(call).is_ok());
        assert_eq!(verify(&block, &()), Ok(()));
    }
}
