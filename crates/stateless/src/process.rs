//! Execution of a block on the state of its parent, and comparison of the result with its header.

use crate::{Stage, VerifyOptions, beside};
use alloy_consensus::Header;
use alloy_eips::eip7928::ITEM_COST;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::B256;
use core::num::NonZeroUsize;
use executor::{
    BlockError, BlockState, Environment, ExecutionOutcome, Invalid, PostState, StateSource,
};
use trie::NewNode;

/// Executes a block over `source`, from the state root of its parent, and compares the result with
/// its header.
///
/// `execute` runs the transactions, and calls its last argument after each of them with the
/// position and the gas used so far, as [`executor::execute_block`] does. `enter` is called at each
/// stage, and `sink` receives each new trie node, even if the roots of the block turn out to be
/// wrong. A verifier runs this over a witness, and a chain that imports a block over its database.
pub fn process_block<S: StateSource>(
    source: &S,
    block: Environment<'_>,
    pre_state_root: B256,
    options: &VerifyOptions<'_>,
    execute: impl FnOnce(
        &mut BlockState<'_, S>,
        Environment<'_>,
        &mut dyn FnMut(usize, u64) -> Result<(), Invalid>,
    ) -> Result<ExecutionOutcome, BlockError>,
    mut enter: impl FnMut(Stage),
    sink: impl FnMut(NewNode<'_>),
) -> Result<(ExecutionOutcome, PostState), BlockError> {
    let header = block.header;
    enter(Stage::Execution);
    // No transaction pays for the gas of system calls, so their code must be known; this option
    // selects which is allowed.
    let mut state = BlockState::new(source, pre_state_root).with_system_code(options.system_code);
    if block.spec.is_amsterdam_active_at_timestamp(header.timestamp) {
        state = state.with_access_list();
    }
    let expected = header.gas_used;
    // EXECUTE charges for the gas that the header claims, so a block that uses more is stopped at
    // the transaction that exceeds the claim.
    let mut within_claim = |index, got| {
        (got <= expected).then_some(()).ok_or(Invalid::GasBeyondClaim { index, got, expected })
    };
    let executed = execute(&mut state, block, &mut within_claim)?;

    enter(Stage::Roots);
    // Both roots are expensive to compute, so everything else is checked first.
    check_executed(header, &executed)?;
    options.evm.check_outcome(header, &executed)?;
    // Number of receipts and logs below which computing the root takes less time than starting a
    // thread.
    const WORTH_A_THREAD: usize = 128;
    let items: usize = executed.receipts.iter().map(|receipt| 1 + receipt.logs.len()).sum();
    let shared = options.threads > NonZeroUsize::MIN && items > WORTH_A_THREAD;
    let (post, receipts) =
        beside(shared, || executed.receipts_root_and_bloom(), || state.into_post_state(sink));
    // Compared in a fixed order, so that the error does not depend on the number of threads.
    let (receipts_root, bloom) = receipts();
    commitment("receipts root", header.receipts_root, receipts_root)?;
    if bloom != header.logs_bloom {
        return Err(Invalid::LogsBloom.into());
    }
    let post = post?;
    commitment("state root", header.state_root, post.root)?;
    Ok((executed, post))
}

/// Compares the header with the result of execution, except for the roots.
fn check_executed(header: &Header, executed: &ExecutionOutcome) -> Result<(), Invalid> {
    let amount = |what, got: u64, expected: u64| {
        (got == expected).then_some(()).ok_or(Invalid::Amount { what, got, expected })
    };
    amount("gas used", header.gas_used, executed.gas_used)?;
    amount("blob gas used", header.blob_gas_used.unwrap_or_default(), executed.blob_gas_used)?;
    if let Some(requests) = &executed.requests {
        let claimed = header.requests_hash.unwrap_or_default();
        commitment("requests hash", claimed, requests.requests_hash())?;
    }
    if let Some(access_list) = &executed.block_access_list {
        let claimed = header.block_access_list_hash.unwrap_or_default();
        commitment("block access list hash", claimed, keccak::keccak256(access_list))?;
        check_access_list_size(executed, header.gas_limit)?;
    }
    Ok(())
}

fn commitment(what: &'static str, got: B256, expected: B256) -> Result<(), Invalid> {
    (got == expected).then_some(()).ok_or(Invalid::Commitment { what, got, expected })
}

/// Checks that the gas limit pays for every item of the block access list (EIP-7928).
pub fn check_access_list_size(executed: &ExecutionOutcome, gas_limit: u64) -> Result<(), Invalid> {
    let (items, limit) = (executed.access_list_items, gas_limit / ITEM_COST as u64);
    (items <= limit).then_some(()).ok_or(Invalid::AccessListSize { items, limit })
}
