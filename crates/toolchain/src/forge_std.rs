//! Installation of forge-std, which the npm registry has in usable form only inside another
//! package.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;

use crate::{Progress, SetupError, integrity, node::Npm, syntax::modernise};

/// Package whose tarball contains the library. It cannot be a dependency in `package.json`, because
/// one of its own dependencies is a git URL, which npm would have to clone.
const PACKAGE: &str = "@chainlink/contracts@1.5.0";

/// Integrity hash of the tarball.
const INTEGRITY: &str = "sha512-1fGJwjvivqAxvVOTqZUEXGR54CATtg0vjcXgSIk4Cfoad2nUhSG/qaWHXjLg1CkNTeOoteoxGQcpP/HiA5HsUA==";

/// Only directory of the tarball that is unpacked.
const FOLDER: &str = "package/src/v0.8/vendor/forge-std/src";

/// Parent of `src`, where `foundry.toml` expects the library.
const TARGET: &str = "lib/forge-std";

/// Content of `.stamp` in [`TARGET`]: everything that determines the unpacked files. The last word
/// is the version of the changes by [`modernise`].
fn stamp() -> String {
    format!("{PACKAGE} {INTEGRITY} current-syntax\n")
}

/// Returns `true` if the library is present as this version of the crate unpacks it.
pub(crate) fn in_place(root: &Path) -> bool {
    fs::read_to_string(root.join(TARGET).join(".stamp")).is_ok_and(|found| found == stamp())
}

/// Fetches, verifies and unpacks the library. The caller holds the set-up lock.
pub(crate) fn install(
    root: &Path,
    search_path: &OsStr,
    progress: Progress<'_>,
) -> Result<(), SetupError> {
    let npm = Npm::find(search_path)?;
    progress("fetching forge-std (1 MB)");
    let lib = root.join("lib");
    let draft = tempfile::Builder::new()
        .prefix(".forge-std-")
        .tempdir_in(&lib)
        .map_err(SetupError::io("create a directory in", &lib))?;

    let download = draft.path().join("download");
    fs::create_dir(&download).map_err(SetupError::io("create", &download))?;
    let args = ["pack", PACKAGE, "--loglevel=error", "--pack-destination"].map(OsStr::new);
    npm.run(root, &[&args[..], &[download.as_os_str()]].concat())?;
    let tarball = only_file(&download).map_err(SetupError::io("find the package in", &download))?;
    let bytes = fs::read(&tarball).map_err(SetupError::io("read", &tarball))?;
    integrity::verify(PACKAGE, &bytes, INTEGRITY)?;

    let ready = draft.path().join("forge-std");
    unpack(&bytes, &ready.join("src")).map_err(SetupError::io("unpack", &tarball))?;
    fs::write(ready.join(".stamp"), stamp()).map_err(SetupError::io("write in", &ready))?;

    let target = root.join(TARGET);
    if target.exists() {
        fs::remove_dir_all(&target).map_err(SetupError::io("remove", &target))?;
    }
    fs::rename(&ready, &target).map_err(SetupError::io("create", &target))?;
    progress("forge-std unpacked into lib/forge-std");
    Ok(())
}

/// Returns the single file in `dir`.
fn only_file(dir: &Path) -> io::Result<PathBuf> {
    let entry = fs::read_dir(dir)?.next().ok_or(io::ErrorKind::NotFound)?;
    Ok(entry?.path())
}

/// Unpacks the files below [`FOLDER`] into `target` and modernises their syntax.
fn unpack(tarball: &[u8], target: &Path) -> io::Result<()> {
    let mut files = 0_usize;
    for entry in tar::Archive::new(GzDecoder::new(tarball)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Ok(inner) = path.strip_prefix(FOLDER) else { continue };
        let plain = inner.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut source = String::new();
        entry.read_to_string(&mut source)?;
        let file = target.join(inner);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, modernise(&source))?;
        files += 1;
    }
    if files == 0 {
        return Err(io::Error::other(format!("the package contains nothing below {FOLDER}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, contents) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, contents.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn unpack_extracts_only_the_library() {
        let dir = tempfile::tempdir().unwrap();
        let inside = format!("{FOLDER}/interfaces/IERC20.sol");
        let beside = "package/src/v0.8/vendor/forge-std/foundry.toml";
        let bytes = tarball(&[("package/package.json", "{}"), (&inside, "code"), (beside, "")]);
        unpack(&bytes, dir.path()).unwrap();
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["interfaces"]);
        assert_eq!(fs::read_to_string(dir.path().join("interfaces/IERC20.sol")).unwrap(), "code");
    }

    #[test]
    fn unpack_rejects_package_without_library() {
        let dir = tempfile::tempdir().unwrap();
        let error = unpack(&tarball(&[("package/package.json", "{}")]), dir.path()).unwrap_err();
        assert!(error.to_string().contains(FOLDER), "{error}");
    }
}
