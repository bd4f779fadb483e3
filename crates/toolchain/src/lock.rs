//! Lock that allows one set-up at a time per checkout.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use crate::{Progress, SetupError};

/// Acquires the set-up lock of the checkout, waiting while another holder has it.
///
/// The operating system ties the lock to the open file: it is released when the returned file is
/// dropped or when the process dies, so no stale lock can remain. The file itself is not deleted.
pub(crate) fn acquire(root: &Path, progress: Progress<'_>) -> Result<File, SetupError> {
    let dir = root.join("lib");
    fs::create_dir_all(&dir).map_err(SetupError::io("create", &dir))?;
    let path = dir.join(".setup.lock");
    let file = File::create(&path).map_err(SetupError::io("create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            progress("waiting for another set-up of this checkout to finish");
            file.lock().map_err(SetupError::io("lock", &path))?;
            Ok(file)
        }
        Err(TryLockError::Error(source)) => Err(SetupError::Io { action: "lock", path, source }),
    }
}
