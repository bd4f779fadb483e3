//! Kept codes: parts of inputs that L1 keeps as codes of accounts.

use crate::L1Error;
use alloy_primitives::{Address, Bytes};
use contracts::code_reference::CodeReference;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Maximum number of remembered codes, and of remembered missing accounts.
const MAX_REMEMBERED: usize = 256;
/// Number of L1 blocks after which missing accounts are requested again.
const RETRY_BLOCKS: u64 = 32;
/// Maximum number of requests for one input, so that a user who calls many contracts does not delay
/// others.
const MAX_ASKED: usize = 16;

/// Codes of L1 accounts, from the L1 node. They are verified: the bytes determine the account's
/// address.
#[derive(Debug, Default)]
pub(crate) struct KeptCodes {
    known: Mutex<BTreeMap<Address, CodeReference>>,
    /// Accounts without kept bytes when L1 was at this block.
    missing: Mutex<BTreeMap<Address, u64>>,
}

impl KeptCodes {
    /// Returns the codes that L1 keeps at its block `head`, or kept when last requested. Requests
    /// the first few of the unknown ones, all at once.
    pub(crate) fn among(
        &self,
        codes: Vec<CodeReference>,
        head: u64,
        codes_of: impl Fn(&[Address]) -> Result<Vec<Bytes>, L1Error>,
    ) -> Result<Vec<CodeReference>, L1Error> {
        let asked = self.to_ask(&codes, head);
        let answers = if asked.is_empty() { Vec::new() } else { codes_of(&asked)? };
        for (account, code) in asked.iter().zip(&answers) {
            let Some(kept) = CodeReference::at(*account, code) else {
                let mut missing = self.missing.lock();
                if missing.len() == MAX_REMEMBERED {
                    missing.clear();
                }
                missing.insert(*account, head);
                continue;
            };
            self.missing.lock().remove(account);
            self.remember(*account, kept);
        }
        let known = self.known.lock();
        Ok(codes.into_iter().filter(|code| known.contains_key(&code.account())).collect())
    }

    /// Accounts of these codes of which L1 is to be asked.
    fn to_ask(&self, codes: &[CodeReference], head: u64) -> Vec<Address> {
        let (known, missing) = (self.known.lock(), self.missing.lock());
        let is_missing = |account: &Address| {
            missing.get(account).is_some_and(|last| (*last..*last + RETRY_BLOCKS).contains(&head))
        };
        let mut asked = Vec::new();
        for account in codes.iter().map(CodeReference::account) {
            let is_new = !known.contains_key(&account) && !asked.contains(&account);
            if is_new && !is_missing(&account) && asked.len() < MAX_ASKED {
                asked.push(account);
            }
        }
        asked
    }

    /// Forgets all codes after a reorg, since their creations may be gone.
    pub(crate) fn forget(&self) {
        self.known.lock().clear();
    }

    /// The bytes that an account keeps, if it keeps any.
    pub(super) fn kept_at(
        &self,
        account: Address,
        code_of: &impl Fn(Address) -> Result<Bytes, L1Error>,
    ) -> Result<Option<CodeReference>, L1Error> {
        // A code cannot change at an address that follows from it, so it holds until L1 gives up
        // the block of its creation.
        if let Some(known) = self.known.lock().get(&account) {
            return Ok(Some(known.clone()));
        }
        let Some(kept) = CodeReference::at(account, &code_of(account)?) else { return Ok(None) };
        self.remember(account, kept.clone());
        Ok(Some(kept))
    }

    fn remember(&self, account: Address, kept: CodeReference) {
        let mut known = self.known.lock();
        // All at once: which one is asked for next is not known, and a question more costs little.
        if known.len() == MAX_REMEMBERED {
            known.clear();
        }
        known.insert(account, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::assembled;
    use contracts::code_reference::shorten;
    use core::cell::Cell;
    use std::slice::from_ref;

    #[test]
    fn what_is_kept_is_asked_for_once_and_not_believed() {
        let input = Bytes::from((0..200_u8).collect::<Vec<_>>());
        let kept = CodeReference::new(input.slice(20..180)).unwrap();
        let short = shorten(&input, from_ref(&kept)).unwrap().bytes;
        let (codes, asked) = (KeptCodes::default(), Cell::new(0));
        let given = |given: &Bytes, code: Result<Vec<u8>, L1Error>| {
            let code = Cell::new(Some(code));
            let answer = |account| {
                assert_eq!(account, kept.account());
                asked.set(asked.get() + 1);
                code.take().unwrap().map(Bytes::from)
            };
            assembled(given.clone(), |account| codes.kept_at(account, &answer))
        };
        // Not there yet, another one, and a node that does not answer.
        assert_eq!(given(&short, Ok(Vec::new())).unwrap(), None);
        assert_eq!(given(&short, Ok([&[0], &input[21..180]].concat())).unwrap(), None);
        assert!(given(&short, Err(L1Error::Thread)).is_err());
        assert_eq!(given(&short, Ok([&[0], &input[20..180]].concat())).unwrap().unwrap(), input);
        assert_eq!(asked.get(), 4);
        assert_eq!(given(&short, Err(L1Error::Thread)).unwrap().unwrap(), input);
        assert_eq!(asked.get(), 4, "it is remembered");
        // What has no references is what it is, and what has none but should is nothing.
        assert_eq!(given(&input, Err(L1Error::Thread)).unwrap().unwrap(), input);
        assert_eq!(given(&short.slice(..40), Err(L1Error::Thread)).unwrap(), None);
        assert_eq!(asked.get(), 4);
    }

    #[test]
    fn l1_is_asked_again_for_what_it_did_not_keep_after_some_blocks_and_for_all_after_it_forgets() {
        let codes = KeptCodes::default();
        let kept = CodeReference::new(Bytes::from_static(b"some code")).unwrap();
        let code = Bytes::from([&[0], &kept.bytes()[..]].concat());
        let (none, asked) = (Bytes::new(), Cell::new(0));
        let found = |head: u64, code: &Bytes| {
            let answer = |accounts: &[Address]| {
                assert_eq!(accounts, [kept.account()]);
                asked.set(asked.get() + 1);
                Ok(vec![code.clone()])
            };
            codes.among(vec![kept.clone()], head, answer).unwrap()
        };
        assert!(found(100, &none).is_empty());
        assert!(found(100 + RETRY_BLOCKS - 1, &code).is_empty());
        assert_eq!(asked.get(), 1);
        assert_eq!(found(100 + RETRY_BLOCKS, &code), from_ref(&kept));
        assert_eq!(found(100, &none), from_ref(&kept), "it is remembered");
        assert_eq!(asked.get(), 2);
        codes.forget();
        assert!(found(99, &none).is_empty());
        assert_eq!(asked.get(), 3);
        // Others are not what the account is for.
        assert!(found(99 + RETRY_BLOCKS, &Bytes::from_static(b"\0other code")).is_empty());
    }

    #[test]
    fn an_input_with_many_codes_does_not_hold_up_the_node_and_what_is_known_costs_nothing() {
        let codes = KeptCodes::default();
        let kept: Vec<_> =
            (0..40_u8).map(|it| CodeReference::new(vec![it; 9].into()).unwrap()).collect();
        let asked = Cell::new(0);
        let found = |kept: Vec<CodeReference>| {
            let answer = |accounts: &[Address]| {
                asked.set(asked.get() + accounts.len());
                let code = |account| kept.iter().find(|code| code.account() == account).unwrap();
                let codes = accounts.iter().map(|account| code(*account));
                Ok(codes.map(|code| [&[0], &code.bytes()[..]].concat().into()).collect())
            };
            codes.among(kept.clone(), 0, answer).unwrap().len()
        };
        for (times, expected) in
            [(1, MAX_ASKED), (2, 2 * MAX_ASKED), (3, kept.len()), (4, kept.len())]
        {
            assert_eq!(found(kept.clone()), expected, "{times}");
            assert_eq!(asked.get(), expected);
        }
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let codes = KeptCodes::default();
        for number in 0..=MAX_REMEMBERED {
            let kept = CodeReference::new(number.to_be_bytes().to_vec().into()).unwrap();
            let code = Bytes::from([&[0], &kept.bytes()[..]].concat());
            let found = codes.kept_at(kept.account(), &|_| Ok(code.clone())).unwrap();
            assert_eq!(found, Some(kept));
        }
        assert_eq!(codes.known.lock().len(), 1);
    }
}
