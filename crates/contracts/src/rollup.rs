//! A rollup on an L1: its two contracts, and the way from L1 messages to anchors.

use crate::{
    Anchor, Artifacts, ContractsError, L1, Message,
    bindings::{
        IL1MessageQueue::{self, MessageSent},
        INativeRollup::{self, AnchorUpdate},
    },
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::{SolEvent, SolValue};
use chain::Block;
use keys::Key;
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
    /// Most gas that a message from L1 may ask for.
    pub message_gas: u64,
    /// Most bytes of data of such a message.
    pub message_data: u64,
    /// Least fee of a message, in percent of what its gas costs on L1 when it is sent.
    pub fee_percent: u64,
}

/// The contracts of a rollup on L1.
#[derive(Debug, Clone, Copy)]
pub struct Rollup {
    /// `NativeRollup`.
    pub address: Address,
    /// `L1MessageQueue`.
    pub inbox: Address,
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
        let arguments =
            (config.message_gas, config.message_data, config.fee_percent).abi_encode_params();
        let inbox = l1.deploy(deployer, with_arguments("L1MessageQueue", arguments)?)?;
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
            gasLimit: genesis.header.gas_limit,
            maxLag: config.max_lag,
            inbox,
        };
        let arguments = (first, rules).abi_encode_params();
        let address = l1.deploy(deployer, with_arguments("NativeRollup", arguments)?)?;
        Ok(Self { address, inbox })
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
