//! What a rollup is made with.

use crate::bindings::INativeRollup;
use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolValue;
use chain::Block;
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
    /// Least fee, in percent of what the transaction costs on L1 when it is submitted; at least 1. It is burned.
    pub fee_percent: u64,
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
                bounded_target: Address::ZERO,
            },
            policy: Address::ZERO,
            owner: Address::ZERO,
        }
    }

    /// Arguments of the constructor of `L1MessageQueue`, which names the rollup.
    pub fn message_queue_arguments(&self, rollup: Address) -> Vec<u8> {
        (rollup, self.message_gas, self.message_data, self.fee_percent).abi_encode_params()
    }

    /// Arguments of the constructor of `ForcedInbox`, which names the rollup.
    pub fn forced_inbox_arguments(&self, rollup: Address) -> Vec<u8> {
        let forced = &self.forced;
        // A struct of static fields is encoded as they are one after another, however they are grouped.
        (
            (rollup, self.chain_id, forced.delay, forced.grace, forced.expiry),
            (forced.max_gas, forced.max_bounded_gas, forced.fee_percent, forced.bounded_target),
        )
            .abi_encode_params()
    }

    /// Arguments of the constructor of `NativeRollup`, for an L2 that starts at `genesis` and these
    /// two queues.
    pub fn rollup_arguments(
        &self,
        genesis: &Block,
        message_queue: Address,
        forced: Address,
    ) -> Vec<u8> {
        let header = Bytes::from(alloy_rlp::encode(&genesis.header));
        let rules = INativeRollup::Config {
            chainId: self.chain_id,
            schema: self.schema.get(),
            maxLag: self.max_lag,
            openAfter: self.open_after,
            relayDeadline: self.relay_deadline,
            upgradeDelay: self.upgrade_delay,
            messageQueue: message_queue,
            forced,
            policy: self.policy,
            owner: self.owner,
        };
        (header, rules).abi_encode_params()
    }
}
