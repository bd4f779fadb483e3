//! An L2 block is built, and an L1 contract takes it after EXECUTE has run it again.
//!
//! `cargo run --release --bin advance-a-rollup`

use alloy_primitives::{B256, Bytes, U256};
use contracts::bindings::INativeRollup::{Evidence, advanceCall, stateRootCall};
use enshrine_examples::L2_CHAIN;
use execute::Execute;
use testkit::{ETHER, Key, L1, RollupFixture};
use wire::ProtocolFork;

fn main() -> eyre::Result<()> {
    let (alice, bob, operator) = (Key::named("alice"), Key::named("bob"), Key::named("operator"));
    let ether = U256::from(ETHER);

    // The L1 has EXECUTE. The genesis of the L2 has the predeploys, and some ether for Alice. The
    // rollup on L1 starts where the L2 does.
    let mut l1 = L1::new(31_337, Execute::default(), &["operator"])?;
    let fixture = RollupFixture::new(L2_CHAIN, ProtocolFork::Osaka, l1.next_timestamp())?;
    let (mut l2, rollup) = fixture.rich(["alice"], 2 * ETHER).deploy_in(&mut l1, &operator)?;

    // The sequencer builds a block, which records what it has read: that is the witness.
    let transfer = l2.sign(&alice, bob.address().into(), ether, Bytes::new(), 21_000)?;
    let time = l2.chain().head().header.timestamp + 1;
    let (block, rejected) = l2.seal(time, B256::ZERO, vec![transfer])?;
    eyre::ensure!(rejected.is_empty(), "the block is without {rejected:?}");

    // Any account that the policy admits advances the rollup: L1 needs no proof, only the input of
    // EXECUTE.
    let input = Bytes::from(block.input()?);
    let advance = |input| advanceCall { inputs: vec![input], evidence: Evidence::default() };
    let mut forged = input.to_vec();
    forged[200] ^= 1;
    let forged = advance(Bytes::from(forged));
    let refused = l1.transact(&operator, rollup.address, U256::ZERO, &forged);
    eyre::ensure!(refused.is_err(), "a forged block is taken");
    let sent = l1.transact(&operator, rollup.address, U256::ZERO, &advance(input))?;
    let block = l2.append(block)?;

    let head = rollup.head(&l1)?;
    let root = l1.read(rollup.address, &stateRootCall {})?;
    eyre::ensure!(head.number == 1 && root == block.header.state_root, "L1 has another head");
    println!("L1 has L2 block {} and state {root}, for {} gas", head.number, sent.gas_used);
    Ok(())
}
