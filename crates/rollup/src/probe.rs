//! Requests to other nodes and to L1 on threads of their own, so that the room does not wait.

use std::{
    io,
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
};

/// A pending request. Dropping it discards the answer.
#[derive(Debug)]
pub(crate) struct Probe<T>(Receiver<T>);

/// Error of a request whose thread panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unanswered;

impl<T: Send + 'static> Probe<T> {
    /// Starts a request, which must have a timeout of its own.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the system has no thread.
    pub(crate) fn ask(question: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (sender, answer) = sync_channel(1);
        let thread = thread::Builder::new().name("probe".to_owned());
        // Without a receiver the answer is of no use any more.
        thread.spawn(move || drop(sender.send(question())))?;
        Ok(Self(answer))
    }

    /// The answer, if it has arrived; never blocks.
    pub(crate) fn answer(&self) -> Option<Result<T, Unanswered>> {
        match self.0.try_recv() {
            Ok(answer) => Some(Ok(answer)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(Unanswered)),
        }
    }

    /// Waits for the answer.
    pub(crate) fn wait(&self) -> Result<T, Unanswered> {
        self.0.recv().map_err(|_| Unanswered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn answered<T: Send + 'static>(probe: &Probe<T>) -> Result<T, Unanswered> {
        loop {
            if let Some(answer) = probe.answer() {
                return answer;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn asking_waits_for_no_answer_and_a_panic_is_one() {
        let (goes_on, waits) = channel::<()>();
        let probe = Probe::ask(move || waits.recv().map(|()| 7)).unwrap();
        assert!(probe.answer().is_none());
        goes_on.send(()).unwrap();
        assert_eq!(answered(&probe), Ok(Ok(7)));
        let panics = Probe::<u8>::ask(|| panic!("the question")).unwrap();
        assert_eq!(answered(&panics), Err(Unanswered));
    }
}
