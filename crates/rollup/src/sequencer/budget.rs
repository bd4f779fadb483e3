//! Use of L1's limits by the pending block, for `rollup_budget`.

use chain::InputUse;
use node::{Node, NodeError};
use rpc_types::{BacklogStatus, Budget, BudgetAmount, BudgetBound};

const fn amount(used: u64, limit: u64) -> BudgetAmount {
    BudgetAmount { used, limit, left: limit.saturating_sub(used) }
}

/// Returns the remaining share of the limit, in millionths.
fn share_left(amount: &BudgetAmount) -> u128 {
    // In 128 bits, since the limit is `u64::MAX` where L1 sets none.
    u128::from(amount.left) * 1_000_000 / u128::from(amount.limit.max(1))
}

/// Returns the budget of the block that would be sealed now. Bytes and EXECUTE gas include the
/// reserve for reads after the last transaction.
///
/// # Errors
///
/// [`NodeError`] if no block can be built.
pub(crate) fn budget(node: &Node, backlog: Option<BacklogStatus>) -> Result<Budget, NodeError> {
    // Built by the same code as the next block, so that the response matches it.
    let pending = node.pending()?;
    let limits = node.read(|node| node.settings.budget.limits());
    let unbounded = InputUse { bytes: usize::MAX, gas: u64::MAX };
    let limits = limits.unwrap_or(unbounded);
    let (used, block) = (pending.used.unwrap_or_default(), pending.state.block());
    let input_bytes = amount(used.bytes as u64, limits.bytes as u64);
    let execute_gas = amount(used.gas, limits.gas);
    let gas = amount(block.header.gas_used, block.header.gas_limit);
    let bounds = [
        (BudgetBound::InputBytes, input_bytes),
        (BudgetBound::ExecuteGas, execute_gas),
        (BudgetBound::Gas, gas),
    ];
    let nearest = bounds.into_iter().min_by_key(|(_, amount)| share_left(amount));
    Ok(Budget {
        block: block.header.number,
        transactions: block.transactions.len() as u64,
        waiting: pending.waiting as u64,
        input_bytes,
        execute_gas,
        gas,
        nearest: nearest.map_or(BudgetBound::Gas, |(bound, _)| bound),
        backlog,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_share_is_zero_past_the_limit() {
        let of = |used, limit| {
            let amount = amount(used, limit);
            (amount.left, share_left(&amount))
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
