//! The L2 of a rollup whose inputs on L1 end where their witness would start.

use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use alloy_sol_types::SolCall as _;
use codec::{Encode as _, batch_of, prefix};
use contracts::{
    Deployment, Verification,
    bindings::INativeRollup::{Evidence, advanceCall},
};
use derive::{
    DataMissing, Derived, FetchedData, L1Cost, L1Header, L1Transaction, PostedBlock, derive,
};
use enshrine_rollup::import;
use eyre::{Result, bail};
use std::slice;
use testkit::{CHAIN_ID, ETHER, Key, L2, advance_logs, bare_deployment, rich_genesis};
use wire::{BatchWitness, ProtocolFork, StatelessInput};

const FORK: ProtocolFork = ProtocolFork::Osaka;
const ROLLUP: Address = Address::repeat_byte(1);
const BLOCKS: usize = 500;

/// A block of the L2: its hash, and its complete input.
type Sealed = (B256, Vec<u8>);

/// Adds a block with a transfer.
fn seal(l2: &mut L2, alice: &Key) -> Result<Sealed> {
    let to = Address::left_padding_from(&l2.chain().head().header.number.to_be_bytes());
    let transfer = l2.sign(alice, TxKind::Call(to), U256::from(1), Bytes::new(), 21_000)?;
    let timestamp = l2.chain().head().header.timestamp + 1;
    let (block, rejected) = l2.seal(timestamp, B256::ZERO, vec![transfer])?;
    assert!(rejected.is_empty(), "{rejected:?}");
    let sealed = (block.block.hash, block.input()?);
    l2.append(block)?;
    Ok(sealed)
}

/// An input of multiple blocks, without the witness.
fn batch(blocks: &[Sealed]) -> Result<Vec<u8>> {
    let inputs: Vec<_> =
        blocks.iter().map(|(_, input)| StatelessInput::decode(input)).collect::<Result<_, _>>()?;
    let batch = batch_of(&inputs, BatchWitness::EMPTY)?.encode();
    Ok(prefix(&batch)?.to_vec())
}

/// Derives an L1 transaction that has added these blocks by one input.
fn derived(
    deployment: &Deployment,
    number: u64,
    blocks: &[Sealed],
    input: Vec<u8>,
) -> Result<Result<Vec<PostedBlock>, DataMissing>> {
    let logs = advance_logs(number, blocks.iter().map(|(hash, _)| *hash));
    let logs = logs.into_iter().map(|data| Log { address: ROLLUP, data });
    let call = advanceCall { inputs: vec![input.into()], evidence: Evidence::default() };
    let transaction = L1Transaction {
        hash: B256::repeat_byte(4),
        to: Some(ROLLUP),
        input: call.abi_encode().into(),
        blob_hashes: Vec::new(),
        execute: None,
        logs: logs.collect(),
        cost: L1Cost::default(),
    };
    let (hash, parent) = (B256::repeat_byte(2), B256::repeat_byte(1));
    let header = L1Header { number: 9, hash, parent, timestamp: 1_000, base_fee: 7 };
    let data = FetchedData::default();
    match derive(deployment, &header, &[transaction], &data, |_, _| false) {
        Ok(Derived::Complete(events)) => Ok(Ok(events.advanced)),
        Ok(Derived::Missing(need)) => bail!("{need:?}"),
        Err(missing) => Ok(Err(missing)),
    }
}

#[test]
fn follower_rebuilds_l2_from_prefixes() -> Result<()> {
    let alice = Key::named("alice");
    let genesis = rich_genesis(FORK, ["alice"], ETHER);
    let mut l2 = L2::new(CHAIN_ID, FORK, &genesis)?;
    let mut follower = L2::new(CHAIN_ID, FORK, &genesis)?;
    let blocks: Vec<_> = (0..BLOCKS).map(|_| seal(&mut l2, &alice)).collect::<Result<_>>()?;
    let native = bare_deployment(ROLLUP, Address::repeat_byte(2));
    let verified = Deployment { verification: Verification::Verified, ..native.clone() };

    let mut number = 1;
    // One block and three, by turns.
    while number <= BLOCKS {
        let count = if number % 4 == 1 { 1 } else { 3.min(BLOCKS - number + 1) };
        let of = &blocks[number - 1..number - 1 + count];
        let input = match of {
            [(_, input)] => prefix(input)?.to_vec(),
            _ => batch(of)?,
        };
        // EXECUTE accepts no such input, so no node looks for one in a native rollup.
        let missing = derived(&native, number as u64, of, input.clone())?;
        assert!(missing.is_err(), "{number}");
        let advanced = derived(&verified, number as u64, of, input)??;
        assert_eq!(advanced.len(), count);
        for advanced in advanced {
            let Some(input) = advanced.input else { bail!("block {number} has no input") };
            let block = import(follower.chain(), &input, advanced.hash)?;
            follower.append(block)?;
        }
        number += count;
    }
    let (head, expected) = (follower.chain().head(), l2.chain().head());
    assert_eq!(head.header.number, BLOCKS as u64);
    assert_eq!(head.header.state_root, expected.header.state_root);
    assert_eq!(head.hash, expected.hash);
    Ok(())
}

#[test]
fn complete_inputs_are_derived_unchanged() -> Result<()> {
    let alice = Key::named("alice");
    let mut l2 = L2::new(CHAIN_ID, FORK, &rich_genesis(FORK, ["alice"], ETHER))?;
    let sealed = seal(&mut l2, &alice)?;
    let input = sealed.1.clone();
    let native = bare_deployment(ROLLUP, Address::repeat_byte(2));
    for verification in [Verification::Native, Verification::Verified] {
        let deployment = Deployment { verification, ..native.clone() };
        let advanced = derived(&deployment, 1, slice::from_ref(&sealed), input.clone())??;
        assert_eq!(advanced[0].input.as_ref().map(|input| &input[..]), Some(&input[..]));
    }
    Ok(())
}
