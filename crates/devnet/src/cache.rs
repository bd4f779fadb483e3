//! Answers of another node, kept on disk for the next fork of the same block.
//!
//! It lies where anvil keeps its own, in a file beside it: that of anvil is read too, and left as it
//! is.

use crate::history::PastState;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The file of this devnet, and that of anvil.
const OWN: &str = "enshrine.json";
const ANVIL: &str = "storage.json";

/// Files longer than this are left alone.
const LONGEST: u64 = 1 << 30;

/// Answers that hold for good: those about the state behind one block.
#[derive(Debug, Serialize, Deserialize)]
struct Cached {
    /// The block; anvil does not say.
    #[serde(default)]
    block: Option<B256>,
    #[serde(flatten)]
    state: PastState,
}

/// The folder in which anvil keeps what other nodes have answered, of a user who has a home.
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

    /// All that is known. What cannot be read is asked for again.
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

    /// Keeps what is known now.
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
