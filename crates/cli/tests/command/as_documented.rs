//! Runs the commands of `docs/operating.md` in a shell: a devnet, the deployment, a sequencer and a
//! follower, a deposit, a withdrawal with its claim, a forced transaction, and a rescue.

use crate::support::free_port;
use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};
use toolchain::{Toolchain, progress_to_stderr};

/// Timeout of the whole script, in seconds.
const LIMIT: &str = "1800";

/// Returns the commands of a document: its code blocks that are marked as `sh`.
fn commands(document: &str) -> String {
    let mut inside = false;
    let mut commands = String::new();
    for line in document.lines() {
        match (inside, line) {
            (false, "```sh") => inside = true,
            (true, "```") => inside = false,
            (true, _) => commands += &format!("{line}\n"),
            (false, _) => {}
        }
    }
    assert!(!inside, "a block has no end");
    commands
}

/// Process group of the shell, killed on drop.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        // Fails if all processes have ended already.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0)]).status();
    }
}

#[test]
fn commands_are_marked_code_blocks() {
    assert_eq!(commands("a\n```sh\nb\nc\n```\nd\n```\ne\n```\n"), "b\nc\n");
}

#[test]
fn operating_document_runs_to_completion() {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let top = tools.root();
    let document = fs::read_to_string(top.join("docs/operating.md")).unwrap();
    let enshrine = Path::new(env!("CARGO_BIN_EXE_enshrine"));
    let folder = format!("deployments/operating-{}", std::process::id());
    let logs = tempfile::tempdir().unwrap();

    // Replace only ports and paths, which may be in use on this machine.
    let mut script = commands(&document);
    let bin = enshrine.parent().unwrap().display().to_string();
    let mut replacements = vec![
        ("$PWD/target/release".to_owned(), bin),
        ("deployments/my-rollup".to_owned(), folder.clone()),
    ];
    for port in ["8545", "9545", "9546", "9547"] {
        replacements.push((port.to_owned(), free_port().to_string()));
    }
    for name in ["devnet", "sequencer", "follower", "rescue"] {
        let log = logs.path().join(name).display().to_string();
        replacements.push((format!("> {name}.log"), format!("> {log}.log")));
    }
    for (from, to) in &replacements {
        assert!(script.contains(from), "the document has no {from}");
        script = script.replace(from, to);
    }

    // Other tests run scripts concurrently.
    let forge = tools.forge_beside_others("script", logs.path()).unwrap();
    let shell = Command::new("timeout")
        .args([LIMIT, "bash", "-euxo", "pipefail", "-c", &script])
        .current_dir(top)
        .envs(forge.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(fs::File::create(logs.path().join("out.log")).unwrap())
        .stderr(fs::File::create(logs.path().join("err.log")).unwrap())
        .spawn();
    let mut shell = shell.unwrap();
    let group = Group(shell.id());
    let status = shell.wait().unwrap();
    drop(group);
    let _ = fs::remove_dir_all(top.join(folder));
    if !status.success() {
        let end = |name: &str| {
            let text = fs::read_to_string(logs.path().join(name)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            format!("{name}:\n{}\n", lines[lines.len().saturating_sub(20)..].join("\n"))
        };
        let names =
            ["err.log", "out.log", "devnet.log", "sequencer.log", "follower.log", "rescue.log"];
        panic!("{status}\n{}", names.map(end).concat());
    }
}
