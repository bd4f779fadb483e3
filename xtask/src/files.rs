//! File system helpers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use eyre::{Result, WrapErr as _, ensure};
use walkdir::{DirEntry, WalkDir};

use crate::command;

/// Returns the files below a folder, sorted by path.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    let is_file = |entry: &DirEntry| !entry.file_type().is_dir();
    let files = entries.filter(|entry| entry.as_ref().map_or(true, is_file));
    files.map(|entry| Ok(entry?.into_path())).collect()
}

/// Copies the files of a folder for which `filter` returns `true`, preserving their folders.
pub(crate) fn copy(from: &Path, to: &Path, filter: fn(&Path) -> bool) -> Result<()> {
    fs::create_dir_all(to).wrap_err_with(|| format!("cannot make {}", to.display()))?;
    for file in below(from)?.into_iter().filter(|file| filter(file)) {
        let target = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(&file, target).wrap_err_with(|| format!("cannot copy {}", file.display()))?;
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

/// Returns the files that git tracks or would add.
pub(crate) fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let names = command::output(Command::new("git").args(list).current_dir(root))?;
    let names = String::from_utf8(names).wrap_err("a file's name is not UTF-8")?;
    let files: Vec<_> = names.split_terminator('\0').map(PathBuf::from).collect();
    ensure!(!files.is_empty(), "git lists no file in {root:?}");
    Ok(files)
}
