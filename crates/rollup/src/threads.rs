//! Scoped threads for concurrent requests. If the system refuses a thread, which happens under
//! load, only its request fails: `Scope::spawn` would panic.

use std::thread::{Builder, Scope, ScopedJoinHandle};

/// A scoped thread, or none if the system refused it.
#[derive(Debug)]
pub(crate) struct ScopedThread<'scope, T>(Option<ScopedJoinHandle<'scope, T>>);

/// The thread could not be started, or panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadFailed;

/// Starts a thread that ends with the scope.
pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    run: impl FnOnce() -> T + Send + 'scope,
) -> ScopedThread<'scope, T> {
    spawn_by(Builder::new(), scope, run)
}

fn spawn_by<'scope, T: Send + 'scope>(
    builder: Builder,
    scope: &'scope Scope<'scope, '_>,
    run: impl FnOnce() -> T + Send + 'scope,
) -> ScopedThread<'scope, T> {
    ScopedThread(builder.spawn_scoped(scope, run).ok())
}

impl<T> ScopedThread<'_, T> {
    /// Waits for the thread's result.
    pub(crate) fn join(self) -> Result<T, ThreadFailed> {
        self.0.and_then(|thread| thread.join().ok()).ok_or(ThreadFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn refused_thread_is_an_error() {
        // No system maps a stack of this size.
        let refused = || Builder::new().stack_size(1 << 60);
        assert_eq!(
            thread::scope(|scope| spawn_by(refused(), scope, || 1).join()),
            Err(ThreadFailed)
        );
        assert_eq!(thread::scope(|scope| spawn(scope, || 1).join()), Ok(1));
    }
}
