//! A block in Drake's dialect of EXECUTE.

use alloy_primitives::{B256, TxKind, U256};
use alloy_sol_types::{SolCall as _, SolConstructor as _};
use chain::ExecutedBlock;
use eyre::{Result, ensure};
use testkit::localnet::{report::Report, units::grouped};
use testkit::{Artifacts, InProcessRollup, TRANSACTION_GAS_CAP};

alloy_sol_types::sol! {
    /// Minimal rollup contract for Drake's dialect.
    contract StateRootRollup {
        constructor(bytes32 genesis);
        function stateRoot() external view returns (bytes32);
        function advance(bytes32 post, uint256 gasUsed, bytes calldata trace) external;
    }
}

/// Advances a rollup that uses Drake's dialect by a block on the state root `pre`, after a
/// false claim about the block is rejected. `whole` is the gas of the block in `NativeRollup`.
pub(super) fn advance_in_drakes_form(
    rollup: &mut InProcessRollup,
    pre: B256,
    block: &ExecutedBlock,
    whole: u64,
    report: &mut Report,
) -> Result<()> {
    let code = &Artifacts::load(&toolchain::progress_to_stderr)?.get("StateRootRollup")?.init_code;
    let arguments = StateRootRollup::constructorCall { genesis: pre }.abi_encode();
    let contract = rollup.l1.deploy(&rollup.operator, [&code[..], &arguments].concat().into())?;
    let header = &block.block.header;
    let (post, gas_used) = (header.state_root, U256::from(header.gas_used));
    let trace = block.input()?;
    let mut advance = |post, gas_used| {
        let call =
            StateRootRollup::advanceCall { post, gasUsed: gas_used, trace: trace.clone().into() };
        let to = TxKind::from(contract);
        let data = call.abi_encode().into();
        rollup.l1.send(&rollup.operator, to, U256::ZERO, data, TRANSACTION_GAS_CAP)
    };
    let false_claim = advance(post, gas_used + U256::ONE)?;
    ensure!(!false_claim.receipt.success, "a claim of one gas too many is accepted");
    let sent = advance(post, gas_used)?;
    ensure!(sent.receipt.success, "a true claim is rejected");
    let root = rollup.l1.read(contract, &StateRootRollup::stateRootCall {})?;
    ensure!(root == post, "the rollup has another state root");
    report.shown(format!(
        "a rollup that stores only a state root, with Drake's EXECUTE at 0x0102, accepts the same block for {} L1 gas \
         instead of {}, and rejects a false claim about it",
        grouped(sent.gas_used),
        grouped(whole),
    ));
    Ok(())
}
