//! The walk over a state, which determines the order of records in a snapshot.

use super::SnapshotError;
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, map::B256Set};
use alloy_rlp::Decodable as _;
use alloy_trie::TrieAccount;
use chain::store::{Visitor, walk};
use core::cell::RefCell;
use trie::{NodePath, NodeSource, SourceError};

/// Source or sink for the parts of a state, in the order of the walk.
pub(super) trait Parts {
    fn node(&self, place: NodePath<'_>, hash: &B256) -> Result<Bytes, SnapshotError>;
    fn code(&self, hash: B256) -> Result<(), SnapshotError>;
}

/// A walk over all of a state.
pub(super) struct StateWalk<'p, P> {
    parts: &'p P,
    codes: RefCell<B256Set>,
    /// First error; nothing is read after it.
    fault: RefCell<Option<SnapshotError>>,
}

impl<P: Parts> StateWalk<'_, P> {
    pub(super) fn run(parts: &P, root: B256) -> Result<(), SnapshotError> {
        let walked = StateWalk { parts, codes: RefCell::default(), fault: RefCell::default() };
        let result = walk(&walked, None, root, &mut Accounts(&walked));
        match walked.fault.take() {
            Some(fault) => Err(fault),
            None => result.map_err(SnapshotError::Trie),
        }
    }

    fn account(&self, key: &B256, account: &TrieAccount) -> Result<(), SnapshotError> {
        let code = account.code_hash;
        if code != KECCAK256_EMPTY && self.codes.borrow_mut().insert(code) {
            self.parts.code(code)?;
        }
        walk(self, Some(key), account.storage_root, &mut Slots).map_err(SnapshotError::Trie)
    }
}

impl<P: Parts> NodeSource for StateWalk<'_, P> {
    type Bytes = Bytes;

    fn node(&self, place: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        let stopped = || SourceError::new("the walk has failed");
        if self.fault.borrow().is_some() {
            return Err(stopped());
        }
        self.parts.node(place, hash).map(Some).map_err(|fault| {
            *self.fault.borrow_mut() = Some(fault);
            stopped()
        })
    }
}

struct Accounts<'w, 'p, P>(&'w StateWalk<'p, P>);

impl<P: Parts> Visitor<Bytes> for Accounts<'_, '_, P> {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, key: &B256, mut value: &[u8]) {
        let account = TrieAccount::decode(&mut value);
        let account = account.map_err(|error| SnapshotError::Head(format!("account: {error}")));
        let done = account.and_then(|account| self.0.account(key, &account));
        if let Err(fault) = done {
            self.0.fault.borrow_mut().get_or_insert(fault);
        }
    }
}

struct Slots;

impl Visitor<Bytes> for Slots {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        true
    }

    fn value(&mut self, _: &B256, _: &[u8]) {}
}
