//! Progress display of the current step.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Interval of updates on a terminal.
const TICK: Duration = Duration::from_secs(1);
/// Interval between lines in a file, which keeps all of them.
const LINE: Duration = Duration::from_secs(15);

/// Shows the current task and the time since the start on standard error, until it is dropped.
#[derive(Debug)]
pub(crate) enum Progress {
    /// One line, which is redrawn.
    Terminal(ProgressBar),
    /// A line per [`LINE`].
    File(Lines),
    /// Nothing, while another progress is shown.
    Silent,
}

impl Progress {
    pub(crate) fn start(start: Instant) -> Self {
        let err = io::stderr();
        match err.is_terminal() {
            true => Self::on_terminal(ProgressDrawTarget::stderr(), start),
            false => Self::File(Lines::to(err, start, LINE)),
        }
    }

    fn on_terminal(target: ProgressDrawTarget, start: Instant) -> Self {
        let style = ProgressStyle::with_template("  {elapsed:>4}  {wide_msg}");
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
            .with_elapsed(start.elapsed());
        Self::Terminal(bar)
    }

    /// Sets the current task; an empty one ends the display.
    pub(crate) fn begin(&self, doing: &str) {
        match self {
            Self::Terminal(bar) if doing.is_empty() => {
                bar.disable_steady_tick();
                bar.finish_and_clear();
            }
            Self::Terminal(bar) => {
                bar.set_message(format!("{doing} …"));
                bar.enable_steady_tick(TICK);
            }
            Self::File(lines) => lines.begin(doing),
            Self::Silent => {}
        }
    }

    /// Clears the progress line while `print` prints to what may be the same terminal. `print` must
    /// not panic.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        match self {
            Self::Terminal(bar) => bar.suspend(print),
            Self::File(_) | Self::Silent => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.begin("");
    }
}

/// Writer of periodic lines for a file.
#[derive(Debug)]
pub(crate) struct Lines {
    doing: Arc<Mutex<String>>,
    /// Ends the writing thread when it is dropped.
    _alive: mpsc::Sender<()>,
}

impl Lines {
    fn to(mut out: impl Write + Send + 'static, start: Instant, every: Duration) -> Self {
        let doing = Arc::new(Mutex::new(String::new()));
        let (alive, ended) = mpsc::channel::<()>();
        let current = Arc::clone(&doing);
        thread::spawn(move || {
            while ended.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                let doing = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if !doing.is_empty() {
                    let line = format!("  {:>4} s  {doing} …\n", start.elapsed().as_secs());
                    // One write per line keeps lines intact. A closed reader is not an error.
                    let _ = out.write_all(line.as_bytes());
                }
            }
        });
        Self { doing, _alive: alive }
    }

    fn begin(&self, doing: &str) {
        doing.clone_into(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;

    #[derive(Debug, Clone, Default)]
    struct Shared(Arc<Mutex<String>>);

    impl Shared {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }

        fn put(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.put(core::str::from_utf8(bytes).unwrap())?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl TermLike for Shared {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.put(&format!("{text}\n"))
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            self.put("<cleared>")
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn terminal_progress_is_cleared_for_other_output() {
        let out = Shared::default();
        let target = ProgressDrawTarget::term_like(Box::new(out.clone()));
        let progress = Progress::on_terminal(target, Instant::now());
        progress.begin("compiling");
        let text = out.text();
        assert!(text.contains("0s  compiling …"), "{text:?}");
        progress.beside(|| out.put("(a step)").unwrap());
        assert!(out.text().contains("<cleared>(a step)"), "{:?}", out.text());
        drop(progress);
        assert!(out.text().ends_with("<cleared>"), "{:?}", out.text());
    }

    #[test]
    fn file_progress_repeats_lines_during_task() {
        let out = Shared::default();
        let lines = Lines::to(out.clone(), Instant::now(), Duration::from_millis(1));
        lines.begin("compiling");
        while out.text().lines().count() < 3 {
            thread::yield_now();
        }
        assert!(out.text().lines().all(|line| line == "     0 s  compiling …"), "{:?}", out.text());
        lines.begin("");
        let _ = Progress::File(lines);
    }
}
