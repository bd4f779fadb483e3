//! `enshrine calldata account` and `enshrine calldata deliver`: calls of a contract on L1 through
//! its alias account on the L2.

use super::Node;
use crate::output::say;
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use alloy_rpc_types_eth::Log;
use alloy_sol_types::{SolCall as _, SolEvent as _};
use clap::Args;
use contracts::{
    Deployment, L2_ACCOUNTS, L2_MESSENGER, Message, alias_account,
    bindings::{
        IForcedInbox::{BOUNDED_TARGETCall, MAX_BOUNDED_GASCall},
        IL1MessageQueue::{MessageSent, sendCall},
        IL2Accounts::{Call, executeCall, forceCall},
    },
    capacity::minimum_forced_gas,
};
use eyre::{Result, WrapErr as _, bail, ensure};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Gas of a delivery in addition to the gas of its message: the transaction, the messenger and a
/// new account, at the gas costs of Amsterdam.
const DELIVERY_GAS: u64 = 350_000;

#[derive(Debug, Args)]
pub(crate) struct AccountArguments {
    /// Contract on L1 that sends the message. Its alias account makes the call on the L2.
    #[arg(long, value_name = "ADDRESS")]
    sender: Address,

    /// Target of the call on the L2.
    #[arg(long, value_name = "ADDRESS")]
    to: Address,

    /// Calldata of the call.
    #[arg(long, value_name = "HEX", default_value = "0x")]
    data: Bytes,

    /// Value of the call in wei, from the message or from the balance of the alias account.
    #[arg(long, value_name = "WEI", default_value = "0")]
    value: U256,

    /// Gas of the message. To be forceable, it should be at most about half of the queue's
    /// `MAX_BOUNDED_GAS`.
    #[arg(long, value_name = "GAS", default_value_t = 500_000)]
    gas: u64,

    /// Fee for the relayer of the message, in wei, at least `L1MessageQueue.minimumFee`. The sender
    /// adds it to the value of its call.
    #[arg(long, value_name = "WEI", default_value_t = 0)]
    fee: u128,

    /// Deployment file, for the address of the queue.
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,

    /// Print JSON instead of the calldata only.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Deliver {
    /// JSON-RPC URL of L1.
    #[arg(long, value_name = "URL")]
    l1: String,

    /// Deployment file of the rollup.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,

    /// Index of the message, from its MessageSent event on L1.
    #[arg(long, value_name = "INDEX")]
    message: u64,

    /// Print JSON instead of the calldata only.
    #[arg(long)]
    json: bool,
}

pub(crate) fn order(arguments: &AccountArguments) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let account = alias_account(arguments.sender);
    let call = Call { to: arguments.to, value: arguments.value, data: arguments.data.clone() };
    let send = sendCall {
        to: L2_ACCOUNTS,
        // A refund is paid to the alias account, from which the sender can recover it with another
        // message.
        refundTo: account,
        gasLimit: arguments.gas,
        fee: arguments.fee,
        data: executeCall { calls: vec![call] }.abi_encode().into(),
    };
    let calldata = Bytes::from(send.abi_encode());
    if !arguments.json {
        say!("{calldata}");
        return Ok(ExitCode::SUCCESS);
    }
    let document = json!({
        "from": arguments.sender,
        "to": deployment.map(|deployment| deployment.message_queue),
        "account": account,
        "calldata": calldata,
    });
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn deliver(arguments: &Deliver) -> Result<ExitCode> {
    let deployment = Deployment::read(&arguments.deployment)?;
    let l1 = Node::connect("L1", &arguments.l1, Some(deployment.l1_chain_id))?;
    let message = message(&l1, deployment.message_queue, arguments.message)?;
    let bounded = l1.call(deployment.forced, &BOUNDED_TARGETCall {})?;
    let most = l1.call(deployment.forced, &MAX_BOUNDED_GASCall {})?;
    let delivery = Delivery::new(&message, bounded, most)?;
    if !arguments.json {
        say!("{}", hex::encode_prefixed(&delivery.calldata));
        return Ok(ExitCode::SUCCESS);
    }
    let document = json!({
        "to": L2_ACCOUNTS,
        "message": message.index,
        "messageHash": message.hash(),
        "account": alias_account(message.sender),
        "gasLimit": delivery.gas_limit,
        "calldata": delivery.calldata,
    });
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

/// An L2 transaction that delivers a parked or failed message to an alias account, without nonce,
/// fees and signature.
#[derive(Debug, PartialEq, Eq)]
struct Delivery {
    calldata: Bytes,
    gas_limit: u64,
}

impl Delivery {
    /// Creates the delivery of a message, or returns the reason why `ForcedInbox` would reject it.
    fn new(message: &Message, bounded: Address, most_gas: u64) -> Result<Self> {
        let index = message.index;
        ensure!(
            message.to == L2_ACCOUNTS,
            "message {index} is sent to {}, and only messages to {L2_ACCOUNTS} can be forced",
            message.to
        );
        let calls = executeCall::abi_decode(&message.data)
            .wrap_err_with(|| format!("message {index} does not call `execute`"))?
            .calls;
        let target = match &calls[..] {
            [] => L2_MESSENGER,
            [call] => call.to,
            more => bail!(
                "message {index} makes {} calls, and a forceable message makes at most one",
                more.len()
            ),
        };
        ensure!(
            target == L2_MESSENGER || (target == bounded && !bounded.is_zero()),
            "message {index} calls {target}, and a forceable message calls {L2_MESSENGER}{}",
            if bounded.is_zero() { String::new() } else { format!(" or {bounded}") }
        );
        let calldata = forceCall { target, message: message.into() }.abi_encode();
        let gas = u64::from(message.gas_limit);
        let gas_limit = (gas + gas / 63 + DELIVERY_GAS).max(minimum_forced_gas(calldata.len()));
        ensure!(
            gas_limit <= most_gas,
            "the delivery of message {index} with {gas} gas needs {gas_limit} gas, and a forced \
             transaction may have {most_gas}"
        );
        Ok(Self { calldata: calldata.into(), gas_limit })
    }
}

/// Reads an L1→L2 message by its index from the logs of L1.
fn message(l1: &Node, queue: Address, index: u64) -> Result<Message> {
    let filter = json!([{
        "fromBlock": "earliest",
        "toBlock": "latest",
        "address": queue,
        "topics": [MessageSent::SIGNATURE_HASH, B256::from(U256::from(index))],
    }]);
    let logs: Vec<Log> = l1.request("eth_getLogs", filter)?;
    let Some(log) = logs.iter().find(|log| !log.removed) else {
        bail!("the L1 node at {} has no message {index}", l1.client.address())
    };
    let event = MessageSent::decode_log(&log.inner).ok();
    match event.as_ref().and_then(|event| Message::from_event(event)) {
        Some(message) if message.index == index => Ok(message),
        _ => bail!("the L1 node at {} returned a log of another event", l1.client.address()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: Address = Address::repeat_byte(0xbb);

    fn message(to: Address, gas_limit: u32, targets: &[Address]) -> Message {
        let call = |to: &Address| Call { to: *to, value: U256::ZERO, data: Bytes::new() };
        Message {
            sender: Address::repeat_byte(1),
            to,
            refund_to: Address::repeat_byte(2),
            value: 3,
            fee: 4,
            gas_limit,
            index: 5,
            data: executeCall { calls: targets.iter().map(call).collect() }.abi_encode().into(),
        }
    }

    #[test]
    fn delivery_contains_target_and_whole_message() {
        for target in [L2_MESSENGER, BRIDGE] {
            let message = message(L2_ACCOUNTS, 400_000, &[target]);
            let delivery = Delivery::new(&message, BRIDGE, 1_000_000).unwrap();
            let call = forceCall::abi_decode(&delivery.calldata).unwrap();
            assert_eq!((call.target, call.message.data), (target, message.data));
            assert_eq!((call.message.value, call.message.fee, call.message.index), (3, 4, 5));
            assert!((750_000..800_000).contains(&delivery.gas_limit), "{}", delivery.gas_limit);
        }
        Delivery::new(&message(L2_ACCOUNTS, 400_000, &[]), BRIDGE, 1_000_000).unwrap();
    }

    #[test]
    fn long_delivery_has_minimum_gas_of_inbox() {
        let call = Call { to: BRIDGE, value: U256::ZERO, data: vec![1; 2_000].into() };
        let data = executeCall { calls: vec![call] }.abi_encode().into();
        let long = Message { data, ..message(L2_ACCOUNTS, 1, &[]) };
        let delivery = Delivery::new(&long, BRIDGE, 1_000_000).unwrap();
        assert_eq!(delivery.gas_limit, minimum_forced_gas(delivery.calldata.len()));
        assert!(delivery.gas_limit > DELIVERY_GAS);
    }

    #[test]
    fn unforceable_message_is_rejected_with_reason() {
        let refused = |message: Message, bounded, reason: &str| {
            let error = Delivery::new(&message, bounded, 1_000_000).unwrap_err().to_string();
            assert!(error.contains(reason), "{reason}: {error}");
        };
        refused(message(BRIDGE, 1, &[BRIDGE]), BRIDGE, "only messages to");
        refused(message(L2_ACCOUNTS, 1, &[BRIDGE, BRIDGE]), BRIDGE, "makes 2 calls");
        refused(message(L2_ACCOUNTS, 1, &[Address::ZERO]), BRIDGE, "calls 0x00");
        refused(message(L2_ACCOUNTS, 1, &[Address::ZERO]), Address::ZERO, "calls 0x00");
        refused(message(L2_ACCOUNTS, 640_000, &[BRIDGE]), BRIDGE, "may have 1000000");
        let mut other = message(L2_ACCOUNTS, 1, &[BRIDGE]);
        other.data = Bytes::from_static(b"other");
        refused(other, BRIDGE, "does not call `execute`");
    }
}
