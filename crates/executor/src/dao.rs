//! The one irregular change of state: that of the DAO fork.

use crate::{BlockState, ReadError, StateSource};
use alloy_evm::eth::dao_fork::{DAO_HARDFORK_ACCOUNTS, DAO_HARDFORK_BENEFICIARY};
use revm::database::DatabaseCommitExt;

/// Moves the funds that the DAO fork moves, before any transaction of the block sees them.
///
/// The executor would move them behind the transactions; it then finds nothing left.
pub(crate) fn move_dao_funds<S: StateSource>(
    state: &mut BlockState<'_, S>,
) -> Result<(), ReadError> {
    let drained = state.drain_balances(DAO_HARDFORK_ACCOUNTS)?.into_iter().sum();
    state.increment_balances([(DAO_HARDFORK_BENEFICIARY, drained)])
}
