//! `enshrine lease-witness`: grants the lease of a rollup to one sequencer at a time.

use crate::output::say;
use clap::Args;
use eyre::{Result, WrapErr as _, ensure};
use lease::WitnessServer;
use rpc::engine::JwtSecret;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

/// Minimum lease duration, in milliseconds. Nodes renew the lease every second, and one lost
/// response must not end it.
const MIN_TTL_MS: u64 = 3_000;

/// A witness stores nothing on disk. After a start it grants no lease for one lease duration.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address and port on which to listen for requests of nodes.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9600")]
    addr: SocketAddr,
    /// File with the secret shared by nodes and witnesses: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// Lease duration in milliseconds, which must be equal on all witnesses. If the holder fails,
    /// another node takes over a few seconds after the lease has expired.
    #[arg(long, value_name = "MS", default_value_t = 6_000)]
    ttl_ms: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { addr, ref secret, ttl_ms } = *arguments;
    ensure!(ttl_ms >= MIN_TTL_MS, "--ttl-ms: {ttl_ms}, expected at least {MIN_TTL_MS}");
    let secret = JwtSecret::read(secret).wrap_err("--secret")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let end = rpc::termination().wrap_err("cannot listen for signals")?;
        let witness = WitnessServer::start(addr, secret, Duration::from_millis(ttl_ms)).await?;
        say!("Listening on {}", witness.address());
        // A termination signal is final, so a closed channel counts as one too.
        let _ = end.await;
        witness.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
