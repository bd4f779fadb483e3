//! The test vectors: real blocks with witnesses, and official fixtures.
//!
//! They are too large for the repository and not part of this project, so they are in a separate
//! directory: `ENSHRINE_VECTORS`, by default `../shared/vectors` from the root of the checkout. A
//! test whose vectors are missing reports that on standard error and continues without them.

pub mod fixture;

use crate::say_skipped;
use codec::Bundle;
use eyre::{Context, Result, ensure};
use ruzstd::decoding::StreamingDecoder;
use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

/// Environment variable with the path of the directory.
pub const VARIABLE: &str = "ENSHRINE_VECTORS";

/// Returns the directory of the vectors, or `None` if there is none.
///
/// If the variable is set, the directory must exist, so that a misspelt path is an error.
pub fn folder() -> Result<Option<PathBuf>> {
    if let Some(named) = env::var_os(VARIABLE) {
        let folder = PathBuf::from(named);
        ensure!(folder.is_dir(), "{VARIABLE} is {}, which is not a folder", folder.display());
        return Ok(Some(folder));
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    Ok(shared.is_dir().then_some(shared))
}

/// Returns the directory of a part of the vectors, or reports that `what` is skipped if it is
/// missing.
pub fn part(name: &str, what: &str) -> Result<Option<PathBuf>> {
    let part = folder()?.map(|folder| folder.join(name)).filter(|part| part.exists());
    if part.is_none() {
        say_skipped(&format!(
            "{what}: no test vectors at ${VARIABLE}/{name}; set {VARIABLE} to the folder that holds them"
        ));
    }
    Ok(part)
}

/// A block from the vectors.
#[derive(Debug, Clone)]
pub struct Block {
    /// File name without extensions: chain and number.
    pub name: String,
    /// The block and its witness.
    pub bundle: Bundle,
}

/// Reads `<name>.json` or `<name>.json.zst`.
pub fn read_block(path: &Path) -> Result<Block> {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default().to_owned();
    let context = || format!("cannot read {}", path.display());
    let mut bytes = fs::read(path).wrap_err_with(context)?;
    if path.extension() == Some(OsStr::new("zst")) {
        let mut json = Vec::new();
        StreamingDecoder::new(&bytes[..])?.read_to_end(&mut json).wrap_err_with(context)?;
        bytes = json;
    }
    Ok(Block { name, bundle: Bundle::from_json(&bytes).wrap_err_with(context)? })
}

/// Returns the blocks in a part of the vectors (`blocks`, `negative`), sorted by name. If the part
/// is missing, returns none and reports that `what` is skipped.
pub fn blocks(part_name: &str, what: &str) -> Result<Vec<Block>> {
    let Some(folder) = part(part_name, what)? else { return Ok(Vec::new()) };
    let mut paths = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.to_string_lossy().contains(".json"));
    ensure!(!paths.is_empty(), "{} contains no block", folder.display());
    paths.sort();
    paths.iter().map(|path| read_block(path)).collect()
}

/// Calls `each` with the path and text of every JSON file in a pack of fixtures
/// (`fixtures/<name>.tar.zst`). Returns `false` if the pack is missing.
fn json_files(name: &str, mut each: impl FnMut(&Path, &[u8]) -> Result<()>) -> Result<bool> {
    let file = format!("fixtures/{name}.tar.zst");
    let Some(path) = part(&file, name)? else { return Ok(false) };
    let decoder = StreamingDecoder::new(BufReader::new(File::open(path)?))?;
    for entry in tar::Archive::new(decoder).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path.extension() != Some(OsStr::new("json")) {
            continue;
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        each(&path, &text).wrap_err_with(|| path.display().to_string())?;
    }
    Ok(true)
}
