//! Reasons why a call fails.

use crate::RuleViolation;
use alloc::{boxed::Box, string::String};
use stateless::{BlockError, InternalError, Invalid};
use wire::{DecodeError, ProtocolFork, SchemaId};

/// Reasons why a call fails. They are for logs, tests and tools; the EVM never sees them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum ExecuteError {
    /// The call was not given enough gas.
    #[error("out of gas: got {got}, the reserve is {reserve}")]
    OutOfGas {
        /// Gas given to the call.
        got: u64,
        /// Minimum gas that the call must hold.
        reserve: u64,
    },
    /// The calldata is not a canonical encoding of its dialect.
    #[error("calldata of {dialect} is not canonical: {what}")]
    Calldata {
        /// The dialect.
        dialect: &'static str,
        /// The violation.
        what: &'static str,
    },
    /// A dialect or the EXECUTE market of the chain rejects the call for another reason.
    #[error("{reason}")]
    Variant {
        /// Kind of the reason in one word, for programs.
        kind: &'static str,
        /// The reason.
        reason: String,
    },
    /// The input is not a stateless input.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The schema id is not accepted by this L1.
    #[error("schema id {0}{fork} is not accepted here", fork = fork_of(*.0))]
    Schema(SchemaId),
    /// The rules of the schema id differ from L1's rules at the block's timestamp.
    #[error(
        "schema id {got}{of_got} of a block with timestamp {timestamp}, at which L1 had {}",
        l1_fork(*.expected), of_got = fork_of(*.got)
    )]
    ForkAt {
        /// Schema id of the input.
        got: SchemaId,
        /// The fork that L1 had; `None` for a fork that EXECUTE does not verify.
        expected: Option<ProtocolFork>,
        /// Block timestamp.
        timestamp: u64,
    },
    /// The block breaks the rules for L2 blocks.
    #[error(transparent)]
    Rules(#[from] RuleViolation),
    /// The block is invalid, or the witness does not prove its validity.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A block of a batch is rejected, for a reason that would also reject it as a single block.
    #[error("block {block} of the batch: {reason}")]
    InBatch {
        /// Its position in the batch.
        block: usize,
        /// The violation.
        #[source]
        reason: Box<Self>,
    },
    /// A library panicked on the input. The call fails like any other.
    #[error("panic in a dependency: {0}")]
    Panic(String),
    /// Verification failed for a local reason, such as a defect of this node. This is not a verdict
    /// on the block, so it stops the EVM that executes the call.
    #[error("internal error: {0}")]
    Internal(#[from] InternalError),
}

/// Formats the fork of a schema id for a message.
fn fork_of(schema: SchemaId) -> String {
    let fork = schema.fork().or_else(|| schema.batch_fork());
    fork.map_or_else(String::new, |fork| format!(" ({fork})"))
}

/// Formats the fork of L1 with the schema ids that it accepts.
fn l1_fork(fork: Option<ProtocolFork>) -> String {
    fork.map_or_else(
        || "no fork that EXECUTE verifies".into(),
        |fork| format!("{fork}: expected {} or {}", fork.schema(), fork.batch_schema()),
    )
}

impl ExecuteError {
    /// Returns the kind of the error in one word, for programs: the name of the innermost variant,
    /// such as `outOfGas`, `withdrawals` or `commitment`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rules(violation) => violation.into(),
            Self::Invalid(invalid) => invalid.kind(),
            Self::InBatch { reason, .. } => reason.kind(),
            Self::Variant { kind, .. } => kind,
            error => error.into(),
        }
    }

    /// Returns `true` if the call fails in every dialect: its gas was insufficient, or this node
    /// failed.
    pub(crate) const fn ends_call(&self) -> bool {
        matches!(self, Self::OutOfGas { .. } | Self::Internal(_))
    }

    /// Returns `true` if the witness lacks a part that the verdict needs. The block itself may then
    /// be valid.
    pub fn lacks_witness(&self) -> bool {
        match self {
            Self::Invalid(reason) => reason.lacks_witness(),
            Self::InBatch { reason, .. } => reason.lacks_witness(),
            _ => false,
        }
    }

    /// Returns `true` if the call contains no input that can be examined: it has another format, or
    /// another fork. A batch is unreadable if any of its blocks is.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Calldata { .. } | Self::Decode(_) | Self::Schema(_) | Self::ForkAt { .. } => true,
            Self::Invalid(reason) => reason.is_unreadable(),
            Self::InBatch { reason, .. } => reason.is_unreadable(),
            _ => false,
        }
    }
}

impl From<BlockError> for ExecuteError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Invalid(reason) => Self::Invalid(reason),
            BlockError::Internal(error) => Self::Internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolFork::{Cancun, Osaka, Paris, Prague};

    #[test]
    fn refused_schema_error_names_its_fork() {
        let words = |schema| ExecuteError::Schema(schema).to_string();
        assert_eq!(words(Cancun.schema()), "schema id 0x1001 (cancun) is not accepted here");
        assert_eq!(words(Osaka.batch_schema()), "schema id 0x12ba (osaka) is not accepted here");
        assert_eq!(words(SchemaId::new(0x1202)), "schema id 0x1202 is not accepted here");
        let at = |expected| ExecuteError::ForkAt { got: Osaka.schema(), expected, timestamp: 12 };
        assert_eq!(
            at(Some(Prague)).to_string(),
            "schema id 0x1201 (osaka) of a block with timestamp 12, at which L1 had prague: expected \
             0x1101 or 0x11ba"
        );
        assert_eq!(
            at(None).to_string(),
            "schema id 0x1201 (osaka) of a block with timestamp 12, at which L1 had no fork that \
             EXECUTE verifies"
        );
    }

    #[test]
    fn batch_is_unreadable_if_any_block_is() {
        let in_batch = |reason| ExecuteError::InBatch { block: 1, reason: Box::new(reason) };
        let malformed = DecodeError::Empty { what: "requests" };
        for (reason, expected) in [
            (ExecuteError::Invalid(Invalid::UnsupportedFork(Paris)), true),
            (ExecuteError::Decode(malformed), true),
            (ExecuteError::Invalid(Invalid::NoParent), false),
            (ExecuteError::Rules(RuleViolation::Requests), false),
        ] {
            assert_eq!(reason.is_unreadable(), expected, "{reason}");
            assert_eq!(in_batch(reason.clone()).is_unreadable(), expected, "{reason} in a batch");
        }
    }
}
