//! Termination signals.

use rustix::process::Signal;
use std::{
    fs,
    future::poll_fn,
    io, process,
    task::Poll,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal as SignalStream, SignalKind, signal},
    sync::oneshot,
};

/// Time after the first signal in which further ones are ignored: `timeout` sends a signal to a
/// process and then to its group, which includes the process.
const REPEATED: Duration = Duration::from_secs(1);

/// Returns a future that resolves at the first SIGINT, SIGTERM or SIGHUP from now on. A signal a
/// second or more after it exits the process immediately. A SIGHUP that was ignored when the
/// process started, as by `nohup`, stays ignored.
///
/// A write beyond the limit of file sizes fails from now on, and does not end the process
/// (SIGXFSZ).
///
/// A dedicated thread handles the signals, so that busy workers cannot delay them.
///
/// # Errors
///
/// If the operating system cannot create a thread or a signal handler.
pub fn termination() -> io::Result<oneshot::Receiver<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if ignored_signals().is_some_and(|ignored| !has_signal(ignored, SignalKind::hangup())) {
        kinds.push(SignalKind::hangup());
    }
    let mut signals = Vec::with_capacity(kinds.len());
    for kind in kinds {
        signals.push((kind, signal(kind)?));
    }
    // The handler stays when the stream is dropped.
    drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
    drop(entered);
    let (sender, end) = oneshot::channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            first_of(&mut signals).await;
            // The receiver is dropped only if the process is about to exit anyway.
            let _ = sender.send(());
            let begun = Instant::now();
            loop {
                let next = first_of(&mut signals).await;
                if begun.elapsed() >= REPEATED {
                    process::exit(128 + next.as_raw_value());
                }
            }
        });
    })?;
    Ok(end)
}

/// Waits for one of the signals.
async fn first_of(signals: &mut [(SignalKind, SignalStream)]) -> SignalKind {
    poll_fn(|context| {
        signals
            .iter_mut()
            .find_map(|(kind, stream)| {
                stream.poll_recv(context).is_ready().then_some(Poll::Ready(*kind))
            })
            .unwrap_or(Poll::Pending)
    })
    .await
}

/// Signals that this process ignores, as a bit set; `None` where the system does not report them.
fn ignored_signals() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(ignored.trim(), 16).ok()
}

/// Returns `true` if a bit set of signals contains this one.
const fn has_signal(signals: u64, kind: SignalKind) -> bool {
    signals >> (kind.as_raw_value() - 1) & 1 == 1
}
