//! Helper threads.

use executor::OnceCell;

/// Runs `work`, and `other` on another thread if it is `shared`. The returned function returns the
/// result of `other`, and computes it itself if the thread failed to start or panicked.
pub fn beside<T, U: Send + Sync>(
    shared: bool,
    other: impl Fn() -> U + Sync,
    work: impl FnOnce() -> T,
) -> (T, impl FnOnce() -> U) {
    let result = OnceCell::new();
    let done = with_help(usize::from(shared), || _ = result.get_or_init(&other), work);
    (done, move || result.into_inner().unwrap_or_else(other))
}

/// Runs `work` while up to `helpers` further threads run `help`. `work` must not depend on their
/// help: a thread that fails to start or panics is ignored.
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
