//! Decoding of transactions, and their cost as far as it does not depend on the state.

use crate::Invalid;
use alloc::string::{String, ToString as _};
use alloy_consensus::{
    EthereumTxEnvelope, Transaction as _, TxEip4844, transaction::SignerRecoverable,
};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, U256};
use revm::{
    context_interface::cfg::{GasParams, gas_params::Eip2780TxInfo},
    primitives::hardfork::SpecId,
};
use wire::ProtocolFork;

/// A transaction in a block: a blob transaction is without its blobs.
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Decodes a transaction from its complete EIP-2718 encoding.
pub fn decode_transaction(mut bytes: &[u8]) -> Result<Transaction, String> {
    let transaction = Transaction::decode_2718(&mut bytes).map_err(|error| error.to_string())?;
    // Trailing bytes would give one transaction multiple encodings.
    if bytes.is_empty() {
        Ok(transaction)
    } else {
        Err(format!("{} bytes follow the transaction", bytes.len()))
    }
}

/// Recovers a transaction's sender. Only low-s signatures are accepted (EIP-2).
pub fn recover_sender(transaction: &Transaction) -> Option<Address> {
    transaction.recover_signer().ok()
}

/// Returns revm's name of a fork.
pub const fn spec_id(fork: ProtocolFork) -> SpecId {
    match fork.rules() {
        ProtocolFork::Paris => SpecId::MERGE,
        ProtocolFork::Shanghai => SpecId::SHANGHAI,
        ProtocolFork::Cancun => SpecId::CANCUN,
        ProtocolFork::Prague => SpecId::PRAGUE,
        ProtocolFork::Osaka | ProtocolFork::Bpo1 | ProtocolFork::Bpo2 => SpecId::OSAKA,
        ProtocolFork::Amsterdam => SpecId::AMSTERDAM,
    }
}

/// Cost of a transaction that does not depend on its execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FixedGas {
    /// Gas charged before the first instruction.
    intrinsic: u64,
    /// Minimum gas due to calldata (EIP-7623).
    floor: u64,
}

impl FixedGas {
    /// Maximum refund as a fraction of the gas spent (EIP-3529): one fifth.
    const MAX_REFUND_QUOTIENT: u64 = 5;

    /// Returns the minimum gas limit of the transaction.
    fn limit(self) -> u64 {
        self.intrinsic.max(self.floor)
    }

    /// Returns the minimum gas that the block counts for the transaction, assuming the maximum
    /// refund. Since Amsterdam, refunds do not reduce what a block counts (EIP-7778).
    fn counted(self, fork: ProtocolFork) -> u64 {
        let refund = if fork < ProtocolFork::Amsterdam {
            self.intrinsic / Self::MAX_REFUND_QUOTIENT
        } else {
            0
        };
        (self.intrinsic - refund).max(self.floor)
    }
}

/// Returns the minimum gas limit of a transaction in any state: the larger of intrinsic gas and
/// calldata floor.
///
/// The result is exact up to BPO2. Since Amsterdam (EIP-2780), the price depends on whether the
/// recipient is the sender, who is not known yet, so this returns the lower price.
pub fn intrinsic_gas(transaction: &Transaction, fork: ProtocolFork) -> u64 {
    fixed_gas(transaction, fork).limit()
}

/// Returns the gas that a transaction is charged before its first instruction, without the calldata
/// floor of EIP-7623.
pub fn initial_gas(transaction: &Transaction, fork: ProtocolFork) -> u64 {
    fixed_gas(transaction, fork).intrinsic
}

fn fixed_gas(transaction: &Transaction, fork: ProtocolFork) -> FixedGas {
    let spec = spec_id(fork);
    let (accounts, slots) = transaction.access_list().map_or((0, 0), |list| {
        (list.len() as u64, list.iter().map(|item| item.storage_keys.len() as u64).sum())
    });
    let authorizations = transaction.authorization_list().map_or(0, <[_]>::len) as u64;
    // The sender is unknown, and a check before execution must never reject a valid block.
    let cheapest = Eip2780TxInfo { value: U256::ZERO, is_self_transfer: true };
    let gas = GasParams::new_spec(spec).initial_tx_gas(
        transaction.input(),
        transaction.is_create(),
        accounts,
        slots,
        authorizations,
        spec.is_enabled_in(SpecId::AMSTERDAM).then_some(cheapest),
    );
    let floor = if spec.is_enabled_in(SpecId::PRAGUE) { gas.floor_gas() } else { 0 };
    FixedGas { intrinsic: gas.initial_total_gas(), floor }
}

/// Checks of transactions, one after another, that need no state.
///
/// The transaction types exist in the fork, each gas limit covers its transaction's intrinsic gas,
/// and the block's gas limit covers the minimum that the block must count for all of them. A valid
/// block satisfies all three. They are checked before any signature, so that the gas limit pays for
/// recovering senders.
#[derive(Debug, Clone, Copy)]
pub struct TransactionCheck {
    fork: ProtocolFork,
    gas_limit: u64,
    /// Number of checked transactions, the minimum gas that the block counts for them, and the sum
    /// of their gas limits.
    checked: usize,
    minimum: u64,
    allowed: u64,
}

impl TransactionCheck {
    /// Creates the check for a block with this gas limit.
    pub const fn new(gas_limit: u64, fork: ProtocolFork) -> Self {
        Self { fork, gas_limit, checked: 0, minimum: 0, allowed: 0 }
    }

    /// Returns the sum of the gas limits of the transactions so far, saturating.
    pub const fn allowed(&self) -> u64 {
        self.allowed
    }

    /// Checks the next transaction.
    pub fn add(&mut self, transaction: &Transaction) -> Result<(), Invalid> {
        let Self { fork, gas_limit, checked: index, .. } = *self;
        // Every other type exists in all forks that can be verified, i.e. since Cancun.
        if transaction.is_eip7702() && fork < ProtocolFork::Prague {
            let reason = format!("set-code transactions do not exist in {fork}");
            return Err(Invalid::Transaction { index, reason });
        }
        let gas = fixed_gas(transaction, fork);
        let intrinsic = gas.limit();
        if transaction.gas_limit() < intrinsic {
            let gas_limit = transaction.gas_limit();
            return Err(Invalid::TransactionGas { index, gas_limit, intrinsic });
        }
        self.checked += 1;
        // Saturating sums cannot wrap below the limit: a saturated sum exceeds every gas limit
        // except the maximum.
        self.minimum = self.minimum.saturating_add(gas.counted(fork));
        self.allowed = self.allowed.saturating_add(transaction.gas_limit());
        if self.minimum > gas_limit {
            let (minimum, transactions) = (self.minimum, self.checked);
            return Err(Invalid::IntrinsicGas { gas_limit, minimum, transactions });
        }
        Ok(())
    }
}

/// Runs [`TransactionCheck`] on all transactions in a block.
pub fn check_transactions(
    transactions: &[Transaction],
    gas_limit: u64,
    fork: ProtocolFork,
) -> Result<(), Invalid> {
    let mut check = TransactionCheck::new(gas_limit, fork);
    transactions.iter().try_for_each(|transaction| check.add(transaction))
}
