//! The directory that is shared between calls.

use crate::ForgeError;
use alloy_primitives::{B256, hex};
use keccak::keccak256;
use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Files below one directory, each named by a hash of its content.
///
/// A file is created atomically and never changes: all writers of a name write the same content.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

/// Directory into which Solidity writes requests.
pub(crate) const REQUESTS: &str = "requests";
/// Directory of L2 blocks.
const BLOCKS: &str = "l2";
/// Minimum time between two updates of a file's modification time, which records its last use.
const TOUCH_AFTER: Duration = Duration::from_secs(600);
/// Minimum time since the last use of a removed file, because a test may still need a newer one.
const KEEP: Duration = Duration::from_secs(3600);
/// Total size of block files in bytes above which the least recently used are removed.
const BOUND: u64 = 1 << 30;

impl Workspace {
    /// Path of the workspace relative to the root of a Foundry project, in which forge starts
    /// helpers.
    pub const IN_PROJECT: &'static str = "cache/enshrine";

    /// Returns the workspace in this directory, which need not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Creates the directories, and removes old and excess files.
    pub fn prepare(&self) -> Result<(), ForgeError> {
        for directory in [REQUESTS, BLOCKS] {
            let path = self.root.join(directory);
            fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        }
        self.trim(BOUND, KEEP)
    }

    /// Removes all files.
    pub fn clean(&self) -> Result<(), ForgeError> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &self.root)(error))
            }
            _ => Ok(()),
        }
    }

    /// Reads and removes the request with this hash.
    ///
    /// [`ForgeError::RequestGone`] if the file is missing or incomplete, because another process
    /// has taken it or is writing the same request.
    pub(crate) fn take_request(&self, hash: B256) -> Result<Vec<u8>, ForgeError> {
        let path = self.root.join(REQUESTS).join(hex::encode(hash));
        let request = match fs::read(&path) {
            Ok(request) => request,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ForgeError::RequestGone);
            }
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        if keccak256(&request) != hash {
            return Err(ForgeError::RequestGone);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(io_error("remove", &path)(error))
            }
            _ => Ok(request),
        }
    }

    pub(crate) fn block_path(&self, hash: &B256, kind: &str) -> PathBuf {
        self.root.join(BLOCKS).join(format!("{}.{kind}", hex::encode(hash)))
    }

    /// Returns a file of a block; `None` if there is none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ForgeError> {
        let content = match fs::read(path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", path)(error)),
        };
        self.touch(path)?;
        Ok(Some(content))
    }

    /// Writes a file of a block, unless it exists.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> Result<(), ForgeError> {
        if path.exists() {
            return self.touch(path);
        }
        let parent = path.parent().unwrap_or(&self.root);
        let mut file = match tempfile::NamedTempFile::new_in(parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent).map_err(io_error("create", parent))?;
                tempfile::NamedTempFile::new_in(parent)
            }
            other => other,
        }
        .map_err(io_error("write below", parent))?;
        file.write_all(content).map_err(io_error("write", path))?;
        file.persist(path).map_err(|error| io_error("write", path)(error.error))?;
        Ok(())
    }

    /// Marks a file as used, unless it was marked recently.
    fn touch(&self, path: &Path) -> Result<(), ForgeError> {
        let Ok(modified) = fs::metadata(path).and_then(|metadata| metadata.modified()) else {
            return Ok(());
        };
        let now = SystemTime::now();
        if now.duration_since(modified).unwrap_or_default() > TOUCH_AFTER {
            let file = fs::File::options().append(true).open(path);
            file.and_then(|file| file.set_modified(now)).map_err(io_error("touch", path))?;
        }
        Ok(())
    }

    /// Removes the least recently used files until at most `bound` bytes are left, but no file that
    /// was used within `keep`.
    fn trim(&self, bound: u64, keep: Duration) -> Result<(), ForgeError> {
        let now = SystemTime::now();
        let mut files = Vec::new();
        let mut total = 0;
        for directory in [REQUESTS, BLOCKS] {
            let path = self.root.join(directory);
            for entry in fs::read_dir(&path).map_err(io_error("list", &path))? {
                // An entry that has vanished was removed by another process.
                let Ok((path, metadata)) = entry.and_then(|e| Ok((e.path(), e.metadata()?))) else {
                    continue;
                };
                let age = metadata.modified().ok().and_then(|at| now.duration_since(at).ok());
                total += metadata.len();
                files.push((age.unwrap_or_default(), metadata.len(), path));
            }
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        for (age, length, path) in files {
            if total <= bound || age < keep {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= length;
            }
        }
        Ok(())
    }
}

fn io_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ForgeError {
    let path = path.to_owned();
    move |source| ForgeError::Io { verb, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(directory.path().join("cache/enshrine"));
        workspace.prepare().unwrap();
        (directory, workspace)
    }

    fn put(workspace: &Workspace, name: B256, content: &[u8]) {
        fs::write(workspace.root.join(REQUESTS).join(hex::encode(name)), content).unwrap();
    }

    #[test]
    fn complete_request_is_taken_once() {
        let (_directory, workspace) = workspace();
        let hash = keccak256(b"request");
        put(&workspace, hash, b"requ");
        assert!(matches!(workspace.take_request(hash), Err(ForgeError::RequestGone)));
        put(&workspace, hash, b"request");
        assert_eq!(workspace.take_request(hash).unwrap(), b"request");
        assert!(matches!(workspace.take_request(hash), Err(ForgeError::RequestGone)));
    }

    #[test]
    fn trim_removes_least_recently_used_files() {
        let (_directory, workspace) = workspace();
        let path = |n: u8| workspace.block_path(&B256::repeat_byte(n), "state");
        for n in 0..4 {
            workspace.write(&path(n), &[n; 100]).unwrap();
            let age = Duration::from_secs(100 * (4 - u64::from(n)));
            let file = fs::File::options().append(true).open(path(n)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        workspace.trim(250, Duration::from_secs(350)).unwrap();
        let left = |n| workspace.read(&path(n)).unwrap().is_some();
        assert_eq!([0, 1, 2, 3].map(left), [false, true, true, true]);
        workspace.trim(250, Duration::from_secs(50)).unwrap();
        assert_eq!([0, 1, 2, 3].map(left), [false, false, true, true]);
    }

    #[test]
    fn cleaned_workspace_is_empty_and_usable() {
        let (_directory, workspace) = workspace();
        let path = workspace.block_path(&B256::ZERO, "state");
        workspace.write(&path, b"block").unwrap();
        workspace.clean().unwrap();
        workspace.clean().unwrap();
        assert_eq!(workspace.read(&path).unwrap(), None);
        workspace.write(&path, b"block").unwrap();
        assert_eq!(workspace.read(&path).unwrap().as_deref(), Some(&b"block"[..]));
    }
}
