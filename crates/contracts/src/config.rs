//! Constructor parameters of a rollup.

use crate::bindings::INativeRollup::{self, ForkMode};
use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolValue;
use chain::Block;
use wire::SchemaId;

/// Parameters of a rollup.
#[derive(Debug, Clone, Copy)]
pub struct RollupConfig {
    /// L2 chain id.
    pub chain_id: u64,
    /// Schema id of its first blocks.
    pub schema: SchemaId,
    /// Source of the rollup's forks.
    pub fork_mode: ForkMode,
    /// Maximum lag of an L2 block behind L1, in seconds.
    pub max_lag: u64,
    /// Age of the head, in seconds, after which anyone may advance.
    pub open_after: u64,
    /// Seconds after which an L1→L2 message must have been relayed.
    pub relay_deadline: u64,
    /// Seconds between the announcement of an upgrade and the upgrade.
    pub upgrade_delay: u64,
    /// Maximum gas limit of an L1→L2 message.
    pub message_gas: u64,
    /// Maximum length of the data of an L1→L2 message, in bytes.
    pub message_data: u64,
    /// Minimum fee of a message, in percent of what its gas and its maximum witness cost on L1 when
    /// it is sent.
    pub fee_percent: u64,
    /// Number of checkpoints that the message queue stores, from 1,024 to 2^20. Each L1 block with
    /// a message uses one.
    pub checkpoints: u64,
    /// Minimum time between two L1 blocks, in milliseconds; at least 100.
    pub l1_slot_millis: u64,
    /// The guardian of the message queue, or `None`.
    pub guardian: Option<GuardianConfig>,
    /// The queue of forced transactions.
    pub forced: ForcedConfig,
    /// Seconds without a block after which the rollup can be closed, at least 30 days; `None`
    /// without the contract `RollupExit`.
    pub lost_after: Option<u64>,
    /// Contract that decides who may advance: an `ISequencing`, or zero for anyone.
    pub policy: Address,
    /// Account that may announce upgrades, or zero for none.
    pub owner: Address,
}

/// Account that may pause the message queue, and the bounds of its pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardianConfig {
    /// The account.
    pub account: Address,
    /// Duration of a pause, in seconds.
    pub pause: u64,
    /// Total wei that claims may withdraw during a pause.
    pub limit: u128,
}

/// Parameters of a queue of forced transactions.
#[derive(Debug, Clone, Copy)]
pub struct ForcedConfig {
    /// Seconds after which a transaction is due.
    pub delay: u64,
    /// Seconds after `delay` during which too little gas left in a block excuses an omission.
    pub grace: u64,
    /// Seconds after `grace` after which the first transaction of the queue expires.
    pub expiry: u64,
    /// Maximum gas limit of a transfer.
    pub max_gas: u64,
    /// Maximum gas limit of a transaction that calls the messenger or the bounded target.
    pub max_bounded_gas: u64,
    /// Minimum fee, in percent of the transaction's cost on L1 at submission; at least 1. The fee
    /// is burned.
    pub fee_percent: u64,
    /// Contract whose state accesses are bounded for any calldata, or zero.
    pub bounded_target: Address,
}

impl RollupConfig {
    /// Creates the configuration of a rollup without an owner that follows the L1 forks, with a
    /// delay of one day for forced transactions and a deadline of half a day for messages. `policy`
    /// decides which accounts may advance the rollup: with `PermissionedSequencing`, other accounts
    /// may advance only after a timeout, and zero allows all accounts.
    pub const fn new(chain_id: u64, schema: SchemaId, policy: Address) -> Self {
        const HOUR: u64 = 3_600;
        const DAY: u64 = 24 * HOUR;
        Self {
            chain_id,
            schema,
            fork_mode: ForkMode::Follow,
            max_lag: HOUR,
            open_after: 2 * HOUR,
            relay_deadline: 12 * HOUR,
            upgrade_delay: 7 * DAY,
            message_gas: 1_000_000,
            message_data: 10_000,
            fee_percent: 100,
            checkpoints: 16_382,
            l1_slot_millis: 6_000,
            guardian: None,
            forced: ForcedConfig {
                delay: DAY,
                grace: 2 * HOUR,
                expiry: 2 * DAY,
                max_gas: 300_000,
                max_bounded_gas: 1_000_000,
                fee_percent: 100,
                bounded_target: Address::ZERO,
            },
            lost_after: None,
            policy,
            owner: Address::ZERO,
        }
    }

    /// Returns the constructor arguments of `L1MessageQueue` for the rollup at this address.
    /// `exit` is the address of its `RollupExit`, or zero for none.
    pub fn message_queue_arguments(&self, rollup: Address, exit: Address) -> Vec<u8> {
        let (account, pause, limit) = self.guardian.map_or_else(Default::default, |guardian| {
            (guardian.account, guardian.pause, guardian.limit)
        });
        let caps = (self.message_gas, self.message_data, self.fee_percent, self.checkpoints);
        // The guardian is a struct of static fields, so it is encoded like the list of its fields.
        ((rollup, exit, caps), (account, pause, limit)).abi_encode_params()
    }

    /// Returns the constructor arguments of `RollupExit` for this message queue; `None` if the
    /// rollup has no such contract.
    pub fn exit_arguments(&self, message_queue: Address) -> Option<Vec<u8>> {
        self.lost_after.map(|lost_after| (message_queue, lost_after).abi_encode_params())
    }

    /// Returns the constructor arguments of `ForcedInbox` for the rollup at this address.
    pub fn forced_inbox_arguments(&self, rollup: Address) -> Vec<u8> {
        let forced = &self.forced;
        // A struct of static fields is encoded like the list of its fields, so the tuples may group
        // them in any way.
        (
            (rollup, self.chain_id, forced.delay, forced.grace, forced.expiry),
            (forced.max_gas, forced.max_bounded_gas, forced.fee_percent, forced.bounded_target),
        )
            .abi_encode_params()
    }

    /// Returns the constructor arguments of `NativeRollup` for an L2 that starts at `genesis`, with
    /// these two queues.
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
            forkMode: self.fork_mode,
            maxLag: self.max_lag,
            openAfter: self.open_after,
            relayDeadline: self.relay_deadline,
            upgradeDelay: self.upgrade_delay,
            l1SlotMillis: self.l1_slot_millis,
            messageQueue: message_queue,
            forced,
            policy: self.policy,
            owner: self.owner,
        };
        (header, rules).abi_encode_params()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Arguments = (Address, Address, u64, u64, u64, u64, (Address, u64, u128));

    #[test]
    fn message_queue_arguments_contain_guardian_and_exit() {
        let (rollup, exit) = (Address::repeat_byte(1), Address::repeat_byte(3));
        let mut config =
            RollupConfig::new(8_079, wire::ProtocolFork::Osaka.schema(), Address::ZERO);
        let decoded = |config: &RollupConfig| {
            let encoded = config.message_queue_arguments(rollup, exit);
            Arguments::abi_decode_params(&encoded).expect("decodes")
        };
        assert_eq!(
            decoded(&config),
            (rollup, exit, 1_000_000, 10_000, 100, 16_382, (Address::ZERO, 0, 0))
        );
        let account = Address::repeat_byte(2);
        config.guardian = Some(GuardianConfig { account, pause: 86_400, limit: 7 });
        assert_eq!(decoded(&config).6, (account, 86_400, 7));
    }
}
