//! The command: a devnet as a process, from its flags to the signal that ends it.

use crate::{Devnet, DevnetError, allow_open_files, args::DevnetArgs, banner, config_out};
use std::{fs, path::PathBuf, time::Duration};
use tokio::signal;

/// Runs a devnet until the process is told to end. Must be called inside a Tokio runtime of several
/// threads.
///
/// # Errors
///
/// Any [`DevnetError`] on the way up, and those of writing the state on the way down.
pub async fn run(args: &DevnetArgs) -> Result<(), DevnetError> {
    let config = args.config()?;
    allow_open_files();
    let devnet = Devnet::start(config).await?;
    if let Some(path) = args.state_to_load() {
        devnet.load_state(path)?;
    }
    if let Some(path) = &args.config_out {
        let text = config_out(devnet.config(), devnet.accounts(), devnet.genesis_time());
        fs::write(path, text.to_string()).map_err(DevnetError::file("write", path))?;
    }
    if !args.quiet {
        let (config, accounts) = (devnet.config(), devnet.accounts());
        println!("{}", banner(config, accounts, devnet.chain_id(), devnet.genesis_time()));
        if let Some(server) = devnet.server() {
            for address in server.addresses() {
                println!("Listening on {address}");
            }
        }
    }
    let dump = args.state_to_dump().cloned();
    let interval = args.state_interval.map(Duration::from_secs);
    wait(&devnet, dump.as_ref(), interval).await;
    if let Some(path) = &dump {
        devnet.dump_state(path)?;
    }
    devnet.stop().await;
    Ok(())
}

/// Waits for the end, and writes the state at intervals on the way.
async fn wait(devnet: &Devnet, dump: Option<&PathBuf>, interval: Option<Duration>) {
    let end = ended();
    tokio::pin!(end);
    loop {
        let due = tokio::time::sleep(interval.unwrap_or(Duration::from_secs(3_600)));
        tokio::select! {
            () = &mut end => return,
            () = due => {
                if let (Some(path), Some(_)) = (dump, interval)
                    && let Err(error) = devnet.dump_state(path)
                {
                    tracing::error!(%error, "the state is not written; it is tried again");
                }
            }
        }
    }
}

/// SIGINT or SIGTERM.
async fn ended() {
    let terminated = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signal::ctrl_c() => {}
        () = terminated => {}
    }
}
