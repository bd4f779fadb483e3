//! Switches that an operator sets while the node runs: sealing and posting.

use crate::data_dir::SWITCHES;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Switches of a sequencer. A node keeps them when its role changes, and with a data directory over
/// restarts, so that a supervisor's restart does not undo the operator's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Switches {
    /// `true` if the node makes blocks while it is the sequencer.
    pub sealing: bool,
    /// `true` if the node sends blocks to L1 while it is the sequencer.
    pub posting: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { sealing: true, posting: true }
    }
}

/// The switches and their file.
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
            tracing::warn!(sealing, posting, "switches restored from before the restart");
        }
        *self.path.lock() = Some(path);
        // The file is there from the first start on, so that its deletion is noticed.
        self.set(|_| {}).map(drop)
    }

    pub(crate) fn get(&self) -> Switches {
        *self.switches.lock()
    }

    /// Changes the switches, in the file first: a change that is acknowledged outlives a crash.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Switches)) -> io::Result<Switches> {
        // The lock is held over the write: two orders cannot leave the file with the one and memory
        // with the other.
        let mut switches = self.switches.lock();
        let mut next = *switches;
        change(&mut next);
        if let Some(path) = &*self.path.lock() {
            let new = path.with_extension("new");
            let mut file = File::create(&new)?;
            file.write_all(&serde_json::to_vec(&next)?)?;
            file.sync_all()?;
            // A rename replaces the file as a whole: a crash leaves the old switches or the new
            // ones, never half of them.
            fs::rename(new, path)?;
            if let Some(folder) = path.parent() {
                // Without this the machine may come up with the old name of the file, and seal what
                // an operator has stopped.
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
    fn switches_outlive_a_restart_and_a_malformed_file_is_refused() {
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
    fn no_flipped_bit_is_another_switch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SWITCHES);
        let opened = || {
            let controls = Controls::default();
            controls.open(folder.path()).map(|()| controls)
        };
        for (sealing, posting) in [(true, true), (true, false), (false, true), (false, false)] {
            fs::remove_file(&path).unwrap_or_default();
            opened().unwrap().set(|it| *it = Switches { sealing, posting }).unwrap();
            let whole = fs::read(&path).unwrap();
            for bit in 0..8 * whole.len() {
                let mut flipped = whole.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, flipped).unwrap();
                let found = opened().map(|controls| controls.get());
                assert!(
                    found.as_ref().map_or(true, |it| *it == Switches { sealing, posting }),
                    "bit {bit}: {found:?}"
                );
            }
        }
    }
}
