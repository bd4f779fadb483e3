//! On-disk cache of another node's answers, for the next fork of the same block.
//!
//! The file is in anvil's folder, beside anvil's own, which is read too but never changed.

use crate::history::PastState;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Cache files of the devnet and of anvil.
const OWN: &str = "enshrine.json";
const ANVIL: &str = "storage.json";

/// Length above which a file is ignored.
const LONGEST: u64 = 1 << 30;

/// Answers that never change: those about the state after one block.
#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    /// Hash of the block; anvil's files do not have it.
    #[serde(default)]
    block: Option<B256>,
    #[serde(flatten)]
    state: PastState,
}

/// The folder of anvil's cache, if the user has a home folder.
pub(crate) fn default_folder() -> Option<PathBuf> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".foundry/cache/rpc"))
}

/// Cached account and storage values of one forked block.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    block: B256,
}

impl Cache {
    /// Opens the cache for a block of a chain.
    pub(crate) fn of(folder: &Path, chain_id: u64, number: u64, block: B256) -> Self {
        let chain = alloy_chains::Chain::from_id(chain_id).to_string();
        Self { folder: folder.join(chain).join(number.to_string()), block }
    }

    /// Reads all cached values. Unreadable ones are requested again.
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
            // After a reorganisation the number names another block.
            Ok(cached) if cached.block.is_none_or(|block| block == self.block) => {
                Some(cached.state)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a cache is passed over");
                None
            }
        }
    }

    /// Writes the current values.
    pub(crate) fn write(&self, state: PastState) {
        let written = || -> std::io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let text = serde_json::to_vec(&Cached { block: Some(self.block), state })?;
            // Two devnets may end at the same time.
            let unfinished = self.folder.join(format!("{OWN}.{}", std::process::id()));
            fs::write(&unfinished, text)?;
            fs::rename(&unfinished, self.folder.join(OWN))
        };
        if let Err(error) = written() {
            tracing::warn!(folder = %self.folder.display(), %error, "no cache is written");
        }
    }
}
