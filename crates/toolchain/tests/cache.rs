//! Concurrent forge processes in one checkout.

use enshrine_toolchain::{Toolchain, progress_to_stderr};
use std::{fs, fs::File};

/// The command finds its file compiled and does not write the checkout's cache.
#[test]
fn forge_beside_others_reuses_build_with_own_cache() {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let (folder, shared) = (tempfile::tempdir().unwrap(), tools.root().join("cache"));
    let changed = || {
        let cache = fs::metadata(shared.join("solidity-files-cache.json")).unwrap();
        cache.modified().unwrap()
    };
    let file = "script/Deploy.s.sol";
    let mut forge = tools.forge_beside_others(file, folder.path()).unwrap();
    // No other process compiles meanwhile.
    let lock = File::create(shared.join("lock")).unwrap();
    lock.lock().unwrap();
    let before = changed();
    // The script does not have this function. forge reports that after it has read the artifacts.
    let output = forge.args(["script", file, "--sig", "none()"]).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("No files changed") && said.contains("`none()`"), "{said}");
    // forge writes the cache that it has read, even if nothing has changed.
    assert_eq!(changed(), before);
}
