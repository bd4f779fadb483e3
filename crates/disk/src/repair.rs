//! Rebuilding a corrupted state store from the log.
//!
//! A corrupted store is not repaired in place: it is moved away, and the log is applied to an empty
//! store. This requires a log that starts at the first block. Corruption that a read detects is
//! recorded in a file, and the store is rebuilt the next time the chain is opened.

use crate::{
    DiskError, Position,
    canonical::Range,
    log::{BlockLog, first_block},
    state::{Meta, State},
};
use alloy_primitives::B256;
use std::{
    any::Any,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Directory of the state store.
pub(crate) const STATE: &str = "state";
/// Directory to which a corrupted state store is moved. Only the latest one is kept.
const DAMAGED: &str = "state.damaged";
/// File with the reason for rebuilding the state store on the next opening.
const NOTE: &str = "rebuild";
/// File whose presence marks a chain that starts from a snapshot.
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Maximum number of bytes read from that file.
const NOTE_BYTES: usize = 1_024;

/// A rebuild of the state store when the chain was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The corruption.
    pub reason: String,
    /// Directory to which the corrupted store was moved, if it existed.
    pub moved_to: Option<PathBuf>,
}

/// A state store, and the metadata that opening a chain needs.
pub(crate) struct OpenState {
    pub(crate) state: State,
    pub(crate) genesis: Option<B256>,
    pub(crate) applied: Position,
    pub(crate) epoch: u64,
    pub(crate) range: Option<Range>,
    pub(crate) segment: Option<u64>,
    pub(crate) rebuilt: Option<Rebuilt>,
}

impl OpenState {
    fn read(folder: &Path, cache: u64) -> Result<Self, DiskError> {
        let state = State::open(folder, cache)?;
        Ok(Self {
            genesis: state.hash(Meta::Genesis)?,
            applied: state.applied()?,
            epoch: state.number(Meta::Epoch)?.unwrap_or_default(),
            range: state.range()?,
            segment: state.number(Meta::Segment)?,
            state,
            rebuilt: None,
        })
    }

    /// Opens the state store of the chain in `folder`. A corrupted one is moved away and replaced
    /// by an empty one.
    ///
    /// # Errors
    ///
    /// [`DiskError::CannotRebuild`] if it is corrupted and the log is incomplete.
    pub(crate) fn open(folder: &Path, cache: u64) -> Result<Self, DiskError> {
        let path = folder.join(STATE);
        let log = folder.join("blocks");
        let read = || guard(|| Self::read(&path, cache));
        let damage = match noted(folder)? {
            Some(reason) => reason,
            None => match read() {
                Ok(mut open) => {
                    if open.genesis.is_none() && folder.join(SNAPSHOT).exists() {
                        return Err(DiskError::FromSnapshot { path: folder.into() });
                    }
                    // A deleted store is rebuilt like a corrupted one.
                    if open.genesis.is_none() && first_block(&log)?.is_some() {
                        let reason = "state store is empty".into();
                        open.rebuilt = Some(Rebuilt { reason, moved_to: None });
                        check_log(folder, &log)?;
                    }
                    return Ok(open);
                }
                Err(error) if error.is_state_damage() => error.to_string(),
                Err(error) => return Err(error),
            },
        };
        check_log(folder, &log).map_err(|reason| DiskError::CannotRebuild {
            path: path.clone(),
            damage: damage.clone(),
            log: reason.to_string(),
        })?;
        let moved_to = set_aside(folder, &path)?;
        remove_note(folder)?;
        tracing::warn!(
            reason = %damage,
            moved_to = moved_to.as_ref().map(|path| path.display().to_string()),
            "state store is damaged, rebuilding it from the block log"
        );
        let rebuilt = Some(Rebuilt { reason: damage, moved_to });
        Ok(Self { rebuilt, ..read()? })
    }
}

/// Checks that the log reaches back to the first block, and that all its records are intact.
fn check_log(folder: &Path, log: &Path) -> Result<(), DiskError> {
    if folder.join(SNAPSHOT).exists() {
        return Err(DiskError::FromSnapshot { path: folder.into() });
    }
    let missing = || DiskError::MissingSegment { path: log.into(), segment: 0 };
    let genesis = first_block(log)?.ok_or_else(missing)?;
    BlockLog::check(log, genesis)
}

fn set_aside(folder: &Path, state: &Path) -> Result<Option<PathBuf>, DiskError> {
    let aside = folder.join(DAMAGED);
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(DiskError::io("remove", aside)(error));
        }
        _ => {}
    }
    match fs::rename(state, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DiskError::io("set aside", state)(error)),
    }
}

/// Returns the recorded reason for rebuilding the state store.
fn noted(folder: &Path) -> Result<Option<String>, DiskError> {
    let path = folder.join(NOTE);
    match fs::read(&path) {
        Ok(bytes) => {
            let bytes = &bytes[..bytes.len().min(NOTE_BYTES)];
            Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DiskError::io("read", path)(error)),
    }
}

fn remove_note(folder: &Path) -> Result<(), DiskError> {
    match fs::remove_file(folder.join(NOTE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(DiskError::io("remove", folder.join(NOTE))(error))
        }
        _ => Ok(()),
    }
}

/// Records that the state store must be rebuilt on the next opening.
pub(crate) fn note(folder: &Path, damage: &str) {
    if let Err(error) = fs::write(folder.join(NOTE), damage) {
        tracing::error!(%error, "failed to record damage of the state store");
    }
}

/// Runs an access to the state store, and converts a panic of its library to an error.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T, DiskError>) -> Result<T, DiskError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(DiskError::Panicked(message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}
