//! Attacks on the choice of rules: EXECUTE uses the fork that was active on L1 at the block's
//! timestamp.
//!
//! Threat: the schema id is part of the calldata, so the caller could choose the rules. Under the
//! rules of a fork other than L1's, work would be priced as in that fork, and a block that an L1 of
//! that time refuses would become final. Conversely, if EXECUTE dropped the rules of earlier forks,
//! a rollup would lose every block that was built before a fork and posted after it.

use crate::{
    PLENTY,
    support::{
        host::{CALL, CallResult, Host, WARM_CALL},
        l2::transfer,
    },
};
use chain::{BlockAttributes, Chain, ChainConfig};
use codec::Encode as _;
use enshrine_execute::{DeclaredGas, Execute, ExecuteError, ForkRule};
use executor::ChainSpec;
use testkit::{CHAIN_ID, ETHER, rich_genesis};
use wire::ProtocolFork::{self, Amsterdam, Bpo1, Bpo2, Osaka, Prague};
use wire::{StatelessBatch, StatelessInput};

const L1_CHAIN: u64 = 31_337;
/// Forks of the L1 after its first.
const LATER: [(ProtocolFork, u64); 3] = [(Osaka, 1_000), (Bpo2, 2_000), (Amsterdam, 3_000)];
/// Timestamps of two blocks in each fork, the first of them the first second of the fork.
const TIMES: [u64; 8] = [998, 999, 1_000, 1_001, 2_000, 2_999, 3_000, 3_012];

fn l1() -> Execute {
    Execute::following(ChainSpec::scheduled(L1_CHAIN, Prague, &LATER))
}

/// Calldata of blocks at [`TIMES`], with timestamp and fork, of a chain that forks together with
/// its L1.
fn blocks() -> (Chain, Vec<(u64, ProtocolFork, Vec<u8>)>) {
    let spec = ChainSpec::scheduled(CHAIN_ID, Prague, &LATER);
    let genesis = rich_genesis(Amsterdam, ["alice"], 1_000 * ETHER);
    let mut chain = Chain::new(&genesis, ChainConfig::new(spec.clone())).unwrap();
    let mut blocks = Vec::new();
    for (nonce, timestamp) in (0..).zip(TIMES) {
        let slot_number = if timestamp < 3_000 { 0 } else { timestamp };
        let attributes = BlockAttributes { timestamp, slot_number, ..Default::default() };
        let (block, rejected) = chain.build(&attributes, vec![transfer(nonce, 25_000)]).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        let fork = spec.fork_at(timestamp).unwrap();
        blocks.push((timestamp, fork, block.input().unwrap()));
        chain.append(block).unwrap();
    }
    (chain, blocks)
}

/// The same bytes under the schema id of another fork.
fn under(calldata: &[u8], fork: ProtocolFork) -> Vec<u8> {
    let mut bytes = calldata.to_vec();
    bytes[..2].copy_from_slice(&fork.schema().to_be_bytes());
    bytes
}

#[test]
fn blocks_of_every_fork_verify_whenever_posted() {
    let (_, blocks) = blocks();
    // Only the timestamp of the block matters: a single EXECUTE accepts all of them, in any order.
    let mut host = Host::new(l1());
    for (timestamp, fork, calldata) in blocks.iter().rev() {
        let outcome = host.call(CALL, calldata, PLENTY);
        assert!(outcome.success, "{fork} at {timestamp}");
    }
}

#[test]
fn caller_cannot_choose_rules_by_schema_id() {
    let (_, blocks) = blocks();
    for (timestamp, fork, calldata) in &blocks {
        for other in [Prague, Osaka, Bpo1, Bpo2, Amsterdam] {
            let claimed = under(calldata, other);
            let outcome = l1().run(&claimed, PLENTY);
            if other <= *fork && other.rules() == fork.rules() {
                // These forks differ in blob parameters only, and an L2 has no blobs.
                assert!(outcome.is_ok(), "{other} for {fork}: {outcome:?}");
                continue;
            }
            let (got, timestamp) = (other.schema(), *timestamp);
            let refused = ExecuteError::ForkAt { got, expected: Some(*fork), timestamp };
            match outcome.unwrap_err() {
                // The payload of Amsterdam has a different layout.
                ExecuteError::Decode(_) => assert!((other == Amsterdam) != (*fork == Amsterdam)),
                reason => {
                    assert_eq!(reason, refused);
                    assert!(reason.is_unreadable());
                }
            }
            let outcome = Host::new(l1()).call(CALL, &claimed, PLENTY);
            let burnt = CallResult { success: false, returned: vec![], gas: WARM_CALL + PLENTY };
            assert_eq!(outcome, burnt, "{other} for {fork}");
        }
    }
}

#[test]
fn fork_refusal_costs_only_decoding() {
    let (_, blocks) = blocks();
    let (timestamp, fork, calldata) = &blocks[1];
    let claimed = under(calldata, Osaka);
    let prices = l1().gas;
    let held = prices.bytes(claimed.len() as u64);
    let refused = l1()
        .run_as(&enshrine_execute::ExecutionSpecs, &claimed[..], held, |_| {
            panic!("nothing is verified")
        })
        .unwrap_err();
    let expected = Some(*fork);
    let reason = ExecuteError::ForkAt { got: Osaka.schema(), expected, timestamp: *timestamp };
    assert_eq!((refused.reason, refused.gas), (reason, held));
    assert!(DeclaredGas::of_calldata(calldata).is_ok());
}

#[test]
fn batch_across_fork_boundary_is_refused() {
    let (chain, blocks) = blocks();
    // The last blocks of Prague and the first of Osaka, under the schema id of Prague.
    let inputs: Vec<_> =
        blocks[..4].iter().map(|(.., bytes)| StatelessInput::decode(bytes).unwrap()).collect();
    let known = |index: usize| {
        let payload = &inputs[index].request.payload;
        chain.block(&payload.block_hash).unwrap()
    };
    let batch = |range: core::ops::Range<usize>| {
        chain.batch(range.map(known).collect()).unwrap().input().unwrap()
    };
    let (before, after) = (batch(0..2), batch(2..4));
    assert!(l1().run(&before, PLENTY).is_ok());
    assert!(l1().run(&after, PLENTY).is_ok());
    let before = StatelessBatch::decode(&before).unwrap();
    let after = StatelessBatch::decode(&after).unwrap();
    let mut over = before.clone();
    over.requests.extend(after.requests.iter().cloned());
    let refused = l1().run(&over.encode(), PLENTY).unwrap_err();
    let reason = ExecuteError::ForkAt {
        got: Prague.batch_schema(),
        expected: Some(Osaka),
        timestamp: 1_000,
    };
    assert_eq!(refused, ExecuteError::InBatch { block: 2, reason: Box::new(reason) });
    assert!(refused.is_unreadable());
}

#[test]
fn explicit_forks_are_accepted_at_any_time() {
    let (_, blocks) = blocks();
    let any = Execute { forks: ForkRule::Any(vec![Prague, Osaka]), ..l1() };
    let (.., of_prague) = &blocks[0];
    assert!(any.run(of_prague, PLENTY).is_ok());
    // The block is valid under both rules: here the caller chooses, which the schedule does not
    // allow.
    assert!(any.run(&under(of_prague, Osaka), PLENTY).is_ok());
    assert!(l1().run(&under(of_prague, Osaka), PLENTY).is_err());
    let (.., of_amsterdam) = &blocks[7];
    let refused = any.run(of_amsterdam, PLENTY).unwrap_err();
    assert_eq!(refused, ExecuteError::Schema(Amsterdam.schema()));
}

#[test]
fn public_network_keeps_its_own_schedule() {
    // The input of another chain under the chain id of mainnet: the schedule of mainnet applies,
    // not that of this L1.
    let (_, blocks) = blocks();
    let (timestamp, _, calldata) = &blocks[0];
    let mut input = StatelessInput::decode(calldata).unwrap();
    input.chain_id = ChainSpec::MAINNET;
    let refused = l1().run(&input.encode(), PLENTY).unwrap_err();
    let ExecuteError::Invalid(executor::Invalid::Fork { got, timestamp: at, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((got, at), (Prague, *timestamp));
    let amsterdam = Execute::on(Amsterdam);
    let refused = amsterdam.run(&input.encode(), PLENTY).unwrap_err();
    assert_eq!(refused, ExecuteError::Schema(Prague.schema()));
}
