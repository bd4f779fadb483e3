//! The rollup advances by transactions of type 0x05, which bring the witness beside the calldata.

use super::support::{ETHER, Harness, L2_CHAIN};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::SolCall as _;
use chain::{BlockWithWitness, RecoveredTransaction};
use codec::{ExecuteTx, ExecuteTxVersion};
use enshrine_contracts::bindings::INativeRollup;
use execute::{EXECUTE_ADDRESS, Execute};
use eyre::{OptionExt as _, Result, ensure};
use testkit::{Key, L1, L2, Rollup, RollupFixture, Sent, TRANSACTION_GAS_CAP};
use variants::{ExecuteExtension, ExecuteTail};
use wire::ProtocolFork;

/// A rollup on an L1 whose EXECUTE takes the witness from the transaction, at the address that the contract calls.
fn rollup() -> Result<(L1, L2, Rollup, Key)> {
    let operator = Key::named("operator");
    let fork = ProtocolFork::Osaka;
    let dialects = format!("execute-tx@{EXECUTE_ADDRESS}").parse()?;
    let execute = Execute::on(fork);
    let mut l1 =
        L1::new(31_337, execute.clone(), &["operator", "alice"])?.with_dialects(execute, &dialects);
    let time = l1.chain().head().header.timestamp;
    let fixture = RollupFixture::new(L2_CHAIN, fork, time)?
        .gas_limit(10_000_000)
        .rich(["operator", "alice"], 10 * ETHER);
    let (l2, rollup) = fixture.deploy_in(&mut l1, &operator)?;
    Ok((l1, l2, rollup, operator))
}

/// A block of this many transfers of new accounts' first wei.
fn block_of(l2: &L2, transfers: u64) -> Result<BlockWithWitness> {
    let alice = Key::named("alice");
    let nonce = l2.chain().nonce(alice.address())?;
    let transfer = |index: u64| {
        alice.sign(TxEip1559 {
            chain_id: L2_CHAIN,
            nonce: nonce + index,
            gas_limit: 21_000,
            max_fee_per_gas: 100_000_000_000,
            to: Address::from_word(B256::from(U256::from(0x1_0000 + index))).into(),
            value: U256::ONE,
            ..TxEip1559::default()
        })
    };
    let time = l2.chain().head().header.timestamp + 1;
    let (block, rejected) = l2.seal(time, B256::ZERO, (0..transfers).map(transfer).collect())?;
    ensure!(rejected.is_empty(), "{rejected:?}");
    Ok(block)
}

/// The call that advances the rollup by an input.
fn advance(input: &[u8]) -> Bytes {
    let inputs = vec![Bytes::copy_from_slice(input)];
    INativeRollup::advanceCall { inputs, evidence: Default::default() }.abi_encode().into()
}

/// The transaction that advances a rollup by a block.
fn transaction(rollup: &Rollup, block: &BlockWithWitness) -> Result<ExecuteTx> {
    let input = block.input()?;
    let at = ExecuteTail::split_at(&input).ok_or_eyre("a block has a witness")?;
    let (head, witness) = input.split_at(at);
    let header = &block.block.header;
    Ok(ExecuteTx {
        chain_id: 0,
        nonce: 0,
        max_priority_fee_per_gas: 0,
        max_fee_per_gas: 0,
        gas_limit: TRANSACTION_GAS_CAP,
        to: TxKind::Call(rollup.address),
        value: U256::ZERO,
        input: advance(head),
        pre_state_root: block.block.pre_state_root,
        coinbase: header.beneficiary,
        block_number: header.number,
        timestamp: header.timestamp,
        witness: Bytes::copy_from_slice(witness),
        withdrawals: Bytes::new(),
        version: ExecuteTxVersion::V2 { anchor: header.parent_beacon_block_root },
    })
}

fn advanced(l1: &mut L1, rollup: &Rollup, sent: &Sent, number: u64) -> Result<u64> {
    ensure!(sent.receipt.success, "the rollup did not advance to block {number}");
    ensure!(rollup.head(l1)?.number == number, "the head is another block");
    Ok(sent.gas_used)
}

/// Runs a transaction as a pool does when it arrives, and builds its block, which must find the verdict.
fn assert_the_block_finds_the_verdict(l1: &L1, offered: &RecoveredTransaction) -> Result<()> {
    let (state, header) = (l1.chain().state(), l1.next_header()?);
    let counts = || {
        let execute = l1.chain().config().extension::<ExecuteExtension>();
        execute.map(|it| it.verdicts.counts()).ok_or_eyre("there is EXECUTE")
    };
    let before = counts()?;
    state.try_alone(&header, &offered.transaction, offered.sender)??;
    let admitted = counts()?;
    assert_eq!((admitted.misses, admitted.hits), (before.misses + 1, before.hits));
    let built = state.build(&header, &[], [offered])?;
    ensure!(built.rejected.is_empty(), "{:?}", built.rejected);
    assert_eq!((counts()?.misses, counts()?.hits), (admitted.misses, admitted.hits + 1));
    Ok(())
}

#[test]
fn the_same_contract_advances_by_a_witness_of_the_transaction_for_less_gas() -> Result<()> {
    for transfers in [1, 50, 200] {
        // The first block of a rollup makes slots that stay.
        let (mut l1, mut l2, rollup, operator) = rollup()?;
        let mut harness = Harness::new(ProtocolFork::Osaka)?;
        let mut used = [0; 2];
        for (number, transfers) in [(1, 1), (2, transfers)] {
            l1.skip(100);
            harness.l1.skip(100);
            let block = block_of(&l2, transfers)?;
            l2.append(block.clone())?;
            let tx = transaction(&rollup, &block)?;
            if number == 2 {
                let offered = l1.execute_tx(&operator, tx.clone())?;
                assert_the_block_finds_the_verdict(&l1, &offered)?;
            }
            let sent = l1.send_execute_tx(&operator, tx)?;
            let by_transaction = advanced(&mut l1, &rollup, &sent, number)?;

            let block = block_of(&harness.l2, transfers)?;
            harness.l2.append(block.clone())?;
            let (to, input) = (harness.rollup.address.into(), advance(&block.input()?));
            let gas = TRANSACTION_GAS_CAP;
            let sent = harness.l1.send(&harness.operator, to, U256::ZERO, input, gas)?;
            let by_calldata = advanced(&mut harness.l1, &harness.rollup, &sent, number)?;
            used = [by_calldata, by_transaction];
        }
        let [by_calldata, by_transaction] = used;
        println!("{transfers} transfers: {by_calldata} gas by calldata, {by_transaction} by 0x05");
        assert!(by_transaction < by_calldata, "{transfers}: {by_transaction}, {by_calldata}");
    }
    Ok(())
}

#[test]
fn attack_a_head_with_the_witness_of_another_block_does_not_advance_the_rollup() -> Result<()> {
    let (mut l1, mut l2, rollup, operator) = rollup()?;
    l1.skip(100);
    let block = block_of(&l2, 1)?;
    l2.append(block.clone())?;
    let other = block_of(&l2, 1)?;
    let good = transaction(&rollup, &block)?;
    let bad = ExecuteTx { witness: transaction(&rollup, &other)?.witness, ..good.clone() };
    assert_ne!(bad.witness, good.witness);
    let sent = l1.send_execute_tx(&operator, bad)?;
    assert!(!sent.receipt.success);
    // Neither does the whole input in calldata, where there is no transaction of the type.
    let input = advance(&block.input()?);
    let (to, gas) = (rollup.address.into(), TRANSACTION_GAS_CAP);
    let sent = l1.send(&operator, to, U256::ZERO, input, gas)?;
    assert!(!sent.receipt.success);
    let sent = l1.send_execute_tx(&operator, good)?;
    advanced(&mut l1, &rollup, &sent, 1)?;
    Ok(())
}
