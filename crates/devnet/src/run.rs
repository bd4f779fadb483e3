//! The `devnet` command, from its flags to its shutdown.

use crate::{
    CONSOLE_OUTPUT, Devnet, DevnetError, allow_open_files, args::DevnetArgs, banner, config_out,
    server::RunningServer,
};
use futures_util::future::BoxFuture;
use std::{fs, path::PathBuf, time::Duration};
use tokio::{sync::oneshot, time};

/// Maximum time to wait for connections to close. Connections with pending requests stay open.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(300);

/// Maximum time to wait for a change of the chain before writing the state. It is below the grace
/// period of process managers (ten seconds in Docker).
const STANDSTILL: Duration = Duration::from_secs(5);

/// Runs a devnet until SIGINT or SIGTERM. Must be called inside a multi-threaded Tokio runtime;
/// afterwards the caller must not wait for the runtime's tasks.
///
/// # Errors
///
/// Any [`DevnetError`] at startup, or when writing the state at shutdown.
pub fn run(args: &DevnetArgs) -> BoxFuture<'_, Result<(), DevnetError>> {
    Box::pin(run_until_signal(args))
}

async fn run_until_signal(args: &DevnetArgs) -> Result<(), DevnetError> {
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
        tracing::info!("abandoned in-flight requests at shutdown");
    }
    written
}

/// Prints the banner and the addresses that the devnet listens on.
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

/// Starts a devnet with its initial state.
async fn start(args: &DevnetArgs) -> Result<Devnet, DevnetError> {
    let config = args.config()?;
    allow_open_files();
    Devnet::start_from(config, args.state_to_load().map(PathBuf::as_path)).await
}

/// Waits for the shutdown; meanwhile writes the state at intervals.
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
                    tracing::error!(%error, "failed to write state, retrying");
                }
            }
        }
    }
}
