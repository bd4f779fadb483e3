//! The manifest: edition, origin of the measurements, and hashes of the data files.

use super::data::FOLDER;
use eyre::{Result, WrapErr as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fs, path::Path};

/// Contents of `MANIFEST.json`.
#[derive(Debug, Clone)]
pub(crate) struct Manifest(pub Value);

impl Manifest {
    /// Reads the manifest of a checkout.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is no JSON.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(FOLDER).join("MANIFEST.json"));
        Ok(Self(serde_json::from_str(&text.wrap_err("MANIFEST.json")?).wrap_err("MANIFEST.json")?))
    }

    /// Writes the manifest.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.0);
        fs::write(root.join(FOLDER).join("MANIFEST.json"), text).wrap_err("MANIFEST.json")
    }

    /// Returns an entry, or an empty text.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// Returns the SHA-256 of the manifest's file, which commits to all data.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(crate) fn hash(root: &Path) -> Result<String> {
        let bytes = fs::read(root.join(FOLDER).join("MANIFEST.json")).wrap_err("MANIFEST.json")?;
        Ok(hash(&bytes))
    }

    /// Stores the hashes of the data files.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub(crate) fn hash_files(&mut self, root: &Path) -> Result<()> {
        self.0["files"] = hashes(root)?;
        Ok(())
    }

    /// Returns a line for each data file with another hash.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub(crate) fn differences(&self, root: &Path) -> Result<Vec<String>> {
        let (now, known) = (hashes(root)?, &self.0["files"]);
        let is_same = now == *known;
        let line = "MANIFEST.json has other hashes of data files: run cargo xtask report";
        Ok(if is_same { Vec::new() } else { vec![line.to_owned()] })
    }
}

fn hashes(root: &Path) -> Result<Value> {
    let folder = root.join(FOLDER).join("data");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(&folder).wrap_err_with(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert(name, Value::from(hash(&fs::read(entry.path())?)));
    }
    Ok(files.into_iter().collect())
}

/// Returns the SHA-256 of bytes, in hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
