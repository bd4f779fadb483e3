//! Commands with their output on the terminal.

use std::{path::Path, process::Command};

use eyre::{Result, WrapErr as _, ensure};

/// Prints and runs a command, which must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let name = Path::new(&*words[0]).file_name().unwrap_or_default().to_string_lossy();
    let line = [&*name].into_iter().chain(words[1..].iter().map(|word| &**word));
    let line = line.collect::<Vec<_>>().join(" ");
    println!("$ {line}");
    let status = command.status().wrap_err_with(|| format!("cannot run `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// Runs a command, which must succeed, and returns its output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().wrap_err_with(|| format!("cannot run `{program}`"))?;
    let said = [&output.stdout[..], &output.stderr].concat();
    ensure!(output.status.success(), "`{program}` failed: {}", String::from_utf8_lossy(&said));
    Ok(output.stdout)
}

/// Runs cargo in the checkout.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Result<()> {
    run(toolchain::cargo().current_dir(root).args(args))
}
