//! Events of a call that are neither in its result nor visible to an inspector.
//!
//! Precompiles run on the EVM's thread, so a caller of the EVM can collect their events: [`watch`]
//! returns everything that they [`note`].

use alloy_primitives::{Address, Bytes, address};
use execute::{ExecuteError, ObservedCall};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

/// Address to which `console.log` sends its calls: its name in ASCII.
pub const CONSOLE: Address = address!("0x000000000000000000636F6e736F6c652e6c6f67");

/// Maximum number of notes per watch; later ones are dropped.
const MAX_NOTES: usize = 1024;

thread_local! {
    static WATCHED: RefCell<Option<Vec<Note>>> = const { RefCell::new(None) };
    /// `true` if a contract printed a line outside of any watch.
    static MISSED: Cell<bool> = const { Cell::new(false) };
    /// `true` while a call whose events were already reported is executed again.
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Event of a precompile.
#[derive(Debug, Clone)]
pub enum Note {
    /// A call of EXECUTE.
    Execute(ExecuteCall),
    /// A line printed by a contract: the calldata of a `console.log` call.
    Console(Bytes),
}

/// A call of the EXECUTE precompile.
#[derive(Debug, Clone)]
pub struct ExecuteCall {
    /// Dialect of the input, i.e. of the called precompile.
    pub dialect: &'static str,
    /// Called address.
    pub address: Address,
    /// Length of the calldata, in bytes.
    pub bytes: usize,
    /// Gas forwarded to the call.
    pub gas: u64,
    /// Execution time of the call.
    pub took: Duration,
    /// Gas charged and returndata, or the reason of the refusal.
    pub outcome: Result<(u64, Bytes), ExecuteError>,
}

impl ExecuteCall {
    /// Copies an observed call.
    pub fn of(call: &ObservedCall<'_>) -> Self {
        Self {
            dialect: call.dialect,
            address: call.address,
            bytes: call.calldata.len(),
            gas: call.gas,
            took: call.took,
            outcome: match call.outcome {
                Ok(answer) => Ok((answer.gas, answer.output.clone())),
                Err(error) => Err(error.clone()),
            },
        }
    }
}

/// Runs a closure and returns everything that precompiles on this thread noted during it.
pub fn watch<T>(work: impl FnOnce() -> T) -> (T, Vec<Note>) {
    let before = WATCHED.replace(Some(Vec::new()));
    // A panic leaves its watch installed; the next `replace` drops those notes.
    let result = work();
    (result, WATCHED.replace(before).unwrap_or_default())
}

/// Like [`watch`], for a call that is executed again for its trace: its EXECUTE calls were already
/// counted and logged.
pub fn watch_again<T>(work: impl FnOnce() -> T) -> (T, Vec<Note>) {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            REPLAYING.set(self.0);
        }
    }
    let _restore = Restore(REPLAYING.replace(true));
    watch(work)
}

/// Returns `true` inside [`watch_again`].
pub(crate) fn is_replaying() -> bool {
    REPLAYING.get()
}

/// Adds a note to this thread's watch, if there is one.
pub fn note(note: Note) {
    WATCHED.with_borrow_mut(|watched| match watched {
        Some(notes) if notes.len() < MAX_NOTES => notes.push(note),
        Some(_) => {}
        None => MISSED.set(MISSED.get() || matches!(note, Note::Console(_))),
    });
}

/// Returns `true` if a contract printed a line on this thread outside of any watch since this
/// function was last called.
pub fn take_missed() -> bool {
    MISSED.take()
}

/// Calls that EXECUTE refused and the reasons, in the order in which the calls ended.
pub(crate) fn refused(
    notes: &[Note],
) -> impl Iterator<Item = (&ExecuteCall, &ExecuteError)> + Clone {
    notes.iter().filter_map(|note| match note {
        Note::Execute(call @ ExecuteCall { outcome: Err(reason), .. }) => Some((call, reason)),
        Note::Execute(_) | Note::Console(_) => None,
    })
}

/// Reasons of all refusals by EXECUTE, as text.
pub(crate) fn refusals(notes: &[Note]) -> Vec<String> {
    refused(notes).map(|(_, reason)| reason.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_collects_notes_and_reports_missed_lines() {
        let console = |byte: u8| Note::Console(Bytes::from(vec![byte]));
        let ((inner, outer), notes) = watch(|| {
            note(console(1));
            let inner = watch(|| note(console(2))).1;
            note(console(3));
            (inner.len(), take_missed())
        });
        assert_eq!((inner, outer, notes.len()), (1, false, 2));
        assert!(!take_missed());
        note(console(4));
        assert!(take_missed());
        assert!(!take_missed(), "already taken");
        for _ in 0..2 * MAX_NOTES {
            note(console(5));
        }
        assert_eq!(watch(|| (0..2 * MAX_NOTES).for_each(|_| note(console(6)))).1.len(), MAX_NOTES);
    }

    #[test]
    fn replay_flag_ends_with_watch_even_after_panic() {
        let console = || note(Note::Console(Bytes::new()));
        let (known, notes) = watch_again(|| {
            console();
            is_replaying()
        });
        assert_eq!((known, notes.len()), (true, 1));
        assert!(!watch(is_replaying).0);
        assert!(std::panic::catch_unwind(|| watch_again(|| panic!("on purpose"))).is_err());
        assert!(!is_replaying());
    }
}
