//! `enshrine localnet`: an L1 with EXECUTE and a rollup on it, in one process.

mod devnet_flags;
mod error;
mod output;
mod running;
mod state;

use crate::output::say;
use clap::{Args, ValueEnum};
use devnet::DevnetConfig;
use error::LocalnetError;
use eyre::{Result, WrapErr as _};
use running::Running;
use state::LocalnetDir;
use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};
use tokio::{sync::oneshot, time};
use wire::ProtocolFork;

/// Minimum time between two writes of L1's state.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);
/// Ratio of the pause between writes to the duration of the last write, which limits writing to a
/// few percent of the time.
const SAVE_PAUSE: u32 = 20;

/// Log targets whose warnings are irrelevant on a localnet: the nodes call EXECUTE without input to
/// detect it.
pub(crate) const HIDDEN_TARGETS: &[&str] = &["enshrine_rpc::telemetry"];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port of L1; 0 selects a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8_545)]
    l1_port: u16,

    /// Port of the L2's sequencer; 0 selects a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9_545)]
    l2_port: u16,

    /// Address on which all ports listen.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    host: IpAddr,

    /// Time between two blocks of L1, in seconds. Under load, the L2 seals a block per second.
    #[arg(long, value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=12))]
    block_time: u64,

    /// Also start a follower, on the port after that of the sequencer.
    #[arg(long)]
    follower: bool,

    /// Folder that keeps both chains, so that the next start continues them. Without it, they are
    /// in memory.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Post L2 blocks in blobs when that is cheaper. They are posted later than as calldata, and
    /// L1's state in --data-dir does not contain the blobs.
    #[arg(long, conflicts_with = "data_dir")]
    blobs: bool,

    /// Fork of both chains from the start on.
    #[arg(long, value_enum, default_value_t = Fork::Osaka)]
    fork: Fork,

    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,

    /// File to which the JSON object is written once both chains are healthy. It is removed at the
    /// start and at the end.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// Accept a --host that other machines can reach. Anyone there can use the accounts.
    #[arg(long)]
    i_know_these_keys_are_public: bool,

    /// Flags of `enshrine devnet` for L1: those of its pool, its server and its traces.
    #[arg(last = true, value_name = "DEVNET FLAGS")]
    devnet: Vec<String>,
}

/// Fork of both chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fork {
    Osaka,
    Bpo1,
    Bpo2,
    Amsterdam,
}

impl From<Fork> for ProtocolFork {
    fn from(fork: Fork) -> Self {
        match fork {
            Fork::Osaka => Self::Osaka,
            Fork::Bpo1 => Self::Bpo1,
            Fork::Bpo2 => Self::Bpo2,
            Fork::Amsterdam => Self::Amsterdam,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    arguments.check()?;
    let l1 = devnet_flags::config(&arguments.devnet)?;
    rpc::allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(arguments, l1));
    // Do not wait for open requests.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Runs both chains until the process receives a termination signal.
async fn serve(arguments: &Arguments, l1: DevnetConfig) -> Result<()> {
    let mut end = rpc::termination().wrap_err("cannot listen for signals")?;
    if let Some(file) = &arguments.ready_file {
        state::remove(file)?;
    }
    let begun = state::now()?.saturating_sub(running::HEAD_START);
    let dir = LocalnetDir::open(arguments.data_dir.as_deref(), arguments.fork.into(), begun)?;
    let started = tokio::select! {
        started = Running::start(arguments, l1, &dir) => started?,
        _ = &mut end => return Ok(()),
    };
    let outcome = watch(arguments, &started, &dir, &mut end).await;
    let stopped = started.stop(&dir).await;
    if let Some(file) = &arguments.ready_file {
        state::remove(file)?;
    }
    outcome.and(stopped)
}

/// Waits until both chains are healthy and prints that, then saves L1's state repeatedly until a
/// signal or a panic.
async fn watch(
    arguments: &Arguments,
    running: &Running,
    dir: &LocalnetDir,
    end: &mut oneshot::Receiver<()>,
) -> Result<()> {
    tokio::select! {
        healthy = running.wait_until_healthy(dir) => healthy?,
        panicked = running.failed() => return Err(panicked.into()),
        _ = &mut *end => return Ok(()),
    }
    let report = output::Report::of(arguments, running, dir).await?;
    let json = report.json()?;
    if let Some(file) = &arguments.ready_file {
        state::write_whole(file, &json)?;
    }
    match arguments.json {
        true => say!("{}", json.trim_end()),
        false => report.print(),
    }
    let mut pause = SAVE_INTERVAL;
    loop {
        tokio::select! {
            _ = &mut *end => return Ok(()),
            panicked = running.failed() => return Err(panicked.into()),
            () = time::sleep(pause) => {}
        }
        if dir.is_kept() {
            let begun = time::Instant::now();
            if let Err(error) = running.save(dir).await {
                tracing::error!(%error, "failed to write the state of L1, retrying");
            }
            pause = SAVE_INTERVAL.max(SAVE_PAUSE * begun.elapsed());
        }
    }
}

impl Arguments {
    /// Rejects flags with which nothing could start.
    fn check(&self) -> Result<(), LocalnetError> {
        if !self.host.is_loopback() && !self.i_know_these_keys_are_public {
            return Err(LocalnetError::PublicHost { got: self.host });
        }
        let mut taken: Vec<u16> = Vec::new();
        for (flag, port) in self.ports()? {
            if port != 0 && taken.contains(&port) {
                return Err(LocalnetError::SamePort { flag, got: port });
            }
            taken.push(port);
            let address = SocketAddr::new(self.host, port);
            // The servers would report the flags of other commands.
            if let Err(source) = TcpListener::bind(address) {
                return Err(LocalnetError::Listen { flag, address, source });
            }
        }
        Ok(())
    }

    /// Returns the ports with their flags.
    fn ports(&self) -> Result<Vec<(&'static str, u16)>, LocalnetError> {
        let mut ports = vec![("--l1-port", self.l1_port), ("--l2-port", self.l2_port)];
        if self.follower {
            ports.push(("--follower", self.follower_port()?));
        }
        Ok(ports)
    }

    fn follower_port(&self) -> Result<u16, LocalnetError> {
        match self.l2_port {
            0 => Ok(0),
            port => port.checked_add(1).ok_or(LocalnetError::NoFollowerPort { got: port }),
        }
    }

    /// Returns the data directory of an L2 node, if both chains are kept.
    fn node_data(&self, name: &str) -> Option<PathBuf> {
        self.data_dir.as_deref().map(|folder: &Path| folder.join(name))
    }
}
