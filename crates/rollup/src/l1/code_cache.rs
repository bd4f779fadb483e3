//! Kept codes: parts of EXECUTE inputs that are stored on L1 as the codes of accounts.

use crate::L1Error;
use alloy_primitives::{Address, Bytes};
use contracts::code_reference::CodeReference;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Maximum number of cached codes, and of cached missing accounts.
const MAX_REMEMBERED: usize = 256;
/// Number of L1 blocks after which missing accounts are requested again.
const RETRY_BLOCKS: u64 = 32;
/// Maximum number of accounts requested for one input, so that an input with many contracts does
/// not delay posting.
const MAX_REQUESTED: usize = 16;

/// Cache of kept codes from the L1 node. They are verified: the bytes determine the account's
/// address.
#[derive(Debug, Default)]
pub(crate) struct CodeCache {
    cache: Mutex<BTreeMap<Address, CodeReference>>,
    /// Accounts without a kept code, with L1's head at the time of the request.
    missing: Mutex<BTreeMap<Address, u64>>,
}

impl CodeCache {
    /// Returns the codes that are stored on L1 as of block `head`, or were at their last request.
    /// Requests at most [`MAX_REQUESTED`] of the unknown ones, concurrently.
    pub(crate) fn among(
        &self,
        codes: Vec<CodeReference>,
        head: u64,
        codes_of: impl Fn(&[Address]) -> Result<Vec<Bytes>, L1Error>,
    ) -> Result<Vec<CodeReference>, L1Error> {
        let requested = self.to_request(&codes, head);
        let found = if requested.is_empty() { Vec::new() } else { codes_of(&requested)? };
        for (account, code) in requested.iter().zip(&found) {
            let Some(reference) = CodeReference::at(*account, code) else {
                let mut missing = self.missing.lock();
                if missing.len() == MAX_REMEMBERED {
                    missing.clear();
                }
                missing.insert(*account, head);
                continue;
            };
            self.missing.lock().remove(account);
            self.remember(*account, reference);
        }
        let cache = self.cache.lock();
        Ok(codes.into_iter().filter(|code| cache.contains_key(&code.account())).collect())
    }

    /// Returns the accounts of these codes that must be requested from L1.
    fn to_request(&self, codes: &[CodeReference], head: u64) -> Vec<Address> {
        let (cache, missing) = (self.cache.lock(), self.missing.lock());
        let is_missing = |account: &Address| {
            missing.get(account).is_some_and(|last| (*last..*last + RETRY_BLOCKS).contains(&head))
        };
        let mut requested = Vec::new();
        for account in codes.iter().map(CodeReference::account) {
            let is_new = !cache.contains_key(&account) && !requested.contains(&account);
            if is_new && !is_missing(&account) && requested.len() < MAX_REQUESTED {
                requested.push(account);
            }
        }
        requested
    }

    /// Clears the cached codes after a reorg, or after L1 has rejected an `advance`: the accounts
    /// may no longer exist.
    pub(crate) fn forget(&self) {
        self.cache.lock().clear();
    }

    /// Returns the kept code of an account, if it has one.
    pub(super) fn kept_at(
        &self,
        account: Address,
        code_of: &impl Fn(Address) -> Result<Bytes, L1Error>,
    ) -> Result<Option<CodeReference>, L1Error> {
        // The address is derived from the code, so a cached code stays valid unless L1 reorgs out
        // the block that created it.
        if let Some(cached) = self.cache.lock().get(&account) {
            return Ok(Some(cached.clone()));
        }
        let Some(reference) = CodeReference::at(account, &code_of(account)?) else {
            return Ok(None);
        };
        self.remember(account, reference.clone());
        Ok(Some(reference))
    }

    fn remember(&self, account: Address, reference: CodeReference) {
        let mut cache = self.cache.lock();
        // Drop all: it is unknown which code is needed next, and another request is cheap.
        if cache.len() == MAX_REMEMBERED {
            cache.clear();
        }
        cache.insert(account, reference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::code_reference::shorten;
    use core::cell::Cell;
    use derive::assembled;
    use std::slice::from_ref;

    #[test]
    fn kept_code_is_verified_and_requested_once() {
        let input = Bytes::from((0..200_u8).collect::<Vec<_>>());
        let reference = CodeReference::new(input.slice(20..180)).unwrap();
        let short = shorten(&input, from_ref(&reference)).unwrap().bytes;
        let (codes, requested) = (CodeCache::default(), Cell::new(0));
        let assemble = |assemble: &Bytes, code: Result<Vec<u8>, L1Error>| {
            let code = Cell::new(Some(code));
            let code_of = |account| {
                assert_eq!(account, reference.account());
                requested.set(requested.get() + 1);
                code.take().unwrap().map(Bytes::from)
            };
            assembled(assemble.clone(), |account| codes.kept_at(account, &code_of))
        };
        // No code yet, another code, and a node that does not respond.
        assert_eq!(assemble(&short, Ok(Vec::new())).unwrap(), None);
        assert_eq!(assemble(&short, Ok([&[0], &input[21..180]].concat())).unwrap(), None);
        assert!(assemble(&short, Err(L1Error::Thread)).is_err());
        assert_eq!(assemble(&short, Ok([&[0], &input[20..180]].concat())).unwrap().unwrap(), input);
        assert_eq!(requested.get(), 4);
        assert_eq!(assemble(&short, Err(L1Error::Thread)).unwrap().unwrap(), input);
        assert_eq!(requested.get(), 4, "cached");
        // An input without references is returned unchanged; one with a malformed reference section
        // yields `None`.
        assert_eq!(assemble(&input, Err(L1Error::Thread)).unwrap().unwrap(), input);
        assert_eq!(assemble(&short.slice(..40), Err(L1Error::Thread)).unwrap(), None);
        assert_eq!(requested.get(), 4);
    }

    #[test]
    fn missing_codes_are_requested_again_after_retry_blocks() {
        let codes = CodeCache::default();
        let reference = CodeReference::new(Bytes::from_static(b"some code")).unwrap();
        let code = Bytes::from([&[0], &reference.bytes()[..]].concat());
        let (none, requested) = (Bytes::new(), Cell::new(0));
        let found = |head: u64, code: &Bytes| {
            let codes_of = |accounts: &[Address]| {
                assert_eq!(accounts, [reference.account()]);
                requested.set(requested.get() + 1);
                Ok(vec![code.clone()])
            };
            codes.among(vec![reference.clone()], head, codes_of).unwrap()
        };
        assert!(found(100, &none).is_empty());
        assert!(found(100 + RETRY_BLOCKS - 1, &code).is_empty());
        assert_eq!(requested.get(), 1);
        assert_eq!(found(100 + RETRY_BLOCKS, &code), from_ref(&reference));
        assert_eq!(found(100, &none), from_ref(&reference), "cached");
        assert_eq!(requested.get(), 2);
        codes.forget();
        assert!(found(99, &none).is_empty());
        assert_eq!(requested.get(), 3);
        // Another code at the account is not accepted.
        assert!(found(99 + RETRY_BLOCKS, &Bytes::from_static(b"\0other code")).is_empty());
    }

    #[test]
    fn requests_per_input_are_bounded_and_never_repeated() {
        let codes = CodeCache::default();
        let references: Vec<_> =
            (0..40_u8).map(|byte| CodeReference::new(vec![byte; 9].into()).unwrap()).collect();
        let requested = Cell::new(0);
        let found = |references: Vec<CodeReference>| {
            let codes_of = |accounts: &[Address]| {
                requested.set(requested.get() + accounts.len());
                let code =
                    |account| references.iter().find(|code| code.account() == account).unwrap();
                let codes = accounts.iter().map(|account| code(*account));
                Ok(codes.map(|code| [&[0], &code.bytes()[..]].concat().into()).collect())
            };
            codes.among(references.clone(), 0, codes_of).unwrap().len()
        };
        for (times, expected) in [
            (1, MAX_REQUESTED),
            (2, 2 * MAX_REQUESTED),
            (3, references.len()),
            (4, references.len()),
        ] {
            assert_eq!(found(references.clone()), expected, "{times}");
            assert_eq!(requested.get(), expected);
        }
    }

    #[test]
    fn cache_is_cleared_when_full() {
        let codes = CodeCache::default();
        for number in 0..=MAX_REMEMBERED {
            let reference = CodeReference::new(number.to_be_bytes().to_vec().into()).unwrap();
            let code = Bytes::from([&[0], &reference.bytes()[..]].concat());
            let found = codes.kept_at(reference.account(), &|_| Ok(code.clone())).unwrap();
            assert_eq!(found, Some(reference));
        }
        assert_eq!(codes.cache.lock().len(), 1);
    }
}
