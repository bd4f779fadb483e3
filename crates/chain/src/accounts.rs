//! Traversal of all accounts of a state.

use crate::store::{Visitor, walk};
use crate::{ChainError, State};
use alloy_primitives::{B256, Bytes};
use alloy_trie::TrieAccount;
use trie::TrieError;

/// Passes each account of a state to `visit`, with the Keccak-256 of its address, in ascending
/// order of these hashes. A state does not contain the addresses themselves. Memory use is bounded
/// by one path of the trie. Ends if `visit` returns `false`.
///
/// # Errors
///
/// [`ChainError`] if a part of the state is missing or malformed.
pub fn each_account(
    state: &State,
    visit: impl FnMut(B256, TrieAccount) -> bool,
) -> Result<(), ChainError> {
    let mut accounts = Accounts { visit, is_done: false, malformed: None };
    let walked = walk(&*state.store, None, state.root, &mut accounts);
    if let Some((hash, reason)) = accounts.malformed {
        return Err(ChainError::MalformedAccount { hash, reason });
    }
    walked.map_err(|error| match error {
        TrieError::Source(error) => error.into(),
        error => ChainError::Walk(error),
    })
}

struct Accounts<F> {
    visit: F,
    is_done: bool,
    malformed: Option<(B256, alloy_rlp::Error)>,
}

impl<F: FnMut(B256, TrieAccount) -> bool> Visitor<Bytes> for Accounts<F> {
    fn node(&mut self, _: &B256, _: &Bytes) -> bool {
        !self.is_done
    }

    fn value(&mut self, key: &B256, value: &[u8]) {
        if self.is_done {
            return;
        }
        match alloy_rlp::decode_exact(value) {
            Ok(account) => self.is_done = !(self.visit)(*key, account),
            Err(reason) => {
                self.malformed = Some((*key, reason));
                self.is_done = true;
            }
        }
    }
}
