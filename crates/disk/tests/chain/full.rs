//! A full disk: appending fails, and the chain is unchanged.

use crate::twin::{Twin, child, open};
use chain::ChainError;
use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::tempdir;

/// Environment variable with a folder on a small disk, for the test of this file that runs as a
/// process with its own mount.
const FOLDER: &str = "ENSHRINE_DISK_FULL";

/// Not a test by itself: the body of the process that fills the small disk.
#[test]
fn appends_until_the_disk_is_full() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut twin = Twin::new();
    let mut chain = open(&folder.join("chain")).unwrap();
    let (head, error) = loop {
        let block = child(&chain, 0);
        let head = chain.head().hash;
        match chain.append(block) {
            Ok(_) => twin.grow(1, 0, &mut []),
            Err(error) => break (head, error),
        }
    };
    assert!(matches!(error, ChainError::Store(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("No space left") || text.contains("StorageFull"), "{text}");
    assert!(chain.head().header.number > 50, "it was full from the start");
    // The chain is unchanged and readable.
    assert_eq!(chain.head().hash, head);
    twin.assert_same(&chain, 0);
    drop(chain);
    let more = Command::new("mount").args(["-o", "remount,size=200m"]).arg(folder).status();
    assert!(more.unwrap().success());
    let mut chain = open(&folder.join("chain")).unwrap();
    // The rejected block may have reached the log; then it is complete.
    if chain.head().hash != head {
        twin.grow(1, 0, &mut []);
    }
    twin.assert_same(&chain, 0);
    twin.grow(3, 0, &mut [&mut chain]);
    drop(chain);
    twin.assert_same(&open(&folder.join("chain")).unwrap(), 0);
    println!("full after {} blocks", twin.chain.head().header.number);
}

#[test]
fn full_disk_is_an_error_without_data_loss() {
    // Needs a mount namespace for this user; without one, the test is skipped with a message.
    let private = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    let folder = tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=6m none {}", folder.path().display());
    let may = private(&mount).stderr(Stdio::null()).status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("no file system can be mounted here: a full disk is not tried");
        return;
    }
    let test = env::current_exe().unwrap();
    let script = format!(
        "{mount} && exec {} --exact full::appends_until_the_disk_is_full --nocapture",
        test.display()
    );
    let output = private(&script).env(FOLDER, folder.path()).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("full after"), "{out}\n{err}");
}
