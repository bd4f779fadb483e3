//! Output of the commands that print calldata.

use crate::output::{print_stderr, say};
use alloy_primitives::{Address, Bytes, U256, hex, utils::format_ether};
use contracts::exit::MessageStatus;
use core::fmt;
use eyre::Result;
use serde_json::{Value, json};

/// Prints calldata to standard output and a description to standard error; or a JSON document with
/// these fields and the calldata.
pub(super) fn calldata(
    is_json: bool,
    calldata: &Bytes,
    text: fmt::Arguments<'_>,
    mut document: Value,
) -> Result<()> {
    if is_json {
        document["calldata"] = json!(calldata);
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        print_stderr(text);
        say!("{}", hex::encode_prefixed(calldata));
    }
    Ok(())
}

/// Formats an amount of wei in ether.
pub(super) fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    format!("{} ETH", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Formats a contract on L1.
pub(super) fn contract(name: &str, address: Option<Address>) -> String {
    address.map_or_else(|| name.to_owned(), |address| format!("{name} at {address}"))
}

/// Formats the status of a message.
pub(super) const fn status(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Unrelayed => "unrelayed",
        MessageStatus::Failed => "failed",
        MessageStatus::Parked => "parked",
    }
}

/// Formats who has to send calldata.
pub(super) fn sender(caller: Option<Address>) -> String {
    match caller {
        None => "any account".to_owned(),
        Some(account) => format!("only {account}, which has signed no transaction on the L2,"),
    }
}
