//! The command: a devnet as a process, from its flags to its shutdown.

use crate::{
    CONSOLE_OUTPUT, Devnet, DevnetError, allow_open_files, args::DevnetArgs, banner, config_out,
    server::RunningServer,
};
use futures_util::future::BoxFuture;
use std::{fs, path::PathBuf, time::Duration};
use tokio::{sync::oneshot, time};

/// Maximum wait for connections to end. Connections with waiting requests do not end by themselves.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(300);

/// Maximum wait for a change of the chain before the state is written. It is below the time that
/// process managers give a process to end (Docker: ten seconds).
const STANDSTILL: Duration = Duration::from_secs(5);

/// Runs a devnet until SIGINT or SIGTERM. Must be called inside a multi-threaded Tokio runtime,
/// whose tasks the caller must not wait for afterwards.
///
/// # Errors
///
/// Any [`DevnetError`] at the start, and those of writing the state at the end.
pub fn run(args: &DevnetArgs) -> BoxFuture<'_, Result<(), DevnetError>> {
    Box::pin(run_until_told_to_end(args))
}

async fn run_until_told_to_end(args: &DevnetArgs) -> Result<(), DevnetError> {
    let mut end = rpc::termination().map_err(DevnetError::Signals)?;
    let devnet = tokio::select! {
        started = start(args) => started?,
        _ = &mut end => return Ok(()),
    };
    if let Some(path) = &args.config_out {
        let text = config_out(devnet.config(), devnet.accounts(), &devnet.facts());
        fs::write(path, text.to_string()).map_err(DevnetError::file("write", path))?;
    }
    announce(&devnet);
    let dump = args.state_to_dump().cloned();
    let interval = args.state_interval.map(Duration::from_secs);
    wait(&devnet, end, dump.as_ref(), interval).await;
    let written = match &dump {
        Some(path) => devnet.dump_state_within(path, STANDSTILL).await,
        None => Ok(()),
    };
    devnet.keep_answers();
    if time::timeout(SHUTDOWN_TIMEOUT, devnet.stop()).await.is_err() {
        tracing::info!("requests that are still at work are left");
    }
    written
}

/// Prints what the devnet is and where it listens.
fn announce(devnet: &Devnet) {
    let facts = devnet.facts();
    let text = banner(devnet.config(), devnet.accounts(), &facts);
    let (id, number) = (facts.chain_id, facts.genesis_number);
    tracing::info!(target: CONSOLE_OUTPUT, text, chainId = id, blockNumber = number, "started");
    for address in devnet.server().into_iter().flat_map(RunningServer::addresses) {
        let text = format!("Listening on {address}");
        tracing::info!(target: CONSOLE_OUTPUT, text, %address, port = address.port(), "listening");
    }
}

/// A devnet with its initial state.
async fn start(args: &DevnetArgs) -> Result<Devnet, DevnetError> {
    let config = args.config()?;
    allow_open_files();
    Devnet::start_from(config, args.state_to_load().map(PathBuf::as_path)).await
}

/// Waits for the shutdown, and writes the state at intervals.
async fn wait(
    devnet: &Devnet,
    mut end: oneshot::Receiver<()>,
    dump: Option<&PathBuf>,
    interval: Option<Duration>,
) {
    loop {
        let due = time::sleep(interval.unwrap_or(Duration::from_secs(3_600)));
        tokio::select! {
            _ = &mut end => return,
            () = due => {
                let (Some(path), Some(_)) = (dump, interval) else { continue };
                let written = tokio::select! {
                    written = devnet.dump_state_within(path, STANDSTILL) => written,
                    _ = &mut end => return,
                };
                if let Err(error) = written {
                    tracing::error!(%error, "the state is not written; it is tried again");
                }
            }
        }
    }
}
