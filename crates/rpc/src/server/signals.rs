//! Termination signals.

use std::{io, process, thread};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// Returns a future that resolves at the first SIGINT or SIGTERM from now on. The second signal
/// exits the process immediately.
///
/// A dedicated thread handles the signals, so that busy workers cannot delay them.
///
/// # Errors
///
/// If the operating system cannot create a thread or a signal handler.
pub fn termination() -> io::Result<oneshot::Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
    let (mut interrupts, mut terminations) = (signal(interrupt)?, signal(terminate)?);
    drop(entered);
    let (sender, end) = oneshot::channel();
    let mut next = async move || match either(&mut interrupts, &mut terminations).await {
        true => interrupt,
        false => terminate,
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            next().await;
            // The receiver is dropped only if the process is about to exit anyway.
            let _ = sender.send(());
            let second = next().await;
            process::exit(128 + second.as_raw_value());
        });
    })?;
    Ok(end)
}

/// Waits for either signal; returns `true` if it was the first.
async fn either(first: &mut Signal, second: &mut Signal) -> bool {
    tokio::select! {
        _ = first.recv() => true,
        _ = second.recv() => false,
    }
}
