//! `enshrine exit deposit`: the call that returns the tokens of a deposit to the L2.

use super::{
    message::search,
    printed,
    state::{LastView, StateArguments},
};
use crate::output::print_stderr;
use alloy_primitives::{Address, U256};
use clap::Args;
use contracts::{
    L2_MESSENGER,
    exit::{DepositReturn, messenger_slots},
};
use eyre::{OptionExt as _, Result};
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Index of the deposit's message, from its Deposited event on L1. Needs --l1.
    #[arg(value_name = "INDEX")]
    index: u64,

    /// L1 account whose alias account is the refund account. It is paid, and has to send.
    #[arg(long, value_name = "L1ADDRESS")]
    alias: Option<Address>,

    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let last = LastView::open(&arguments.state)?;
    let l1 = last.required_l1()?;
    let deployment = last.deployment.as_ref().ok_or_eyre("--deployment is missing")?;
    let bridges = (l1.bridge()?, deployment.l2_bridge);
    let found = search(&last, arguments.index)?;
    let proof = last.source.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
    let bridge = last.source.prove_with_code(bridges.1)?;
    let returned = DepositReturn::new(last.state_root, bridges, &found, &proof, bridge);
    let mut returned = last.source.context(returned.map_err(Into::into))?;
    if let Some(l1_account) = arguments.alias {
        returned = returned.to_alias_owner(l1_account)?;
    }
    last.warn();
    // The refund account of the message is the L2 bridge. If the L1 account with that address has
    // already been paid the fee, the deposit still returns the tokens.
    if l1.is_returned(arguments.index)? {
        print_stderr(format_args!(
            "warning: the ETH of message {} has already been returned, and possibly the deposit",
            arguments.index
        ));
    }
    let status = printed::status(returned.status);
    let callers: Vec<_> = returned.callers.iter().map(ToString::to_string).collect();
    printed::calldata(
        arguments.state.json,
        &returned.calldata,
        format_args!(
            "{} pays {} units of {} and {} of the {status} deposit {} to {} on L1; only {} may send",
            printed::contract("L1TokenBridge", Some(bridges.0)),
            returned.amount,
            returned.l1_token,
            printed::ether(U256::from(returned.fee)),
            returned.index,
            returned.recipient,
            callers.join(" or "),
        ),
        json!({
            "to": bridges.0,
            "message": returned.index,
            "messageHash": found.message.hash(),
            "status": status,
            "l1Token": returned.l1_token,
            "recipient": returned.recipient,
            "depositor": returned.depositor,
            "callers": returned.callers,
            "units": returned.amount.to_string(),
            "wei": returned.fee.to_string(),
            "blockNumber": last.number,
            "stateRoot": last.state_root,
        }),
    )
}
