//! Duties of an L2 block, and the evidence for them that `RelayDuty` and `ForcedDuty` require in
//! `advance`.

mod error;

pub use error::DutyError;

use crate::{
    l1::{ForcedEntry, L1View},
    sequencer::evidence::{BlockFacts, EvidenceBook},
};
use alloy_primitives::{Address, Bytes};
use chain::{Block, ChainError, ChainReader};
use contracts::{
    L2_MESSENGER,
    bindings::INativeRollup::{
        AnchorUpdate, Discharge, Evidence, ForcedBatch, Outcome, RelayProof,
    },
    capacity::{AHEAD, DUTY_BYTES, DUTY_GAS, ENTRY_BYTES, MAX_DISCHARGES, PROOF_BYTES, RELAYS},
};
use std::sync::Arc;

/// Number of relayed but unproven messages at which the node proves them on L1 even if none is
/// overdue.
const UNPROVEN: u64 = AHEAD / 2;

/// Immutable parameters of a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupRules {
    /// Maximum age of a block relative to L1's time, in seconds.
    pub max_lag: u64,
    /// Age of the head from which anyone may advance, in seconds.
    pub open_after: u64,
    /// Time from sending a message until it must be relayed, in seconds.
    pub relay_deadline: u64,
    /// Time from submission until a forced transaction is due, in seconds.
    pub forced_delay: u64,
    /// Time after that for which a full block excuses its omission, in seconds.
    pub forced_grace: u64,
    /// Time after that until the first entry of the queue expires, in seconds.
    pub forced_expiry: u64,
}

impl RollupRules {
    /// Returns the L2 timestamp from which the first entry of the queue, which each block has had
    /// to discharge since `first_since`, expires.
    const fn expiry_of(&self, entry: &ForcedEntry, first_since: u64) -> u64 {
        let due = entry.transaction.submittedAt.saturating_add(self.forced_delay);
        let since = if first_since < due { due } else { first_since };
        since.saturating_add(self.forced_grace).saturating_add(self.forced_expiry)
    }
}

/// State of the duties on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Duties {
    /// Number of messages proven to be relayed.
    pub relayed: u64,
    /// L2 timestamp from which the next message may be overdue.
    pub relay_due: u64,
    /// Index of the first forced transaction that is not discharged.
    pub forced_next: u64,
    /// L2 timestamp from which that transaction may be due.
    pub forced_due: u64,
    /// L2 timestamp from which each block must discharge that transaction.
    pub forced_first_since: u64,
}

/// Treatment of a block that omits a due forced transaction that is valid and fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Omission {
    /// The block is rejected: another one may be able to include the transaction.
    Rejected,
    /// The first entry of the queue is discharged as expired, if L1 accepts that.
    Expires,
}

/// Composes the evidence for an `advance` with these blocks. The first block must be the child of
/// the head on L1. Also returns the state of the duties on L1 afterwards.
///
/// `omission` is the treatment of the last block. The others are sealed, so an entry that they omit
/// can only expire.
///
/// # Errors
///
/// [`DutyError`] if L1 would reject a block with any evidence.
pub(crate) fn evidence(
    book: &EvidenceBook,
    chain: &ChainReader,
    view: &L1View,
    rules: &RollupRules,
    mut duties: Duties,
    blocks: &[Arc<Block>],
    omission: Omission,
) -> Result<Result<(Evidence, Duties), DutyError>, ChainError> {
    let mut evidence = Evidence::default();
    let last = blocks.len().saturating_sub(1);
    for (position, block) in blocks.iter().enumerate() {
        let index = position as u64;
        let facts = book.of(chain, block)?;
        let parent = chain.find_block(&block.header.parent_hash)?;
        let before = parent.and_then(|parent| parent.header.parent_beacon_block_root);
        let carried = block.header.parent_beacon_block_root.unwrap_or_default();
        if before != Some(carried) && !carried.is_zero() {
            match update(view, block, &facts, index) {
                Ok(update) => evidence.updates.push(update),
                Err(error) => return Ok(Err(error)),
            }
        }
        let (relayed, before) = (facts.relayed, duties);
        let is_due = block.header.timestamp >= duties.relay_due;
        let pending = view.messages().len() > duties.relayed;
        // L1 needs the proof before its window of unproven relays (`AHEAD`) is full. One proof per
        // batch is enough, and that of the last block covers the most messages.
        let many = position == last && relayed >= duties.relayed + UNPROVEN;
        if pending && (is_due || many) {
            let (proof, due) = relay_proof(chain, view, rules, block, &facts, index)?;
            // The contract accepts an overdue block if it has relayed at least `RELAYS` messages,
            // since a backlog of messages may take multiple blocks.
            if is_due && due <= block.header.timestamp && relayed < duties.relayed + RELAYS {
                let block = block.header.number;
                return Ok(Err(DutyError::MessagesOverdue { block, relayed, due }));
            }
            duties.relayed = relayed;
            duties.relay_due = due;
            evidence.relays.push(proof);
        }
        let omission = if position == last { omission } else { Omission::Expires };
        let check = ForcedInclusionCheck::new(chain, rules, block, &facts);
        match forced(&check, view, &duties, index, omission)? {
            Ok(None) => {}
            Ok(Some(batch)) => {
                let is_postponed =
                    batch.discharges.last().is_some_and(|last| last.outcome == Outcome::NoRoom);
                let discharged = batch.discharges.len() as u64 - u64::from(is_postponed);
                duties.forced_next += discharged;
                if discharged > 0 {
                    duties.forced_first_since = block.header.timestamp;
                }
                let next = view.forced_from(duties.forced_next).next();
                duties.forced_due = next.map_or_else(
                    || block.header.timestamp.saturating_add(rules.forced_delay),
                    |next| next.transaction.submittedAt + rules.forced_delay,
                );
                evidence.forced.push(batch);
            }
            Err(error) => return Ok(Err(error)),
        }
        // L1 did not require forced transactions of a block that relayed older messages.
        let is_forced_due = block.header.timestamp >= before.forced_due;
        let is_relay_older = before.relay_due < before.forced_due;
        if is_relay_older && is_forced_due && duties.relayed != before.relayed {
            duties.forced_first_since = block.header.timestamp;
        }
    }
    Ok(Ok((evidence, duties)))
}

fn update(
    view: &L1View,
    block: &Block,
    facts: &BlockFacts,
    index: u64,
) -> Result<AnchorUpdate, DutyError> {
    let unknown = || DutyError::AnchorUnknown {
        block: block.header.number,
        anchor: block.header.parent_beacon_block_root.unwrap_or_default(),
    };
    let anchor = facts.anchor.as_ref().ok_or_else(unknown)?;
    let checkpoint = view.messages().checkpoint_of(anchor.message_count).ok_or_else(unknown)?;
    Ok(anchor.update(index, &checkpoint))
}

/// Returns the proof of relayed messages, and the time from which the next message is overdue.
fn relay_proof(
    chain: &ChainReader,
    view: &L1View,
    rules: &RollupRules,
    block: &Arc<Block>,
    facts: &BlockFacts,
    index: u64,
) -> Result<(RelayProof, u64), ChainError> {
    let (relayed, proof) = (facts.relayed, facts.proof(chain, block, L2_MESSENGER)?);
    let (before, next) = view.messages().around(relayed);
    // If all messages are relayed, the deadline of the next one starts when L1 includes the block.
    let since = match next.count > relayed {
        true => next.timestamp,
        false => view.head().map_or(block.header.timestamp, |head| head.timestamp),
    };
    let proof = RelayProof {
        index,
        accountProof: proof.nodes.clone(),
        storageProof: proof.slots.iter().flat_map(|slot| slot.nodes.clone()).collect(),
        before,
        next,
    };
    Ok((proof, since.saturating_add(rules.relay_deadline)))
}

/// Returns the evidence for the forced transactions that a block includes or must discharge, if
/// there are any.
fn forced(
    check: &ForcedInclusionCheck<'_>,
    view: &L1View,
    duties: &Duties,
    index: u64,
    omission: Omission,
) -> Result<Result<Option<ForcedBatch>, DutyError>, ChainError> {
    let block = check.block;
    // At most `MAX_DISCHARGES` entries per block; the evidence also contains the entry after them.
    let entries: Vec<_> = view.forced_from(duties.forced_next).take(MAX_DISCHARGES + 1).collect();
    let required = &entries[..entries.len().min(MAX_DISCHARGES)];
    let since = duties.forced_first_since;
    let expires = required.first().map_or(u64::MAX, |first| check.rules.expiry_of(first, since));
    let first_expires = omission == Omission::Expires && block.header.timestamp >= expires;
    let mut discharges = check.clone().discharges(required, false)?;
    if discharges.is_err() && first_expires {
        discharges = check.clone().discharges(required, true)?;
    }
    let discharges = match discharges {
        Ok(discharges) => discharges,
        Err(omitted) => {
            return Ok(Err(DutyError::ForcedOmitted {
                index: omitted.index,
                hash: omitted.transaction.hash,
                block: block.header.number,
                first: duties.forced_next,
                expires,
            }));
        }
    };
    let may_be_due = block.header.timestamp >= duties.forced_due;
    if discharges.is_empty() && (!may_be_due || entries.is_empty()) {
        return Ok(Ok(None));
    }
    let is_postponed = discharges.last().is_some_and(|last| last.outcome == Outcome::NoRoom);
    let next = entries.get(discharges.len()).filter(|_| !is_postponed);
    let next = next.map(|entry| (&entry.transaction).into()).into_iter().collect();
    Ok(Ok(Some(ForcedBatch { index, discharges, next })))
}

/// Outcome of checking an entry of the queue.
enum ForcedResolution {
    Resolved(Box<Discharge>),
    NotDue,
    /// The entry is due, valid and fits, but the block omits it.
    Owed,
}

/// Checks the queue's entries in order, by the rules of `ForcedQueue` on L1.
#[derive(Clone)]
struct ForcedInclusionCheck<'j> {
    chain: &'j ChainReader,
    rules: &'j RollupRules,
    block: &'j Arc<Block>,
    facts: &'j BlockFacts,
    gas: u64,
    length: u64,
    /// Accounts established by earlier discharges.
    proven: Vec<ProvenAccount>,
}

/// Sender account that an earlier discharge has established.
#[derive(Clone)]
struct ProvenAccount {
    account: Address,
    /// Position of that discharge.
    position: u64,
    /// Next nonce, if the block includes the transaction; `None` if the discharge has an account
    /// proof.
    used: Option<u64>,
}

impl<'j> ForcedInclusionCheck<'j> {
    const fn new(
        chain: &'j ChainReader,
        rules: &'j RollupRules,
        block: &'j Arc<Block>,
        facts: &'j BlockFacts,
    ) -> Self {
        Self { chain, rules, block, facts, gas: 0, length: 0, proven: Vec::new() }
    }

    /// Returns the proof of an account after the block.
    fn proof_of(&self, account: Address) -> Result<Vec<Bytes>, ChainError> {
        Ok(self.facts.proof(self.chain, self.block, account)?.nodes.clone())
    }

    /// Returns the discharges of these entries, from the first of the queue on, or the entry that
    /// the block omits although it must include it.
    fn discharges<'e>(
        mut self,
        entries: &[&'e ForcedEntry],
        first_expires: bool,
    ) -> Result<Result<Vec<Discharge>, &'e ForcedEntry>, ChainError> {
        let mut discharges = Vec::new();
        for (position, entry) in (0..).zip(entries) {
            let resolution = match first_expires && position == 0 {
                true => self.expire(entry),
                false => self.outcome(entry, position)?,
            };
            match resolution {
                ForcedResolution::NotDue => break,
                ForcedResolution::Owed => return Ok(Err(entry)),
                ForcedResolution::Resolved(discharge) => {
                    let is_postponed = discharge.outcome == Outcome::NoRoom;
                    discharges.push(*discharge);
                    if is_postponed {
                        break;
                    }
                }
            }
        }
        Ok(Ok(discharges))
    }

    /// Discharges the first entry as expired, after which the block may defer all others. L1 does
    /// not read whether the block includes it: if a later entry is the one that no block can
    /// include, the block may include this one.
    fn expire(&mut self, entry: &ForcedEntry) -> ForcedResolution {
        self.length += DUTY_BYTES;
        discharge(entry, Outcome::Expired, 0, Vec::new(), Bytes::new())
    }

    fn outcome(
        &mut self,
        entry: &ForcedEntry,
        position: u64,
    ) -> Result<ForcedResolution, ChainError> {
        let (header, t) = (&self.block.header, &entry.transaction);
        let found = self.block.transactions.iter().position(|own| *own.hash() == t.hash);
        if let Some(at) = found {
            self.gas += t.gasLimit;
            self.length += t.footprint;
            let used = Some(t.nonce.saturating_add(1));
            self.proven.push(ProvenAccount { account: t.sender, position, used });
            return Ok(discharge(entry, Outcome::Included, at as u64, Vec::new(), Bytes::new()));
        }
        // The branches below mirror the contract's: a block that passes here and fails there wastes
        // the gas of an `advance`.
        let due = t.submittedAt.saturating_add(self.rules.forced_delay);
        if header.timestamp < due {
            return Ok(ForcedResolution::NotDue);
        }
        let plain = |outcome| discharge(entry, outcome, 0, Vec::new(), Bytes::new());
        if u128::from(header.base_fee_per_gas.unwrap_or_default()) > t.maxFee {
            // If its fee cap covered the base fee at submission, the transaction may wait for a
            // lower base fee.
            let until = due + self.rules.forced_grace + self.rules.forced_expiry;
            if t.priced && header.timestamp < until {
                return Ok(plain(Outcome::NoRoom));
            }
            self.length += ENTRY_BYTES;
            return Ok(plain(Outcome::Underpriced));
        }
        // L1 lets a block defer any entry for which its budget has no room. Unless such entries are
        // deferred, the proofs of many accounts do not fit into a transaction.
        let max_gas = header.gas_limit.min(DUTY_GAS);
        let fits = self.gas + t.gasLimit <= max_gas && self.length + t.footprint <= DUTY_BYTES;
        let account = self.facts.account(self.chain, self.block, t.sender)?;
        let code = account.code;
        // An account with a delegation (EIP-7702) may still send transactions; one with other code
        // may not (EIP-3607).
        let is_delegation = code.len() == 23 && code.starts_with(&[0xef, 0x01, 0x00]);
        let is_contract = !code.is_empty() && !is_delegation;
        if account.nonce != t.nonce || account.balance < t.cost || is_contract {
            // One proof serves all entries of an account, so that many entries of one sender do not
            // fill the calldata. An included transaction only invalidates entries with used nonces;
            // the others need a proof.
            let rules_out = |proven: &&ProvenAccount| {
                proven.account == t.sender && proven.used.is_none_or(|next| t.nonce < next)
            };
            let known = self.proven.iter().find(rules_out).map(|proven| proven.position);
            if known.is_none() && !fits {
                return Ok(plain(Outcome::NoRoom));
            }
            // A later entry may make valid what has no used nonce, and both have to fit then.
            if t.nonce < account.nonce {
                self.length += ENTRY_BYTES + known.map_or(PROOF_BYTES, |_| 0);
            } else {
                self.gas += t.gasLimit;
                self.length += t.footprint;
            }
            if let Some(position) = known {
                return Ok(discharge(entry, Outcome::Invalid, position, Vec::new(), Bytes::new()));
            }
            self.proven.push(ProvenAccount { account: t.sender, position, used: None });
            let proof = self.proof_of(t.sender)?;
            let code = if is_contract { code } else { Bytes::new() };
            return Ok(discharge(entry, Outcome::Invalid, 0, proof, code));
        }
        let has_code = |to| {
            Ok::<_, ChainError>(!self.facts.account(self.chain, self.block, to)?.code.is_empty())
        };
        if !t.bounded && has_code(t.to)? {
            if !fits {
                return Ok(plain(Outcome::NoRoom));
            }
            self.length += ENTRY_BYTES + PROOF_BYTES;
            let proof = self.proof_of(t.to)?;
            return Ok(discharge(entry, Outcome::TargetHasCode, 0, proof, Bytes::new()));
        }
        // A full block is an excuse only within the grace period, which bounds the delay that block
        // stuffing can buy.
        let in_grace = header.timestamp < due.saturating_add(self.rules.forced_grace);
        let full = in_grace && header.gas_limit - header.gas_used < t.gasLimit;
        if full || !fits { Ok(plain(Outcome::NoRoom)) } else { Ok(ForcedResolution::Owed) }
    }
}

fn discharge(
    entry: &ForcedEntry,
    outcome: Outcome,
    position: u64,
    proof: Vec<Bytes>,
    code: Bytes,
) -> ForcedResolution {
    ForcedResolution::Resolved(Box::new(Discharge {
        transaction: (&entry.transaction).into(),
        outcome,
        position,
        accountProof: proof,
        code,
    }))
}
