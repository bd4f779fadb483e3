//! Allowances of EXECUTE gas, which transactions of type `0x05` buy on the market of their chain.
//!
//! The sender is charged for the whole allowance before the frame runs, and refunded afterwards for
//! the part that the EXECUTE calls have not drawn. A frame can therefore neither spend the ether
//! that pays for its calls, nor recover it by reverting.

use crate::store::ExecuteDraw;
use alloy_evm::eth::EthEvmContext;
use alloy_primitives::{Address, U256, map::AddressMap};
use codec::{Allowance, ExecuteTx};
use executor::{BlockError, HookState, Invalid, ReadError};
use revm::{
    Database, DatabaseCommit,
    context_interface::{JournalTr as _, journaled_state::account::JournaledAccountTr as _},
    state::{Account, AccountInfo, EvmState},
};

/// Market of a chain that sells EXECUTE gas to transactions of type `0x05`.
#[derive(Debug, Clone, Copy)]
pub struct ExecuteMarket {
    /// Maximum EXECUTE gas of a block.
    pub limit: u64,
    /// Returns the price of a unit in a block on this state, in wei. It is constant throughout a
    /// block.
    pub price: fn(&mut dyn HookState) -> Result<u64, ReadError>,
}

/// Reason why a block cannot include a transaction with an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AllowanceRefusal {
    /// The fee cap is below the price of the block.
    #[error("max fee per EXECUTE gas less than its price: {got} < {minimum}")]
    Fee {
        /// Fee cap of the transaction, in wei.
        got: u128,
        /// Price of a unit, in wei.
        minimum: u64,
    },
    /// The allowance exceeds the EXECUTE gas limit of a block.
    #[error("EXECUTE gas limit {got} exceeds the block's {limit}")]
    Limit {
        /// Allowance of the transaction.
        got: u64,
        /// Maximum of a block.
        limit: u64,
    },
    /// The block has too little EXECUTE gas left after earlier transactions.
    #[error("its EXECUTE gas limit is {got}, the block has {left} left")]
    Full {
        /// Allowance of the transaction.
        got: u64,
        /// EXECUTE gas that the block has left.
        left: u64,
    },
    /// The sender cannot pay for the transaction with its allowance.
    #[error("its sender has {balance} wei, but the transaction may cost {cost}")]
    Funds {
        /// Balance of the sender, in wei.
        balance: U256,
        /// Maximum cost of the transaction, in wei; saturating.
        cost: U256,
    },
}

impl AllowanceRefusal {
    /// Returns `true` if no later block can include the transaction either.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Limit { .. })
    }
}

impl ExecuteMarket {
    /// Checks that a block with this price can include a transaction with this allowance, after
    /// others that have used `used` EXECUTE gas.
    ///
    /// Unused parts of earlier allowances do not count against the limit: they are refunded, so a
    /// sender could otherwise use them to exclude others for free.
    ///
    /// # Errors
    ///
    /// [`AllowanceRefusal`], except for the variant about the sender's balance.
    pub const fn check(
        &self,
        allowance: &Allowance,
        price: u64,
        used: u64,
    ) -> Result<(), AllowanceRefusal> {
        let Allowance { max_fee, gas: got } = *allowance;
        let (limit, left) = (self.limit, self.limit.saturating_sub(used));
        if got > limit {
            return Err(AllowanceRefusal::Limit { got, limit });
        }
        if max_fee < price as u128 {
            return Err(AllowanceRefusal::Fee { got: max_fee, minimum: price });
        }
        if got > left { Err(AllowanceRefusal::Full { got, left }) } else { Ok(()) }
    }
}

/// A transaction with an allowance, at its position in a block.
pub(crate) struct Buyer<'t> {
    pub(crate) tx: &'t ExecuteTx,
    pub(crate) allowance: Allowance,
    pub(crate) sender: Address,
    /// Position in the block.
    pub(crate) index: usize,
    /// EXECUTE gas that the transactions before it have used.
    pub(crate) used: u64,
}

/// An allowance that a transaction's sender has paid for.
pub(crate) struct Purchase {
    sender: Address,
    /// Position of the transaction in its block.
    index: usize,
    /// Account of the sender before the transaction.
    account: AccountInfo,
    /// Units of EXECUTE gas.
    gas: u64,
    /// Price of a unit, in wei.
    price: u64,
    /// EXECUTE gas that the transactions before it have used.
    used: u64,
}

impl Purchase {
    /// Charges the sender for an allowance, as the first entry in the EVM journal of the
    /// transaction, so that the charge is committed only together with the transaction.
    ///
    /// # Errors
    ///
    /// [`Invalid::Transaction`] if the block cannot include the transaction. The journal is then
    /// unchanged, because an account left warm would change the gas of the next transaction.
    pub(crate) fn charge<DB>(
        context: &mut EthEvmContext<DB>,
        market: &ExecuteMarket,
        buyer: &Buyer<'_>,
    ) -> Result<Self, BlockError>
    where
        DB: Database<Error = ReadError> + DatabaseCommit,
    {
        let Buyer { tx, allowance, sender, index, used } = *buyer;
        let invalid = |refusal: AllowanceRefusal| {
            BlockError::from(Invalid::Transaction { index, reason: refusal.to_string() })
        };
        let journal = &mut context.journaled_state;
        let price = (market.price)(journal.db_mut())?;
        market.check(&allowance, price, used).map_err(invalid)?;
        let account = journal.db_mut().basic(sender)?.unwrap_or_default();
        let balance = account.balance;
        // The balance is checked at the fee caps, as for gas and blobs, so that validity does not
        // depend on the current price.
        if tx.max_cost().is_none_or(|cost| cost > balance) {
            let cost = tx.max_cost().unwrap_or(U256::MAX);
            return Err(invalid(AllowanceRefusal::Funds { balance, cost }));
        }
        let purchase = Self { sender, index, account, gas: allowance.gas, price, used };
        let paid = purchase.price_of(allowance.gas);
        journal.load_account_mut(sender)?.data.set_balance(balance.saturating_sub(paid));
        Ok(purchase)
    }

    fn price_of(&self, gas: u64) -> U256 {
        U256::from(gas) * U256::from(self.price)
    }

    /// Returns the draw of the transaction if the block has used `used` EXECUTE gas including it.
    const fn draw(&self, used: u64) -> ExecuteDraw {
        let gas = used.saturating_sub(self.used);
        ExecuteDraw { index: self.index, gas, price: self.price }
    }

    /// Returns the refund in wei if the block has used `used` EXECUTE gas including the
    /// transaction.
    fn refund(&self, used: u64) -> U256 {
        self.price_of(self.gas.saturating_sub(self.draw(used).gas))
    }

    /// Adds the refund, which is paid after the transaction, to the transaction's changes.
    pub(crate) fn show(&self, changes: &mut EvmState, used: u64) {
        if let Some(sender) = changes.get_mut(&self.sender) {
            sender.info.balance = sender.info.balance.saturating_add(self.refund(used));
        }
    }

    /// Refunds the rest of the allowance, once the changes of the transaction are committed.
    /// Returns the draw.
    pub(crate) fn settle<DB>(self, state: &mut DB, used: u64) -> Result<ExecuteDraw, ReadError>
    where
        DB: Database<Error = ReadError> + DatabaseCommit,
    {
        let (refund, draw) = (self.refund(used), self.draw(used));
        if refund.is_zero() {
            return Ok(draw);
        }
        let now = state.basic(self.sender)?.unwrap_or_default();
        // The refund belongs to the transaction's changes, so that an access list (EIP-7928) has at
        // most one change of the balance.
        let mut account = Account::from(self.account);
        account.info = AccountInfo { balance: now.balance.saturating_add(refund), ..now };
        account.mark_touch();
        state.commit(AddressMap::from_iter([(self.sender, account)]));
        Ok(draw)
    }
}
