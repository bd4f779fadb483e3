//! The predicted cost of each kind of plan equals its cost on L1.

use super::support::{FORK, TestRollup};
use alloy_primitives::{Bytes, U256};
use enshrine_contracts::advance_plan::{
    AdvanceInput, AdvancePlan, L1Limits, L1Prices, MAX_BLOBS, STATE_ROOTS, TRANSACTION_GAS_CAP,
    cheapest, ways_in_blobs,
};
use eyre::Result;
use std::{collections::BTreeSet, convert::Infallible, slice::from_ref};
use wire::ProtocolFork;

/// First slot of the ring buffer of state roots in the storage of the rollup.
const RING_OF_ROOTS: U256 = U256::from_limbs([5, 0, 0, 0]);

/// Number of blocks of each input of a call; zero stands for a batch of one block.
const SHAPES: [&[usize]; 9] =
    [&[1], &[1, 1], &[1, 1, 1], &[2], &[3], &[2, 1], &[3, 2], &[0], &[0, 1, 2]];

/// L1 forks with different gas schedules.
pub(crate) const L1_FORKS: [ProtocolFork; 2] = [ProtocolFork::Osaka, ProtocolFork::Amsterdam];

#[test]
fn predicted_cost_matches_gas_used() -> Result<()> {
    L1_FORKS.into_iter().try_for_each(assert_each_way_costs_what_is_said)
}

fn assert_each_way_costs_what_is_said(l1_fork: ProtocolFork) -> Result<()> {
    let mut harness = TestRollup::on_l1(l1_fork)?;
    let first = harness.blocks(1)?;
    // The first block of a rollup initialises storage slots, which costs extra.
    let input = harness.input_of(&first)?;
    harness.l1.skip(100);
    harness.post(&AdvancePlan::in_calldata(&[input]))?;
    let mut differences = Vec::new();
    for by_blobs in [false, true] {
        for shape in SHAPES {
            let inputs = harness.inputs(shape)?;
            harness.l1.skip(100);
            let posting = if by_blobs {
                AdvancePlan::in_blobs(&inputs).expect("few blobs")
            } else {
                AdvancePlan::in_calldata(&inputs)
            };
            let (sent, cost) = harness.post(&posting)?;
            assert_eq!(cost.blob_gas, 131_072 * posting.blobs.len() as u64);
            if sent.gas_used != cost.gas {
                differences.push((by_blobs, shape, sent.gas_used as i64 - cost.gas as i64));
            }
        }
    }
    assert_eq!(differences, [], "{l1_fork:?}");
    Ok(())
}

#[test]
fn reused_root_slot_costs_less_gas() -> Result<()> {
    for l1_fork in L1_FORKS {
        let mut harness = TestRollup::on_l1(l1_fork)?;
        let inputs = harness.inputs(&[1])?;
        harness.l1.skip(100);
        harness.post(&AdvancePlan::in_calldata(&inputs))?;
        // Like an older rollup: the next two slots hold roots, and the third is empty.
        let first = harness.rollup.head(&harness.l1)?.number + 1;
        let rollup = harness.rollup.address;
        harness.l1.edit(|state| {
            (first..first + 2).try_for_each(|number| {
                state.set_slot(rollup, RING_OF_ROOTS + U256::from(number), U256::ONE)
            })
        })?;
        let inputs = harness.inputs(&[1, 2])?;
        harness.l1.skip(100);
        let posting = AdvancePlan::in_blobs(&inputs).expect("few blobs");
        let said = |last_fresh: u64| {
            let genesis = last_fresh + 1 - STATE_ROOTS;
            posting.cost(l1_fork, genesis, first + STATE_ROOTS).gas
        };
        let (third, none) = (said(first + STATE_ROOTS), said(first + STATE_ROOTS - 1));
        let fresh = third - none;
        let (sent, cost) = harness.post(&posting)?;
        // Only the third slot is new.
        assert_eq!((sent.gas_used, cost.gas), (third, none + 3 * fresh), "{l1_fork:?}");
    }
    Ok(())
}

#[test]
fn gas_limit_covers_most_demanding_input() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    let [one, other] = &harness.inputs(&[1, 1])?[..] else { unreachable!("two were made") };
    let cost = |inputs: &[AdvanceInput]| AdvancePlan::in_calldata(inputs).cost(FORK, 0, 1);
    let plain = cost(&[one.clone(), other.clone()]);
    let more = 6_300_000;
    for reserves in [[more, 0], [0, more], [more, more]] {
        let with = |input: &AdvanceInput, more| AdvanceInput {
            reserve: input.charge + more,
            ..input.clone()
        };
        let reserved = cost(&[with(one, reserves[0]), with(other, reserves[1])]);
        assert_eq!(reserved.gas, plain.gas);
        // The second input can use the gas that the first did not use.
        let difference = reserved.limit - plain.limit;
        assert!((more..more + more / 63 + 2).contains(&difference), "{reserves:?}: {difference}");
    }
    Ok(())
}

/// Limits of an L1 that admits this many bytes of inputs.
fn limits(inputs: usize) -> L1Limits {
    let mainnet = L1Limits::default();
    L1Limits { bytes: mainnet.bytes - mainnet.input_bytes() + inputs, ..mainnet }
}

#[test]
fn cheapest_minimises_cost_per_block() -> Result<()> {
    let mut harness = TestRollup::new(FORK)?;
    let blocks = harness.blocks(3)?;
    let single = harness.input_of(&blocks[..1])?;
    let batch = harness.input_of(&blocks)?;
    let candidates = || {
        [
            AdvancePlan::in_calldata(from_ref(&single)),
            AdvancePlan::in_calldata(from_ref(&batch)),
            AdvancePlan::in_blobs(from_ref(&single)).expect("one blob"),
            AdvancePlan::in_blobs(from_ref(&batch)).expect("one blob"),
        ]
    };
    let chosen = |gas: u128, blob_gas: Option<u128>, max_calldata: usize| {
        let prices = L1Prices { fork: FORK, gas, blob_gas };
        cheapest(candidates(), &prices, &limits(max_calldata), 0, 1)
            .map(|(posting, _)| (posting.blocks, posting.blobs.len()))
    };
    // Blobs are almost free, as expensive as the calldata that they save, or unavailable.
    assert_eq!(chosen(1_000_000_000, Some(1), 130_000), Some((3, 1)));
    assert_eq!(chosen(1, Some(1_000_000_000), 130_000), Some((3, 0)));
    assert_eq!(chosen(1_000_000_000, None, 130_000), Some((3, 0)));
    // A plan that L1 does not admit is not chosen at any price.
    let long = batch.bytes.len();
    assert_eq!(chosen(1_000_000_000, None, long), Some((3, 0)));
    assert_eq!(chosen(1_000_000_000, None, long - 1), Some((1, 0)));
    assert_eq!(chosen(1_000_000_000, None, 1_000), None);
    let dear = AdvanceInput { charge: TRANSACTION_GAS_CAP, ..batch.clone() };
    let prices = L1Prices { fork: FORK, gas: 1, blob_gas: None };
    assert_eq!(
        cheapest([AdvancePlan::in_calldata(&[dear])], &prices, &limits(130_000), 0, 1),
        None
    );
    // The limit applies to the required gas limit, not to the gas used.
    let (_, cost) =
        cheapest([AdvancePlan::in_calldata(from_ref(&batch))], &prices, &limits(130_000), 0, 1)
            .expect("L1 admits it");
    assert!(cost.gas < cost.limit);
    for (gas, admitted) in [(cost.limit, true), (cost.limit - 1, false)] {
        let limits = L1Limits { gas, ..limits(130_000) };
        let ways = [AdvancePlan::in_calldata(from_ref(&batch))];
        assert_eq!(cheapest(ways, &prices, &limits, 0, 1).is_some(), admitted, "{gas}");
    }
    // For one block, the batch has fewer bytes and costs less as calldata.
    let alone = harness.batch_of(&blocks[..1])?;
    let ways = [&single, &alone].map(|input| AdvancePlan::in_calldata(from_ref(input)));
    let prices = L1Prices { fork: FORK, gas: 1, blob_gas: None };
    let (way, _) = cheapest(ways, &prices, &limits(130_000), 0, 1).expect("either is admitted");
    assert_eq!(way.inputs, std::slice::from_ref(&alone.bytes));
    // The other plan is indeed more expensive.
    let cost = |posting: &AdvancePlan| posting.cost(FORK, 0, 1);
    let [one, three, ..] = &candidates();
    assert!(cost(three).gas < 3 * cost(one).gas);
    Ok(())
}

#[test]
fn tail_is_limited_to_blobs_per_transaction() {
    let input = |length: usize| AdvanceInput {
        bytes: Bytes::from([&[0x12, 0x01][..], &vec![7; length - 2]].concat()),
        blocks: 1,
        charge: 0,
        reserve: 0,
        trailer: 0,
    };
    let (head, maximum) = (602, 126_976);
    let full = input(head + MAX_BLOBS * maximum);
    let posting = AdvancePlan::in_blobs(&[full]).expect("six blobs");
    assert_eq!((posting.blobs.len(), posting.inputs[0].len()), (6, head + 8));
    assert_eq!(AdvancePlan::in_blobs(&[input(head + MAX_BLOBS * maximum + 1)]), None);
    let small = input(head + 1);
    assert!(AdvancePlan::in_blobs(&vec![small.clone(); 6]).is_some());
    assert_eq!(AdvancePlan::in_blobs(&vec![small; 7]), None);
    // Without a tail there is no blob, so the contract would not interpret a trailer.
    assert_eq!(AdvancePlan::in_blobs(&[input(head)]), None);
    assert_eq!(AdvancePlan::in_blobs(&[input(head - 1)]), None);
}

#[test]
fn blob_plans_fall_back_to_smaller_inputs() {
    let sizes = |count: usize, admits: fn(&AdvancePlan) -> bool| {
        let mut made = BTreeSet::new();
        let ways = ways_in_blobs(count, admits, |blocks| {
            assert!(made.insert((blocks.start, blocks.end)), "{blocks:?} once is enough");
            Ok::<_, Infallible>(AdvanceInput {
                bytes: [&[0x12, 0x01][..], &[7; 601]].concat().into(),
                blocks: blocks.len() as u64,
                charge: 0,
                reserve: 0,
                trailer: 0,
            })
        });
        let ways = ways.expect("nothing fails");
        ways.iter().map(|posting| posting.blocks_of_inputs().to_vec()).collect::<Vec<_>>()
    };
    let any = |_: &AdvancePlan| true;
    // Each input needs a blob, and a transaction has at most six.
    assert_eq!(sizes(10, any), [vec![1; 6], vec![2; 5], vec![4, 4, 2], vec![8, 2], vec![10]]);
    let five = |posting: &AdvancePlan| posting.blocks <= 5;
    assert_eq!(sizes(10, five), [vec![1; 5], vec![2, 2, 1], vec![4, 1], vec![4, 1], vec![5]]);
    assert_eq!(sizes(1, any), [[1]]);
    assert_eq!(sizes(2, any), [vec![1, 1], vec![2]]);
    assert_eq!(sizes(0, any), [[0; 0]; 0]);
    assert_eq!(sizes(3, |_| false), [[0; 0]; 0]);
    assert_eq!(sizes(300, any).last(), Some(&vec![256]));
    let refused = ways_in_blobs(3, any, |blocks| Err::<AdvanceInput, _>(blocks.len()));
    assert_eq!(refused, Err(1));
}
