//! Checks of the messages in the book by the rules of `PreconfBonds`.

use crate::{
    l1::L1View,
    watch::{book::Book, watched::Watched},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, Bytes};
use alloy_rlp::Decodable as _;
use chain::{
    BlockAttributes, BlockBuilder, ChainError, ChainReader, RecoveredTransaction, Transaction,
};
use parking_lot::Mutex;
use preconf::{
    Domain,
    evidence::{Accusation, CanonicalBlock, LieError, SignedBlock},
    faults::{Context, Offence, Refusal},
};
use std::{collections::BTreeMap, sync::Arc};

/// Maximum number of late blocks that are checked at once. The first late one is sufficient.
const MAX_LATE: usize = 16;

/// Liable accounts of signers that are registered for another account.
pub(super) type Accounts = BTreeMap<Address, Address>;

#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) accusation: Accusation,
    pub(super) offence: Offence,
}

/// Rules of the rollup.
#[derive(Debug, Clone, Copy)]
pub(super) struct FaultChecker {
    pub(super) domain: Domain,
    pub(super) chain_id: u64,
    /// Half of the rollup's maximum lag, in seconds.
    pub(super) post_within: u64,
}

/// Outcome of executing the block of a message.
enum Execution {
    /// The result is the signed header, or a block that EXECUTE would reject.
    NoLie,
    /// The parent is not known yet.
    NoParent,
    Lie(Box<Found>),
}

impl FaultChecker {
    /// Runs a check on the L1 chain of a view. Blocks before its oldest header count as unchanged.
    fn with_context<T>(
        &self,
        view: &L1View,
        accounts: &Accounts,
        watched: &[&Watched],
        check: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        let l1_hash = |number: u64| {
            let own = || {
                let mut messages = watched.iter().map(|watched| &watched.signed.message);
                let named = messages.find(|message| message.l1_block == number)?.l1_hash;
                view.is_canonical(number, named).then_some(named)
            };
            view.header(number).map(|header| header.hash).or_else(own)
        };
        let account_of = |signer: Address| accounts.get(&signer).copied().unwrap_or(signer);
        check(&Context {
            domain: self.domain,
            account_of: &account_of,
            l1_hash: &l1_hash,
            post_within: self.post_within,
        })
    }

    /// Executes the blocks that the follower has not executed, or with a result that was not
    /// signed.
    pub(super) fn find_lies(
        &self,
        book: &Mutex<Book>,
        chain: &ChainReader,
        view: &L1View,
        accounts: &Accounts,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        let due = book.lock().take_unchecked();
        for watched in due {
            let executed = self.execute(&watched, chain, view, accounts);
            let head = chain.head().header.number;
            found.extend(conclude(&mut book.lock(), watched, executed, head));
        }
        found
    }

    /// Builds the block of a message on the state after its parent.
    fn execute(
        &self,
        watched: &Watched,
        chain: &ChainReader,
        view: &L1View,
        accounts: &Accounts,
    ) -> Result<Execution, ChainError> {
        if chain.find_block(&watched.header.hash)?.is_some() {
            return Ok(Execution::NoLie);
        }
        let Some(parent) = chain.find_block(&watched.header.parent)? else {
            return Ok(Execution::NoParent);
        };
        let Ok(claimed) = Header::decode(&mut &watched.signed.header[..]) else {
            return Ok(Execution::NoLie);
        };
        let state = chain.state_after(&parent);
        let Some(transactions) = watched.transactions(chain)? else {
            return Ok(Execution::NoLie);
        };
        if !state.is_here()? {
            return Ok(Execution::NoLie);
        }
        let recovered = transactions.iter().map(|raw| {
            let transaction = Transaction::decode(raw).ok()?;
            let sender = transaction.sender()?;
            Some(RecoveredTransaction { transaction, sender, signed: true })
        });
        let Some(recovered) = recovered.collect::<Option<Vec<_>>>() else {
            return Ok(Execution::NoLie);
        };
        let attributes = BlockAttributes {
            timestamp: claimed.timestamp,
            fee_recipient: claimed.beneficiary,
            prev_randao: claimed.mix_hash,
            parent_beacon_block_root: claimed.parent_beacon_block_root.unwrap_or_default(),
            gas_limit: Some(claimed.gas_limit),
            extra_data: claimed.extra_data,
            withdrawals: Vec::new(),
            slot_number: claimed.slot_number.unwrap_or_default(),
        };
        let header = state.open_header(&attributes)?;
        let built = BlockBuilder::new(&state).build_recorded(&header, &[], &recovered)?;
        if !built.rejected.is_empty() || built.executed.block.hash == watched.header.hash {
            return Ok(Execution::NoLie);
        }
        let Ok(input) = built.executed.input() else { return Ok(Execution::NoLie) };
        let (header, input) = (alloy_rlp::encode(&built.executed.block.header), input);
        let checked = self.with_context(view, accounts, &[watched], |context| {
            Accusation::lie(&watched.signed, header.into(), input.into(), self.chain_id, context)
        });
        Ok(match checked {
            Ok((accusation, offence)) => Execution::Lie(Box::new(Found { accusation, offence })),
            Err(error @ (LieError::Input(_) | LieError::Refused(_))) => {
                let number = watched.header.number;
                tracing::warn!(%error, number, "failed to build signed block");
                Execution::NoLie
            }
        })
    }

    /// Checks pairs of messages for the same parent.
    pub(super) fn equivocations(
        &self,
        book: &Mutex<Book>,
        chain: &ChainReader,
        view: &L1View,
        accounts: &Accounts,
    ) -> Vec<Found> {
        let all = book.lock().conflicting();
        let mut found = Vec::new();
        for (place, watched) in all {
            match self.conflict(&watched, chain, view, accounts) {
                Ok(Verdict::Fault(fault)) => {
                    found.push(*fault);
                    book.lock().settle_conflict(&place, false);
                }
                Ok(Verdict::ConditionVoid) => book.lock().settle_conflict(&place, true),
                Ok(Verdict::None) => book.lock().settle_conflict(&place, false),
                Err(error) => tracing::warn!(%error, "failed to read a watched block"),
            }
        }
        found
    }

    fn conflict(
        &self,
        all: &[Arc<Watched>],
        chain: &ChainReader,
        view: &L1View,
        accounts: &Accounts,
    ) -> Result<Verdict, ChainError> {
        let mut verdict = Verdict::None;
        for (at, a) in all.iter().enumerate() {
            for b in &all[at + 1..] {
                let (ours, theirs) = (a.transactions(chain)?, b.transactions(chain)?);
                let Some((ours, theirs)) = ours.zip(theirs) else { continue };
                let first = SignedBlock { signed: &a.signed, transactions: &ours };
                let second = SignedBlock { signed: &b.signed, transactions: &theirs };
                let checked = self.with_context(view, accounts, &[a, b], |context| {
                    Accusation::equivocation(first, second, context)
                });
                match checked {
                    Ok((accusation, offence)) => {
                        return Ok(Verdict::Fault(Box::new(Found { accusation, offence })));
                    }
                    // An L1 reorg may change this.
                    Err(Refusal::ConditionVoid { .. } | Refusal::ConditionUnavailable { .. }) => {
                        verdict = Verdict::ConditionVoid;
                    }
                    Err(_) => {}
                }
            }
        }
        Ok(verdict)
    }

    /// Checks messages against the rollup's blocks on L1. Returns `false` if the chain lacks some
    /// of these blocks.
    pub(super) fn broken(
        &self,
        book: &Mutex<Book>,
        chain: &ChainReader,
        view: &L1View,
        accounts: &Accounts,
        found: &mut Vec<Found>,
    ) -> Result<bool, ChainError> {
        let safe = view.advanced_head().map_or(0, |head| head.number);
        let open = book.lock().to_check(safe, |number| view.advanced_hash(number));
        let mut is_complete = true;
        for (place, hash, watched) in open {
            let Some(block) = chain.find_block(&hash)? else {
                is_complete = false;
                continue;
            };
            let theirs = block.raw_transactions();
            let header = Bytes::from(alloy_rlp::encode(&block.header));
            for other in watched.iter().filter(|other| other.header.hash != hash) {
                let Some(ours) = other.transactions(chain)? else { continue };
                let canonical =
                    CanonicalBlock { header: header.clone(), ..CanonicalBlock::default() };
                let signed = SignedBlock { signed: &other.signed, transactions: &ours };
                let checked = self.with_context(view, accounts, &[other], |context| {
                    Accusation::broken(signed, canonical, &theirs, context)
                });
                found.extend(
                    checked.ok().map(|(accusation, offence)| Found { accusation, offence }),
                );
            }
            book.lock().on_checked(&place, hash);
        }
        Ok(is_complete)
    }

    /// Checks for the first block that is late.
    pub(super) fn late(
        &self,
        book: &Mutex<Book>,
        view: &L1View,
        accounts: &Accounts,
    ) -> Option<Found> {
        let now = view.head()?.timestamp;
        let safe = view.advanced_head().map_or(0, |head| head.number);
        let is_over = |watched: &&Arc<Watched>| {
            watched.header.timestamp.saturating_add(self.post_within) < now
        };
        let late: Vec<_> =
            book.lock().after(safe).filter(is_over).take(MAX_LATE).cloned().collect();
        late.iter().find_map(|watched| {
            let checked = self.with_context(view, accounts, &[watched], |context| {
                Accusation::late(&watched.signed, safe, now, 0, context)
            });
            checked.ok().map(|(accusation, offence)| Found { accusation, offence })
        })
    }
}

/// Returns the lie that an execution has proven. After an error the message is executed again.
fn conclude(
    book: &mut Book,
    watched: Arc<Watched>,
    executed: Result<Execution, ChainError>,
    head: u64,
) -> Option<Found> {
    let number = watched.header.number;
    match executed {
        Ok(Execution::Lie(lie)) => return Some(*lie),
        Ok(Execution::NoParent) if number > head => book.check_later(watched),
        Ok(Execution::NoLie | Execution::NoParent) => {}
        Err(error) => {
            tracing::warn!(%error, number, "failed to execute a signed block");
            if error.is_internal() {
                book.check_later(watched);
            }
        }
    }
    None
}

/// Result for the messages of one parent.
enum Verdict {
    Fault(Box<Found>),
    /// A condition is void on L1's current chain.
    ConditionVoid,
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::book::tests::watched;
    use alloy_primitives::B256;

    #[test]
    fn read_error_never_loses_lie() {
        let read = || ChainError::MalformedAccount {
            hash: B256::ZERO,
            reason: alloy_rlp::Error::Overflow,
        };
        let cases: [(Result<Execution, ChainError>, usize); 4] = [
            (Err(read()), 1),
            (Err(ChainError::NoFork(0)), 0),
            (Ok(Execution::NoParent), 1),
            (Ok(Execution::NoLie), 0),
        ];
        for (executed, count) in cases {
            let (mut book, watched) = (Book::default(), watched());
            let head = watched.header.number - 1;
            assert!(conclude(&mut book, watched, executed, head).is_none());
            assert_eq!(book.unchecked_len(), count);
        }
    }
}
