//! On-disk cache of the forked node's responses, for later forks of the same block.
//!
//! The file is stored in anvil's cache directory. anvil's own file there is read too, but never
//! changed.

use crate::history::PastState;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// File names of the devnet's and of anvil's cache.
const OWN: &str = "enshrine.json";
const ANVIL: &str = "storage.json";

/// Maximum size of a cache file, in bytes; larger files are ignored.
const LONGEST: u64 = 1 << 30;

/// Responses that never change: those about the state after one block.
#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    /// Block hash; anvil's files lack it.
    #[serde(default)]
    block: Option<B256>,
    #[serde(flatten)]
    state: PastState,
}

/// Returns anvil's cache directory, if the user has a home directory.
pub(crate) fn default_folder() -> Option<PathBuf> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".foundry/cache/rpc"))
}

/// Cache of account and storage values of one forked block.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    block: B256,
}

impl Cache {
    /// Returns the cache of a chain's block.
    pub(crate) fn of(folder: &Path, chain_id: u64, number: u64, block: B256) -> Self {
        let chain = alloy_chains::Chain::from_id(chain_id).to_string();
        Self { folder: folder.join(chain).join(number.to_string()), block }
    }

    /// Reads all cached values. Values of unreadable files are requested again.
    pub(crate) fn read(&self) -> Vec<PastState> {
        [OWN, ANVIL]
            .into_iter()
            .filter_map(|name| self.read_file(&self.folder.join(name)))
            .collect()
    }

    fn read_file(&self, path: &Path) -> Option<PastState> {
        if fs::metadata(path).ok()?.len() > LONGEST {
            return None;
        }
        match serde_json::from_slice::<Cached>(&fs::read(path).ok()?) {
            // After a reorg the number may refer to another block.
            Ok(cached) if cached.block.is_none_or(|block| block == self.block) => {
                Some(cached.state)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "ignored unreadable cache file");
                None
            }
        }
    }

    /// Writes these values, replacing the file.
    pub(crate) fn write(&self, state: PastState) {
        let written = || -> std::io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let text = serde_json::to_vec(&Cached { block: Some(self.block), state })?;
            // Write to a temporary file, because two devnets may exit at the same time.
            let unfinished = self.folder.join(format!("{OWN}.{}", std::process::id()));
            fs::write(&unfinished, text)?;
            fs::rename(&unfinished, self.folder.join(OWN))
        };
        if let Err(error) = written() {
            tracing::warn!(folder = %self.folder.display(), %error, "failed to write cache");
        }
    }
}
