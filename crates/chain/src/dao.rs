//! The irregular state change of the DAO fork.

use alloy_consensus::Header;
use alloy_evm::eth::dao_fork::{DAO_HARDFORK_ACCOUNTS, DAO_HARDFORK_BENEFICIARY};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks as _};
use executor::{BlockError, ChainSpec, HookState};
use revm::database::DatabaseCommitExt as _;

/// Moves the funds of the DAO fork before the transactions of its block.
///
/// The executor of alloy-evm moves them after the transactions, which has no effect because the
/// accounts are already drained.
pub(crate) fn move_dao_funds(
    spec: &ChainSpec,
    header: &Header,
    mut state: &mut dyn HookState,
) -> Result<(), BlockError> {
    let dao = spec.ethereum_fork_activation(EthereumHardfork::Dao);
    if dao.transitions_at_block(header.number) {
        let drained = state.drain_balances(DAO_HARDFORK_ACCOUNTS)?.into_iter().sum();
        state.increment_balances([(DAO_HARDFORK_BENEFICIARY, drained)])?;
    }
    Ok(())
}
