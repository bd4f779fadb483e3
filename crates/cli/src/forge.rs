//! `enshrine forge`: commands that the test utilities call through FFI. They print hexadecimal
//! digits for forge; see `docs/forge.md`.

use crate::output;
use ::forge::{
    ForgeAnswer, ForgeError, Profile, Workspace, check_protocol, execute, l2, shim_code,
};
use alloy_primitives::{B256, U256, hex};
use clap::Subcommand;
use eyre::Result;
use std::{env, process::ExitCode};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the code that replaces EXECUTE inside forge.
    Shim {
        /// Protocol version of the test utilities.
        #[arg(long)]
        protocol: u32,
        /// EXECUTE profile; see `docs/forge.md`.
        #[arg(long, default_value = "")]
        profile: String,
    },
    /// Run EXECUTE for a call inside forge, and print its result.
    Execute {
        /// EXECUTE profile.
        #[arg(long, default_value = "")]
        profile: String,
        /// Hash of the request, which is also its file name.
        request: String,
        /// Gas of the call, as 64 hexadecimal digits.
        gas: String,
    },
    /// Create, extend and query L2 chains.
    L2 {
        /// Protocol version of the test utilities.
        #[arg(long)]
        protocol: u32,
        /// Hash of the request, which is also its file name.
        request: String,
    },
    /// Remove the files of earlier tests from cache/enshrine.
    Clean,
}

pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::at(Workspace::IN_PROJECT);
    let answer = match command {
        Command::Shim { protocol, profile } => shim(&workspace, protocol, &profile).into(),
        Command::Execute { profile, request, gas } => match word(&request).zip(word(&gas)) {
            Some((request, gas)) => match profile.parse() {
                Ok(profile) => execute(&workspace, &profile, request, U256::from_be_bytes(gas.0)),
                Err(error) => ForgeAnswer::from(Err(ForgeError::from(error))),
            },
            None => malformed(),
        },
        Command::L2 { protocol, request } => match (check_protocol(protocol), word(&request)) {
            (Err(error), _) => ForgeAnswer::from(Err(error)),
            (Ok(()), Some(request)) => l2(&workspace, request),
            (Ok(()), None) => malformed(),
        },
        Command::Clean => {
            workspace.clean()?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    output::write(format_args!("{}", answer.to_hex()));
    Ok(ExitCode::SUCCESS)
}

fn shim(workspace: &Workspace, protocol: u32, profile: &str) -> Result<Vec<u8>, ForgeError> {
    check_protocol(protocol)?;
    let profile: Profile = profile.parse()?;
    workspace.prepare()?;
    let program = env::current_exe().map_err(|source| ForgeError::Io {
        verb: "find",
        path: "the running program".into(),
        source,
    })?;
    Ok(shim_code(&program, &profile))
}

/// Parses a word of 64 hexadecimal digits.
fn word(digits: &str) -> Option<B256> {
    let mut word = B256::ZERO;
    hex::decode_to_slice(digits, word.as_mut_slice()).ok().map(|()| word)
}

fn malformed() -> ForgeAnswer {
    Err(ForgeError::Request("expected 64 hexadecimal digits for hashes and gas".to_owned())).into()
}
