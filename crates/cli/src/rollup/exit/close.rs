//! `enshrine exit close`: the call that closes a rollup.

use super::{
    printed,
    state::{LastView, StateArguments},
};
use crate::output::print_stderr;
use clap::Args;
use contracts::{
    L2_MESSENGER,
    exit::{Closing, RELAYED_SLOT},
};
use eyre::{Result, ensure};
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    state: StateArguments,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let last = LastView::open(&arguments.state)?;
    let mut from = None;
    if let Some(l1) = &last.l1 {
        ensure!(!l1.is_closed, "the rollup has already been closed");
        let (earliest, now) = l1.closable()?;
        if now < earliest {
            print_stderr(format_args!(
                "warning: L1 is at timestamp {now}, and accepts it from {earliest} on at the earliest, if no \
                 block is added until then"
            ));
        }
        from = Some(earliest);
    } else {
        last.warn();
    }
    let proof = last.source.prove(L2_MESSENGER, &[RELAYED_SLOT])?;
    let closing = last.source.context(Closing::new(last.state_root, proof).map_err(Into::into))?;
    let exit = last.deployment.as_ref().map(|deployment| deployment.exit);
    printed::calldata(
        arguments.state.json,
        &closing.calldata,
        format_args!(
            "{} permanently closes the rollup after block {}, with {} messages to the L2 relayed; any account may \
             send",
            printed::contract("RollupExit", exit),
            last.number,
            closing.relayed
        ),
        json!({
            "to": exit,
            "blockNumber": last.number,
            "stateRoot": last.state_root,
            "relayedMessages": closing.relayed,
            "acceptedFrom": from,
            "knownToL1": last.l1.is_some(),
        }),
    )
}
