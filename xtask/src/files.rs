//! File system helpers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use eyre::{Result, WrapErr as _};

/// Returns the files below a folder, sorted by path.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder);
    for entry in entries.wrap_err_with(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Copies the files of a folder for which `wanted` returns `true`, preserving their folders.
pub(crate) fn copy(from: &Path, to: &Path, wanted: fn(&Path) -> bool) -> Result<()> {
    fs::create_dir_all(to).wrap_err_with(|| format!("cannot make {}", to.display()))?;
    for file in below(from)?.into_iter().filter(|file| wanted(file)) {
        let there = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(there.parent().unwrap_or(to))?;
        fs::copy(&file, there).wrap_err_with(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

/// Creates an empty folder, removing earlier contents.
pub(crate) fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .wrap_err_with(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))
}
