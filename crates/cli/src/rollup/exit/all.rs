//! `enshrine exit all`: what an exit pays to every known account.

use super::{
    printed,
    source::Source,
    state::{LastView, StateArguments},
    totals::{Sum, Totals},
};
use crate::output::say;
use alloy_primitives::{Address, map::AddressSet};
use clap::Args;
use contracts::{
    L2_MESSENGER, alias_account,
    exit::{AccountExit, ExitError},
};
use eyre::{Result, WrapErr as _, ensure, eyre};
use serde_json::json;
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// Maximum length of a line with an address, in bytes.
const MAX_LINE: u64 = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// File with addresses, one on a line. Each is looked up as an account of the L2, and as an L1
    /// contract that may have an alias account. A state contains only the hashes of addresses, so
    /// they are necessary with --l2. The files of a node also contain addresses, and L1 those of
    /// messages.
    #[arg(long, value_name = "FILE")]
    addresses: Option<PathBuf>,

    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let last = LastView::open(&arguments.state)?;
    ensure!(
        arguments.addresses.is_some()
            || last.l1.is_some()
            || matches!(last.source, Source::Files(_)),
        "no addresses are known: use --addresses"
    );
    last.warn();
    let mut all = All {
        last: &last,
        is_json: arguments.state.json,
        seen: AddressSet::default(),
        payable: Sum::default(),
        paid: Sum::default(),
        refused: Sum::default(),
        unnamed: AddressSet::default(),
    };
    if let Some(file) = &arguments.addresses {
        each_in_file(file, |address| all.visit(address))?;
    }
    if let Some(l1) = &last.l1 {
        l1.each_message(|message, _, _| {
            [message.sender, message.to, message.refund_to]
                .into_iter()
                .try_for_each(|address| all.visit(address))
        })?;
    }
    let totals = match &last.source {
        Source::Files(state) => {
            let visit = |address| all.visit(address).map_err(Failure);
            state.each_address(visit).map_err(|Failure(error)| error)?;
            Some(Totals::of(state)?)
        }
        Source::Node(..) => None,
    };
    all.finish(totals);
    Ok(())
}

/// Error of the visitor or of the files.
struct Failure(eyre::Report);

impl From<::rollup::RollupError> for Failure {
    fn from(error: ::rollup::RollupError) -> Self {
        Self(error.into())
    }
}

/// Accounts that were printed, and their sums.
struct All<'l> {
    last: &'l LastView,
    is_json: bool,
    /// Accounts with ETH that were printed.
    seen: AddressSet,
    payable: Sum,
    /// Accounts that have been paid on L1.
    paid: Sum,
    /// Contracts of the L2.
    refused: Sum,
    /// Alias accounts whose L1 contract was not known when they were printed.
    unnamed: AddressSet,
}

impl All<'_> {
    /// Prints an account with this address, and the alias account of an L1 contract with this
    /// address.
    fn visit(&mut self, address: Address) -> Result<()> {
        self.account(alias_account(address), Some(address))?;
        self.account(address, None)
    }

    fn account(&mut self, address: Address, l1_account: Option<Address>) -> Result<()> {
        if address == L2_MESSENGER || self.seen.contains(&address) {
            return Ok(());
        }
        let source = &self.last.source;
        let (proof, code) = source.prove_with_code(address)?;
        match AccountExit::new(self.last.state_root, address, l1_account, &code, proof) {
            Ok(exit) => {
                self.seen.insert(address);
                let is_paid = match &self.last.l1 {
                    Some(l1) => l1.has_exited(address)?,
                    None => false,
                };
                if is_paid {
                    self.paid.add(exit.amount);
                } else {
                    self.payable.add(exit.amount);
                }
                self.print(&exit, is_paid);
                Ok(())
            }
            Err(ExitError::NothingOwed(_)) => Ok(()),
            Err(error @ ExitError::UnnamedAlias { .. }) => {
                // Its L1 contract may still follow.
                if self.unnamed.insert(address) {
                    self.print_refused(address, &error);
                }
                Ok(())
            }
            Err(error @ ExitError::Contract { .. }) => {
                if let ExitError::Contract { balance, .. } = error
                    && !balance.is_zero()
                {
                    self.seen.insert(address);
                    self.refused.add(balance);
                    self.print_refused(address, &error);
                }
                Ok(())
            }
            Err(error) => source.context(Err(error.into())),
        }
    }

    fn print(&self, exit: &AccountExit, is_paid: bool) {
        let AccountExit { account, recipient, amount, caller, calldata, .. } = exit;
        if self.is_json {
            say!(
                "{}",
                json!({
                    "account": account, "recipient": recipient, "wei": amount.to_string(),
                    "onlyCaller": caller, "paid": is_paid, "calldata": calldata,
                })
            );
            return;
        }
        let to = if recipient == account { String::new() } else { format!(" to {recipient}") };
        let state = if is_paid { "paid" } else { "can be paid" };
        let sender = if caller.is_some() { "by this account only" } else { "by any account" };
        say!("{account}  {}  {state}{to}, {sender}", printed::ether(*amount));
    }

    fn print_refused(&self, account: Address, reason: &ExitError) {
        if self.is_json {
            say!("{}", json!({ "account": account, "refused": reason.to_string() }));
        } else {
            say!("{reason}");
        }
    }

    /// Prints the sums.
    fn finish(self, totals: Option<Totals>) {
        let known = self.payable.plus(self.paid);
        let unknown = totals.map(|totals| totals.payable.minus(known));
        let contracts = totals.map_or(self.refused, |totals| totals.contracts);
        if self.is_json {
            let sum = |it: Sum| json!({ "accounts": it.accounts, "wei": it.wei.to_string() });
            say!(
                "{}",
                json!({
                    "sums": {
                        "payable": sum(self.payable), "paid": sum(self.paid),
                        "contracts": sum(contracts), "unknown": unknown.map(sum),
                    },
                    "blockNumber": self.last.number, "stateRoot": self.last.state_root,
                    "knownToL1": self.last.l1.is_some(),
                })
            );
            return;
        }
        let line = |name: &str, it: Sum, note: &str| {
            say!("{name:<10}  {} in {} accounts{note}", printed::ether(it.wei), it.accounts);
        };
        line("payable", self.payable, "");
        line("paid", self.paid, "");
        line("contracts", contracts, ", which stay in the escrow");
        if let Some(unknown) = unknown {
            line("unknown", unknown, " whose addresses are not known: use --addresses");
        }
    }
}

/// Passes the addresses of a file to `visit`.
fn each_in_file(path: &Path, mut visit: impl FnMut(Address) -> Result<()>) -> Result<()> {
    let name = path.display();
    let mut file =
        BufReader::new(File::open(path).wrap_err_with(|| format!("cannot read {name}"))?);
    for number in 1_u64.. {
        let mut line = Vec::new();
        let length = file
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .wrap_err_with(|| format!("cannot read {name}"))?;
        if length == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            let address = text
                .parse()
                .map_err(|_| eyre!("{name}, line {number}: {text} is not an address"))?;
            visit(address)?;
        }
    }
    Ok(())
}
