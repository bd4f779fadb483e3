//! Inputs that `advance` accepts and rejects.

use super::support::{ETHER, L2_CHAIN, TestRollup, calldata_gas};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::{SolCall, SolEvent};
use chain::ExecutedBlock;
use codec::Encode as _;
use enshrine_contracts::{
    L2_MESSENGER, Message, PREMINT,
    bindings::{
        IL1MessageQueue, IL2Messenger,
        INativeRollup::{self, Advanced, BlockAdded},
    },
};
use execute::{Execute, ForkRule};
use eyre::{OptionExt as _, Result};
use stateless::header_of;
use testkit::Key;
use variants::GasSchedule;
use wire::{ProtocolFork, SchemaId, StatelessInput};

alloy_sol_types::sol! {
    error ExecuteFailed();
    error ExecuteAbsent();
    error InputTooShort(uint256 got, uint256 minimum);
    error OffsetNotCanonical(uint256 position, uint256 got, uint256 expected);
}

/// Returns an input with a changed payload and a matching block hash.
fn changed(input: &[u8], change: impl FnOnce(&mut StatelessInput<'_>)) -> Vec<u8> {
    let mut decoded = StatelessInput::decode(input).expect("decodes");
    change(&mut decoded);
    let header = header_of(&decoded.request, decoded.fork).expect("has a header");
    decoded.request.payload.block_hash = header.hash_slow();
    decoded.encode()
}

#[test]
fn block_advances_head_in_osaka_and_amsterdam() -> Result<()> {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let mut harness = TestRollup::new(fork)?;
        let block = harness.next_block()?;
        let sent = harness.advance(vec![block.input()?], vec![])?;
        harness.assert_head_is(&block)?;
        let event = BlockAdded::decode_log(&sent.receipt.logs[0])?;
        assert_eq!((event.number, event.blockHash), (1, block.block.hash));
        assert_eq!(event.stateRoot, block.block.header.state_root);
    }
    Ok(())
}

#[test]
fn three_inputs_advance_head_and_store_roots() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let blocks = [harness.next_block()?, harness.next_block()?, harness.next_block()?];
    let inputs = blocks.iter().map(ExecutedBlock::input).collect::<Result<_, _>>()?;
    harness.advance(inputs, vec![])?;
    harness.assert_head_is(&blocks[2])?;
    for block in &blocks {
        let header = &block.block.header;
        let call = INativeRollup::stateRootAtCall { number: header.number };
        assert_eq!(harness.l1.read(harness.rollup.address, &call)?, header.state_root);
    }
    Ok(())
}

#[test]
fn batch_advances_head_by_all_its_blocks() -> Result<()> {
    for fork in [ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let mut harness = TestRollup::new(fork)?;
        let blocks: Vec<_> = (0..4).map(|_| harness.next_block()).collect::<Result<Vec<_>>>()?;
        let known = |new: &ExecutedBlock| harness.l2.chain().block(&new.block.hash);
        let rest = blocks[1..].iter().map(known).collect::<Result<Vec<_>, _>>()?;
        let batch = harness.l2.chain().batch(rest)?.input()?;
        // A single input and a batch in one call.
        let sent = harness.advance(vec![blocks[0].input()?, batch], vec![])?;
        harness.assert_head_is(&blocks[3])?;
        let (advanced, added) = sent.receipt.logs.split_last().ok_or_eyre("no logs")?;
        assert_eq!(added.len(), blocks.len());
        let advanced = Advanced::decode_log(advanced)?;
        assert_eq!((advanced.first, advanced.last), (1, 4));
        assert_eq!((advanced.caller, advanced.blobs), (harness.operator.address(), U256::ZERO));
        for (log, new) in added.iter().zip(&blocks) {
            let (event, header) = (BlockAdded::decode_log(log)?, &new.block.header);
            assert_eq!((event.number, event.blockHash), (header.number, new.block.hash));
            assert_eq!(event.stateRoot, header.state_root);
            let call = INativeRollup::stateRootAtCall { number: header.number };
            assert_eq!(harness.l1.read(harness.rollup.address, &call)?, header.state_root);
        }
    }
    Ok(())
}

#[test]
fn invalid_block_reverts_whole_advance() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let (first, second) = (harness.next_block()?, harness.next_block()?);
    let before = harness.state()?;
    let bad = changed(&second.input()?, |i| i.request.payload.gas_used += 1);
    assert!(harness.advance(vec![first.input()?, bad], vec![]).is_err());
    assert_eq!(harness.state()?, before);
    harness.advance(vec![first.input()?, second.input()?], vec![])?;
    harness.assert_head_is(&second)
}

#[test]
fn each_governed_field_has_its_own_error() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let block = harness.next_block()?;
    let good = block.input()?;
    let payload = |change: fn(&mut wire::ExecutionPayload<'_>)| {
        changed(&good, |input| change(&mut input.request.payload))
    };

    let mut schema = good.clone();
    schema[..2].copy_from_slice(&ProtocolFork::Prague.schema().to_be_bytes());
    let error = harness.assert_refused::<INativeRollup::ForkWentBack>(schema)?;
    assert_eq!((error.got, error.current), (0x1101, SchemaId::OSAKA.get()));

    let mut schema = good.clone();
    schema[..2].copy_from_slice(&[0x16, 0x01]);
    let error = harness.assert_refused::<INativeRollup::SchemaNotSupported>(schema)?;
    assert_eq!((error.got, error.earliest, error.latest), (0x1601, 0x1101, 0x1501));

    let foreign = changed(&good, |input| input.chain_id = 1);
    let error = harness.assert_refused::<INativeRollup::ChainIdMismatch>(foreign)?;
    assert_eq!((error.got, error.expected), (1, L2_CHAIN));

    let orphan = payload(|payload| payload.parent_hash = B256::ZERO);
    harness.assert_refused::<INativeRollup::ParentHashMismatch>(orphan)?;

    let skipping = payload(|payload| payload.block_number = 2);
    let error = harness.assert_refused::<INativeRollup::BlockNumberMismatch>(skipping)?;
    assert_eq!((error.got, error.expected), (2, 1));

    let larger = payload(|payload| payload.gas_limit += 1);
    let error = harness.assert_refused::<INativeRollup::GasLimitMismatch>(larger)?;
    assert_eq!((error.got, error.expected), (10_000_001, 10_000_000));

    let standing = payload(|payload| payload.timestamp -= 1);
    harness.assert_refused::<INativeRollup::TimestampNotAfterParent>(standing)?;
    let distant = payload(|payload| payload.timestamp = u64::MAX);
    harness.assert_refused::<INativeRollup::TimestampInFuture>(distant)?;

    let other = changed(&good, |i| i.request.parent_beacon_block_root = B256::repeat_byte(1));
    harness.assert_refused::<INativeRollup::AnchorMismatch>(other)?;

    harness.assert_refused::<InputTooShort>(good[..500].to_vec())?;
    let mut shifted = good.clone();
    shifted[2] = 20;
    harness.assert_refused::<OffsetNotCanonical>(shifted)?;

    // The unchanged input is accepted.
    harness.advance(vec![good], vec![])?;
    harness.assert_head_is(&block)
}

#[test]
fn block_beyond_max_lag_is_rejected() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let old = harness.next_block()?;
    // An hour of L1 blocks passes.
    let stranger = Address::repeat_byte(1);
    for _ in 0..310 {
        let (alice, to) = (harness.alice.clone(), TxKind::Call(stranger));
        harness.l1.send(&alice, to, U256::ZERO, Bytes::new(), 21_000)?;
    }
    harness.assert_refused::<INativeRollup::TimestampTooOld>(old.input()?)?;
    Ok(())
}

#[test]
fn execute_rejects_wrong_execution_results() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let block = harness.next_block()?;
    let good = block.input()?;
    let payload = |change: fn(&mut wire::ExecutionPayload<'_>)| {
        changed(&good, |input| change(&mut input.request.payload))
    };
    for (what, bad) in [
        ("state root", payload(|payload| payload.state_root = B256::repeat_byte(2))),
        ("receipts root", payload(|payload| payload.receipts_root = B256::repeat_byte(2))),
        ("gas used", payload(|payload| payload.gas_used -= 1)),
        ("base fee", payload(|payload| payload.base_fee_per_gas += U256::ONE)),
        ("fee recipient", payload(|payload| payload.fee_recipient = Address::repeat_byte(2))),
    ] {
        harness.assert_refused::<ExecuteFailed>(bad).map_err(|error| error.wrap_err(what))?;
    }
    // A changed field with the old block hash.
    let mut raw = good.clone();
    raw[62 + 372] ^= 1;
    harness.assert_refused::<ExecuteFailed>(raw)?;
    harness.advance(vec![good], vec![])?;
    harness.assert_head_is(&block)
}

#[test]
fn an_old_block_cannot_be_replayed() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let (first, second) = (harness.next_block()?, harness.next_block()?);
    harness.advance(vec![first.input()?], vec![])?;
    harness.assert_refused::<INativeRollup::ParentHashMismatch>(first.input()?)?;
    harness.advance(vec![second.input()?], vec![])?;
    harness.assert_refused::<INativeRollup::ParentHashMismatch>(first.input()?)?;
    harness.assert_refused::<INativeRollup::ParentHashMismatch>(second.input()?)?;
    Ok(())
}

#[test]
fn advance_fails_without_execute_precompile() -> Result<()> {
    // An account without code answers every call with success and no data.
    let elsewhere = Execute { forks: ForkRule::Any(vec![]), ..Execute::default() };
    let mut refused = TestRollup::with_execute(ProtocolFork::Osaka, elsewhere)?;
    let block = refused.next_block()?;
    refused.assert_refused::<ExecuteFailed>(block.input()?)?;

    let mut absent = TestRollup::new(ProtocolFork::Osaka)?;
    absent.l1.remove_execute();
    let block = absent.next_block()?;
    absent.assert_refused::<ExecuteAbsent>(block.input()?)?;
    Ok(())
}

#[test]
fn deposit_arrives_within_advance_gas_budget() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let charlie = Key::named("charlie").address();
    let send = IL1MessageQueue::sendCall {
        to: charlie,
        refundTo: charlie,
        gasLimit: 21_000,
        fee: 0,
        data: Bytes::new(),
    };
    let five = U256::from(5 * ETHER);
    let alice = harness.alice.clone();
    let sent = harness.l1.transact(&alice, harness.rollup.message_queue, five, &send)?;
    let messages = harness.rollup.messages_in(&sent.block);
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].value, messages[0].to), (5 * ETHER, charlie));

    let (anchor, update) = harness.rollup.newest_anchor(&harness.l1, 0)?;
    harness.anchor = anchor.hash();
    let operator = harness.operator.clone();
    let transactions = vec![
        harness.l2.prove_anchor(&operator, &anchor)?,
        harness.l2.relay(&operator, &messages, operator.address())?,
    ];
    let time = harness.l2.next_timestamp();
    let block = harness.seal(time, transactions)?;
    assert!(block.block.executed.receipts.iter().all(|receipt| receipt.success));
    harness.l2.append(block.clone())?;
    assert_eq!(harness.l2.chain().balance(charlie)?, five);
    assert_eq!(harness.l2.chain().balance(L2_MESSENGER)?, PREMINT - five);
    assert_eq!(harness.l1.chain().balance(harness.rollup.message_queue)?, five);

    harness.advance(vec![block.input()?], vec![update])?;
    harness.assert_head_is(&block)?;
    let head = harness.rollup.head(&harness.l1)?;
    assert_eq!((head.anchorNumber, head.messageCount), (anchor.l1_block_number, 1));

    // The same message cannot be relayed again, because the messenger expects the next one.
    let again = vec![harness.l2.relay(&operator, &messages, operator.address())?];
    let block = harness.seal(time + 1, again)?;
    assert!(!block.block.executed.receipts[0].success);

    // Gas of `advance` beyond calldata and EXECUTE, without a new anchor. The block uses so much
    // gas that the floor of EIP-7623 does not apply.
    let endless = Bytes::from_static(&[0x5b, 0x5f, 0x56]);
    let busy = harness.l2.sign(&alice, TxKind::Create, U256::ZERO, endless, 1_000_000)?;
    let block = harness.seal(time + 2, vec![busy])?;
    harness.l2.append(block.clone())?;
    let input = block.input()?;
    let sent = harness.advance(vec![input.clone()], vec![])?;
    let declared = variants::declared_of_input(input.len(), &StatelessInput::decode(&input)?);
    let execute = GasSchedule::DEFAULT.charge(&declared, block.block.header.gas_used);
    let overhead = sent.gas_used - execute - calldata_gas(&sent.input);
    println!("advance: {} gas, {execute} EXECUTE, overhead {overhead}", sent.gas_used);
    assert!(overhead <= 80_000, "{overhead}");
    Ok(())
}

#[test]
fn failed_message_does_not_block_next_ones() -> Result<()> {
    let mut harness = TestRollup::new(ProtocolFork::Osaka)?;
    let (alice, operator) = (harness.alice.clone(), harness.operator.clone());
    let charlie = Key::named("charlie").address();
    let message_queue = harness.rollup.message_queue;
    let mut messages: Vec<Message> = Vec::new();
    // The EIP-4788 contract rejects value, so a delivery to it fails.
    let refusing = alloy_primitives::address!("0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02");
    for (to, data) in [(refusing, Bytes::from_static(&[1])), (charlie, Bytes::new())] {
        let send =
            IL1MessageQueue::sendCall { to, refundTo: charlie, gasLimit: 50_000, fee: 0, data };
        let sent = harness.l1.transact(&alice, message_queue, U256::from(ETHER), &send)?;
        messages.extend(harness.rollup.messages_in(&sent.block));
    }
    let (anchor, update) = harness.rollup.newest_anchor(&harness.l1, 0)?;
    harness.anchor = anchor.hash();
    let transactions = vec![
        harness.l2.prove_anchor(&operator, &anchor)?,
        harness.l2.relay(&operator, &messages, operator.address())?,
    ];
    let time = harness.l2.next_timestamp();
    let block = harness.seal(time, transactions)?;
    harness.l2.append(block.clone())?;
    assert_eq!(harness.l2.chain().balance(charlie)?, U256::from(ETHER));
    let call = IL2Messenger::isFailedCall { messageHash: messages[0].hash() };
    let failed = harness.l2.chain().call(chain::Call {
        to: Some(L2_MESSENGER),
        data: call.abi_encode().into(),
        ..Default::default()
    })?;
    assert_eq!(U256::from_be_slice(&failed.output), U256::ONE);
    harness.advance(vec![block.input()?], vec![update])?;
    harness.assert_head_is(&block)
}
