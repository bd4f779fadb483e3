//! Copy of solady's npm package in the syntax of the pinned compiler.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Progress, SetupError, syntax::modernise};

/// Parent of `src`, where npm installs the library.
const PACKAGE: &str = "node_modules/solady";

/// Parent of `src`, where `foundry.toml` expects the library.
const TARGET: &str = "lib/solady";

/// Content of `.stamp` in [`TARGET`]: the `package.json` with the version, and the version of the
/// changes by [`modernise`]. `None` if the package is not installed.
fn stamp(root: &Path) -> Option<String> {
    let description = fs::read_to_string(root.join(PACKAGE).join("package.json")).ok()?;
    Some(format!("{description}\ncurrent-syntax\n"))
}

/// Returns `true` if the library is present as this version of the crate writes it from the
/// package.
pub(crate) fn in_place(root: &Path) -> bool {
    let found = fs::read_to_string(root.join(TARGET).join(".stamp")).ok();
    found.is_some() && found == stamp(root)
}

/// Writes the library from the package. The caller holds the set-up lock.
pub(crate) fn install(root: &Path, progress: Progress<'_>) -> Result<(), SetupError> {
    let package = root.join(PACKAGE);
    let stamp = stamp(root)
        .ok_or_else(|| SetupError::PackageIncomplete { path: package.join("package.json") })?;
    let lib = root.join("lib");
    let draft = tempfile::Builder::new()
        .prefix(".solady-")
        .tempdir_in(&lib)
        .map_err(SetupError::io("create a directory in", &lib))?;
    let ready = draft.path().join("solady");
    let source = package.join("src");
    copy(&source, &ready.join("src")).map_err(SetupError::io("copy", &source))?;
    fs::write(ready.join(".stamp"), stamp).map_err(SetupError::io("write in", &ready))?;

    let target = root.join(TARGET);
    if target.exists() {
        fs::remove_dir_all(&target).map_err(SetupError::io("remove", &target))?;
    }
    fs::rename(&ready, &target).map_err(SetupError::io("create", &target))?;
    progress("solady written into lib/solady");
    Ok(())
}

/// Copies the Solidity files of a directory tree and modernises their syntax.
fn copy(source: &Path, target: &Path) -> io::Result<()> {
    let mut open = vec![(source.to_owned(), target.to_owned())];
    while let Some((source, target)) = open.pop() {
        fs::create_dir_all(&target)?;
        for entry in fs::read_dir(&source)? {
            let entry = entry?;
            let (path, to): (PathBuf, PathBuf) = (entry.path(), target.join(entry.file_name()));
            if entry.file_type()?.is_dir() {
                open.push((path, to));
            } else if path.extension().is_some_and(|ending| ending == "sol") {
                fs::write(to, modernise(&fs::read_to_string(path)?))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn install_follows_package_version() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let package = root.join(PACKAGE);
        fs::create_dir_all(package.join("src/utils")).unwrap();
        fs::create_dir_all(root.join("lib")).unwrap();
        install(root, &|_| {}).unwrap_err();

        let old = "/// @solidity memory-safe-assembly\nassembly {\n}\n";
        fs::write(package.join("package.json"), "1").unwrap();
        fs::write(package.join("src/utils/A.sol"), old).unwrap();
        fs::write(package.join("src/utils/notes.md"), old).unwrap();
        assert!(!in_place(root));
        install(root, &|_| {}).unwrap();
        assert!(in_place(root));
        let utils = root.join(TARGET).join("src/utils");
        let written = fs::read_to_string(utils.join("A.sol")).unwrap();
        assert_eq!(written, "assembly (\"memory-safe\") {\n}\n");
        assert!(!utils.join("notes.md").exists());

        fs::write(package.join("package.json"), "2").unwrap();
        assert!(!in_place(root));
    }
}
