//! Errors of files and of their contents.

use crate::Position;
use alloy_primitives::B256;
use chain::store::StoreError;
use std::{io, path::PathBuf};
use wire::DecodeError;

/// Reason why a chain on disk cannot be opened, read or written: a fault of the disk or of its
/// files, never a verdict on a block.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The operating system reported an error: no space, no permission, a broken disk.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// Action on the file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process, or another part of this one, has the chain open.
    #[error("{} is in use: only one process can have a chain open", path.display())]
    InUse {
        /// The directory of the chain.
        path: PathBuf,
    },
    /// The state store cannot read or write.
    #[error("state store: {0}")]
    State(#[from] fjall::Error),
    /// The state store was written by a release with another layout.
    #[error("{}: layout version {got}, expected {expected}", path.display())]
    OtherLayout {
        /// The directory of the state store.
        path: PathBuf,
        /// Layout found.
        got: u64,
        /// Supported layout.
        expected: u64,
    },
    /// A keyspace of the state store lacks a batch that the others have, because some of its files
    /// were lost.
    #[error("state store: keyspace {keyspace} lacks batch {batch} of {last}")]
    Incomplete {
        /// Name of the keyspace.
        keyspace: &'static str,
        /// Number of the first batch that is missing.
        batch: u64,
        /// Number of the last batch of any keyspace.
        last: u64,
    },
    /// The library of the state store panicked, because its files are corrupted in an unexpected
    /// way.
    #[error("state store panicked: {0}")]
    Panicked(String),
    /// The state store is corrupted, and the block log is not complete enough to rebuild it.
    #[error("{}: {damage}; it cannot be rebuilt from the block log: {log}; restore the folder, import a snapshot, or read the chain from L1 into an empty folder", path.display())]
    CannotRebuild {
        /// The directory of the state store.
        path: PathBuf,
        /// The corruption.
        damage: String,
        /// Reason why the log does not suffice.
        log: String,
    },
    /// A file in place of a log segment is not a segment, or its head is corrupted.
    #[error("{}: not a segment of a block log: head is {got}, expected {expected}", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// Value found.
        got: String,
        /// Value expected.
        expected: String,
    },
    /// The chain in the directory has another first block.
    #[error("{}: chain begins with {got}, expected {expected}", path.display())]
    OtherChain {
        /// The file or directory.
        path: PathBuf,
        /// Hash of the first block there.
        got: B256,
        /// Hash of the first block of the chain that was to be opened.
        expected: B256,
    },
    /// A record file has another subject, for example another deployment.
    #[error("{}: about {got}, expected {expected}", path.display())]
    OtherSubject {
        /// The file.
        path: PathBuf,
        /// Subject found.
        got: B256,
        /// Subject expected.
        expected: B256,
    },
    /// A segment of the log that is still needed is missing.
    #[error("{}: segment {segment} of the block log is missing", path.display())]
    MissingSegment {
        /// The directory of the log.
        path: PathBuf,
        /// Number of the segment.
        segment: u64,
    },
    /// The log ends before the position up to which the state store has applied it, so it has lost
    /// blocks.
    #[error("the block log ends at {log}, but was applied up to {states}: the log has lost blocks")]
    LogLostBlocks {
        /// End of the log.
        log: Position,
        /// Position up to which the state store has applied it.
        states: Position,
    },
    /// The checksum of a record's head or body does not match.
    #[error("{}: {part} of the record at byte {offset}: checksum {got:#010x}, expected {expected:#010x}", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Offset of the record.
        offset: u64,
        /// Head or body.
        part: &'static str,
        /// Checksum of the data found.
        got: u32,
        /// Checksum stored with it.
        expected: u32,
    },
    /// A record does not end with its end mark.
    #[error("{}: end mark of the record at byte {offset} is {got:#010x}, expected {expected:#010x}", path.display())]
    EndMark {
        /// The file.
        path: PathBuf,
        /// Offset of the record.
        offset: u64,
        /// Value found.
        got: u32,
        /// Value expected.
        expected: u32,
    },
    /// A record is longer than the limit.
    #[error("record of {got} bytes, the log accepts at most {limit}")]
    TooLong {
        /// Length of the record.
        got: u64,
        /// Maximum length.
        limit: u64,
    },
    /// A record that must be complete is not: its file ends before the record does, or has only
    /// zeros from some byte on.
    #[error("{}: the record at byte {offset} needs {expected} bytes, and {got} are left", path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Offset of the record.
        offset: u64,
        /// Bytes from there to the end of the file.
        got: u64,
        /// Length of the record.
        expected: u64,
    },
    /// An item that is stored by hash does not have this hash.
    #[error("{what} {expected} is damaged: it hashes to {got}")]
    Hash {
        /// Node, code or block.
        what: &'static str,
        /// Hash of the data found.
        got: B256,
        /// Hash under which it is stored.
        expected: B256,
    },
    /// An item passes its checksum but cannot be decoded.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// The malformed item.
        what: &'static str,
        /// The violation.
        reason: String,
    },
    /// A state can only be restored into a directory without a chain.
    #[error("{}: has a chain with blocks {range:?}, expected an empty folder", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
        /// Numbers of the canonical blocks.
        range: core::ops::Range<u64>,
    },
    /// The chain starts from a snapshot, whose state is not in the log.
    #[error("{}: chain starts from a snapshot, which has to be imported again", path.display())]
    FromSnapshot {
        /// The directory.
        path: PathBuf,
    },
    /// Blocks in the log must be executed again before anything can be committed.
    #[error("{blocks} records of the block log are not applied yet")]
    Behind {
        /// Number of records.
        blocks: usize,
    },
    /// No block of the log is waiting for re-execution.
    #[error("no block of the log is waiting for re-execution")]
    NotBehind,
    /// A write failed and could not be undone. Reads still work, and writes work again after the
    /// chain is reopened.
    #[error("store rejects writes after a failed one: {0}; reopen the chain")]
    Unusable(String),
}

impl DiskError {
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// Creates the error for an item that passes its checksum but cannot be decoded.
    #[allow(clippy::needless_pass_by_value, reason = "errors are handed on as they arise")]
    pub fn malformed(what: &'static str, reason: impl ToString) -> Self {
        Self::Malformed { what, reason: reason.to_string() }
    }

    /// Returns `true` if the content of the state store is wrong or missing, so that it must be
    /// rebuilt; `false` for a full disk, missing permissions and other temporary errors.
    pub(crate) fn is_state_damage(&self) -> bool {
        let is_content = |error: &io::Error| {
            use io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};
            // The library uses the kind `Other` for invalid file contents; the operating system
            // does not use it.
            matches!(error.kind(), InvalidData | InvalidInput | NotFound | Other | UnexpectedEof)
        };
        match self {
            Self::State(fjall::Error::Io(error)) => is_content(error),
            Self::State(fjall::Error::Storage(error)) => {
                let source = core::error::Error::source(error);
                source.and_then(|error| error.downcast_ref()).is_none_or(is_content)
            }
            Self::State(fjall::Error::Poisoned | fjall::Error::Locked) => false,
            // A store of a later release stays usable by that release.
            Self::OtherLayout { got, expected, .. } => got < expected,
            Self::State(_)
            | Self::Incomplete { .. }
            | Self::Panicked(_)
            | Self::Hash { .. }
            | Self::Malformed { .. } => true,
            _ => false,
        }
    }

    /// Converts the error into a store error during `operation`.
    pub(crate) fn during(self, operation: &'static str) -> StoreError {
        StoreError::new(operation, self)
    }
}

impl From<DecodeError> for DiskError {
    fn from(error: DecodeError) -> Self {
        Self::malformed("block", error)
    }
}
