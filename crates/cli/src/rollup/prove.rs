//! `enshrine prove`.

use super::Node;
use crate::output::{complain, say};
use alloy_primitives::{Address, B256, Bytes, U64, U256, hex, keccak256};
use alloy_rpc_types_eth::{Block, EIP1186AccountProofResponse, Log};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use alloy_trie::{
    Nibbles, TrieAccount,
    proof::{ProofVerificationError, verify_proof},
};
use clap::Args;
use contracts::{
    Deployment, L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{MessageProof, claimCall, isClaimedCall},
        IL2Messenger,
        INativeRollup::{headCall, stateRootAtCall},
    },
    sent_slot,
};
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// JSON-RPC address of a node of the L2. What it proves is checked.
    #[arg(long, value_name = "URL")]
    l2: String,

    /// Number of the message: the `index` of its MessageSent event on the L2.
    #[arg(long, value_name = "INDEX")]
    message: u64,

    /// The L2 block whose state to prove from [default: the newest that L1 knows; without --l1 the
    /// newest]
    #[arg(long, value_name = "NUMBER")]
    block: Option<u64>,

    /// JSON-RPC address of L1. With it, the command checks that L1 knows the block and that the
    /// message is still unclaimed.
    #[arg(long, value_name = "URL", requires = "deployment")]
    l1: Option<String>,

    /// The file that script/Deploy.s.sol has written.
    #[arg(long, value_name = "FILE", requires = "l1")]
    deployment: Option<PathBuf>,

    /// Account that gets the fee which the sender has put aside for the claim.
    #[arg(long, value_name = "ADDRESS")]
    fee_recipient: Option<Address>,

    /// JSON instead of the calldata alone.
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
            (None, Some(_)) =>
                format!("L1 knows the L2 up to block {number} only: wait for an advance"),
            _ => format!("the proof would be from block {number}, before it"),
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
            "the claim of message {} pays a fee of {} wei: name its recipient with --fee-recipient",
            arguments.message,
            message.fee
        ),
    };
    let claim = claimCall { message: (&message).into(), proof, feeRecipient: fee_recipient };
    let calldata = Bytes::from(claim.abi_encode());
    if !arguments.json {
        if l1.is_none() {
            complain(format_args!(
                "proven from L2 block {number}: L1 takes it once it knows this block (with --l1 and \
                 --deployment one is taken that it knows)"
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

/// L1, as far as claims need it.
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
        ensure!(!claimed, "message {index} has been claimed already");
        Ok(())
    }

    /// Number of the newest L2 block that L1 knows.
    fn head(&self) -> Result<u64> {
        Ok(self.node.call(self.deployment.rollup, &headCall {})?.number)
    }

    fn require_state_root(&self, number: u64, got: B256) -> Result<()> {
        let expected = self.node.call(self.deployment.rollup, &stateRootAtCall { number })?;
        ensure!(
            got == expected,
            "the L2 node has the state root {got} in block {number}, but L1 has {expected}: the node \
             is on another chain, or has blocks that never got to L1"
        );
        Ok(())
    }
}

/// A message to L1 as the L2 has logged it, and the block in which it was sent.
fn message(l2: &Node, index: u64) -> Result<(Message, u64)> {
    let filter = json!([{
        "fromBlock": "earliest",
        "toBlock": "latest",
        "address": L2_MESSENGER,
        "topics": [IL2Messenger::MessageSent::SIGNATURE_HASH, B256::from(U256::from(index))],
    }]);
    let logs: Vec<Log> = l2.request("eth_getLogs", filter)?;
    let Some(log) = logs.iter().find(|log| !log.removed) else {
        bail!("the L2 node at {} knows no message {index}", l2.client.url())
    };
    read(log, index).wrap_err_with(|| {
        format!("the L2 node at {} has answered with another log", l2.client.url())
    })
}

/// The message with this number, from its log, and the block in which it was sent.
fn read(log: &Log, index: u64) -> Result<(Message, u64)> {
    let sent = log.block_number.ok_or_eyre("it is in no block")?;
    let event = IL2Messenger::MessageSent::decode_log(&log.inner)
        .wrap_err("it is not a MessageSent event")?;
    ensure!(event.index == index, "it is of message {}", event.index);
    let message =
        Message::from_l2_event(&event).ok_or_eyre("it asks for more gas than any message may")?;
    Ok((message, sent))
}

/// State root of an L2 block.
fn state_root(l2: &Node, number: u64) -> Result<B256> {
    let block: Option<Block<B256>> =
        l2.request("eth_getBlockByNumber", (U64::from(number), false))?;
    let block = block.ok_or_else(|| eyre::eyre!("the L2 node has no block {number}"))?;
    Ok(block.header.inner.state_root)
}

/// Evidence that the L2 holds a message after a block with this state root, which is checked as L1
/// checks it.
fn prove(l2: &Node, number: u64, state_root: B256, message: &Message) -> Result<MessageProof> {
    let slot = sent_slot(message.index);
    let keys = [B256::from(slot)];
    let params = (L2_MESSENGER, keys, U64::from(number));
    let proof: EIP1186AccountProofResponse = l2.request("eth_getProof", params)?;
    check(state_root, slot, message.hash(), &proof).wrap_err_with(|| {
        format!(
            "the L2 node at {} proves something else than that message {} is in the state of block \
             {number}",
            l2.client.url(),
            message.index
        )
    })?;
    Ok(MessageProof {
        l2Block: number,
        storageRoot: proof.storage_hash,
        accountProof: proof.account_proof,
        storageProof: proof.storage_proof.into_iter().flat_map(|slot| slot.proof).collect(),
    })
}

/// Returns `true` if a proof shows that the messenger's slot has this value.
fn check(
    state_root: B256,
    slot: U256,
    value: B256,
    proof: &EIP1186AccountProofResponse,
) -> Result<(), ProofError> {
    let account = TrieAccount {
        nonce: proof.nonce,
        balance: proof.balance,
        storage_root: proof.storage_hash,
        code_hash: proof.code_hash,
    };
    let path = |key: &[u8]| Nibbles::unpack(keccak256(key));
    let leaf = Some(alloy_rlp::encode(account));
    verify_proof(state_root, path(L2_MESSENGER.as_slice()), leaf, &proof.account_proof)
        .map_err(ProofError::Account)?;
    let [storage] = &proof.storage_proof[..] else {
        return Err(ProofError::Slots(proof.storage_proof.len()));
    };
    let leaf = Some(alloy_rlp::encode(U256::from_be_bytes(value.0)));
    verify_proof(proof.storage_hash, path(&slot.to_be_bytes::<32>()), leaf, &storage.proof)
        .map_err(ProofError::Storage)
}

/// Error in a proof.
#[derive(Debug, thiserror::Error)]
enum ProofError {
    #[error("the nodes do not prove the account of the messenger: {}", shortened(.0))]
    Account(ProofVerificationError),
    #[error("one slot was asked for, and {0} are proven")]
    Slots(usize),
    #[error("the nodes do not prove that the messenger holds the message: {}", shortened(.0))]
    Storage(ProofVerificationError),
}

/// An error without the nodes that it is about.
fn shortened(error: &ProofVerificationError) -> String {
    match error {
        ProofVerificationError::ValueMismatch { path, expected: Some(_), got: Some(_) } => {
            format!("another value at the path {path:?}")
        }
        ProofVerificationError::ValueMismatch { path, .. } => {
            format!("no value at the path {path:?}")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::LogData;

    fn sent(index: u64, gas: u64, block: Option<u64>) -> Log {
        let event = IL2Messenger::MessageSent {
            index,
            sender: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            refundTo: Address::repeat_byte(3),
            value: 4,
            fee: 5,
            gasLimit: gas,
            data: Bytes::from_static(b"data"),
        };
        let inner = alloy_primitives::Log { address: L2_MESSENGER, data: event.encode_log_data() };
        Log { inner, block_number: block, ..Default::default() }
    }

    #[test]
    fn a_log_is_taken_for_a_message_only_if_it_is_of_the_one_that_was_asked_for() {
        let (message, block) = read(&sent(7, 6, Some(9)), 7).unwrap();
        assert_eq!(block, 9);
        assert_eq!((message.index, message.gas_limit, message.value), (7, 6, 4));
        assert_eq!(message.data, Bytes::from_static(b"data"));
        assert!(read(&sent(8, 6, Some(9)), 7).is_err());
        assert!(read(&sent(7, 6, None), 7).is_err());
        assert!(read(&sent(7, 1 << 32, Some(9)), 7).is_err());
        let mut other = sent(7, 6, Some(9));
        other.inner.data = LogData::default();
        assert!(read(&other, 7).is_err());
    }
}
