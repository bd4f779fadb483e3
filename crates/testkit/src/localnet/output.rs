//! Output of a run, which stops cleanly if its reader closes the pipe.

use std::{
    any::Any,
    fmt,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::ExitCode,
};

/// Exit code that shells report for a program killed by SIGPIPE.
const CLOSED_PIPE: u8 = 128 + 13;

/// Prints a line, as `println!` does. If the reader is gone, e.g. with `| head`, the run and all
/// processes that it has started end silently.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {
        $crate::localnet::output::line(::core::format_args!($($text)*))
    };
}

/// Prints a line; see [`say!`].
pub fn line(text: fmt::Arguments<'_>) {
    must(put(&mut io::stdout().lock(), text));
}

/// Prints a line and returns any error, so that the caller can release locks before it unwinds.
pub fn try_line(text: fmt::Arguments<'_>) -> io::Result<()> {
    put(&mut io::stdout().lock(), text)
}

/// Unwinds the run if printing failed.
pub fn must(printed: io::Result<()>) {
    if let Err(error) = printed {
        // Unwind instead of exiting, because nodes are killed when their owners are dropped.
        resume_unwind(Box::new(PrintFailed(error)));
    }
}

fn put(out: &mut impl Write, text: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints a line on standard error and ignores any failure.
pub fn complain(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Panic payload for a failed print.
#[derive(Debug)]
struct PrintFailed(io::Error);

/// Runs `run` to its end or until printing fails, and returns its exit code.
pub fn exit_on_failed_print(run: impl FnOnce() -> ExitCode) -> ExitCode {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|why| code_of(why).into())
}

/// Returns the exit code for a panic payload of [`must`], and resumes any other panic.
fn code_of(why: Box<dyn Any + Send>) -> u8 {
    match why.downcast::<PrintFailed>() {
        Ok(unheard) if unheard.0.kind() == io::ErrorKind::BrokenPipe => CLOSED_PIPE,
        Ok(unheard) => {
            complain(format_args!("\nFAILED: cannot print: {}", unheard.0));
            1
        }
        Err(panic) => resume_unwind(panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, rc::Rc};

    /// Returns the exit code of a run that prints to `out` and owns a value, which must be dropped.
    fn left(out: &mut impl Write) -> Option<u8> {
        let started = Rc::new(());
        let shared = Rc::clone(&started);
        let run = move || {
            let _shared = shared;
            must(put(out, format_args!("a line")));
        };
        let why = catch_unwind(AssertUnwindSafe(run)).err();
        assert_eq!(Rc::strong_count(&started), 1, "the run's value was not dropped");
        why.map(code_of)
    }

    #[test]
    fn closed_output_ends_run_and_drops_its_state() {
        let (reader, mut writer) = io::pipe().unwrap();
        assert_eq!(left(&mut writer), None);
        drop(reader);
        assert_eq!(left(&mut writer), Some(CLOSED_PIPE));
        // A full disk is another error.
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(left(&mut full), Some(1));
    }

    #[test]
    #[should_panic(expected = "of another kind")]
    fn until_unheard_resumes_other_panics() {
        let _ = exit_on_failed_print(|| panic!("of another kind"));
    }
}
