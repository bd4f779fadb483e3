//! `enshrine prove`: proves an L2→L1 message and prints the calldata of its claim.

use super::Node;
use crate::output::{print_stderr, say};
use alloy_primitives::{Address, B256, U64, U256, hex};
use alloy_rpc_types_eth::{Block, EIP1186AccountProofResponse, EIP1186StorageProof, Log};
use alloy_sol_types::SolEvent as _;
use alloy_trie::TrieAccount;
use chain::{AccountProof, SlotProof};
use clap::Args;
use contracts::{
    Deployment, L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{MessageProof, isClaimedCall},
        IL2Messenger,
        INativeRollup::{headCall, stateRootAtCall},
    },
    claim_calldata, logged_message, message_proof, sent_slot, verify_message,
};
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// JSON-RPC URL of an L2 node. Its proof is verified.
    #[arg(long, value_name = "URL")]
    l2: String,

    /// Index of the message, from its MessageSent event on the L2.
    #[arg(long, value_name = "INDEX")]
    message: u64,

    /// Number of the L2 block whose state proves the message [default: with --l1 the newest block
    /// on L1, else the newest block]
    #[arg(long, value_name = "NUMBER")]
    block: Option<u64>,

    /// JSON-RPC URL of L1, to check that the block is on L1 and that the message is unclaimed.
    #[arg(long, value_name = "URL", requires = "deployment")]
    l1: Option<String>,

    /// Deployment file of the rollup.
    #[arg(long, value_name = "FILE", requires = "l1")]
    deployment: Option<PathBuf>,

    /// Account that receives the fee which the sender has paid for the claim.
    #[arg(long, value_name = "ADDRESS")]
    fee_recipient: Option<Address>,

    /// Print JSON instead of the calldata only.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let deployment = arguments.deployment.as_deref().map(Deployment::read).transpose()?;
    let l1 = match (&arguments.l1, &deployment) {
        (Some(url), Some(deployment)) => Some(L1::connect(url, deployment)?),
        _ => None,
    };
    let chain_id = deployment.as_ref().map(|deployment| deployment.l2_chain_id);
    let l2 = Node::connect("L2", &arguments.l2, chain_id)?;
    if let Some(l1) = &l1 {
        l1.require_unclaimed(arguments.message)?;
    }
    let (message, sent) = message(&l2, arguments.message)?;
    let number = match (arguments.block, &l1) {
        (Some(number), _) => number,
        (None, Some(l1)) => l1.head()?,
        (None, None) => l2.request::<U64>("eth_blockNumber", ())?.to(),
    };
    ensure!(
        sent <= number,
        "message {} was sent in L2 block {sent}, but {}",
        arguments.message,
        match (arguments.block, &l1) {
            (None, Some(_)) => format!("L1 has L2 blocks only up to {number}: wait for an advance"),
            _ => format!("the proof would be from the earlier block {number}"),
        }
    );
    let state_root = state_root(&l2, number)?;
    if let Some(l1) = &l1 {
        l1.require_state_root(number, state_root)?;
    }
    let proof = prove(&l2, number, state_root, &message)?;
    let fee_recipient = match arguments.fee_recipient {
        Some(recipient) => recipient,
        None if message.fee == 0 => Address::ZERO,
        None => bail!(
            "the claim of message {} pays a fee of {} wei: set its recipient with --fee-recipient",
            arguments.message,
            message.fee
        ),
    };
    let calldata = claim_calldata(&message, proof, fee_recipient);
    if !arguments.json {
        if l1.is_none() {
            print_stderr(format_args!(
                "proof from L2 block {number}: L1 accepts it once it has this block (with --l1 and \
                 --deployment, a block that L1 already has is used)"
            ));
        }
        say!("{}", hex::encode_prefixed(&calldata));
        return Ok(ExitCode::SUCCESS);
    }
    let document = json!({
        "to": deployment.as_ref().map(|deployment| deployment.message_queue),
        "message": message.index,
        "messageHash": message.hash(),
        "sentInBlock": sent,
        "sender": message.sender,
        "recipient": message.to,
        "value": message.value.to_string(),
        "fee": message.fee.to_string(),
        "blockNumber": number,
        "stateRoot": state_root,
        "knownToL1": l1.is_some(),
        "calldata": calldata,
    });
    say!("{}", serde_json::to_string_pretty(&document)?);
    Ok(ExitCode::SUCCESS)
}

/// Client of L1 for claims.
struct L1<'d> {
    node: Node,
    deployment: &'d Deployment,
}

impl<'d> L1<'d> {
    fn connect(url: &str, deployment: &'d Deployment) -> Result<Self> {
        let node = Node::connect("L1", url, Some(deployment.l1_chain_id))?;
        Ok(Self { node, deployment })
    }

    fn require_unclaimed(&self, index: u64) -> Result<()> {
        let claimed = self.node.call(self.deployment.message_queue, &isClaimedCall { index })?;
        ensure!(!claimed, "message {index} has already been claimed");
        Ok(())
    }

    /// Returns the number of the newest L2 block on L1.
    fn head(&self) -> Result<u64> {
        Ok(self.node.call(self.deployment.rollup, &headCall {})?.number)
    }

    fn require_state_root(&self, number: u64, got: B256) -> Result<()> {
        let expected = self.node.call(self.deployment.rollup, &stateRootAtCall { number })?;
        ensure!(
            got == expected,
            "the L2 node has state root {got} in block {number}, but L1 has {expected}: the node is on \
             another chain, or its blocks were never included on L1"
        );
        Ok(())
    }
}

/// Reads an L2→L1 message by its index from the logs of the L2, with the block in which it was
/// sent.
fn message(l2: &Node, index: u64) -> Result<(Message, u64)> {
    let filter = json!([{
        "fromBlock": "earliest",
        "toBlock": "latest",
        "address": L2_MESSENGER,
        "topics": [IL2Messenger::MessageSent::SIGNATURE_HASH, B256::from(U256::from(index))],
    }]);
    let logs: Vec<Log> = l2.request("eth_getLogs", filter)?;
    let Some(log) = logs.iter().find(|log| !log.removed) else {
        bail!("the L2 node at {} has no message {index}", l2.client.address())
    };
    read(log, index).wrap_err_with(|| {
        format!("the L2 node at {} returned a log of another event", l2.client.address())
    })
}

/// Decodes the message with this index from its log, with the block in which it was sent.
fn read(log: &Log, index: u64) -> Result<(Message, u64)> {
    let sent = log.block_number.ok_or_eyre("the log has no block number")?;
    Ok((logged_message(&log.inner, index)?, sent))
}

/// Returns the state root of an L2 block.
pub(super) fn state_root(l2: &Node, number: u64) -> Result<B256> {
    let block: Option<Block<B256>> =
        l2.request("eth_getBlockByNumber", (U64::from(number), false))?;
    let block = block.ok_or_else(|| eyre::eyre!("the L2 node has no block {number}"))?;
    Ok(block.header.inner.state_root)
}

/// Fetches the proof that the L2 state with this root contains a message, and verifies it as L1
/// does.
fn prove(l2: &Node, number: u64, state_root: B256, message: &Message) -> Result<MessageProof> {
    let keys = [B256::from(sent_slot(message.index))];
    let params = (L2_MESSENGER, keys, U64::from(number));
    let proof = message_proof(number, account_proof(l2.request("eth_getProof", params)?));
    verify_message(state_root, message, &proof).wrap_err_with(|| {
        format!(
            "the proof of the L2 node at {} does not show that message {} is in the state of block \
             {number}",
            l2.client.address(),
            message.index
        )
    })?;
    Ok(proof)
}

/// Converts the result of `eth_getProof`.
pub(super) fn account_proof(answer: EIP1186AccountProofResponse) -> AccountProof {
    let account = TrieAccount {
        nonce: answer.nonce,
        balance: answer.balance,
        storage_root: answer.storage_hash,
        code_hash: answer.code_hash,
    };
    let slot = |slot: EIP1186StorageProof| SlotProof {
        slot: U256::from_be_bytes(slot.key.as_b256().0),
        value: slot.value,
        nodes: slot.proof,
    };
    AccountProof {
        account: Some(account),
        nodes: answer.account_proof,
        slots: answer.storage_proof.into_iter().map(slot).collect(),
    }
}
