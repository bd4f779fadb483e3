//! Builds the tests of the workspace, and runs two test programs at a time.
//!
//! cargo runs test programs one after another, and the longest ones mostly wait for clocks, sockets
//! and other processes. Two at a time keep two cores busy; three take just as long.

use std::{
    ffi::OsStr,
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use eyre::{OptionExt as _, WrapErr as _, ensure};
use serde_json::Value;

use crate::{background::Background, built::CHECKS};

/// Number of test programs that run concurrently.
const AT_A_TIME: usize = 2;

/// Arguments with which cargo builds the tests and lists their programs.
const BUILD: [&str; 6] = [
    "test",
    "--workspace",
    "--profile",
    CHECKS,
    "--no-run",
    "--message-format=json-render-diagnostics",
];
/// Arguments with which cargo runs the doctests.
const EXAMPLES: [&str; 6] = ["test", "--workspace", "--profile", CHECKS, "--no-fail-fast", "--doc"];

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    /// Name of the package and of the target.
    name: String,
    path: PathBuf,
    /// Folder of the package, in which cargo runs the program.
    folder: PathBuf,
}

/// Builds and runs all tests and doctests. Returns `true` if all passed.
pub(crate) fn run(root: &Path) -> eyre::Result<bool> {
    println!("$ cargo {}", BUILD.join(" "));
    let mut cargo = toolchain::cargo();
    let built = cargo
        .current_dir(root)
        .args(BUILD)
        .stderr(Stdio::inherit())
        .output()
        .wrap_err("cannot run cargo")?;
    if !built.status.success() {
        return Ok(false);
    }
    let mut programs = programs(&String::from_utf8(built.stdout)?)?;
    ensure!(!programs.is_empty(), "cargo has built no tests");
    // The largest programs start nodes and take longest, so they run first.
    programs.sort_by_key(|it| core::cmp::Reverse(fs::metadata(&it.path).map_or(0, |it| it.len())));
    let failed = run_all(&programs)?;
    for name in &failed {
        println!("tests FAILED: {name}");
    }
    println!("$ cargo {}", EXAMPLES.join(" "));
    let mut cargo = toolchain::cargo();
    let examples = cargo.current_dir(root).args(EXAMPLES).status().wrap_err("cannot run cargo")?;
    Ok(failed.is_empty() && examples.success())
}

/// Reads the test programs from cargo's messages.
fn programs(messages: &str) -> eyre::Result<Vec<Program>> {
    let mut programs = Vec::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(message).wrap_err("cargo's messages")?;
        let is_test = message["profile"]["test"] == true;
        let (true, Some(path)) = (is_test, message["executable"].as_str()) else { continue };
        let manifest = message["manifest_path"].as_str().ok_or_eyre("a test of no package")?;
        let folder = Path::new(manifest).parent().ok_or_eyre("a manifest of no package")?;
        let package = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let target = message["target"]["name"].as_str().unwrap_or_default();
        let name = format!("{package}: {target}");
        programs.push(Program { name, path: path.into(), folder: folder.to_owned() });
    }
    Ok(programs)
}

/// Runs the programs, and prints the output of each when it ends. Returns the names of those that
/// failed.
fn run_all(programs: &[Program]) -> eyre::Result<Vec<String>> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> eyre::Result<()> {
        while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let mut started = start(program)?;
            started.wait()?;
            let passed = started.end(io::stdout().lock())?;
            println!("{} ended after {:.1} s", program.name, begun.elapsed().as_secs_f64());
            if !passed {
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(program.name.clone());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|it| {
            it.join().map_err(|_| eyre::eyre!("a thread that runs tests has panicked"))?
        })
    })?;
    Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn start(program: &Program) -> eyre::Result<Background> {
    // Long tests wait for clocks and other processes, so there are more threads than cores.
    let threads = 2 * thread::available_parallelism().map_or(1, NonZero::get);
    let mut command = std::process::Command::new(&program.path);
    command.current_dir(&program.folder).env("RUST_TEST_THREADS", threads.to_string());
    command.env("CARGO_MANIFEST_DIR", &program.folder);
    Background::start(&mut command, &program.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Program {
        let folder = tempfile::tempdir().unwrap().keep();
        let path = folder.join("program");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        fs::set_permissions(&path, permissions).unwrap();
        Program { name: name.to_owned(), path, folder }
    }

    #[test]
    fn programs_run_in_package_folder_and_report_failures() {
        let programs = [
            shell("passes", "touch ran"),
            shell("fails", "touch ran; exit 1"),
            shell("passes too", "touch ran"),
            shell("is killed", "touch ran; kill -9 $$"),
        ];
        let mut failed = run_all(&programs).unwrap();
        failed.sort();
        assert_eq!(failed, ["fails", "is killed"]);
        assert!(programs.iter().all(|it| it.folder.join("ran").exists()));
        for program in programs {
            fs::remove_dir_all(program.folder).unwrap();
        }
    }

    #[test]
    fn next_program_starts_when_one_ends() {
        let folder = tempfile::tempdir().unwrap();
        let flag = folder.path().join("flag");
        // Succeeds once the last program has run, and fails if that one waits for its end.
        let waits = format!(
            "for i in $(seq 1200); do [ -e {0} ] && exit 0; sleep 0.05; done; exit 1",
            flag.display()
        );
        let mut programs = vec![shell("waits", &waits)];
        programs.extend((1..AT_A_TIME).map(|_| shell("ends", "exit 0")));
        programs.push(shell("lets it go", &format!("touch {}", flag.display())));
        assert_eq!(run_all(&programs).unwrap(), [""; 0]);
        for program in programs {
            fs::remove_dir_all(program.folder).unwrap();
        }
    }

    #[test]
    fn only_test_programs_are_run() {
        let artifact = |test: bool, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/a/wire/Cargo.toml","target":{{"name":"formats"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let messages = [
            artifact(true, r#""/a/target/formats-1""#),
            artifact(false, r#""/a/target/enshrine""#),
            artifact(false, "null"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let programs = programs(&messages.join("\n")).unwrap();
        let expected = Program {
            name: "wire: formats".to_owned(),
            path: "/a/target/formats-1".into(),
            folder: "/a/wire".into(),
        };
        assert_eq!(programs, [expected]);
    }
}
