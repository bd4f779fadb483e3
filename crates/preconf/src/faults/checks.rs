//! Checks of the four faults.

use crate::{
    HeaderSummary, ProofError,
    faults::{
        promise::{Context, Offence, Promise, Signed},
        refusal::Refusal,
    },
    transaction_hash_at,
};
use alloy_primitives::{B256, Bytes};
use wire::SchemaId;

/// Proofs of the transactions of two blocks at one index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionEvidence {
    /// Index of the transaction.
    pub index: u32,
    /// Proof against the transactions root of the first block.
    pub ours: Vec<Bytes>,
    /// Proof against the transactions root of the second block.
    pub theirs: Vec<Bytes>,
}

impl TransactionEvidence {
    /// Returns the hash of the transaction in each of the blocks.
    fn hashes(
        &self,
        ours: &HeaderSummary,
        theirs: &HeaderSummary,
    ) -> Result<(Option<B256>, Option<B256>), ProofError> {
        let ours = transaction_hash_at(ours.transactions_root, self.index, &self.ours)?;
        let theirs = transaction_hash_at(theirs.transactions_root, self.index, &self.theirs)?;
        Ok((ours, theirs))
    }
}

/// The rollup's own block.
#[derive(Debug, Clone, Copy)]
pub struct Canonical<'a> {
    /// RLP of a header.
    pub header: &'a [u8],
    /// Hash of the rollup's block at the height of the signed one.
    pub hash: B256,
}

/// A block that EXECUTE has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// Schema id of the input.
    pub schema: SchemaId,
    /// Chain id of the input.
    pub chain_id: u64,
    /// Hash of the block.
    pub block_hash: B256,
}

/// Checks two messages of one account for the same parent.
///
/// They are in conflict if their environments or schema ids differ, if they have the same inputs
/// and different outcomes, if both are sealed and differ, or if a transaction differs or follows
/// the last one of a sealed block. A prefix and a block that begins with it are not in conflict.
///
/// # Errors
///
/// [`Refusal`] unless this proves an equivocation.
pub fn equivocation(
    a: &Signed<'_>,
    b: &Signed<'_>,
    transaction: &TransactionEvidence,
    context: &Context<'_>,
) -> Result<Offence, Refusal> {
    let (a, b) = (Promise::open(a, context)?, Promise::open(b, context)?);
    if a.message.rollup != b.message.rollup {
        return Err(Refusal::RollupDiffers { a: a.message.rollup, b: b.message.rollup });
    }
    if a.account != b.account {
        return Err(Refusal::AccountDiffers { a: a.account, b: b.account });
    }
    require_same_place(&a.header, &b.header)?;
    a.require_condition(context)?;
    b.require_condition(context)?;
    let (earlier, later) = if a.header.timestamp <= b.header.timestamp { (a, b) } else { (b, a) };
    require_in_force(&earlier, later.header.timestamp, context)?;
    if a.header.environment != b.header.environment || a.message.schema != b.message.schema {
        return Ok(a.offence());
    }
    if a.header.hash == b.header.hash {
        return Err(Refusal::NotInConflict);
    }
    let are_sealed = a.message.is_sealed && b.message.is_sealed;
    if are_sealed || a.header.inputs == b.header.inputs {
        return Ok(a.offence());
    }
    match transaction.hashes(&a.header, &b.header)? {
        (Some(ours), Some(theirs)) if ours != theirs => Ok(a.offence()),
        (Some(_), None) if b.message.is_sealed => Ok(a.offence()),
        (None, Some(_)) if a.message.is_sealed => Ok(a.offence()),
        _ => Err(Refusal::NotInConflict),
    }
}

/// Checks a message against the rollup's block at the same height, which any account may have
/// posted.
///
/// # Errors
///
/// [`Refusal`] unless this proves a broken promise.
pub fn broken(
    signed: &Signed<'_>,
    canonical: Canonical<'_>,
    transaction: &TransactionEvidence,
    context: &Context<'_>,
) -> Result<Offence, Refusal> {
    let promise = Promise::open(signed, context)?;
    promise.require_condition(context)?;
    let block = HeaderSummary::read(canonical.header)?;
    require_same_place(&promise.header, &block)?;
    if block.hash != canonical.hash {
        return Err(Refusal::NotCanonical { got: block.hash, expected: canonical.hash });
    }
    require_in_force(&promise, block.timestamp, context)?;
    if block.hash == promise.header.hash {
        return Err(Refusal::NotInConflict);
    }
    if promise.message.is_sealed || block.environment != promise.header.environment {
        return Ok(promise.offence());
    }
    match transaction.hashes(&promise.header, &block)? {
        (Some(ours), theirs) if theirs != Some(ours) => Ok(promise.offence()),
        _ => Err(Refusal::NotInConflict),
    }
}

/// Checks a signed header against a valid block with the same inputs. Condition and time limits do
/// not apply, because execution on this parent is deterministic.
///
/// # Errors
///
/// [`Refusal`] unless the signed header has a false outcome.
pub fn lie(
    signed: &Signed<'_>,
    header: &[u8],
    executed: &Executed,
    chain_id: u64,
    context: &Context<'_>,
) -> Result<Offence, Refusal> {
    let promise = Promise::open(signed, context)?;
    let block = HeaderSummary::read(header)?;
    if executed.schema != promise.message.schema {
        let (got, expected) = (executed.schema, promise.message.schema);
        return Err(Refusal::SchemaDiffers { got, expected });
    }
    if executed.chain_id != chain_id {
        return Err(Refusal::ChainIdDiffers { got: executed.chain_id, expected: chain_id });
    }
    if block.hash != executed.block_hash {
        return Err(Refusal::HeaderMismatch { got: block.hash, expected: executed.block_hash });
    }
    if block.inputs != promise.header.inputs {
        let (got, expected) = (block.inputs, promise.header.inputs);
        return Err(Refusal::InputsDiffer { got, expected });
    }
    if block.hash == promise.header.hash {
        return Err(Refusal::OutcomesEqual);
    }
    Ok(promise.offence())
}

/// Checks whether a signed block is late, i.e. the rollup's head has not reached it in time.
///
/// `head` is the number of the rollup's head, `now` the timestamp of the L1 block, and `late_until`
/// the time until which the account is not penalized for another delay.
///
/// # Errors
///
/// [`Refusal`] unless the block is late.
pub fn late(
    signed: &Signed<'_>,
    head: u64,
    now: u64,
    late_until: u64,
    context: &Context<'_>,
) -> Result<Offence, Refusal> {
    let promise = Promise::open(signed, context)?;
    promise.require_condition(context)?;
    let number = promise.header.number;
    if head >= number {
        return Err(Refusal::HeadReached { head, number });
    }
    let from = promise.end(context) + 1;
    if u128::from(now) < from {
        return Err(Refusal::NotLate { from });
    }
    if now < late_until {
        return Err(Refusal::LateAlready { until: late_until });
    }
    Ok(promise.offence())
}

fn require_same_place(a: &HeaderSummary, b: &HeaderSummary) -> Result<(), Refusal> {
    if a.number != b.number {
        return Err(Refusal::HeightDiffers { a: a.number, b: b.number });
    }
    if a.parent != b.parent {
        return Err(Refusal::ParentDiffers { a: a.parent, b: b.parent });
    }
    Ok(())
}

/// Checks that the promise had not ended at the timestamp of the later block. A block after the end
/// does not break it; the signed block was late, which is another fault.
fn require_in_force(promise: &Promise, later: u64, context: &Context<'_>) -> Result<(), Refusal> {
    let end = promise.end(context);
    if u128::from(later) >= end {
        return Err(Refusal::PromiseEnded { later, end });
    }
    Ok(())
}
