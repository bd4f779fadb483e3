//! Time of a pool to verify a transaction of type `0x05`, and of building a block with the cached
//! verdict.

use super::{
    FORMS, L1_CHAIN, ROUNDS,
    blocks::{self, Subject},
};
use crate::{gas_model::speed::Timer, vectors::carrier};
use alloy_consensus::TxEip1559;
use chain::{BlockBuilder, RecoveredTransaction, try_alone};
use codec::ExecuteTx;
use execute::Execute;
use eyre::{OptionExt as _, Result, ensure};
use serde_json::{Value, json};
use testkit::{Key, L1, TRANSACTION_GAS_CAP};
use variants::{DialectName, Dialects, ExecuteExtension};

/// Times for an L2 block, in milliseconds.
struct Times {
    block: String,
    /// Verification of the transaction of type `0x05` when the pool receives it.
    pool: f64,
    /// Building the L1 block with that transaction, whose verdict is cached.
    with_verdict: f64,
    /// Building an L1 block with the same input in calldata.
    by_calldata: f64,
}

/// Measures the blocks of the L2 and prints a table.
///
/// # Errors
///
/// If the pool has a cached verdict before it verifies the transaction, or if a block does not use
/// the cached verdict.
pub(super) fn run(json: bool) -> Result<()> {
    let measured: Vec<_> = blocks::of_l2()?.iter().map(measure).collect::<Result<_>>()?;
    if json {
        let document = measured.iter().map(|case| {
            json!({
                "block": case.block, "pool": case.pool, "withVerdict": case.with_verdict,
                "byCalldata": case.by_calldata,
            })
        });
        println!("{:#}", Value::from_iter(document));
        return Ok(());
    }
    println!("| block | pool, when it arrives | block with the verdict | block by calldata |");
    println!("|---|---|---|---|");
    for Times { block, pool, with_verdict, by_calldata } in &measured {
        println!("| {block} | {pool:.1} ms | {with_verdict:.1} ms | {by_calldata:.1} ms |");
    }
    Ok(())
}

fn measure(subject: &Subject) -> Result<Times> {
    let operator = Key::named("operator");
    let mut l1 = L1::new(L1_CHAIN, Execute::default(), &["operator"])?;
    let block = subject.name.clone();
    let mut times = Times {
        block,
        pool: f64::INFINITY,
        with_verdict: f64::INFINITY,
        by_calldata: f64::INFINITY,
    };
    let call = DialectName::ExecuteTx.encode(&subject.input)?;
    let tx = ExecuteTx { gas_limit: TRANSACTION_GAS_CAP, ..carrier::around(&call).tx };
    let by_transaction = l1.execute_tx(&operator, tx)?;
    let by_calldata = operator.sign(TxEip1559 {
        chain_id: L1_CHAIN,
        gas_limit: TRANSACTION_GAS_CAP,
        max_fee_per_gas: 100_000_000_000,
        to: DialectName::Specs.address().into(),
        input: subject.input.clone().into(),
        ..TxEip1559::default()
    });
    let by_calldata = RecoveredTransaction {
        transaction: by_calldata.into(),
        sender: operator.address(),
        signed: true,
    };
    for _ in 0..ROUNDS {
        // Clears the verdicts of the previous round.
        l1 = l1.with_dialects(subject.execute.clone(), &Dialects::usual(&FORMS));
        let (state, header) = (l1.chain().state(), l1.next_header()?);
        let counts = || {
            let execute = l1.chain().config().extension::<ExecuteExtension>();
            let counts = execute.ok_or_eyre("the L1 has EXECUTE")?.verdicts.counts();
            eyre::Ok((counts.misses, counts.hits))
        };
        let build = |offered: &RecoveredTransaction, shortest: &mut f64| {
            let timer = Timer::start();
            let built = BlockBuilder::new(&state).build(&header, &[], [offered])?;
            *shortest = shortest.min(timer.nanoseconds() / 1e6);
            ensure!(built.rejected.is_empty(), "not included: {:?}", built.rejected);
            let succeeds =
                built.executed.block.executed.receipts.iter().all(|receipt| receipt.success);
            ensure!(succeeds, "{}: a call fails", subject.name);
            Ok(())
        };
        let timer = Timer::start();
        try_alone(&state, &header, &by_transaction.transaction, by_transaction.sender)??;
        times.pool = times.pool.min(timer.nanoseconds() / 1e6);
        ensure!(counts()? == (1, 0), "the pool did not verify the transaction");
        build(&by_transaction, &mut times.with_verdict)?;
        ensure!(counts()? == (1, 1), "the block did not use the verdict");
        build(&by_calldata, &mut times.by_calldata)?;
    }
    Ok(times)
}
