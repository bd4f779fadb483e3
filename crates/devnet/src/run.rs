//! The command: a devnet as a process, from its flags to the signal that ends it.

use crate::{
    Devnet, DevnetError, STORY, allow_open_files, args::DevnetArgs, banner, config_out,
    server::RunningServer,
};
use futures_util::future::BoxFuture;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::oneshot, task, time};

/// How long connections may take to end. Those whose requests wait for something do not.
const FAREWELL: Duration = Duration::from_millis(300);

/// How long a change of the chain may keep its state from being written. It is less than what those who
/// end processes give them (with Docker ten seconds).
const STANDSTILL: Duration = Duration::from_secs(5);

/// Runs a devnet until the process is told to end: by SIGINT or SIGTERM, whatever it does then. Must
/// be called inside a Tokio runtime of several threads, which is not to be waited for afterwards.
///
/// # Errors
///
/// Any [`DevnetError`] on the way up, and those of writing the state on the way down.
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
        Some(path) => write_state(&devnet, path, STANDSTILL).await,
        None => Ok(()),
    };
    devnet.keep_answers();
    if time::timeout(FAREWELL, devnet.stop()).await.is_err() {
        tracing::info!("requests that are still at work are left");
    }
    written
}

/// Writes the state, unless something holds the chain: whoever is to end does not wait for that.
async fn write_state(devnet: &Devnet, path: &Path, patience: Duration) -> Result<(), DevnetError> {
    let node = Arc::clone(devnet.node());
    let free = task::spawn_blocking(move || node.read(|_| ()));
    if time::timeout(patience, free).await.is_err() {
        return Err(DevnetError::NotWritten { path: path.to_owned(), waited: patience });
    }
    devnet.dump_state(path)
}

/// Tells what the devnet is and where it listens.
fn announce(devnet: &Devnet) {
    let facts = devnet.facts();
    let text = banner(devnet.config(), devnet.accounts(), &facts);
    let (id, number) = (facts.chain_id, facts.genesis_number);
    tracing::info!(target: STORY, text, chainId = id, blockNumber = number, "started");
    for address in devnet.server().into_iter().flat_map(RunningServer::addresses) {
        let text = format!("Listening on {address}");
        tracing::info!(target: STORY, text, %address, port = address.port(), "listening");
    }
}

/// A devnet with the state that it is to begin with.
async fn start(args: &DevnetArgs) -> Result<Devnet, DevnetError> {
    let config = args.config()?;
    allow_open_files();
    Devnet::start_from(config, args.state_to_load().map(PathBuf::as_path)).await
}

/// Waits for the end, and writes the state at intervals on the way.
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
                if let (Some(path), Some(_)) = (dump, interval)
                    && let Err(error) = write_state(devnet, path, STANDSTILL).await
                {
                    tracing::error!(%error, "the state is not written; it is tried again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use node::{Command, NodeState};
    use std::sync::mpsc;

    /// Holds the chain until it is told to let go.
    #[derive(Debug)]
    struct Hold(mpsc::Sender<()>, mpsc::Receiver<()>);

    impl Command for Hold {
        type Output = ();

        fn apply(self, _: &mut NodeState) {
            self.0.send(()).unwrap();
            self.1.recv().unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_state_is_written_unless_something_holds_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let devnet = Devnet::builder().spawn().await.unwrap();
        let ((held, is_held), (let_go, is_let_go)) = (mpsc::channel(), mpsc::channel());
        let node = Arc::clone(devnet.node());
        let holding = task::spawn_blocking(move || node.execute(Hold(held, is_let_go)));
        is_held.recv().unwrap();
        let patience = Duration::from_millis(50);
        let error = write_state(&devnet, &path, patience).await.unwrap_err();
        assert!(matches!(error, DevnetError::NotWritten { waited, .. } if waited == patience));
        assert!(!path.exists());
        let_go.send(()).unwrap();
        holding.await.unwrap();
        write_state(&devnet, &path, STANDSTILL).await.unwrap();
        assert!(path.exists());
    }
}
