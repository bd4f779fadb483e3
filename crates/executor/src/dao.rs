//! The irregular state change of the DAO fork.

use crate::{BlockState, ReadError, StateSource};
use alloy_evm::eth::dao_fork::{DAO_HARDFORK_ACCOUNTS, DAO_HARDFORK_BENEFICIARY};
use revm::database::DatabaseCommitExt;

/// Moves the funds of the DAO fork before any transaction of the block can see them.
///
/// The executor of alloy-evm would move them after the transactions; it then finds the accounts drained.
pub(crate) fn move_dao_funds<S: StateSource>(
    state: &mut BlockState<'_, S>,
) -> Result<(), ReadError> {
    let drained = state.drain_balances(DAO_HARDFORK_ACCOUNTS)?.into_iter().sum();
    state.increment_balances([(DAO_HARDFORK_BENEFICIARY, drained)])
}
