//! Switches for sealing and posting, which an operator sets at runtime.

use crate::service::data_dir::SWITCHES;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Switches of a sequencer. They persist across role changes and, with a data directory, across
/// restarts, so that a restart by a supervisor does not undo the operator's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Switches {
    /// Seals blocks while the node is the sequencer.
    pub sealing: bool,
    /// Posts blocks to L1 while the node is the sequencer.
    pub posting: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { sealing: true, posting: true }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Controls {
    switches: Mutex<Switches>,
    path: Mutex<Option<PathBuf>>,
}

impl Controls {
    /// Reads the switches from the data directory, and writes changes there from now on.
    pub(crate) fn open(&self, folder: &Path) -> io::Result<()> {
        let path = folder.join(SWITCHES);
        match fs::read(&path) {
            Ok(text) => {
                let switches = serde_json::from_slice(&text).map_err(|error| {
                    let text = format!("malformed: {error}; correct or remove the file");
                    io::Error::new(io::ErrorKind::InvalidData, text)
                })?;
                *self.switches.lock() = switches;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let Switches { sealing, posting } = self.get();
        if !sealing || !posting {
            tracing::warn!(sealing, posting, "restored sealing and posting switches");
        }
        *self.path.lock() = Some(path);
        // Create the file at the first start, so that a later deletion is noticed.
        self.set(|_| {}).map(drop)
    }

    pub(crate) fn get(&self) -> Switches {
        *self.switches.lock()
    }

    /// Changes the switches. The file is written first, so that an acknowledged change survives a
    /// crash.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Switches)) -> io::Result<Switches> {
        // The lock is held during the write, so that concurrent changes cannot leave the file and
        // memory with different switches.
        let mut switches = self.switches.lock();
        let mut next = *switches;
        change(&mut next);
        if let Some(path) = &*self.path.lock() {
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(&next)?)?;
            file.sync_all()?;
            // The rename is atomic: after a crash the file contains either the old or the new
            // switches.
            fs::rename(new, path)?;
            if let Some(folder) = path.parent() {
                // Makes the rename durable: otherwise the node may come up with the old file after
                // a power loss, and seal although the operator has stopped sealing.
                File::open(folder)?.sync_all()?;
            }
        }
        if next != *switches {
            let Switches { sealing, posting } = next;
            tracing::warn!(sealing, posting, "operator changed the switches");
        }
        *switches = next;
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_survive_restart_and_malformed_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let opened = || {
            let controls = Controls::default();
            controls.open(folder.path()).map(|()| controls)
        };
        let first = opened().unwrap();
        assert_eq!(first.get(), Switches::default());
        first.set(|switches| switches.posting = false).unwrap();
        assert_eq!(opened().unwrap().get(), Switches { sealing: true, posting: false });
        fs::write(folder.path().join(SWITCHES), "{\"sealing\": 1}").unwrap();
        assert_eq!(opened().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn flipped_bit_never_changes_a_switch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SWITCHES);
        let opened = || {
            let controls = Controls::default();
            controls.open(folder.path()).map(|()| controls)
        };
        for (sealing, posting) in [(true, true), (true, false), (false, true), (false, false)] {
            fs::remove_file(&path).unwrap_or_default();
            opened().unwrap().set(|switches| *switches = Switches { sealing, posting }).unwrap();
            let whole = fs::read(&path).unwrap();
            for bit in 0..8 * whole.len() {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, flipped).unwrap();
                let found = opened().map(|controls| controls.get());
                assert!(
                    found
                        .as_ref()
                        .map_or(true, |switches| *switches == Switches { sealing, posting }),
                    "bit {bit}: {found:?}"
                );
            }
        }
    }
}
