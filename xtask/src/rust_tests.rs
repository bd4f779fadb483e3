//! Builds the tests of the workspace, and runs two test programs at a time.
//!
//! cargo runs test programs one after another, and the longest ones mostly wait for clocks, sockets
//! and other processes. Two at a time keep two cores busy; three take just as long. cargo-nextest
//! would run each test in a process of its own, which compiles and builds shared fixtures again for
//! each, and would hide the lines with which passing tests report what they skipped.

use std::{
    fs,
    io::{self, Write as _},
    num::NonZero,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::Value;

use crate::{built::CHECKS, command};

/// Number of test programs that run concurrently.
const AT_A_TIME: usize = 2;

/// Builds and runs all tests and doctests.
pub(crate) fn run(root: &Path) -> Result<()> {
    let build = ["test", "--workspace", "--profile", CHECKS, "--no-run"];
    println!("$ cargo {}", build.join(" "));
    let mut cargo = toolchain::cargo();
    cargo.current_dir(root).args(build).arg("--message-format=json-render-diagnostics");
    let built = cargo.stderr(Stdio::inherit()).output().wrap_err("cannot run cargo")?;
    ensure!(built.status.success(), "the tests do not build");
    let mut programs = programs(&String::from_utf8(built.stdout)?)?;
    ensure!(!programs.is_empty(), "cargo has built no tests");
    // The largest programs start nodes and take longest, so they run first.
    programs.sort_by_key(|program| {
        core::cmp::Reverse(fs::metadata(&program.0).map_or(0, |metadata| metadata.len()))
    });
    let failed = run_all(&programs)?;
    let doctests = ["test", "--workspace", "--profile", CHECKS, "--no-fail-fast", "--doc"];
    let doctests = command::cargo(root, &doctests);
    ensure!(failed.is_empty(), "tests FAILED: {}", failed.join(", "));
    doctests
}

/// A test program, and the folder of its package, in which cargo runs it.
type Program = (PathBuf, PathBuf);

/// Reads the test programs from cargo's messages.
fn programs(messages: &str) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(message).wrap_err("cargo's messages")?;
        let is_test = message["profile"]["test"] == true;
        let (true, Some(path)) = (is_test, message["executable"].as_str()) else { continue };
        let manifest = message["manifest_path"].as_str().map(Path::new);
        let folder = manifest.and_then(Path::parent).ok_or_eyre("a test of no package")?;
        programs.push((path.into(), folder.to_owned()));
    }
    Ok(programs)
}

/// Runs the programs, and prints the output of each when it ends. Returns the names of those that
/// failed.
fn run_all(programs: &[Program]) -> Result<Vec<String>> {
    // Long tests wait for clocks and other processes, so there are more threads than cores.
    let threads = 2 * thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<String>> {
        let mut failed = Vec::new();
        while let Some((path, folder)) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let name = path.display().to_string();
            let mut command = Command::new(path);
            command.current_dir(folder).stdin(Stdio::null());
            command.env("RUST_TEST_THREADS", threads.to_string()).env("CARGO_MANIFEST_DIR", folder);
            let output = command.output().wrap_err_with(|| format!("cannot run {name}"))?;
            let mut out = io::stdout().lock();
            writeln!(out, "$ {name}")?;
            out.write_all(&[output.stdout, output.stderr].concat())?;
            writeln!(out, "ended after {:.1} s: {}", begun.elapsed().as_secs_f64(), output.status)?;
            if !output.status.success() {
                failed.push(name);
            }
        }
        Ok(failed)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        let failed = workers.into_iter().map(|worker| {
            worker.join().map_err(|_| eyre::eyre!("a thread that runs tests has panicked"))?
        });
        Ok(failed.collect::<Result<Vec<_>>>()?.concat())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_run_at_once_and_report_failures() {
        let folder = tempfile::tempdir().unwrap();
        // The first succeeds only once the last has run, and fails if that one waits for its end.
        let waits = "for i in $(seq 1200); do [ -e last ] && exit 0; sleep 0.05; done; exit 1";
        let scripts = [
            ("waits", waits),
            ("fails", "exit 1"),
            ("killed", "kill -9 $$"),
            ("ends", "touch last"),
        ];
        let programs = scripts.map(|(name, script)| {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            let mut permissions = fs::metadata(&path).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
            fs::set_permissions(&path, permissions).unwrap();
            (path, folder.path().to_owned())
        });
        let failed = run_all(&programs).unwrap();
        assert_eq!(failed, [1, 2].map(|index: usize| programs[index].0.display().to_string()));
    }

    #[test]
    fn only_test_programs_are_run() {
        let artifact = |test: bool, executable: &str| {
            format!(
                r#"{{"manifest_path":"/a/Cargo.toml","profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let messages = [
            artifact(true, r#""/target/formats-1""#),
            artifact(false, r#""/target/enshrine""#),
            artifact(false, "null"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let expected = ("/target/formats-1".into(), "/a".into());
        assert_eq!(programs(&messages.join("\n")).unwrap(), [expected]);
    }
}
