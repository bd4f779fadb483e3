//! Evidence of faults: arguments for `PreconfBonds`, built from received messages.
//!
//! Each constructor returns an [`Accusation`] only if [`faults`], which implements the rules of the
//! contract, finds a fault.

use crate::{
    Domain, Preconfirmation, PrefixUpdate,
    faults::{
        self, Canonical, Context, Executed, Fault, Offence, Refusal, Signed, TransactionEvidence,
    },
    prove_transaction,
};
use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256};
use alloy_sol_types::SolValue as _;
use wire::{DecodeError, StatelessInput};

/// A signed message with an owned copy of its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeader {
    /// The message.
    pub message: Preconfirmation,
    /// Its signature: r, s and v.
    pub signature: FixedBytes<65>,
    /// RLP of the header whose hash the message contains.
    pub header: Bytes,
}

impl SignedHeader {
    /// Borrows the message for the functions of [`faults`].
    pub fn as_signed(&self) -> Signed<'_> {
        let Self { message, signature, header } = self;
        Signed { message: *message, signature: signature.as_slice(), header }
    }
}

impl From<&PrefixUpdate> for SignedHeader {
    /// Copies the header, because a slice would keep the whole update in memory.
    fn from(update: &PrefixUpdate) -> Self {
        let PrefixUpdate { message, signature, header, .. } = update;
        let header = Bytes::copy_from_slice(header);
        Self { message: *message, signature: *signature, header }
    }
}

/// A signed header with all transactions of its block, as EIP-2718 encodings.
#[derive(Debug, Clone, Copy)]
pub struct SignedBlock<'a> {
    /// Message, signature and header.
    pub signed: &'a SignedHeader,
    /// The transactions.
    pub transactions: &'a [Bytes],
}

/// The rollup's own block, with a proof of its hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CanonicalBlock {
    /// RLP of its header.
    pub header: Bytes,
    /// Number of a later block of the rollup whose state contains the hash in the EIP-2935
    /// contract; zero if the block is the head.
    pub witness_block: u64,
    /// Trie nodes that prove the history contract against the state root of that block.
    pub account_proof: Vec<Bytes>,
    /// Trie nodes that prove the slot with the hash.
    pub slot_proof: Vec<Bytes>,
}

/// Arguments of one of the contract's `accuse…` functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accusation {
    /// Two messages contradict each other.
    Equivocation {
        /// The first message.
        a: SignedHeader,
        /// The second message.
        b: SignedHeader,
        /// Proof of the first transaction that differs; empty if the headers alone are in conflict.
        transaction: TransactionEvidence,
    },
    /// The rollup has another block than the signed one.
    Broken {
        /// The message.
        signed: SignedHeader,
        /// The rollup's block.
        canonical: CanonicalBlock,
        /// Proof of the first transaction that differs; empty if the headers alone prove the fault.
        transaction: TransactionEvidence,
    },
    /// Execution results in another header than the signed one.
    Lie {
        /// The message.
        signed: SignedHeader,
        /// RLP of the header that results from execution.
        header: Bytes,
        /// Input of EXECUTE with that block.
        input: Bytes,
    },
    /// The signed block is not on L1 in time.
    Late {
        /// The message.
        signed: SignedHeader,
    },
}

impl Accusation {
    /// Accuses the account that has signed both messages.
    ///
    /// # Errors
    ///
    /// [`Refusal`] unless they conflict.
    pub fn equivocation(
        a: SignedBlock<'_>,
        b: SignedBlock<'_>,
        context: &Context<'_>,
    ) -> Result<(Self, Offence), Refusal> {
        let (first, second) = (a.signed.as_signed(), b.signed.as_signed());
        let check =
            |proof: &TransactionEvidence| faults::equivocation(&first, &second, proof, context);
        let (transaction, offence) = with_minimal_proof(a.transactions, b.transactions, check)?;
        let (a, b) = (a.signed.clone(), b.signed.clone());
        Ok((Self::Equivocation { a, b, transaction }, offence))
    }

    /// Accuses the signer of a message with the rollup's block at that height, whose transactions
    /// are `theirs`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] unless the block breaks the promise.
    pub fn broken(
        block: SignedBlock<'_>,
        canonical: CanonicalBlock,
        theirs: &[Bytes],
        context: &Context<'_>,
    ) -> Result<(Self, Offence), Refusal> {
        let signed = block.signed.as_signed();
        let rollup_block =
            Canonical { header: &canonical.header, hash: keccak256(&canonical.header) };
        let check =
            |proof: &TransactionEvidence| faults::broken(&signed, rollup_block, proof, context);
        let (transaction, offence) = with_minimal_proof(block.transactions, theirs, check)?;
        let signed = block.signed.clone();
        Ok((Self::Broken { signed, canonical, transaction }, offence))
    }

    /// Accuses the signer of a header with the input of a block with another outcome. Does not run
    /// EXECUTE, since the caller has executed the block.
    ///
    /// # Errors
    ///
    /// [`LieError`] if the input cannot be read, or does not prove a lie.
    pub fn lie(
        signed: &SignedHeader,
        header: Bytes,
        input: Bytes,
        chain_id: u64,
        context: &Context<'_>,
    ) -> Result<(Self, Offence), LieError> {
        let decoded = StatelessInput::decode(&input)?;
        let executed = Executed {
            schema: decoded.fork.schema(),
            chain_id: decoded.chain_id,
            block_hash: decoded.request.payload.block_hash,
        };
        let offence = faults::lie(&signed.as_signed(), &header, &executed, chain_id, context)?;
        Ok((Self::Lie { signed: signed.clone(), header, input }, offence))
    }

    /// Accuses the signer of a block that the rollup's head has not reached in time. The arguments
    /// are those of [`faults::late`].
    ///
    /// # Errors
    ///
    /// [`Refusal`] unless it is late.
    pub fn late(
        signed: &SignedHeader,
        head: u64,
        now: u64,
        late_until: u64,
        context: &Context<'_>,
    ) -> Result<(Self, Offence), Refusal> {
        let offence = faults::late(&signed.as_signed(), head, now, late_until, context)?;
        Ok((Self::Late { signed: signed.clone() }, offence))
    }

    /// Returns the kind of the fault.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Equivocation { .. } => Fault::Equivocation,
            Self::Broken { .. } => Fault::Broken,
            Self::Lie { .. } => Fault::Lie,
            Self::Late { .. } => Fault::Late,
        }
    }

    /// Returns the first message, which the commitment contains.
    pub const fn first(&self) -> &SignedHeader {
        match self {
            Self::Equivocation { a: signed, .. }
            | Self::Broken { signed, .. }
            | Self::Lie { signed, .. }
            | Self::Late { signed } => signed,
        }
    }

    /// Returns the commitment that must be stored in an earlier L1 block for `reporter` to earn the
    /// reward. It reveals nothing while the salt is secret.
    pub fn commitment(&self, domain: &Domain, reporter: Address, salt: B256) -> B256 {
        let digest = self.first().message.digest(domain);
        keccak256((U256::from(self.fault() as u8), digest, reporter, salt).abi_encode())
    }
}

/// Checks without transaction proofs first, since the contract does not read them if the headers
/// are sufficient.
fn with_minimal_proof(
    ours: &[Bytes],
    theirs: &[Bytes],
    check: impl Fn(&TransactionEvidence) -> Result<Offence, Refusal>,
) -> Result<(TransactionEvidence, Offence), Refusal> {
    let none = TransactionEvidence::default();
    match check(&none) {
        Ok(offence) => return Ok((none, offence)),
        Err(Refusal::Proof(_) | Refusal::NotInConflict) => {}
        Err(refusal) => return Err(refusal),
    }
    let evidence = first_difference(ours, theirs);
    let offence = check(&evidence)?;
    Ok((evidence, offence))
}

/// Proves the transactions of two blocks at the first index where they differ, which is the length
/// of the shorter block if it is a prefix of the longer one.
pub fn first_difference(ours: &[Bytes], theirs: &[Bytes]) -> TransactionEvidence {
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    TransactionEvidence {
        // The format of updates limits a block to 2^16 transactions.
        index: u32::try_from(same).unwrap_or(u32::MAX),
        ours: prove_transaction(ours, same),
        theirs: prove_transaction(theirs, same),
    }
}

/// Reason why an input does not prove a lie.
#[derive(Debug, thiserror::Error)]
pub enum LieError {
    /// The bytes are not the input of one block.
    #[error(transparent)]
    Input(#[from] DecodeError),
    /// The input does not prove that the signed header is false.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
