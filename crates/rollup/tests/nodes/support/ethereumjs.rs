//! EthereumJS, an execution client that shares no code with this project. Its packages are
//! installed once, below `target`, at the versions and hashes that `test/ethereumjs` pins.

use super::driven::DrivenClient;
use alloy_genesis::Genesis;
use eyre::{Result, ensure};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};
use toolchain::{Toolchain, progress_to_stderr};

/// Installs the client if necessary and returns its executable.
fn installed() -> Result<PathBuf> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let (from, to) = (tools.root().join("test/ethereumjs"), tools.root().join("target/ethereumjs"));
    fs::create_dir_all(&to)?;
    let lock = File::create(to.join("lock"))?;
    lock.lock()?;
    let entry = to.join("node_modules/@ethereumjs/client/dist/esm/bin/cli.js");
    let pins = |folder: &PathBuf| fs::read(folder.join("package-lock.json")).unwrap_or_default();
    if entry.exists() && pins(&from) == pins(&to) {
        return Ok(entry);
    }
    for file in fs::read_dir(&from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    let done = Command::new("npm").args(["ci", "--loglevel=error"]).current_dir(&to).status()?;
    ensure!(done.success() && entry.exists(), "npm ci: {done}");
    Ok(entry)
}

/// Starts EthereumJS on a new chain.
pub(crate) async fn start(genesis: &Genesis) -> Result<DrivenClient> {
    let program = tokio::task::spawn_blocking(installed).await??;
    DrivenClient::start("EthereumJS", genesis, |places| {
        let mut command = Command::new("node");
        command
            .arg(program)
            .arg("--gethGenesis")
            .arg(&places.genesis)
            .arg("--jwtSecret")
            .arg(&places.secret)
            .arg("--dataDir")
            .arg(&places.data)
            .args(["--rpc", "--rpcAddr=127.0.0.1", "--rpcEngine", "--rpcEngineAddr=127.0.0.1"])
            .args(["--isSingleNode", "--discDns=false", "--discV4=false"])
            .arg(format!("--rpcPort={}", places.rpc.port()))
            .arg(format!("--rpcEnginePort={}", places.engine.port()))
            .arg(format!("--port={}", places.peers.port()));
        command
    })
    .await
}
