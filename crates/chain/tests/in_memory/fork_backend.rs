//! A forked chain reads through to the original one, and stores its own changes.

use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use enshrine_chain::{
    BlockAttributes, BlockBuilder, Call, Chain, ChainConfig, ChainError, EditState as _,
    RecoveredTransaction, State, witness_of,
};
use executor::{ChainSpec, ForkBackend, InternalError, recover_sender};
use revm::{bytecode::Bytecode, state::AccountInfo};
use std::sync::{Arc, Mutex};
use testkit::{CHAIN_ID, ETHER, Key, eip1559, rich_genesis};
use trie::SourceError;
use wire::ProtocolFork;

/// Runtime code: sets slot `calldata[0]` to `calldata[32]`.
const STORE: [u8; 7] = hex!("6020355f355500");
/// Value of the contract's slots.
const ONES: U256 = U256::from_be_bytes([1; 32]);
const CONTRACT: Address = Address::repeat_byte(0x57);

/// Runtime code: returns BLOCKHASH of five blocks ago.
const ASKER: [u8; 12] = hex!("6005430340 5f52 60205f f3 00");
const ASKING: Address = Address::repeat_byte(0x41);

/// A backend over the head of a chain in the same process.
#[derive(Debug)]
struct Other(State);

impl ForkBackend for Other {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SourceError> {
        let account = self.0.account(address).map_err(SourceError::new)?;
        let code = self.0.code(address).map_err(SourceError::new)?;
        Ok(account.map(|info| AccountInfo { code: Some(Bytecode::new_raw(code)), ..info }))
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, SourceError> {
        self.0.storage(address, slot).map_err(SourceError::new)
    }

    fn block_hash(&self, _: u64) -> Result<Option<B256>, SourceError> {
        Ok(None)
    }
}

fn genesis() -> Genesis {
    let mut genesis = rich_genesis(ProtocolFork::Osaka, ["alice"], 100 * ETHER);
    let contract = GenesisAccount {
        nonce: Some(1),
        code: Some(Bytes::from_static(&STORE)),
        storage: Some(
            (0..4).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1))).collect(),
        ),
        ..Default::default()
    };
    genesis.alloc.insert(CONTRACT, contract);
    let asking = GenesisAccount { code: Some(Bytes::from_static(&ASKER)), ..Default::default() };
    genesis.alloc.insert(ASKING, asking);
    genesis
}

fn set(nonce: u64, slot: u64, value: u64) -> executor::Transaction {
    let words = [slot, value].map(|word| U256::from(word).to_be_bytes::<32>());
    Key::named("alice")
        .sign(TxEip1559 { input: words.concat().into(), ..eip1559(nonce, CONTRACT, 200_000) })
}

#[test]
fn forked_chain_reads_through_and_stores_own_changes() {
    let config = || ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka));
    let original = Chain::new(&genesis(), config()).unwrap();
    let other = Arc::new(Other(original.state()));
    let header = original.head().header.clone();
    let mut chain = Chain::forked(header, other, config()).unwrap();
    assert_eq!(chain.storage(CONTRACT, U256::ONE).unwrap(), ONES);
    assert_eq!(chain.code(CONTRACT).unwrap()[..], STORE);
    assert_eq!(chain.balance(Key::named("alice").address()).unwrap(), U256::from(100 * ETHER));
    assert_eq!(chain.balance(Address::repeat_byte(9)).unwrap(), U256::ZERO);

    // One slot is cleared, another one set, and a third unchanged.
    let before = chain.state();
    for (nonce, (slot, value)) in [(0, 0), (1, 7)].into_iter().enumerate() {
        let attributes =
            BlockAttributes { timestamp: 12 * (nonce as u64 + 1), ..Default::default() };
        let (new, rejected) =
            chain.build(&attributes, vec![set(nonce as u64, slot, value)]).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        assert!(new.block.executed.receipts[0].success);
        assert!(!new.block.provable, "its state root proves nothing");
        chain.append(new).unwrap();
    }
    let slots = [0, 1, 2].map(|slot| chain.storage(CONTRACT, U256::from(slot)).unwrap());
    assert_eq!(slots, [U256::ZERO, U256::from(7), ONES]);
    assert_eq!(chain.nonce(Key::named("alice").address()).unwrap(), 2);

    // The earlier state and the original chain are unchanged.
    assert_eq!(before.storage(CONTRACT, U256::ZERO).unwrap(), ONES);
    chain.set_state(&before).unwrap();
    assert_eq!(chain.head().header.number, 0);
    assert_eq!(chain.storage(CONTRACT, U256::ONE).unwrap(), ONES);
    assert_eq!(original.nonce(Key::named("alice").address()).unwrap(), 0);
}

#[test]
fn account_removed_in_fork_stays_removed() {
    let config = || ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka));
    let original = Chain::new(&genesis(), config()).unwrap();
    let other = Arc::new(Other(original.state()));
    let mut chain = Chain::forked(original.head().header.clone(), other, config()).unwrap();
    let alice = Key::named("alice").address();
    chain.edit(|state| state.remove_account(alice)).unwrap();
    assert_eq!(chain.balance(alice).unwrap(), U256::ZERO);
    chain.edit(|state| state.set_balance(alice, U256::from(5))).unwrap();
    assert_eq!(chain.balance(alice).unwrap(), U256::from(5));
    assert_eq!(chain.code(CONTRACT).unwrap()[..], STORE, "other accounts are unchanged");
}

/// The original chain over a connection that fails once, after a number of requests.
#[derive(Debug)]
struct Breaking {
    other: Other,
    /// Number of requests that still succeed; `None` for all.
    left: Mutex<Option<usize>>,
}

impl Breaking {
    fn asked(&self) -> Result<(), SourceError> {
        let mut left = self.left.lock().unwrap();
        if *left == Some(0) {
            *left = None;
            return Err(SourceError::new("the connection broke"));
        }
        *left = left.map(|left| left - 1);
        Ok(())
    }
}

impl ForkBackend for Breaking {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SourceError> {
        self.asked()?;
        self.other.account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, SourceError> {
        self.asked()?;
        self.other.storage(address, slot)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        self.asked()?;
        Ok(Some(B256::from(U256::from(number))))
    }
}

/// Repeats an operation with a failure at each request in turn, and returns the number of requests.
fn breaks(
    (chain, backend): (&mut Chain, &Breaking),
    what: &str,
    operation: &dyn Fn(&mut Chain) -> Result<(), ChainError>,
) -> usize {
    let broken = InternalError::Source(SourceError::new("the connection broke"));
    for questions in 0.. {
        *backend.left.lock().unwrap() = Some(questions);
        let (head, root) = (chain.head().hash, chain.state().root());
        let result = operation(chain);
        if backend.left.lock().unwrap().take().is_some() {
            assert_eq!(result, Ok(()), "{what}");
            return questions;
        }
        assert_eq!(result, Err(ChainError::Internal(broken.clone())), "{what} {questions}");
        assert!(result.unwrap_err().is_internal());
        assert_eq!((chain.head().hash, chain.state().root()), (head, root), "{what}");
    }
    unreachable!("the loop ends when nothing breaks");
}

#[test]
fn backend_failure_is_internal_error_not_absence() {
    let config = || ChainConfig::new(ChainSpec::constant(CHAIN_ID, ProtocolFork::Osaka));
    let mut genesis = genesis();
    genesis.number = Some(10);
    let original = Chain::new(&genesis, config()).unwrap();
    let backend = Arc::new(Breaking { other: Other(original.state()), left: Mutex::new(None) });
    let header = original.head().header.clone();
    let mut chain = Chain::forked(header, Arc::clone(&backend) as _, config()).unwrap();
    let attributes = BlockAttributes { timestamp: 12, ..Default::default() };
    let stored = |value: u64| B256::from(U256::from(value));
    let requests = breaks((&mut chain, &backend), "account", &|chain| {
        assert_eq!(chain.balance(Key::named("alice").address())?, U256::from(100 * ETHER));
        Ok(())
    });
    assert_eq!(requests, 1);
    let requests = breaks((&mut chain, &backend), "storage", &|chain| {
        assert_eq!(chain.storage(CONTRACT, U256::ONE)?, ONES);
        Ok(())
    });
    assert_eq!(requests, 2, "the account and the slot");
    let requests = breaks((&mut chain, &backend), "prove", &|chain| {
        let head = Arc::clone(chain.head());
        assert_eq!(chain.prove(&head, CONTRACT, &[U256::ONE])?.slots[0].value, ONES);
        Ok(())
    });
    assert_eq!(requests, 2);
    let requests = breaks((&mut chain, &backend), "call", &|chain| {
        let outcome = chain.call(Call { to: Some(ASKING), ..Call::default() })?;
        assert_eq!(outcome.output[..], stored(5)[..]);
        Ok(())
    });
    assert!(requests >= 3, "{requests}: accounts and a block hash");
    let requests = breaks((&mut chain, &backend), "build", &|chain| {
        let (block, rejected) = chain.build(&attributes, vec![set(0, 1, 5)])?;
        assert!(rejected.is_empty() && block.block.executed.receipts[0].success);
        Ok(())
    });
    assert!(requests > 4, "{requests}");
    let transaction = set(0, 1, 5);
    let sender = recover_sender(&transaction).unwrap();
    let recovered =
        [RecoveredTransaction { transaction: transaction.into(), sender, signed: true }];
    breaks((&mut chain, &backend), "BlockBuilder::build", &|chain| {
        let header = chain.state().open_header(&attributes)?;
        let built = BlockBuilder::new(&chain.state()).build(&header, &[], &recovered)?;
        assert!(built.rejected.is_empty());
        Ok(())
    });
    let (child, _) = chain.build(&attributes, vec![set(0, 1, 5)]).unwrap();
    let requests = breaks((&mut chain, &backend), "witness_of", &|chain| {
        witness_of(&chain.state(), &child.block).map(drop)
    });
    assert!(requests > 4, "{requests}");
    let requests = breaks((&mut chain, &backend), "edit", &|chain| {
        chain.edit(|state| state.set_slot(CONTRACT, U256::from(2), U256::from(9)))
    });
    assert_eq!(requests, 2);
    assert_eq!(chain.storage(CONTRACT, U256::from(2)).unwrap(), U256::from(9));
}
