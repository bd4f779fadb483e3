//! `enshrine completions`.

use crate::{
    Cli,
    output::{say, write},
};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use eyre::{Result, WrapErr as _};
use std::{fs, path::PathBuf, process::ExitCode};

/// What the program is called where it is installed.
const NAME: &str = "enshrine";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell whose completions to print.
    #[arg(value_enum, required_unless_present = "man")]
    shell: Option<Shell>,

    /// Write manual pages into this folder instead, one for each command.
    #[arg(long, value_name = "FOLDER", conflicts_with = "shell")]
    man: Option<PathBuf>,
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
            "wrote manual pages to {}; man -M looks for them in man1 below a folder",
            folder.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
