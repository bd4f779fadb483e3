//! Finds the root directory of the checkout.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::SetupError;

/// Returns the root directory of the checkout that contains the current directory, or, if there is
/// none, of the checkout from which the program was built.
///
/// # Errors
///
/// [`SetupError::RootNotFound`] if neither exists.
pub fn find_root() -> Result<PathBuf, SetupError> {
    let built_from = || root_above(Path::new(env!("CARGO_MANIFEST_DIR")));
    match env::current_dir() {
        Ok(current) => {
            root_above(&current).or_else(|not_found| built_from().map_err(|_| not_found))
        }
        Err(_) => built_from(),
    }
}

/// Returns the nearest ancestor of `start`, or `start` itself, that is the root of a checkout.
///
/// # Errors
///
/// [`SetupError::RootNotFound`] if there is none.
pub fn root_above(start: &Path) -> Result<PathBuf, SetupError> {
    start
        .ancestors()
        .find(|dir| dir.join("foundry.toml").is_file() && dir.join("tools/solc").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| SetupError::RootNotFound { start: start.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn root_above_needs_both_markers() {
        let top = tempfile::tempdir().unwrap();
        let deep = top.path().join("crates/some/src");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(top.path().join("tools")).unwrap();
        fs::write(top.path().join("foundry.toml"), "").unwrap();
        assert!(
            matches!(root_above(&deep), Err(SetupError::RootNotFound { start }) if start == deep)
        );

        fs::write(top.path().join("tools/solc"), "").unwrap();
        assert_eq!(root_above(&deep).unwrap(), top.path());
        assert_eq!(root_above(top.path()).unwrap(), top.path());
    }

    #[test]
    fn find_root_finds_this_checkout() {
        assert!(find_root().unwrap().join("crates/toolchain/Cargo.toml").is_file());
    }
}
