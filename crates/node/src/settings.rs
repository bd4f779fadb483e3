//! Settings of a node, which can change at run time.

use crate::{Backlog, Order, PoolLimits};
use alloy_primitives::{Address, Bytes};
use chain::BudgetPolicy;
use execute::Rules;
use std::{sync::Arc, time::Duration};
use variants::GasSchedule;

/// Trigger of block production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mining {
    /// A block immediately for each executable transaction.
    #[default]
    Auto,
    /// Blocks at a fixed interval.
    Interval(Duration),
    /// A block for each executable transaction, and blocks at a fixed interval.
    Mixed(Duration),
    /// Blocks on request only.
    Manual,
}

impl Mining {
    /// Returns `true` if each transaction triggers a block.
    pub const fn is_auto(self) -> bool {
        matches!(self, Self::Auto | Self::Mixed(_))
    }

    /// Returns the interval, if there is one.
    pub const fn interval(self) -> Option<Duration> {
        match self {
            Self::Interval(interval) | Self::Mixed(interval) => Some(interval),
            Self::Auto | Self::Manual => None,
        }
    }
}

/// The settings of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Trigger of block production.
    pub mining: Mining,
    /// Order of transactions.
    pub order: Order,
    /// Recipient of the tips.
    pub coinbase: Address,
    /// Extra data of each block.
    pub extra_data: Bytes,
    /// Minimum tip of the pool, in wei.
    pub min_tip: u128,
    /// Suggested tip, in wei.
    pub suggested_tip: u128,
    /// Suggested gas price of legacy transactions, in wei; `None` for base fee and tip.
    pub gas_price: Option<u128>,
    /// `true` if the pool rejects transactions that cannot pay the base fee of the next block.
    pub refuse_below_base_fee: bool,
    /// `true` if the pool rejects a gas limit below the calldata floor of EIP-7623. If `false`, the
    /// transaction is dropped when the next block cannot include it.
    pub refuse_below_floor: bool,
    /// Blocks per epoch: safe is one epoch behind the head, finalized two.
    pub slots_in_an_epoch: u64,
    /// Number of the last imported block. Blocks up to it are final, at any head.
    pub final_number: u64,
    /// Maximum length of an encoded transaction without blobs, in bytes.
    pub max_transaction_bytes: usize,
    /// Number of states below the head that can be queried; `None` for all. Older states are
    /// pruned, except those of snapshots.
    pub history: Option<u64>,
    /// Number of blocks, the head included, whose transactions and receipts are kept; `None` for
    /// all.
    pub bodies: Option<u64>,
    /// Limits of each block with transactions.
    pub budget: Arc<dyn BudgetPolicy>,
    /// Maximum number of transactions in a block.
    pub max_transactions: Option<usize>,
    /// Price increase in percent that a transaction needs to replace one in the pool.
    pub replacement_bump: u8,
    /// Limits of the pool.
    pub pool_limits: PoolLimits,
    /// `true` if the pool rejects transactions that their senders cannot pay for now.
    pub refuse_unpaid: bool,
    /// Gas schedule of EXECUTE on the L1 that verifies the blocks.
    pub execute_gas: GasSchedule,
    /// Reason why the pool rejects external transactions; `None` if it accepts them.
    pub closed: Option<Backlog>,
    /// EXECUTE rules by which the node verifies each new block from its own witness; `None` for no
    /// verification.
    pub verify_blocks: Option<Rules>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mining: Mining::Auto,
            order: Order::Fees,
            coinbase: Address::ZERO,
            extra_data: Bytes::new(),
            min_tip: 0,
            suggested_tip: 1_000_000_000,
            gas_price: None,
            refuse_below_base_fee: false,
            refuse_below_floor: true,
            slots_in_an_epoch: 32,
            final_number: 0,
            max_transaction_bytes: 128 * 1024,
            history: None,
            bodies: None,
            budget: Arc::new(()),
            execute_gas: GasSchedule::DEFAULT,
            closed: None,
            max_transactions: None,
            replacement_bump: 10,
            pool_limits: PoolLimits::default(),
            refuse_unpaid: true,
            verify_blocks: None,
        }
    }
}
