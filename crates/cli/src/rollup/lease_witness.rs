//! `enshrine lease-witness`: a witness of the leases of sequencers.

use crate::output::say;
use clap::Args;
use engine::JwtSecret;
use eyre::{Result, WrapErr as _, ensure};
use lease::WitnessServer;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

/// Shortest time of a grant: nodes ask once a second, and one lost answer is no reason to lose the
/// lease.
const MIN_TTL_MS: u64 = 3_000;

/// A witness keeps nothing on disk. After a start it grants nothing for the time of a grant.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Address and port at which nodes ask.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9600")]
    addr: SocketAddr,
    /// File with the secret that nodes and witnesses share: 32 bytes in hexadecimal.
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// Milliseconds for which a lease is granted: another node takes over within a few seconds
    /// more. The same for all witnesses.
    #[arg(long, value_name = "MS", default_value_t = 6_000)]
    ttl_ms: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { addr, ref secret, ttl_ms } = *arguments;
    ensure!(ttl_ms >= MIN_TTL_MS, "--ttl-ms: {ttl_ms}, at least {MIN_TTL_MS}");
    let secret = JwtSecret::read(secret).wrap_err("--secret")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let end = rpc::termination().wrap_err("cannot listen to signals")?;
        let witness = WitnessServer::start(addr, secret, Duration::from_millis(ttl_ms)).await?;
        say!("Listening on {}", witness.address());
        // It cannot be taken back: the sender speaks once, or is gone with the process.
        let _ = end.await;
        witness.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}
