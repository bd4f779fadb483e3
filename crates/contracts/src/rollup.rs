//! A rollup on an L1: its contracts, and the way from L1 messages to anchors and back.

use crate::{
    Anchor, Artifacts, ContractsError, L1, L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{self, MessageProof, MessageSent},
        INativeRollup::{self, AnchorUpdate},
    },
    sent_slot,
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolEvent, SolValue};
use chain::{Block, Chain};
use keys::Key;
use std::sync::Arc;
use wire::SchemaId;

/// What makes a rollup this rollup.
#[derive(Debug, Clone, Copy)]
pub struct RollupConfig {
    /// Chain id of the L2.
    pub chain_id: u64,
    /// Schema id of its blocks.
    pub schema: SchemaId,
    /// How far, in seconds, an L2 block may lie behind L1.
    pub max_lag: u64,
    /// Age of the head, in seconds, from which on anyone may advance.
    pub open_after: u64,
    /// Seconds after which a message from L1 must have been relayed.
    pub relay_deadline: u64,
    /// Seconds between the announcement of an upgrade and the upgrade.
    pub upgrade_delay: u64,
    /// Most gas that a message from L1 may ask for.
    pub message_gas: u64,
    /// Most bytes of data of such a message.
    pub message_data: u64,
    /// Least fee of a message, in percent of what its gas, and the witness that it can demand, cost on
    /// L1 when it is sent.
    pub fee_percent: u64,
    /// The queue of forced transactions.
    pub forced: ForcedConfig,
    /// Who may advance: an `ISequencing`, or zero for anyone.
    pub policy: Address,
    /// Who may announce upgrades, or zero for nobody ever.
    pub owner: Address,
}

/// What makes a queue of forced transactions.
#[derive(Debug, Clone, Copy)]
pub struct ForcedConfig {
    /// Seconds after which a transaction is due.
    pub delay: u64,
    /// Seconds after that for which a block with too little gas left is an excuse.
    pub grace: u64,
    /// Seconds after that after which the first of the queue expires.
    pub expiry: u64,
    /// Most gas of a transfer.
    pub max_gas: u64,
    /// Most gas of one that calls the messenger or the bounded target.
    pub max_bounded_gas: u64,
    /// Least fee, in percent of what the transaction costs on L1 when it is submitted.
    pub fee_percent: u64,
    /// Who gets the fees, or zero to burn them.
    pub fee_recipient: Address,
    /// A contract that reads little whatever it is called with, or zero.
    pub bounded_target: Address,
}

impl RollupConfig {
    /// A rollup that anyone may advance and nobody can change, with a day for messages and forced
    /// transactions.
    pub const fn new(chain_id: u64, schema: SchemaId) -> Self {
        const HOUR: u64 = 3_600;
        const DAY: u64 = 24 * HOUR;
        Self {
            chain_id,
            schema,
            max_lag: HOUR,
            open_after: 2 * HOUR,
            relay_deadline: DAY,
            upgrade_delay: 7 * DAY,
            message_gas: 1_000_000,
            message_data: 10_000,
            fee_percent: 100,
            forced: ForcedConfig {
                delay: DAY,
                grace: 2 * HOUR,
                expiry: 2 * DAY,
                max_gas: 300_000,
                max_bounded_gas: 1_000_000,
                fee_percent: 100,
                fee_recipient: Address::ZERO,
                bounded_target: Address::ZERO,
            },
            policy: Address::ZERO,
            owner: Address::ZERO,
        }
    }
}

/// The contracts of a rollup on L1.
#[derive(Debug, Clone, Copy)]
pub struct Rollup {
    /// `NativeRollup`.
    pub address: Address,
    /// `L1MessageQueue`.
    pub inbox: Address,
    /// `ForcedInbox`.
    pub forced: Address,
}

impl Rollup {
    /// Deploys the contracts for an L2 that starts at `genesis`.
    pub fn deploy(
        l1: &mut L1,
        artifacts: &Artifacts,
        deployer: &Key,
        genesis: &Block,
        config: &RollupConfig,
    ) -> Result<Self, ContractsError> {
        let with_arguments = |name: &str, arguments: Vec<u8>| {
            let init_code = &artifacts.get(name)?.init_code;
            Ok::<_, ContractsError>(Bytes::from([&init_code[..], &arguments].concat()))
        };
        // The queues name the rollup, which comes after them.
        let rollup = deployer.address().create(l1.chain().nonce(deployer.address())? + 2);
        let arguments = (rollup, config.message_gas, config.message_data, config.fee_percent)
            .abi_encode_params();
        let inbox = l1.deploy(deployer, with_arguments("L1MessageQueue", arguments)?)?;
        let ForcedConfig {
            delay,
            grace,
            expiry,
            max_gas,
            max_bounded_gas,
            fee_percent,
            fee_recipient,
            bounded_target,
        } = config.forced;
        // A struct of static fields is encoded as they are one after another, however they are grouped.
        let arguments = (
            (rollup, config.chain_id, delay, grace, expiry),
            (max_gas, max_bounded_gas, fee_percent, fee_recipient, bounded_target),
        )
            .abi_encode_params();
        let forced = l1.deploy(deployer, with_arguments("ForcedInbox", arguments)?)?;
        let first = INativeRollup::Genesis {
            number: genesis.header.number,
            timestamp: genesis.header.timestamp,
            blockHash: genesis.hash,
            stateRoot: genesis.header.state_root,
            anchor: B256::ZERO,
        };
        let rules = INativeRollup::Config {
            chainId: config.chain_id,
            schema: config.schema.get(),
            gasLimit: genesis.header.gas_limit.try_into().unwrap_or(u32::MAX),
            maxLag: config.max_lag,
            openAfter: config.open_after,
            relayDeadline: config.relay_deadline,
            upgradeDelay: config.upgrade_delay,
            inbox,
            forced,
            policy: config.policy,
            owner: config.owner,
        };
        let arguments = (first, rules).abi_encode_params();
        let address = l1.deploy(deployer, with_arguments("NativeRollup", arguments)?)?;
        Ok(Self { address, inbox, forced })
    }

    /// Messages that were sent in an L1 block, in order.
    pub fn messages_in(&self, block: &Block) -> Vec<Message> {
        let logs = block.executed.receipts.iter().flat_map(|receipt| &receipt.logs);
        logs.filter(|log| log.address == self.inbox)
            .filter_map(|log| MessageSent::decode_log(log).ok())
            .filter_map(|event| Message::from_event(&event))
            .collect()
    }

    /// The newest anchor that the next L1 block can name: the head of L1 with all messages sent so
    /// far. Returns the update to give to `advance` for the input with this index.
    pub fn newest_anchor(
        &self,
        l1: &L1,
        index: u64,
    ) -> Result<(Anchor, AnchorUpdate), ContractsError> {
        let head = l1.chain().head();
        let checkpoint = l1.read(self.inbox, &IL1MessageQueue::checkpointCall {})?;
        let anchor = Anchor {
            l1_block_number: head.header.number,
            l1_block_hash: head.hash,
            message_count: checkpoint.count,
            message_root: checkpoint.root,
        };
        let update = AnchorUpdate {
            index,
            l1BlockNumber: anchor.l1_block_number,
            messageCount: anchor.message_count,
            messageRoot: anchor.message_root,
            checkpointId: checkpoint.id,
            checkpointBlock: checkpoint.l1Block,
            checkpointTimestamp: checkpoint.timestamp,
        };
        Ok((anchor, update))
    }

    /// The head of the L2 as L1 knows it.
    pub fn head(&self, l1: &L1) -> Result<INativeRollup::Head, ContractsError> {
        l1.read(self.address, &INativeRollup::headCall {})
    }
}

/// Evidence for `L1MessageQueue.claim` that the L2 holds the message to L1 with this number after
/// `block`.
pub fn message_proof(
    l2: &Chain,
    block: &Arc<Block>,
    index: u64,
) -> Result<MessageProof, ContractsError> {
    let proof = l2.prove(block, L2_MESSENGER, &[sent_slot(index)])?;
    Ok(MessageProof {
        l2Block: block.header.number,
        storageRoot: proof
            .account
            .map_or(alloy_consensus::EMPTY_ROOT_HASH, |account| account.storage_root),
        accountProof: proof.nodes,
        storageProof: proof.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
    })
}
