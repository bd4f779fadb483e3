//! Requests to other nodes and to L1 on separate threads, so that the caller does not block.

use std::{
    io,
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
};

/// A pending request, whose response is discarded on drop.
#[derive(Debug)]
pub(crate) struct Probe<T>(Receiver<T>);

/// The request's thread panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbePanicked;

impl<T: Send + 'static> Probe<T> {
    /// Starts a request, which must have its own timeout.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the system cannot start a thread.
    pub(crate) fn spawn(request: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(1);
        let thread = thread::Builder::new().name("probe".to_owned());
        // The send fails if the probe was dropped, which discards the response.
        thread.spawn(move || drop(sender.send(request())))?;
        Ok(Self(receiver))
    }

    /// Returns the response, if it has arrived; never blocks.
    pub(crate) fn response(&self) -> Option<Result<T, ProbePanicked>> {
        match self.0.try_recv() {
            Ok(response) => Some(Ok(response)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(ProbePanicked)),
        }
    }

    /// Blocks until the response arrives.
    pub(crate) fn wait(&self) -> Result<T, ProbePanicked> {
        self.0.recv().map_err(|_| ProbePanicked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn answered<T: Send + 'static>(probe: &Probe<T>) -> Result<T, ProbePanicked> {
        loop {
            if let Some(result) = probe.response() {
                return result;
            }
            thread::yield_now();
        }
    }

    /// A panic of the request's thread yields [`ProbePanicked`].
    #[test]
    fn probe_does_not_block() {
        let (resume, paused) = channel::<()>();
        let probe = Probe::spawn(move || paused.recv().map(|()| 7)).unwrap();
        assert!(probe.response().is_none());
        resume.send(()).unwrap();
        assert_eq!(answered(&probe), Ok(Ok(7)));
        let panics = Probe::<u8>::spawn(|| panic!("the request")).unwrap();
        assert_eq!(answered(&panics), Err(ProbePanicked));
    }
}
