//! `enshrine exit`: exits from a rollup that is no longer advanced.

mod account;
mod all;
mod close;
mod deposit;
mod message;
mod on_l1;
mod printed;
mod source;
mod state;
mod token;
pub(super) mod totals;

use clap::Subcommand;
use eyre::Result;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Calldata of `RollupExit.close`, which ends a rollup permanently. Any account may send it
    /// once no block has been added for `exit.lost_after` (60 days).
    Close(close::Arguments),
    /// Calldata that pays the ETH of an L2 account on L1.
    ///
    /// The amount, and who has to send it, are printed to standard error. ETH of contracts of the
    /// L2 cannot be paid, except that of alias accounts.
    Account(account::Arguments),
    /// Print every known account of the last state with the ETH that it can be paid, or the reason
    /// why it cannot; and the sum.
    All(all::Arguments),
    /// Calldata that returns the ETH of a message to the L2 that was never relayed, or that the L2
    /// has kept as failed or parked.
    Message(message::Arguments),
    /// Calldata that returns the tokens and the fee of a deposit that was never relayed, or that
    /// the L2 has kept as failed or parked.
    Deposit(deposit::Arguments),
    /// Calldata of `L1TokenBridge.exitToken`, which pays an account's units of a bridged token.
    Token(token::Arguments),
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Close(arguments) => close::run(arguments),
        Command::Account(arguments) => account::run(arguments),
        Command::All(arguments) => all::run(arguments),
        Command::Message(arguments) => message::run(arguments),
        Command::Deposit(arguments) => deposit::run(arguments),
        Command::Token(arguments) => token::run(arguments),
    }?;
    Ok(ExitCode::SUCCESS)
}
