//! Blocks that L1 rejects: forged blocks, and a block that omits a due forced transaction.

use super::{FORCED_DELAY, advance_with, seal};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, SolError as _, SolEvent as _};
use codec::Encode as _;
use contracts::bindings::{
    IForcedInbox,
    INativeRollup::{self, Discharge, Evidence, ForcedBatch, Outcome},
};
use execute::Execute;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure, eyre};
use serde_json::Value;
use testkit::localnet::{report::Report, units::grouped};
use testkit::{ETHER, FORCED_FEE, FORCED_GAS, InProcessRollup, Key, Sent, TRANSACTION_GAS_CAP};
use wire::StatelessInput;

alloy_sol_types::sol! {
    error ExecuteFailed();
}

/// Submits forged blocks and checks that each transaction fails and the head does not change.
pub(super) fn refuse_forgeries(
    rollup: &mut InProcessRollup,
    alice: &Key,
    anchor: B256,
    report: &mut Report,
) -> Result<()> {
    let mallory = Key::named("mallory").address();
    let theft = rollup.l2.sign(alice, mallory.into(), U256::ONE, Bytes::new(), 21_000)?;
    let honest = seal(rollup, anchor, vec![theft])?.input()?;
    rollup.l2.forget_pending();
    let mut changed: Vec<Bytes> = StatelessInput::decode(&honest)?
        .request
        .payload
        .transactions
        .iter()
        .map(Bytes::copy_from_slice)
        .collect();
    let mut transfer = changed[0].to_vec();
    let last = transfer.len() - 1;
    transfer[last] ^= 1;
    changed[0] = transfer.into();
    for (what, check, input) in [
        (
            "a wrong state root",
            "state root",
            forged(&honest, |input| {
                input.request.payload.state_root = B256::repeat_byte(0xee);
            })?,
        ),
        (
            "a wrong receipts root",
            "receipts root",
            forged(&honest, |input| {
                input.request.payload.receipts_root = B256::repeat_byte(0xee);
            })?,
        ),
        (
            "less gas than the block used",
            "gas used",
            forged(&honest, |input| input.request.payload.gas_used -= 1)?,
        ),
        (
            "a base fee that does not follow from the parent",
            "base fee",
            forged(&honest, |input| input.request.payload.base_fee_per_gas += U256::ONE)?,
        ),
        (
            "a transaction changed after it was signed",
            "transaction 0",
            forged(&honest, |input| input.request.payload.transactions = (&changed).into())?,
        ),
    ] {
        let refused = Execute::default().run(&input, u64::MAX);
        let reason = refused.err().ok_or_else(|| eyre!("{what}: accepted"))?.to_string();
        ensure!(reason.contains(check), "{what}: refused by another check: {reason}");
        let (output, sent) = refuse(rollup, what, input)?;
        ensure!(
            output[..] == ExecuteFailed::SELECTOR,
            "{what}: refused for another reason: {output}"
        );
        if let Some(call) = explained(rollup, &sent)? {
            let explanation = call["reason"].as_str().unwrap_or_default();
            ensure!(
                explanation == reason,
                "{what}: the devnet reports {explanation:?}, expected {reason:?}"
            );
        }
        report.refused(format!("{what}: {reason}"));
    }
    Ok(())
}

/// Submits a forced transfer on L1. Once it is due, checks that L1 rejects an otherwise valid
/// block without it and accepts the same block with it.
pub(super) fn force(
    rollup: &mut InProcessRollup,
    alice: &Key,
    to: Address,
    anchor: B256,
    report: &mut Report,
) -> Result<()> {
    let forced = rollup.l2.sign(alice, to.into(), U256::from(ETHER), Bytes::new(), FORCED_GAS)?;
    let call = IForcedInbox::submitCall { raw: forced.encoded_2718().into() };
    let sent = rollup.l1.transact(alice, rollup.contracts.forced, U256::from(FORCED_FEE), &call)?;
    let mut logs = sent.receipt.logs.iter();
    let submitted = logs.find_map(|log| IForcedInbox::ForcedSubmitted::decode_log(log).ok());
    let submitted = submitted.ok_or_eyre("nothing was submitted")?;
    report.built(format!(
        "Alice submits a forced transfer on L1 for {} L1 gas; it is due after {} s",
        grouped(sent.gas_used),
        grouped(FORCED_DELAY),
    ));
    rollup.l1.skip(FORCED_DELAY);
    let time = rollup.l1.next_timestamp();
    let operator = rollup.operator.clone();
    let own =
        rollup.l2.sign(&operator, operator.address().into(), U256::ZERO, Bytes::new(), 21_000)?;

    let what = "a block without the due forced transaction";
    let input = rollup.l2.seal_successes(time, anchor, vec![own.clone()])?.input()?;
    Execute::default().run(&input, u64::MAX).wrap_err("the block must be valid for EXECUTE")?;
    let (output, tried) = refuse(rollup, what, input)?;
    let omitted = INativeRollup::ForcedTransactionOmitted::abi_decode(&output)
        .wrap_err_with(|| format!("{what}: refused for another reason: {output}"))?;
    let (got, expected) = (omitted.index, submitted.index);
    ensure!(got == expected, "{what}: reported as omitted {got}, expected {expected}");
    if let Some(call) = explained(rollup, &tried)? {
        ensure!(call["verdict"] == "valid", "{what}: EXECUTE of the devnet says {call}");
    }
    report.refused(format!(
        "{what}: valid for EXECUTE, refused by NativeRollup (ForcedTransactionOmitted({got}))"
    ));

    let block = rollup.l2.seal_successes(time, anchor, vec![own, forced])?;
    let discharge = Discharge {
        transaction: (&submitted.transaction).into(),
        outcome: Outcome::Included,
        position: 1,
        accountProof: Vec::new(),
        code: Bytes::new(),
    };
    let batch = ForcedBatch { index: 0, discharges: vec![discharge], next: Vec::new() };
    let evidence = Evidence { forced: vec![batch], ..Default::default() };
    let advanced = advance_with(rollup, "a forced transfer", &block, evidence, report)?;
    report.advanced.push(advanced);
    rollup.l2.append(block)?;
    let duties = rollup.l1.read(rollup.contracts.address, &INativeRollup::dutiesCall {})?;
    ensure!(duties.forcedNext == expected + 1, "L1 still waits for {}", duties.forcedNext);
    report.shown("L1 accepts the same block with it and clears the duty".to_owned());
    Ok(())
}

/// Submits an input that L1 must reject, in a call and in a transaction. Returns the output of
/// the call, and the transaction.
fn refuse(rollup: &mut InProcessRollup, what: &str, input: Vec<u8>) -> Result<(Bytes, Sent)> {
    let before = rollup.contracts.head(&rollup.l1)?;
    let call =
        INativeRollup::advanceCall { inputs: vec![input.into()], evidence: Evidence::default() };
    let data = Bytes::from(call.abi_encode());
    let to = rollup.contracts.address;
    let tried = rollup.l1.try_call(rollup.operator.address(), to, U256::ZERO, data.clone())?;
    ensure!(!tried.success, "{what}: accepted");
    let sent =
        rollup.l1.send(&rollup.operator, to.into(), U256::ZERO, data, TRANSACTION_GAS_CAP)?;
    ensure!(!sent.receipt.success, "{what}: accepted");
    let after = rollup.contracts.head(&rollup.l1)?;
    ensure!(after.number == before.number, "{what}: the head has moved");
    Ok((tried.output, sent))
}

/// Returns the devnet's explanation of the EXECUTE call in a transaction, or `None` if L1 runs
/// in process.
fn explained(rollup: &InProcessRollup, sent: &Sent) -> Result<Option<Value>> {
    let Some(node) = rollup.l1.node() else { return Ok(None) };
    let hash = *sent.block.transactions[0].hash();
    let calls: Value = node.client().request("enshrine_explainExecute", (hash,))?;
    Ok(Some(calls[0].clone()))
}

/// Changes a block and recomputes its block hash.
pub(crate) fn forged<'a>(
    honest: &'a [u8],
    change: impl FnOnce(&mut StatelessInput<'a>),
) -> Result<Vec<u8>> {
    let mut input = StatelessInput::decode(honest)?;
    change(&mut input);
    let header = stateless::header_of(&input.request, input.fork).ok_or_eyre("no header")?;
    input.request.payload.block_hash = header.hash_slow();
    Ok(input.encode())
}
