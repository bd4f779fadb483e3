//! The commands of docs/operating.md, typed as they stand there.

use eyre::{OptionExt, Result, ensure};
use std::{
    env, fs,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use toolchain::{Toolchain, progress_to_stderr};

/// How long all of it may take: a hundred seconds of it are the silence after which anyone may advance.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// The folder that the document uses.
const FOLDER: &str = "deployments/my-rollup";

/// What the shell does before and after: it stops at the first command that fails, and nothing that it
/// has started outlives it.
const FRAME: &str = "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n";

#[test]
fn the_document_leads_from_nothing_to_a_claimed_withdrawal_and_past_a_lost_sequencer() -> Result<()>
{
    let toolchain = Toolchain::ensure(&progress_to_stderr)?;
    let root = toolchain.root();
    let text = fs::read_to_string(root.join("docs/operating.md"))?;
    let mut commands = shell_blocks(&text);
    ensure!(commands.contains(FOLDER) && commands.contains("enshrine prove"), "another document");

    // Other folders and ports than somebody may use who follows the document here.
    let folder = format!("deployments/test-{}", std::process::id());
    commands = commands.replace(FOLDER, &folder);
    for port in ["8545", "9545", "9546", "9547"] {
        commands = commands.replace(port, &free_port()?.to_string());
    }
    for log in ["devnet", "sequencer", "follower", "rescue"] {
        commands = commands.replace(&format!("{log}.log"), &format!("$DIR.{log}.log"));
    }
    let program = Path::new(env!("CARGO_BIN_EXE_enshrine"));
    let programs = program.parent().ok_or_eyre("a program lies in a folder")?;
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    fs::create_dir_all(root.join("deployments"))?;
    let said = root.join(format!("{folder}.said.log"));
    let output = fs::File::create(&said)?;
    let mut shell = Command::new("bash")
        .args(["-c", &format!("{FRAME}{commands}")])
        .current_dir(root)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stderr(output.try_clone()?)
        .stdout(output)
        .process_group(0)
        .spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = shell.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > PATIENCE {
            break None;
        }
        sleep(Duration::from_millis(200));
    };
    // Whatever is left of it.
    let group = format!("-{}", shell.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let _ = shell.wait();
    let last: String =
        fs::read_to_string(&said)?.lines().rev().take(30).collect::<Vec<_>>().join("\n");
    for entry in fs::read_dir(root.join("deployments"))?.flatten() {
        let path = entry.path();
        if path.to_string_lossy().contains(&folder) {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
    ensure!(
        status.is_some_and(|status| status.success()),
        "after {:?}: {status:?}; its last words, the newest first:\n{last}",
        begun.elapsed()
    );
    Ok(())
}

/// All blocks of shell commands of a document, one after another.
fn shell_blocks(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        let keep = inside && !fence;
        if fence {
            inside = *line == "```sh";
        }
        keep
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
