//! `enshrine completions`.

use crate::{
    Cli,
    output::{say, write},
};
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use eyre::{Result, WrapErr as _};
use std::{fs, path::PathBuf, process::ExitCode};

/// Name of the installed program.
const NAME: &str = "enshrine";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Shell for which to print completions.
    #[arg(value_enum, required_unless_present_any = ["man", "markdown"])]
    shell: Option<Shell>,

    /// Write one manual page per command to this folder instead.
    #[arg(long, value_name = "FOLDER", conflicts_with = "shell")]
    man: Option<PathBuf>,

    /// Print a reference of all commands and flags in Markdown instead.
    #[arg(long, conflicts_with_all = ["shell", "man"])]
    markdown: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(shell) = arguments.shell {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
        write(format_args!("{}", String::from_utf8_lossy(&script)));
    }
    if let Some(folder) = &arguments.man {
        let context = || format!("cannot write manual pages to {}", folder.display());
        fs::create_dir_all(folder).wrap_err_with(context)?;
        clap_mangen::generate_to(Cli::command(), folder).wrap_err_with(context)?;
        say!(
            "wrote manual pages to {}; man -M expects them in the subfolder man1",
            folder.display()
        );
    }
    if arguments.markdown {
        let mut command = Cli::command();
        command.build();
        let mut page =
            String::from("# Commands and flags\n\nThe output of `--help` for each command.\n");
        describe(&mut page, &mut command);
        write(format_args!("{page}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Appends a section for a command and one for each of its subcommands.
fn describe(page: &mut String, command: &mut Command) {
    let name = command.get_bin_name().unwrap_or(NAME).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n")));
    for inner in command.get_subcommands_mut() {
        if inner.get_name() != "help" && !inner.is_hide_set() {
            describe(page, inner);
        }
    }
}
