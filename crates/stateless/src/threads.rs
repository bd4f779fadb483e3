//! Threads that help with work.

/// Runs `work` while up to `helpers` further threads run `help`. It must not depend on their help: a thread that fails
/// to start or panics decides nothing.
#[cfg(feature = "std")]
pub fn with_help<T>(helpers: usize, help: impl Fn() + Sync, work: impl FnOnce() -> T) -> T {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        thread,
    };
    let guarded = || drop(catch_unwind(AssertUnwindSafe(&help)));
    thread::scope(|scope| {
        for _ in 0..helpers {
            if thread::Builder::new().spawn_scoped(scope, guarded).is_err() {
                break;
            }
        }
        work()
    })
}

/// Runs `work`: without the standard library there are no threads.
#[cfg(not(feature = "std"))]
pub fn with_help<T>(_: usize, _: impl Fn(), work: impl FnOnce() -> T) -> T {
    work()
}
