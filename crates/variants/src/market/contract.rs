//! The system contract that stores the market's excess.

use super::{next_excess, price};
use crate::system_call::HookContract;
use alloy_primitives::{Address, B256, U256, address, b256, hex};
use executor::{BlockError, BlockTally, HookState, ReadError};
use revm::Database;

/// Address of the contract.
pub const MARKET_ADDRESS: Address = address!("0x0000000000000000000000000000000000008079");

/// Code of the contract.
///
/// A call without data and value returns price, excess and limit, one word each. A call of the
/// system address with one word sets the excess. All other calls revert.
///
/// ```text
///       caller push20 SYSTEM_ADDRESS eq push1 set jumpi
///       calldatasize callvalue or push1 fail jumpi
///       push1 0 sload push1 1 push1 0 push4 UPDATE_FRACTION
///                                                  term, sum, index, excess
/// loop: jumpdest dup1 iszero push1 done jumpi
///       dup1 swap2 add swap1                       sum += term
///       dup4 mul dup3 push4 UPDATE_FRACTION mul swap1 div
///                                                  term = term · excess / (UPDATE_FRACTION · index)
///       swap2 push1 1 add swap2                    index += 1
///       push1 loop jump
/// done: jumpdest pop push4 UPDATE_FRACTION swap1 div push1 0 mstore
///       pop push1 32 mstore push4 LIMIT push1 64 mstore
///       push1 96 push1 0 return
/// set:  jumpdest calldatasize push1 32 xor push1 fail jumpi
///       push1 0 calldataload push1 0 sstore stop
/// fail: jumpdest push1 0 push1 0 revert
/// ```
pub const MARKET_CODE: &[u8] = &hex!(
    "3373fffffffffffffffffffffffffffffffffffffffe1460665736341760755760005460016000630f2e7fca5b801560495780910190830282630f2e7fca0290049160010191602c565b50630f2e7fca900460005250602052630393870060405260606000f35b36602018607557600035600055005b60006000fd"
);

/// Keccak-256 of the code.
pub const MARKET_CODE_HASH: B256 =
    b256!("0x7f561750573bf04dd3358d93efe79752a26d5d0d7807d2d064ccce012e0bec19");

/// Slot of the excess.
const EXCESS: U256 = U256::ZERO;

/// Returns the excess in a state. It only changes at the end of a block, so it is constant within a
/// block.
pub(super) fn excess<DB: Database + ?Sized>(state: &mut DB) -> Result<u64, DB::Error> {
    Ok(state.storage(MARKET_ADDRESS, EXCESS)?.saturating_to())
}

/// Returns the price of a unit of EXECUTE gas in a block on this state, in wei.
///
/// # Errors
///
/// [`ReadError`] if the excess cannot be read.
pub fn price_on(state: &mut dyn HookState) -> Result<u64, ReadError> {
    excess(state).map(price)
}

/// Closes the market of a block: sets the excess of the next block from the gas that the calls of
/// this one have taken.
///
/// # Errors
///
/// [`Invalid::SystemCode`](executor::Invalid::SystemCode) if other code is at the contract's
/// address, or any error of reading the state.
pub fn close_block(state: &mut dyn HookState, tally: &BlockTally) -> Result<(), BlockError> {
    let contract = HookContract { address: MARKET_ADDRESS, code_hash: MARKET_CODE_HASH };
    contract.check(state)?;
    let excess = next_excess(excess(state)?, tally.settled(), tally.base_fee());
    contract.call(state, U256::from(excess).to_be_bytes_vec().into())
}
