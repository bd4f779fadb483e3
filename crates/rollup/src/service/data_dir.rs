//! List of a node's files in its data directory.
//!
//! The list distinguishes a deleted file, whose loss is reported, from one that never existed.

use crate::service::error::ServiceError;
use alloy_primitives::keccak256;
use disk::RecordFile;
use std::path::{Path, PathBuf};

const LIST: &str = "files";

/// File of the L1 blocks that the node has read.
pub(crate) const L1_LOG: &str = "l1.log";
/// File of the L1 transactions of settled L2 blocks.
pub(crate) const POSTED: &str = "posted";
/// File of the settled messages that were sent on L1.
pub(crate) const L1_MESSAGES: &str = "messages.l1";
/// File of the settled claims of messages to L1.
pub(crate) const CLAIMS: &str = "claims.l1";
/// File of the index of messages in the logs of the L2.
pub(crate) const MESSAGES: &str = "messages.log";
/// File of pending transactions.
pub(crate) const POOL: &str = "pool";
/// File of a sequencer's spending on L1.
pub(crate) const SPENDING: &str = "spending";
pub(crate) const PRECONFIRMATIONS: &str = "preconfirmations";
/// File of the messages that a watcher has received.
pub(crate) const WATCHED: &str = "watched";
/// File of a watcher's spending on L1.
pub(crate) const WATCH_SPENDING: &str = "watched.spending";
/// File of the operator's switches.
pub(crate) const SWITCHES: &str = "admin.json";

/// Consequences of losing each file.
const LOSSES: [(&str, &str); 11] = [
    (L1_LOG, "L1 is read again from the deployment on"),
    (POSTED, "older blocks and receipts lack their L1 transaction and its cost"),
    (L1_MESSAGES, "L1 is read again from the deployment on, unless no message was settled"),
    (CLAIMS, "L1 is read again from the deployment on, unless no claim was settled"),
    (MESSAGES, "the messages of the L2 are indexed again"),
    (POOL, "acknowledged transactions that are not in a block are lost"),
    (SPENDING, "spending before this start does not count towards the daily limit"),
    (PRECONFIRMATIONS, "nothing is preconfirmed until L1 includes a new block of this node"),
    (WATCHED, "faults of the sequencer before this start may not be found"),
    (
        WATCH_SPENDING,
        "the watcher's spending before this start does not count towards the daily limit",
    ),
    (SWITCHES, "sealing and posting are enabled, even if the operator had stopped them"),
];

/// The list of a data directory's files.
#[derive(Debug)]
pub(crate) struct DataDir {
    folder: PathBuf,
    list: RecordFile,
    listed: Vec<String>,
}

impl DataDir {
    /// Opens the list before the files are opened. Returns it with a warning for each file that is
    /// missing, or for the list itself if it was corrupted.
    ///
    /// # Errors
    ///
    /// [`ServiceError::DataDir`] if the list cannot be read or written.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Vec<String>), ServiceError> {
        let path = folder.join(LIST);
        let mut listed = Vec::new();
        let (list, cut) = RecordFile::open(&path, keccak256(LIST), |_, name| {
            listed.push(String::from_utf8_lossy(name).into_owned());
            Ok(())
        })
        .map_err(|source| ServiceError::DataDir { path, source })?;
        let mut warnings = Vec::new();
        if let Some(cut) = cut {
            warnings.push(format!(
                "the list of files in the data directory was corrupted: {}",
                cut.reason
            ));
        }
        // A name is only listed once its file exists, so a missing file in the list was lost.
        for (name, loss) in LOSSES {
            if listed.iter().any(|known| known == name) && !folder.join(name).exists() {
                warnings.push(format!("{name} is missing in the data directory: {loss}"));
            }
        }
        for warning in &warnings {
            tracing::error!("{warning}");
        }
        Ok((Self { folder: folder.into(), list, listed }, warnings))
    }

    /// Adds new files to the list.
    ///
    /// # Errors
    ///
    /// [`ServiceError::DataDir`] if the list cannot be written.
    pub(crate) fn note(&mut self) -> Result<(), ServiceError> {
        // List a file after it was created. A crash in between only suppresses the warning about a
        // later loss, whereas the reverse order would report a file that never existed as lost.
        for (name, _) in LOSSES {
            if self.folder.join(name).exists() && !self.listed.iter().any(|known| known == name) {
                let path = self.folder.join(LIST);
                let fault = |source| ServiceError::DataDir { path, source };
                self.list.append(name.as_bytes()).map_err(fault)?;
                self.listed.push(name.to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_deleted_files_are_reported_missing() {
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            let (mut opened, warnings) = DataDir::open(folder.path()).unwrap();
            fs::write(folder.path().join(POOL), "").unwrap();
            opened.note().unwrap();
            warnings
        };
        assert!(start().is_empty());
        assert!(start().is_empty());
        fs::remove_file(folder.path().join(POOL)).unwrap();
        let warnings = start();
        assert!(warnings.len() == 1 && warnings[0].starts_with("pool is missing"), "{warnings:?}");
        assert!(start().is_empty(), "once");
    }

    #[test]
    fn flipped_bit_of_list_never_hides_deletion() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SPENDING), "").unwrap();
        DataDir::open(folder.path()).unwrap().0.note().unwrap();
        fs::remove_file(folder.path().join(SPENDING)).unwrap();
        let whole = fs::read(folder.path().join(LIST)).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(folder.path().join(LIST), flipped).unwrap();
            assert!(!DataDir::open(folder.path()).unwrap().1.is_empty(), "bit {bit}");
        }
    }
}
