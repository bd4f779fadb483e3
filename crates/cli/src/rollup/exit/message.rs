//! `enshrine exit message`: the call that returns the ETH of a message to the L2.

use super::{
    printed,
    state::{LastView, StateArguments},
};
use alloy_primitives::Address;
use clap::Args;
use contracts::{
    L2_MESSENGER,
    exit::{FoundMessage, MessageReturn, MessageSearch, messenger_slots},
};
use eyre::{Result, ensure};
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Index of the message, from its MessageSent event on L1. Needs --l1.
    #[arg(value_name = "INDEX")]
    index: u64,

    /// Pay this L1 account instead. Only the sender of the message may do so, and only if the
    /// refund account is a contract of the L2.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "alias")]
    reclaim_to: Option<Address>,

    /// L1 account whose alias account is the refund account. It is paid, and has to send.
    #[arg(long, value_name = "L1ADDRESS")]
    alias: Option<Address>,

    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let last = LastView::open(&arguments.state)?;
    let l1 = last.required_l1()?;
    l1.require_unreturned(arguments.index)?;
    let found = search(&last, arguments.index)?;
    let proof = last.source.prove(L2_MESSENGER, &messenger_slots(&found.message))?;
    let returned = match arguments.reclaim_to {
        None => MessageReturn::new(last.state_root, &found, &proof),
        Some(to) => {
            let refund = last.source.prove_with_code(found.message.refund_to)?;
            MessageReturn::reclaim(last.state_root, &found, &proof, to, refund)
        }
    };
    let mut returned = last.source.context(returned.map_err(Into::into))?;
    if let Some(l1_account) = arguments.alias {
        returned = returned.to_alias_owner(l1_account)?;
    }
    last.warn();
    let status = printed::status(returned.status);
    let callers: Vec<_> = returned.callers.iter().map(ToString::to_string).collect();
    printed::calldata(
        arguments.state.json,
        &returned.calldata,
        format_args!(
            "{} pays {} of the {status} message {} to {} on L1; only {} may send",
            printed::contract("RollupExit", Some(l1.exit)),
            printed::ether(returned.amount),
            returned.index,
            returned.recipient,
            callers.join(" or "),
        ),
        json!({
            "to": l1.exit,
            "message": returned.index,
            "messageHash": found.message.hash(),
            "status": status,
            "recipient": returned.recipient,
            "sender": returned.sender,
            "callers": returned.callers,
            "wei": returned.amount.to_string(),
            "blockNumber": last.number,
            "stateRoot": last.state_root,
        }),
    )
}

/// Finds a message among all that were sent, and checks that the L1 node has returned all.
pub(super) fn search(last: &LastView, index: u64) -> Result<FoundMessage> {
    let l1 = last.required_l1()?;
    let mut search = MessageSearch::new(index);
    l1.each_message(|message, l1_block, timestamp| Ok(search.push(message, l1_block, timestamp)?))?;
    let (got, expected) = (search.state(), l1.checkpoint()?);
    ensure!(
        *got == expected,
        "the logs of the L1 node give {} messages with the rolling hash {}, but the queue has {} with {}: use \
         an archive node, or try again if messages are being sent",
        got.count,
        got.root,
        expected.count,
        expected.root
    );
    Ok(search.finish()?)
}
