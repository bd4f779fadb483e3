//! `enshrine bond`: the bond of a sequencer that signs preconfirmations.

mod keys;
mod registry;
mod sending;
mod status;

use self::{
    keys::{AccountKey, SignerKey},
    registry::Registry,
    sending::Account,
    status::Status,
};
use crate::output::{print_stderr, say};
use ::rollup::Signer;
use alloy_primitives::{
    Address, B256, U256,
    utils::{format_ether, parse_ether},
};
use alloy_sol_types::SolStruct as _;
use clap::{Args, Subcommand};
use contracts::bindings::IPreconfBonds::{
    cancelWithdrawalCall, depositCall, requestWithdrawalCall, setSignerCall, withdrawCall,
};
use eyre::{Result, ensure};
use preconf::{recover, signer_digest};
use std::{path::PathBuf, process::ExitCode};

mod typed {
    alloy_sol_types::sol! {
        struct Signer {
            address account;
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Increase the bond of the account.
    Deposit(Deposit),
    /// Print the bond of an account, a requested withdrawal, its signers, the minimum of the
    /// rollup's policy, and the advised bond.
    ///
    /// Exits with 1 if the bond does not suffice for the policy.
    Status(StatusArguments),
    /// Make the account liable for another key, permanently: if that key signs a false promise, the
    /// account loses its bond.
    Signer(SignerArguments),
    /// Request the withdrawal of the bond, cancel the request, or withdraw the bond seven days
    /// after the request. It can be slashed until then, and does not count for the policy.
    Withdraw(Withdraw),
}

#[derive(Debug, Args)]
struct Common {
    /// JSON-RPC URL of L1.
    #[arg(long, value_name = "URL")]
    l1: String,

    /// Deployment file of a rollup with a registry of bonds (`preconfBonds`).
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,

    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Deposit {
    /// Amount in ether.
    #[arg(value_name = "ETHER", value_parser = parse_amount)]
    amount: U256,
    #[command(flatten)]
    key: AccountKey,
    #[command(flatten)]
    common: Common,
}

fn parse_amount(ether: &str) -> Result<U256, String> {
    let wei =
        parse_ether(ether).map_err(|error| format!("expected an amount of ether: {error}"))?;
    (!wei.is_zero()).then_some(wei).ok_or_else(|| "expected more than 0 ether".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Account with the bond [default: the sequencer of the rollup's policy]
    #[arg(long, value_name = "ADDRESS")]
    account: Option<Address>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct SignerArguments {
    #[command(flatten)]
    key: AccountKey,

    #[command(flatten)]
    signer: SignerKey,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Request the withdrawal. A further request restarts the seven days.
    #[arg(long, conflicts_with_all = ["cancel", "to"])]
    request: bool,

    /// Cancel the request.
    #[arg(long, conflicts_with = "to")]
    cancel: bool,

    /// Recipient of the bond [default: the account itself]
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,

    #[command(flatten)]
    key: AccountKey,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Deposit(Deposit { amount, key, common }) => {
            let (registry, account) = connect(common, key)?;
            let call = depositCall { account: account.address() };
            let hash = account.send(&registry.l1, registry.bonds, &call, *amount)?;
            print_status(&registry, account.address(), Some(hash), common)
        }
        Command::Status(StatusArguments { account, common }) => {
            let registry = Registry::connect(common)?;
            let account = match account {
                Some(account) => *account,
                None => status::sequencer(&registry)?,
            };
            print_status(&registry, account, None, common)
        }
        Command::Signer(arguments) => {
            let (registry, account) = connect(&arguments.common, &arguments.key)?;
            let hash = set_signer(&registry, &account, &arguments.signer.signer()?)?;
            print_status(&registry, account.address(), Some(hash), &arguments.common)
        }
        Command::Withdraw(Withdraw { request, cancel, to, key, common }) => {
            let (registry, account) = connect(common, key)?;
            let Registry { l1, bonds, .. } = &registry;
            let hash = match (request, cancel) {
                (true, _) => account.send(l1, *bonds, &requestWithdrawalCall {}, U256::ZERO)?,
                (_, true) => account.send(l1, *bonds, &cancelWithdrawalCall {}, U256::ZERO)?,
                _ => {
                    let to = to.unwrap_or_else(|| account.address());
                    account.send(l1, *bonds, &withdrawCall { to }, U256::ZERO)?
                }
            };
            print_status(&registry, account.address(), Some(hash), common)
        }
    }
}

/// Registers a signer of the account, with the signer's consent.
fn set_signer(registry: &Registry, account: &Account, signer: &Signer) -> Result<B256> {
    let domain = registry.domain();
    let consent = typed::Signer { account: account.address() }.eip712_hash_struct();
    let consent = signer.sign_typed(domain, consent)?.as_bytes();
    let recovered = recover(signer_digest(account.address(), &domain), &consent)?;
    ensure!(
        recovered == signer.address(),
        "the consent is signed by {recovered}, expected {}",
        signer.address()
    );
    let call = setSignerCall { signer: signer.address(), consent: consent.into() };
    account.send(&registry.l1, registry.bonds, &call, U256::ZERO)
}

fn connect(common: &Common, key: &AccountKey) -> Result<(Registry, Account)> {
    let signer = key.signer()?;
    let registry = Registry::connect(common)?;
    let chain_id = registry.deployment.l1_chain_id;
    Ok((registry, Account { signer, chain_id }))
}

/// Prints the bond of an account, after this transaction. The exit code is that of `status`
/// only without one.
fn print_status(
    registry: &Registry,
    account: Address,
    sent: Option<B256>,
    common: &Common,
) -> Result<ExitCode> {
    let status = Status::read(registry, account)?;
    if common.json {
        say!("{}", serde_json::to_string_pretty(&status.to_json(sent))?);
    } else {
        if let Some(hash) = sent {
            say!("transaction  {hash}");
        }
        say!("{status}");
    }
    for warning in status.warnings() {
        print_stderr(format_args!("warning: {warning}"));
    }
    let is_failure = sent.is_none() && !status.suffices();
    Ok(if is_failure { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Formats an amount in wei as ether, without trailing zeros.
fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    format!("{} ether", text.trim_end_matches('0').trim_end_matches('.'))
}
