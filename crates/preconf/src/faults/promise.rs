//! A signed message whose form has been checked.

use crate::{Domain, HeaderSummary, Preconfirmation, faults::refusal::Refusal};
use alloy_primitives::{Address, B256};
use std::fmt;

/// A message as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The message.
    pub message: Preconfirmation,
    /// Its signature: r, s and v.
    pub signature: &'a [u8],
    /// RLP of the header whose hash the message contains.
    pub header: &'a [u8],
}

/// State of L1 at the time of a check.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Domain of the messages.
    pub domain: Domain,
    /// Returns the account that is liable for a signer; the signer itself unless it is registered.
    pub account_of: &'a dyn Fn(Address) -> Address,
    /// Returns the hash of an L1 block, if it is among the 8,191 before the current one.
    pub l1_hash: &'a dyn Fn(u64) -> Option<B256>,
    /// Seconds from the timestamp of a block to the end of the promise: half of the rollup's
    /// `MAX_LAG`.
    pub post_within: u64,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, account_of: _, l1_hash: _, post_within } = self;
        f.debug_struct("Context")
            .field("domain", domain)
            .field("post_within", post_within)
            .finish_non_exhaustive()
    }
}

/// A message with its header and the account that is liable for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// The message.
    pub message: Preconfirmation,
    /// Account whose key has signed it.
    pub signer: Address,
    /// Account that is liable for the signer.
    pub account: Address,
    /// The header.
    pub header: HeaderSummary,
}

impl Promise {
    /// Checks header and signature.
    ///
    /// # Errors
    ///
    /// [`Refusal::Header`], [`Refusal::HeaderMismatch`] or [`Refusal::Signature`].
    pub fn open(signed: &Signed<'_>, context: &Context<'_>) -> Result<Self, Refusal> {
        let Signed { message, signature, header } = *signed;
        let header = HeaderSummary::read(header)?;
        if header.hash != message.block_hash {
            let (got, expected) = (header.hash, message.block_hash);
            return Err(Refusal::HeaderMismatch { got, expected });
        }
        let signer = message.signer(&context.domain, signature)?;
        Ok(Self { message, signer, account: (context.account_of)(signer), header })
    }

    /// Checks that the promise is not void, i.e. L1 contains the block on which it depends.
    ///
    /// # Errors
    ///
    /// [`Refusal::ConditionUnavailable`] or [`Refusal::ConditionVoid`].
    pub fn require_condition(&self, context: &Context<'_>) -> Result<(), Refusal> {
        if self.message.is_unconditional() {
            return Ok(());
        }
        let (l1_block, expected) = (self.message.l1_block, self.message.l1_hash);
        match (context.l1_hash)(l1_block) {
            None => Err(Refusal::ConditionUnavailable { l1_block }),
            Some(got) if got != expected => Err(Refusal::ConditionVoid { l1_block, got, expected }),
            Some(_) => Ok(()),
        }
    }

    /// Returns the timestamp from which another block no longer breaks the promise, in seconds.
    pub fn end(&self, context: &Context<'_>) -> u128 {
        u128::from(self.header.timestamp) + u128::from(context.post_within)
    }

    pub(crate) const fn offence(&self) -> Offence {
        Offence {
            account: self.account,
            signer: self.signer,
            rollup: self.message.rollup,
            number: self.header.number,
        }
    }
}

/// A fault that has been proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offence {
    /// Account whose bond is slashed.
    pub account: Address,
    /// Account whose key has signed the message.
    pub signer: Address,
    /// The rollup.
    pub rollup: Address,
    /// Number of the L2 block.
    pub number: u64,
}
