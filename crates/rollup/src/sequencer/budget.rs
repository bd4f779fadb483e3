//! Use of L1's limits by the pending block, for `rollup_budget`.

use crate::status::BacklogStatus;
use chain::InputUse;
use node::{Node, NodeError};
use serde::Serialize;

/// Response of `rollup_budget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Budget {
    /// Number of the pending block.
    block: u64,
    /// Number of transactions in it.
    transactions: usize,
    /// Number of executable transactions in the pool that do not fit into it.
    waiting: usize,
    /// Bytes of the EXECUTE input in its shortest form.
    input_bytes: Account,
    /// EXECUTE gas.
    execute_gas: Account,
    /// L2 gas.
    gas: Account,
    /// Resource with the smallest remaining share.
    nearest: Bound,
    /// Blocks of a sequencer that are not on L1 yet.
    backlog: Option<BacklogStatus>,
}

/// Used, allowed and remaining amount of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Account {
    used: u64,
    limit: u64,
    left: u64,
}

/// A bounded resource of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Bound {
    InputBytes,
    ExecuteGas,
    Gas,
}

impl Account {
    const fn new(used: u64, limit: u64) -> Self {
        Self { used, limit, left: limit.saturating_sub(used) }
    }

    /// Remaining share of the limit, in millionths.
    fn share_left(&self) -> u128 {
        // In 128 bits, since the limit is `u64::MAX` where L1 sets none.
        u128::from(self.left) * 1_000_000 / u128::from(self.limit.max(1))
    }
}

impl Budget {
    /// Returns the budget of the block that would be sealed now. Bytes and EXECUTE gas include the
    /// reserve for reads after the last transaction.
    ///
    /// # Errors
    ///
    /// [`NodeError`] if no block can be built.
    pub(crate) fn of(node: &Node, backlog: Option<BacklogStatus>) -> Result<Self, NodeError> {
        // Built by the code that seals, so the response matches the next block.
        let pending = node.pending()?;
        let limits = node.read(|node| node.settings.budget.limits());
        let unbounded = InputUse { bytes: usize::MAX, gas: u64::MAX };
        let limits = limits.unwrap_or(unbounded);
        let (used, block) = (pending.used.unwrap_or_default(), pending.state.block());
        let (bytes, most) = (used.bytes as u64, limits.bytes as u64);
        let input_bytes = Account::new(bytes, most);
        let execute_gas = Account::new(used.gas, limits.gas);
        let gas = Account::new(block.header.gas_used, block.header.gas_limit);
        let bounds =
            [(Bound::InputBytes, input_bytes), (Bound::ExecuteGas, execute_gas), (Bound::Gas, gas)];
        let nearest = bounds.into_iter().min_by_key(|(_, account)| account.share_left());
        Ok(Self {
            block: block.header.number,
            transactions: block.transactions.len(),
            waiting: pending.waiting,
            input_bytes,
            execute_gas,
            gas,
            nearest: nearest.map_or(Bound::Gas, |(bound, _)| bound),
            backlog,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_share_is_zero_past_the_limit() {
        let of = |used, limit| {
            let account = Account::new(used, limit);
            (account.left, account.share_left())
        };
        assert_eq!(of(25, 100), (75, 750_000));
        assert_eq!(of(0, 1), (1, 1_000_000));
        assert_eq!(of(100, 100), (0, 0));
        assert_eq!(of(101, 100), (0, 0));
        assert_eq!(of(0, u64::MAX), (u64::MAX, 1_000_000));
        // A limit of zero has no remaining share.
        assert_eq!(of(0, 0), (0, 0));
    }
}
