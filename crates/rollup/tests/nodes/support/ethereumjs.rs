//! EthereumJS, an execution client that shares no code with this project, as a process of its own. Its
//! packages are installed once, below `target`, at the versions and hashes that `test/ethereumjs` pins.

use alloy_genesis::Genesis;
use alloy_provider::{Provider, RootProvider};
use engine::JwtSecret;
use enshrine_rollup::EngineConfig;
use eyre::{OptionExt, Result, ensure, eyre};
use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use testkit::Patience;
use toolchain::{Toolchain, progress_to_stderr};

/// A client that runs until this value is dropped.
pub(crate) struct EthereumJs {
    process: Child,
    folder: TempDir,
    rpc: u16,
    engine: u16,
    secret: String,
}

/// The client's executable.
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

impl EthereumJs {
    /// Starts it on a chain of its own, and waits until it answers.
    pub(crate) async fn start(genesis: &Genesis) -> Result<Self> {
        let program = tokio::task::spawn_blocking(installed).await??;
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let secret = "5e".repeat(32);
        fs::write(path("jwt.hex"), &secret)?;
        fs::write(path("genesis.json"), serde_json::to_vec(genesis)?)?;
        let port = || TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        // All at once, so that they differ.
        let (a, b, c) = (port()?, port()?, port()?);
        let log = File::create(path("log"))?;
        let process = Command::new("node")
            .arg(program)
            .arg("--gethGenesis")
            .arg(path("genesis.json"))
            .arg("--jwtSecret")
            .arg(path("jwt.hex"))
            .arg("--dataDir")
            .arg(path("data"))
            .args(["--rpc", "--rpcAddr=127.0.0.1", "--rpcEngine", "--rpcEngineAddr=127.0.0.1"])
            .args(["--isSingleNode", "--discDns=false", "--discV4=false"])
            .arg(format!("--rpcPort={}", a.port()))
            .arg(format!("--rpcEnginePort={}", b.port()))
            .arg(format!("--port={}", c.port()))
            // It writes logs to where it is.
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let started = Self { process, folder, rpc: a.port(), engine: b.port(), secret };
        let patience = Patience::begin();
        while started.provider()?.get_chain_id().await.is_err() {
            ensure!(patience.lasts(), "EthereumJS does not start: {}", started.log());
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(started)
    }

    /// Configuration of a node of ours that drives it.
    pub(crate) fn driven(&self) -> Result<EngineConfig> {
        let secret = JwtSecret::parse(&self.secret)?;
        Ok(EngineConfig { secret, serve: None, drive: Some(self.engine_url()) })
    }

    pub(crate) fn engine_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.engine)
    }

    /// A provider of its RPC.
    pub(crate) fn provider(&self) -> Result<RootProvider> {
        Ok(RootProvider::new_http(format!("http://127.0.0.1:{}", self.rpc).parse()?))
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Number and hash of its head.
    pub(crate) async fn head(&self) -> Result<(u64, alloy_primitives::B256)> {
        let provider = self.provider()?;
        let block = provider.get_block_by_number(Default::default()).await?;
        let header = block.ok_or_eyre("no head")?.header;
        Ok((header.number, header.hash))
    }

    /// Waits until its head is a block; as long as its head moves.
    pub(crate) async fn until_at(&self, hash: alloy_primitives::B256) -> Result<()> {
        let (mut patience, mut head) = (Patience::begin(), self.head().await?);
        while head.1 != hash {
            let now = self.head().await?;
            if now != head {
                (patience, head) = (Patience::begin(), now);
            }
            if !patience.lasts() {
                return Err(eyre!("EthereumJS does not come to {hash}: {}", self.log()));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for EthereumJs {
    fn drop(&mut self) {
        // It is ours and holds nothing of worth; that it may be gone already is no failure.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
