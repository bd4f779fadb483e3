//! A background command whose output is printed when its turn comes.

use std::{
    fs::File,
    io::{self, Seek as _},
    process::{Child, Command, ExitStatus, Stdio},
};

use eyre::WrapErr as _;

/// A running command. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Background {
    line: String,
    child: Child,
    said: File,
}

impl Background {
    /// Starts the command; `line` is the command line to print.
    pub(crate) fn start(command: &mut Command, line: &str) -> eyre::Result<Self> {
        let said = tempfile::tempfile()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said.try_clone()?)
            .spawn()
            .wrap_err_with(|| format!("cannot run `{line}`"))?;
        Ok(Self { line: line.to_owned(), child, said })
    }

    /// Waits for the process to end. Call this first if `out` of [`Self::end`] is a lock, so that
    /// the lock is not held meanwhile.
    pub(crate) fn wait(&mut self) -> eyre::Result<ExitStatus> {
        self.child.wait().wrap_err_with(|| format!("cannot wait for `{}`", self.line))
    }

    /// Waits for the process to end, and writes its output. Returns `true` if it succeeded.
    pub(crate) fn end(mut self, mut out: impl io::Write) -> eyre::Result<bool> {
        let status = self.wait()?;
        let line = &self.line;
        writeln!(out, "$ {line}")?;
        self.said.rewind()?;
        io::copy(&mut self.said, &mut out)?;
        if !status.success() {
            writeln!(out, "`{line}` failed: {status}")?;
        }
        Ok(status.success())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail if the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Background {
        Background::start(Command::new("sh").args(["-c", script]), script).unwrap()
    }

    #[test]
    fn output_and_status_are_reported_at_end() {
        for (script, success, said) in [
            ("echo a; echo b >&2", true, "$ echo a; echo b >&2\na\nb\n"),
            (
                "echo a; exit 3",
                false,
                "$ echo a; exit 3\na\n`echo a; exit 3` failed: exit status: 3\n",
            ),
        ] {
            let mut out = Vec::new();
            assert_eq!(shell(script).end(&mut out).unwrap(), success);
            assert_eq!(String::from_utf8(out).unwrap(), said);
        }
    }

    #[test]
    fn dropped_process_is_ended() {
        let beside = shell("sleep 1000");
        let process = beside.child.id().to_string();
        let is_there = || Command::new("kill").args(["-0", &process]).status().unwrap().success();
        assert!(is_there());
        drop(beside);
        assert!(!is_there());
    }
}
