//! A third-party execution client, as a process that a node drives by the Engine API.

use alloy_genesis::Genesis;
use alloy_primitives::B256;
use alloy_provider::{Provider, RootProvider};
use enshrine_rollup::EngineConfig;
use eyre::{OptionExt, Result, WrapErr as _, ensure, eyre};
use rpc::engine::JwtSecret;
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use testkit::Timeout;

/// Paths and addresses for starting a client.
#[derive(Debug)]
pub(crate) struct Places {
    /// Genesis in geth's format.
    pub(crate) genesis: PathBuf,
    /// File with the JWT secret of the Engine API, in hex.
    pub(crate) secret: PathBuf,
    /// Data directory, which does not exist yet.
    pub(crate) data: PathBuf,
    pub(crate) rpc: SocketAddr,
    pub(crate) engine: SocketAddr,
    /// Address for peer-to-peer connections, which nothing uses.
    pub(crate) peers: SocketAddr,
}

/// A client that runs until this value is dropped.
pub(crate) struct DrivenClient {
    name: &'static str,
    process: Child,
    folder: TempDir,
    rpc: SocketAddr,
    engine: SocketAddr,
    secret: String,
}

impl DrivenClient {
    /// Starts a client on a new chain with the command that `command` returns, and waits until its
    /// RPC responds.
    pub(crate) async fn start(
        name: &'static str,
        genesis: &Genesis,
        command: impl FnOnce(&Places) -> Command,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let secret = "5e".repeat(32);
        fs::write(path("jwt.hex"), &secret)?;
        fs::write(path("genesis.json"), serde_json::to_vec(genesis)?)?;
        let port = || testkit::free_port().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let (rpc, engine, peers) = (port()?, port()?, port()?);
        let (genesis, jwt, data) = (path("genesis.json"), path("jwt.hex"), path("data"));
        let places = Places { genesis, secret: jwt, data, rpc, engine, peers };
        let log = File::create(path("log"))?;
        let process = command(&places)
            // Some clients write logs to the working directory.
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let started = Self { name, process, folder, rpc, engine, secret };
        let timeout = Timeout::begin();
        while started.provider()?.get_chain_id().await.is_err() {
            ensure!(timeout.lasts(), "{name} does not start: {}", started.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(started)
    }

    /// Returns the configuration of a node that drives this client.
    pub(crate) fn driven(&self) -> Result<EngineConfig> {
        let secret = JwtSecret::parse(&self.secret)?;
        Ok(EngineConfig { secret, serve: None, drive: Some(self.engine_url()) })
    }

    pub(crate) fn engine_url(&self) -> String {
        format!("http://{}", self.engine)
    }

    /// Returns a provider for the client's RPC.
    pub(crate) fn provider(&self) -> Result<RootProvider> {
        Ok(RootProvider::new_http(format!("http://{}", self.rpc).parse()?))
    }

    /// Returns the client's log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Returns number and hash of the client's head.
    pub(crate) async fn head(&self) -> Result<(u64, B256)> {
        let provider = self.provider()?;
        let block = provider.get_block_by_number(Default::default()).await;
        let block = block.wrap_err_with(|| format!("{}: {}", self.name, self.log()))?;
        let header = block.ok_or_eyre("no head")?.header;
        Ok((header.number, header.hash))
    }

    /// Waits until this block is the client's head. The timeout restarts whenever the head changes.
    pub(crate) async fn until_at(&self, hash: B256) -> Result<()> {
        let (mut timeout, mut head) = (Timeout::begin(), self.head().await?);
        while head.1 != hash {
            let now = self.head().await?;
            if now != head {
                (timeout, head) = (Timeout::begin(), now);
            }
            if !timeout.lasts() {
                return Err(eyre!("{} does not reach {hash}: {}", self.name, self.log()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for DrivenClient {
    fn drop(&mut self) {
        // The data is temporary, and it is no error if the process has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
