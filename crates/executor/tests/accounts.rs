//! Accounts that no block creates, but that an external state may contain.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use enshrine_executor::{BlockState, ReadError, StateError, StateSource};
use revm::{
    Database, DatabaseCommit,
    bytecode::Bytecode,
    state::{Account, AccountInfo},
};
use std::collections::HashMap;
use trie::{NodePath, NodeSource, SourceError, Trie, hash_tries};

/// A state with these accounts that contains only their nodes.
struct Source {
    nodes: HashMap<B256, Bytes>,
    root: B256,
}

impl NodeSource for Source {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.nodes.get(hash).cloned())
    }
}

impl StateSource for Source {
    type Nodes = Self;

    fn nodes(&self) -> &Self {
        self
    }

    fn code(&self, _: &B256) -> Result<Option<Bytecode>, SourceError> {
        Ok(None)
    }

    fn block_hash(&self, _: u64) -> Result<Option<B256>, SourceError> {
        Ok(None)
    }
}

fn source(accounts: &[(Address, TrieAccount)]) -> Source {
    let mut source = Source { nodes: HashMap::new(), root: EMPTY_ROOT_HASH };
    let mut trie = Trie::<Bytes>::default();
    for (address, account) in accounts {
        trie.insert(&source, &keccak256(address), &alloy_rlp::encode(account)).unwrap();
    }
    let mut keep = |(hash, node): (B256, &[u8])| {
        source.nodes.insert(hash, Bytes::copy_from_slice(node));
    };
    hash_tries(&mut [&mut trie], &mut keep);
    source.root = trie.root().unwrap();
    source
}

fn account(code_hash: B256, balance: u64) -> TrieAccount {
    let balance = U256::from(balance);
    TrieAccount { nonce: 0, balance, storage_root: EMPTY_ROOT_HASH, code_hash }
}

const AT: Address = Address::repeat_byte(0xa7);

/// Credits the account and returns the resulting state root.
fn root_after_payment(source: &Source) -> B256 {
    let mut state = BlockState::new(source, source.root);
    let info = state.basic(AT).unwrap().unwrap();
    let mut paid = Account::from(info);
    paid.info.balance += U256::ONE;
    paid.mark_touch();
    state.commit([(AT, paid)].into_iter().collect());
    state.into_post_state(|_| {}).unwrap().root
}

#[test]
fn zero_code_hash_is_kept_without_code() {
    for balance in [0, 7] {
        let source_of = |balance| source(&[(AT, account(B256::ZERO, balance))]);
        let before = source_of(balance);
        let mut state = BlockState::new(&before, before.root);
        let info: AccountInfo = state.basic(AT).unwrap().unwrap();
        assert!(!info.is_empty() && !info.is_empty_code_hash(), "counts as an account with code");
        let refusal = state.code_by_hash(info.code_hash).unwrap_err();
        assert_eq!(refusal, ReadError::State(StateError::MissingCode(B256::ZERO)));
        assert_eq!(state.failure(), Some(&refusal));
        assert_eq!(root_after_payment(&before), source_of(balance + 1).root);
    }
    // Next to an account without code.
    let source_of = |balance| source(&[(AT, account(KECCAK256_EMPTY, balance))]);
    let before = source_of(7);
    let mut state = BlockState::new(&before, before.root);
    let info = state.basic(AT).unwrap().unwrap();
    assert!(info.is_empty_code_hash());
    assert_eq!(state.code_by_hash(info.code_hash), Ok(Bytecode::default()));
    assert_eq!(root_after_payment(&before), source_of(8).root);
}

#[test]
fn account_with_stand_in_code_hash_is_unreadable() {
    let stand_in = B256::repeat_byte(0xff);
    for (code_hash, is_read) in [(stand_in, false), (B256::repeat_byte(0xfe), true)] {
        let before = source(&[(AT, account(code_hash, 7))]);
        let mut state = BlockState::new(&before, before.root);
        let read = state.basic(AT).map(|info| info.map(|info| info.code_hash));
        if is_read {
            assert_eq!(read, Ok(Some(code_hash)));
        } else {
            let refusal = ReadError::State(StateError::MissingCode(stand_in));
            assert_eq!(read, Err(refusal.clone()));
            assert_eq!(state.failure(), Some(&refusal));
        }
    }
}

#[test]
fn storage_only_account_blocks_contract_creation() {
    let storage_root = B256::repeat_byte(5);
    let with = |balance| TrieAccount { storage_root, ..account(KECCAK256_EMPTY, balance) };
    let before = source(&[(AT, with(7))]);
    let mut state = BlockState::new(&before, before.root);
    let info = state.basic(AT).unwrap().unwrap();
    assert_ne!(info.code_hash, KECCAK256_EMPTY, "a contract cannot be created there (EIP-7610)");
    assert_eq!(state.code_by_hash(info.code_hash), Ok(Bytecode::default()));
    assert_eq!(root_after_payment(&before), source(&[(AT, with(8))]).root);
}
