//! Checks by external tools: cargo-deny, cargo-shear and typos; and mdBook, which builds the book.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use eyre::WrapErr as _;

use crate::tools::{DENY, MDBOOK, SHEAR, TYPOS, Tool, install};

/// Timeout for fetching the advisory database, which has a few megabytes.
const ADVISORIES_DEADLINE: Duration = Duration::from_secs(120);

/// Outcome of a check that may be impossible on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    Passed,
    Failed,
    /// The check was skipped for this reason.
    Skipped(String),
}

impl From<ExitStatus> for Checked {
    fn from(status: ExitStatus) -> Self {
        if status.success() { Self::Passed } else { Self::Failed }
    }
}

/// Checks licences, sources and bans of the dependencies by `deny.toml`.
pub(crate) fn deny(root: &Path) -> eyre::Result<Checked> {
    match check(root, DENY, &["--workspace", "check", "licenses", "sources"])? {
        // Any crate may have test support as a development dependency.
        Checked::Passed => check(
            root,
            DENY,
            &["--workspace", "--exclude-dev", "check", "-A", "unused-wrapper", "bans"],
        ),
        failed => Ok(failed),
    }
}

/// Checks the versions in `Cargo.lock` against known advisories.
///
/// The advisory database is on GitHub. If it cannot be reached, the check is reported as skipped,
/// because that is not a fault of the repository. (Mistakes in `deny.toml` fail [`deny`].)
pub(crate) fn advisories(root: &Path) -> eyre::Result<Checked> {
    let program = install(root, DENY)?;
    println!("$ {} fetch db", DENY.program);
    let fetch = command(root, &program)
        .args(["fetch", "db"])
        // git must not prompt for credentials.
        .env("GIT_TERMINAL_PROMPT", "0")
        .stderr(Stdio::piped())
        .spawn()
        .wrap_err("cannot run cargo-deny")?;
    if let Some(why) = failure_within(fetch, ADVISORIES_DEADLINE)? {
        return Ok(Checked::Skipped(format!("the advisory database cannot be fetched: {why}")));
    }
    check(root, DENY, &["--workspace", "check", "advisories"])
}

/// Checks for dependencies that a crate does not use, or that only its tests use.
pub(crate) fn unused_dependencies(root: &Path) -> eyre::Result<Checked> {
    check(root, SHEAR, &["--locked"])
}

/// Checks the spelling of all files that git tracks or would add, by `typos.toml`.
pub(crate) fn spelling(root: &Path) -> eyre::Result<Checked> {
    check(root, TYPOS, &["--hidden"])
}

/// Returns the path of mdBook.
pub(crate) fn mdbook(root: &Path) -> eyre::Result<PathBuf> {
    install(root, MDBOOK)
}

/// Runs a tool with its output on the terminal.
fn check(root: &Path, tool: Tool, args: &[&str]) -> eyre::Result<Checked> {
    let program = install(root, tool)?;
    println!("$ {}", [&[tool.program], args].concat().join(" "));
    let status = command(root, &program)
        .args(args)
        .status()
        .wrap_err_with(|| format!("cannot run {}", tool.program))?;
    Ok(status.into())
}

fn command(root: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

/// Waits for a program, and returns the reason if it failed.
fn failure_within(mut child: Child, deadline: Duration) -> eyre::Result<Option<String>> {
    let stderr = child.stderr.take();
    let reader = thread::spawn(move || stderr.map(std::io::read_to_string));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(Some(format!("no end after {} s", deadline.as_secs())));
        }
        thread::sleep(Duration::from_millis(50));
    };
    if status.success() {
        return Ok(None);
    }
    let said = match reader.join() {
        Ok(Some(Ok(said))) => said,
        _ => String::new(),
    };
    Ok(Some(last_words(&said).unwrap_or_else(|| status.to_string())))
}

/// Returns the last nonempty line, which is the root cause of an error.
fn last_words(said: &str) -> Option<String> {
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfetchable_data_is_skipped_with_reason() {
        let shell = |script: &str| {
            Command::new("sh").args(["-c", script]).stderr(Stdio::piped()).spawn().unwrap()
        };
        let within = |script, deadline| failure_within(shell(script), deadline).unwrap();
        let long = Duration::from_secs(60);
        assert_eq!(within("echo a warning >&2", long), None);
        let said = within("echo error >&2; echo '  no route to host' >&2; exit 1", long);
        assert_eq!(said.as_deref(), Some("no route to host"));
        assert_eq!(within("exit 3", long).as_deref(), Some("exit status: 3"));
        let never = within("exec sleep 600", Duration::ZERO);
        assert_eq!(never.as_deref(), Some("no end after 0 s"));
    }
}
