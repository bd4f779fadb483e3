//! What may be set about a node while it runs.

use crate::PoolLimits;
use alloy_primitives::{Address, Bytes};
use chain::InputLimits;
use execute::{GasSchedule, Rules};
use std::time::Duration;

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mining {
    /// For each transaction that can stand in a block, at once.
    #[default]
    Auto,
    /// At intervals.
    Interval(Duration),
    /// For each transaction, and at intervals.
    Mixed(Duration),
    /// When asked to.
    Manual,
}

impl Mining {
    /// Whether a transaction makes a block.
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

/// In which order transactions of several senders are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Who pays most goes first; of equals, who came first.
    #[default]
    Fees,
    /// Who offers most goes first, whatever of it the base fee leaves as a tip; of equals, who came
    /// first. Anvil does so.
    Offers,
    /// Who came first goes first.
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
    /// When blocks are made.
    pub mining: Mining,
    /// In which order transactions are taken.
    pub order: Order,
    /// Who gets the tips.
    pub coinbase: Address,
    /// Extra data of each block.
    pub extra_data: Bytes,
    /// Least tip that the pool takes, in wei.
    pub min_tip: u128,
    /// Tip that is suggested, in wei.
    pub suggested_tip: u128,
    /// Gas price that is suggested for legacy transactions, in wei; `None` for base fee and tip.
    pub gas_price: Option<u128>,
    /// Whether the pool refuses what cannot pay the base fee of the next block now.
    pub refuse_below_base_fee: bool,
    /// `true` if the pool refuses a gas limit below the calldata floor of EIP-7623. Otherwise the next block
    /// leaves such a transaction out, and the pool drops it then.
    pub refuse_below_floor: bool,
    /// Blocks per epoch: safe is one epoch behind the head, finalized two.
    pub slots_in_an_epoch: u64,
    /// Blocks up to this number are final whatever the head is: those that were imported.
    pub final_number: u64,
    /// Most bytes of an encoded transaction, blobs aside.
    pub max_transaction_bytes: usize,
    /// How many states below the head can be asked for; `None` for all. Older ones are forgotten now
    /// and then, but for those of snapshots.
    pub history: Option<u64>,
    /// Of how many blocks, the head included, transactions and receipts are kept; `None` for all.
    pub bodies: Option<u64>,
    /// Most bytes of the input of EXECUTE for each block that is made, in its [shortest](chain::shortest_input)
    /// form, but for one without transactions; `None` if L1 need not carry them.
    pub max_input: Option<usize>,
    /// Most transactions of a block.
    pub max_transactions: Option<usize>,
    /// How much more a transaction has to pay, in percent, to take the place of one in the pool.
    pub replacement_bump: u8,
    /// How much the pool holds.
    pub pool_limits: PoolLimits,
    /// Whether the pool refuses what its sender cannot pay now.
    pub refuse_unpaid: bool,
    /// Most gas that EXECUTE may ask for each block that is made and verified, but for one without
    /// transactions of the pool; `None` if L1 need not carry them.
    pub max_execute_gas: Option<u64>,
    /// Gas schedule of EXECUTE on the L1 that verifies the blocks.
    pub execute_gas: GasSchedule,
    /// Reason for which no transaction is taken from outside; `None` to take them.
    pub closed: Option<Backlog>,
    /// Least that a transaction of the pool pays in tips for each byte that it makes the input of EXECUTE longer, in
    /// wei. One that pays less is dropped when its turn comes.
    pub byte_price: u128,
    /// By which rules of EXECUTE every block that is made is verified from its own witness; `None` if
    /// none is.
    pub verify_blocks: Option<Rules>,
}

impl Settings {
    /// What L1 can carry of a block.
    pub fn input_limits(&self) -> InputLimits {
        // Nobody asks EXECUTE about a block that is not verified.
        let gas = self.max_execute_gas.filter(|_| self.verify_blocks.is_some());
        InputLimits {
            bytes: self.max_input,
            gas,
            byte_price: self.byte_price,
            exempt: 0,
            schedule: self.execute_gas,
        }
    }
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
            max_input: None,
            max_execute_gas: None,
            execute_gas: GasSchedule::DEFAULT,
            closed: None,
            max_transactions: None,
            replacement_bump: 10,
            pool_limits: PoolLimits::default(),
            refuse_unpaid: true,
            byte_price: 0,
            verify_blocks: None,
        }
    }
}
