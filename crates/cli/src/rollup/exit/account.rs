//! `enshrine exit account`: the call that pays an account.

use super::{
    printed,
    state::{LastView, StateArguments},
};
use alloy_primitives::Address;
use clap::Args;
use contracts::exit::AccountExit;
use eyre::{Result, ensure};
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Account on the L2.
    #[arg(value_name = "ADDRESS")]
    account: Address,

    /// L1 contract whose alias account it is. The contract is paid.
    #[arg(long, value_name = "L1ADDRESS")]
    alias: Option<Address>,

    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let account = arguments.account;
    let last = LastView::open(&arguments.state)?;
    if let Some(l1) = &last.l1 {
        ensure!(!l1.has_exited(account)?, "the ETH of {account} has already been paid on L1");
    }
    let (proof, code) = last.source.prove_with_code(account)?;
    let paid = AccountExit::new(last.state_root, account, arguments.alias, &code, proof);
    let paid = last.source.context(paid.map_err(Into::into))?;
    last.warn();
    let exit = last.deployment.as_ref().map(|deployment| deployment.exit);
    printed::calldata(
        arguments.state.json,
        &paid.calldata,
        format_args!(
            "{} pays {} to {} on L1; {} may send",
            printed::contract("RollupExit", exit),
            printed::ether(paid.amount),
            paid.recipient,
            printed::sender(paid.caller)
        ),
        json!({
            "to": exit,
            "account": paid.account,
            "recipient": paid.recipient,
            "wei": paid.amount.to_string(),
            "onlyCaller": paid.caller,
            "blockNumber": last.number,
            "stateRoot": last.state_root,
            "knownToL1": last.l1.is_some(),
        }),
    )
}
