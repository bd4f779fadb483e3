//! What is being done just now, told as long as it takes.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How often a terminal is told.
const TICK: Duration = Duration::from_secs(1);
/// How many ticks pass before a file is told, in which each line stays.
const TICKS_PER_LINE: u32 = 15;

/// Tells what is being done, with the time since the start, until it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    line: Arc<Mutex<Line>>,
    /// Ends the thread that tells.
    _alive: mpsc::Sender<()>,
}

/// What is written, and where.
struct Line {
    out: Box<dyn Write + Send>,
    /// Whether a line can be written over by the next one.
    on_terminal: bool,
    start: Instant,
    doing: String,
    ticks: u32,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("doing", &self.doing).finish_non_exhaustive()
    }
}

impl Progress {
    /// On standard error.
    pub(crate) fn start(start: Instant) -> Self {
        let err = io::stderr();
        let on_terminal = err.is_terminal();
        Self::to(Box::new(err), on_terminal, start)
    }

    fn to(out: Box<dyn Write + Send>, on_terminal: bool, start: Instant) -> Self {
        let line = Line { out, on_terminal, start, doing: String::new(), ticks: 0 };
        let line = Arc::new(Mutex::new(line));
        let (alive, ended) = mpsc::channel::<()>();
        let told = Arc::clone(&line);
        thread::spawn(move || {
            while ended.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                lock(&told).tick();
            }
        });
        Self { line, _alive: alive }
    }

    /// From now on, this is being done.
    pub(crate) fn begin(&self, doing: &str) {
        let mut line = lock(&self.line);
        doing.clone_into(&mut line.doing);
        line.ticks = 0;
        if line.on_terminal {
            line.tell();
        }
    }

    /// Makes room for something that is printed elsewhere.
    pub(crate) fn clear(&self) {
        lock(&self.line).clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let mut line = lock(&self.line);
        line.doing.clear();
        line.clear();
    }
}

/// A line that somebody has failed to write is written again.
fn lock(line: &Mutex<Line>) -> std::sync::MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn tick(&mut self) {
        self.ticks += 1;
        if !self.doing.is_empty() && (self.on_terminal || self.ticks.is_multiple_of(TICKS_PER_LINE))
        {
            self.tell();
        }
    }

    /// Nobody may be there to read it, which is no reason to stop.
    fn tell(&mut self) {
        let seconds = self.start.elapsed().as_secs();
        let (begin, end) = if self.on_terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let _ = write!(self.out, "{begin}  {seconds:>4} s  {} …{end}", self.doing);
        let _ = self.out.flush();
    }

    fn clear(&mut self) {
        if self.on_terminal {
            let _ = write!(self.out, "\r\x1b[K").and_then(|()| self.out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(on_terminal: bool, ticks: u32) -> String {
        let out = Shared::default();
        let progress = Progress::to(Box::new(out.clone()), on_terminal, Instant::now());
        progress.begin("compiling");
        for _ in 0..ticks {
            lock(&progress.line).tick();
        }
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_terminal_is_told_at_once_and_with_each_tick_on_one_line() {
        let first = told(true, 0);
        assert!(first.starts_with("\r\x1b[K     0 s  compiling …"), "{first:?}");
        assert!(told(true, 2).matches("compiling").count() >= 3);
        assert!(!told(true, 20).contains('\n'));
    }

    #[test]
    fn a_file_is_told_a_line_now_and_then() {
        assert_eq!(told(false, 0), "");
        let later = told(false, TICKS_PER_LINE);
        assert!(later.ends_with("compiling …\n") && !later.contains('\r'), "{later:?}");
        assert_eq!(later.lines().count(), 1);
    }
}
