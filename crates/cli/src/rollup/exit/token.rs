//! `enshrine exit token`: the call that pays an account's units of a bridged token.

use super::{
    printed,
    state::{LastView, StateArguments},
};
use alloy_primitives::Address;
use clap::Args;
use contracts::exit::{ITokenExit::l2TokenOfCall, TokenExit, TokenProofs, balance_slot};
use eyre::Result;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Token on L1. Needs --l1.
    #[arg(value_name = "L1TOKEN")]
    token: Address,

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
    let last = LastView::open(&arguments.state)?;
    let (account, l1_token) = (arguments.account, arguments.token);
    let call = l2TokenOfCall { l1Token: l1_token };
    let (bridge, token) = last.required_l1()?.call_bridge(&call)?;
    let (proof, code) = last.source.prove_with_code(account)?;
    let proofs =
        TokenProofs { account: proof, token: last.source.prove(token, &[balance_slot(account)])? };
    let tokens = (l1_token, token);
    let paid = TokenExit::new(last.state_root, tokens, account, arguments.alias, &code, proofs);
    let paid = last.source.context(paid.map_err(Into::into))?;
    last.warn();
    printed::calldata(
        arguments.state.json,
        &paid.calldata,
        format_args!(
            "{} pays {} units of {l1_token} to {} on L1; {} may send",
            printed::contract("L1TokenBridge", Some(bridge)),
            paid.amount,
            paid.recipient,
            printed::sender(paid.caller)
        ),
        json!({
            "to": bridge,
            "l1Token": l1_token,
            "l2Token": token,
            "account": paid.account,
            "recipient": paid.recipient,
            "units": paid.amount.to_string(),
            "onlyCaller": paid.caller,
            "blockNumber": last.number,
            "stateRoot": last.state_root,
        }),
    )
}
