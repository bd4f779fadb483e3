//! Schema ids: the fork whose shapes and rules an input follows.

use crate::DecodeError;
use core::fmt;

/// Forks by their number in the execution-specs (`ProtocolFork`). Only forks with an execution
/// payload are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ProtocolFork {
    /// The merge.
    Paris = 0x0e,
    /// Withdrawals (EIP-4895).
    Shanghai = 0x0f,
    /// Blobs (EIP-4844) and beacon roots (EIP-4788).
    Cancun = 0x10,
    /// Execution requests (EIP-7685) and set-code transactions (EIP-7702).
    Prague = 0x11,
    /// Transaction gas cap (EIP-7825) and others.
    Osaka = 0x12,
    /// Osaka with the first blob-parameter change.
    Bpo1 = 0x13,
    /// Osaka with the second blob-parameter change.
    Bpo2 = 0x14,
    /// Block access lists (EIP-7928), slot numbers (EIP-7843), builder requests (EIP-8282).
    Amsterdam = 0x15,
}

impl ProtocolFork {
    /// All forks, oldest first.
    pub const ALL: [Self; 8] = [
        Self::Paris,
        Self::Shanghai,
        Self::Cancun,
        Self::Prague,
        Self::Osaka,
        Self::Bpo1,
        Self::Bpo2,
        Self::Amsterdam,
    ];

    /// Returns the fork whose execution rules apply: a blob-parameter fork has the rules of the
    /// fork before it.
    pub const fn rules(self) -> Self {
        match self {
            Self::Bpo1 | Self::Bpo2 => Self::Osaka,
            other => other,
        }
    }

    /// Returns the schema id of this fork's current revision.
    pub const fn schema(self) -> SchemaId {
        SchemaId::new(((self as u16) << 8) | SchemaId::REVISION)
    }

    /// Returns the schema id of this fork for a batch of its blocks.
    pub const fn batch_schema(self) -> SchemaId {
        SchemaId::new(((self as u16) << 8) | SchemaId::BATCH_REVISION)
    }

    /// Returns the fork's name in lower case, for configuration files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paris => "paris",
            Self::Shanghai => "shanghai",
            Self::Cancun => "cancun",
            Self::Prague => "prague",
            Self::Osaka => "osaka",
            Self::Bpo1 => "bpo1",
            Self::Bpo2 => "bpo2",
            Self::Amsterdam => "amsterdam",
        }
    }
}

impl fmt::Display for ProtocolFork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The two bytes in front of every stateless input: fork number, then revision.
///
/// Big endian in front of the input; little-endian inside the result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(u16);

impl SchemaId {
    /// The revision of an input with one block, as in the execution-specs.
    pub const REVISION: u16 = 0x01;
    /// The revision of an input with a list of blocks ([`StatelessBatch`](crate::StatelessBatch)):
    /// an extension of this project, far above the revisions that the specification assigns in
    /// order.
    pub const BATCH_REVISION: u16 = 0xba;
    /// Length of the id that precedes an input, in bytes.
    pub const LEN: usize = 2;
    /// `0x1501`, the id of the specification.
    pub const AMSTERDAM: Self = ProtocolFork::Amsterdam.schema();
    /// `0x1201`, the default for an L2.
    pub const OSAKA: Self = ProtocolFork::Osaka.schema();

    /// Wraps a raw id, known or not.
    pub const fn new(id: u16) -> Self {
        Self(id)
    }

    /// Returns the raw id.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns the id as it precedes an input.
    pub const fn to_be_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// Returns the fork of this id, if it is a single-block id that this crate knows.
    pub fn fork(self) -> Option<ProtocolFork> {
        // An exact match: an unknown revision is rejected, because its layout is unknown.
        ProtocolFork::ALL.into_iter().find(|fork| fork.schema() == self)
    }

    /// Returns the fork of this id, if it is the id of a batch.
    pub fn batch_fork(self) -> Option<ProtocolFork> {
        ProtocolFork::ALL.into_iter().find(|fork| fork.batch_schema() == self)
    }

    /// Splits an input into its schema id and its body.
    pub(crate) fn split(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (schema, body) = bytes.split_first_chunk().ok_or(DecodeError::TooShort {
            what: "schema id",
            got: bytes.len(),
            expected: Self::LEN,
        })?;
        Ok((Self::new(u16::from_be_bytes(*schema)), body))
    }

    /// Returns the schema id of an input, without a check of the body.
    pub fn of(input: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self::split(input)?.0)
    }
}

impl fmt::Debug for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaId({self})")
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}
