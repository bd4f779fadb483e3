//! viem, ethers and hardhat with a devnet. Their packages are installed once, below `target`, at
//! the versions and hashes that `test/clients` pins.

use crate::support::{PROBE, TOOLS, execute_input, run, serve, tool};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

static CLIENTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let from = TOOLS.root().join("test/clients");
    let to = TOOLS.root().join("target/clients");
    fs::create_dir_all(&to).unwrap();
    let lock = |folder: &PathBuf| fs::read(folder.join("package-lock.json")).unwrap_or_default();
    let installed = to.join("node_modules/viem").exists() && lock(&from) == lock(&to);
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    if !installed {
        run(Command::new("npm").args(["ci", "--loglevel=error"]).current_dir(&to));
    }
    to
});

fn client(script: &str) {
    let served = serve(|_| {});
    let (url, ws) = (served.devnet.endpoint(), served.devnet.ws_endpoint());
    let said = run(tool(Path::new("node"))
        .args([script, &url, &ws, PROBE.trim(), &execute_input()])
        .current_dir(&*CLIENTS));
    assert!(said.ends_with("all is well"), "{said}");
}

#[test]
fn viem_works_with_the_devnet() {
    client("viem.mjs");
}

#[test]
fn ethers_works_with_the_devnet() {
    client("ethers.mjs");
}

#[test]
fn hardhat_works_with_the_devnet() {
    client("hardhat.mjs");
}
