//! Settings of a node, which can change at run time.

use crate::PoolLimits;
use alloy_primitives::{Address, Bytes};
use chain::BudgetPolicy;
use execute::Rules;
use std::{sync::Arc, time::Duration};
use variants::GasSchedule;

/// Trigger of block production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mining {
    /// For each transaction that can stand in a block, at once.
    #[default]
    Auto,
    /// At intervals.
    Interval(Duration),
    /// For each transaction, and at intervals.
    Mixed(Duration),
    /// Blocks are made on request only.
    Manual,
}

impl Mining {
    /// Returns `true` if each transaction triggers a block.
    pub const fn is_auto(self) -> bool {
        matches!(self, Self::Auto | Self::Mixed(_))
    }

    /// The interval, if there is one.
    pub const fn interval(self) -> Option<Duration> {
        match self {
            Self::Interval(interval) | Self::Mixed(interval) => Some(interval),
            Self::Auto | Self::Manual => None,
        }
    }
}

/// Order of transactions of different senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Highest effective tip first; then by arrival.
    #[default]
    Fees,
    /// Highest fee cap first, independent of the base fee; then by arrival. Anvil does so.
    Offers,
    /// By arrival.
    Arrival,
}

/// Blocks of an L2 that wait for L1, by the measure that is at its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Name of the measure, with its unit.
    pub what: &'static str,
    /// Its value.
    pub got: u64,
    /// Most that the node lets wait.
    pub limit: u64,
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
    /// Least tip that the pool takes, in wei.
    pub min_tip: u128,
    /// Tip that is suggested, in wei.
    pub suggested_tip: u128,
    /// Gas price that is suggested for legacy transactions, in wei; `None` for base fee and tip.
    pub gas_price: Option<u128>,
    /// `true` if the pool rejects transactions that cannot pay the base fee of the next block.
    pub refuse_below_base_fee: bool,
    /// `true` if the pool refuses a gas limit below the calldata floor of EIP-7623. Otherwise the next block
    /// leaves such a transaction out, and the pool drops it then.
    pub refuse_below_floor: bool,
    /// Blocks per epoch: safe is one epoch behind the head, finalized two.
    pub slots_in_an_epoch: u64,
    /// Number of the last imported block. Blocks up to it are final, independent of the head.
    pub final_number: u64,
    /// Most bytes of an encoded transaction, blobs aside.
    pub max_transaction_bytes: usize,
    /// Number of states below the head that can be queried; `None` for all. Older ones are pruned
    /// from time to time, except those of snapshots.
    pub history: Option<u64>,
    /// Number of blocks, the head included, whose transactions and receipts are kept; `None` for
    /// all.
    pub bodies: Option<u64>,
    /// Bounds on each block that is made, but for one without transactions.
    pub budget: Arc<dyn BudgetPolicy>,
    /// Most transactions of a block.
    pub max_transactions: Option<usize>,
    /// Price increase in percent that a transaction needs to replace one in the pool.
    pub replacement_bump: u8,
    /// Limits of the pool.
    pub pool_limits: PoolLimits,
    /// `true` if the pool rejects transactions that their senders cannot pay at present.
    pub refuse_unpaid: bool,
    /// Gas schedule of EXECUTE on the L1 that verifies the blocks.
    pub execute_gas: GasSchedule,
    /// Reason for which no transaction is taken from outside; `None` to take them.
    pub closed: Option<Backlog>,
    /// EXECUTE rules by which each new block is verified from its own witness; `None` for no
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
