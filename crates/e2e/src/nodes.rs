//! The L2 as its users have it: an L1, a sequencer and followers, each a process of its own, and nothing
//! between them but sockets.

use crate::{
    processes::{
        L1_CHAIN, L2_CHAIN, Rollup, balance, block_hash, has_deposit, nonce, receipt, send, shown,
        signed, status, until, until_safe,
    },
    report::Report,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::SolCall;
use client::Client;
use contracts::{
    L2_MESSENGER,
    bindings::{IForcedInbox, IL2Messenger},
};
use eyre::{OptionExt, Result, ensure};
use serde_json::Value;
use std::time::Instant;
use testkit::{ETHER, Key, NodeProcess, rich};

/// L2 transfers of the part about throughput.
const TRANSFERS: u64 = 200;

/// What runs at the end of this part.
pub(crate) struct Nodes {
    rollup: Rollup,
    sequencer: NodeProcess,
    follower: NodeProcess,
}

impl Nodes {
    /// Where they answer, and what can be asked of them.
    pub(crate) fn what_to_try(&self) -> String {
        let (l1, l2) = (self.rollup.l1.client().url(), self.sequencer.client().url());
        let alice = Key::named("alice");
        format!(
            "Left running until it is interrupted:\n  L1         {l1}\n  sequencer  {l2}\n  follower   {}\n  \
             files      {}\n\nTo try:\n  npx cast send 0x0000000000000000000000000000000000000b0b \
             --value 1gwei --rpc-url {l2} --private-key {}\n  npx cast rpc rollup_syncStatus --rpc-url \
             {l2}\n  npx cast balance {} --rpc-url {}\n  curl {}metrics",
            self.follower.client().url(),
            self.rollup.place().display(),
            alice.secret(),
            alice.address(),
            self.follower.client().url(),
            l2,
        )
    }
}

pub(crate) fn tell(report: &mut Report) -> Result<Nodes> {
    report.part("The same L2 as users have it: devnet, sequencer, follower as processes");
    let rollup = Rollup::create(report)?;
    let sequencer = rollup.sequencer()?;
    let l2 = sequencer.client();
    report.step(format!("a sequencer answers at {}", l2.url()));
    let follower = rollup.follower()?;
    report.step(format!("a follower answers at {}", follower.client().url()));
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());

    let begun = Instant::now();
    rollup.deposit(&alice, alice.address(), 5 * ETHER)?;
    until("the deposit", || Ok(balance(l2, alice.address())? >= U256::from(5 * ETHER)))?;
    report.step(format!("Alice's deposit is on the L2 after {}", shown(begun)));

    let begun = Instant::now();
    let hash = send(l2, L2_CHAIN, &alice, bob.into(), ETHER, Bytes::new(), 21_000)?;
    let included = receipt(l2, hash)?;
    let number = included.block_number.ok_or_eyre("a receipt without a block")?;
    report.step(format!("a transfer is in L2 block {number} after {}", shown(begun)));
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    report.step(format!("L1 has that block after {}", shown(begun)));
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= number))?;
    ensure!(block_hash(l2, number)? == block_hash(follower.client(), number)?, "two L2s");
    report.step("the follower has rebuilt it from L1, with the same hash".to_owned());

    throughput(l2, &alice, bob, report)?;
    withdraw(&rollup, l2, &alice, report)?;
    force(&rollup, l2, &alice, report)?;
    let sequencer = kill(&rollup, sequencer, report)?;
    reorganise(&rollup, sequencer.client(), report)?;

    let l2 = sequencer.client();
    let safe = until_safe(l2)?;
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= safe))?;
    ensure!(block_hash(l2, safe)? == block_hash(follower.client(), safe)?, "two L2s");
    let sequencer = take_over(&rollup, sequencer, report)?;
    let fresh = rollup.follower()?;
    until("a fresh follower", || Ok(status(fresh.client())?.safe_head.number >= safe))?;
    ensure!(block_hash(fresh.client(), safe)? == block_hash(follower.client(), safe)?, "two L2s");
    report.step(format!(
        "a fresh follower rebuilds all {safe} blocks from L1 alone, to the same hash"
    ));
    Ok(Nodes { rollup, sequencer, follower })
}

/// The sequencer goes for good, and somebody else goes on, who has nothing but the deployment file, and
/// some ether on both chains.
fn take_over(rollup: &Rollup, sequencer: NodeProcess, report: &mut Report) -> Result<NodeProcess> {
    let (alice, rescuer) = (Key::named("alice"), Key::named("rescuer"));
    let l2 = sequencer.client();
    let hash =
        send(l2, L2_CHAIN, &alice, rescuer.address().into(), ETHER / 2, Bytes::new(), 21_000)?;
    receipt(l2, hash)?;
    let before = until_safe(l2)?;
    drop(sequencer);
    let wei = rich(100 * ETHER).balance;
    rollup.l1.client().request::<_, Value>("anvil_setBalance", (rescuer.address(), wei))?;
    let begun = Instant::now();
    let rescue = rollup.rescue(&rescuer)?;
    let l2 = rescue.client();
    until("all of L1", || Ok(status(l2)?.safe_head.number >= before))?;
    let grace = Key::named("grace").address();
    let hash = send(l2, L2_CHAIN, &alice, grace.into(), 1, Bytes::new(), 21_000)?;
    let number = receipt(l2, hash)?.block_number.ok_or_eyre("a receipt without a block")?;
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    report.step(format!(
        "the sequencer is gone for good: somebody else has rebuilt the L2 from L1 and advances it, after {}",
        shown(begun)
    ));
    Ok(rescue)
}

fn throughput(l2: &Client, alice: &Key, bob: Address, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let nonce = nonce(l2, alice.address())?;
    let mut last = B256::ZERO;
    for index in 0..TRANSFERS {
        let raw = signed(L2_CHAIN, alice, nonce + index, bob.into(), 1, Bytes::new(), 21_000);
        last = l2.request("eth_sendRawTransaction", (raw,))?;
    }
    let accepted = begun.elapsed();
    let number = receipt(l2, last)?.block_number.ok_or_eyre("a receipt without a block")?;
    let included = begun.elapsed();
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    report.step(format!(
        "{TRANSFERS} transfers: accepted in {:.1} s, in blocks after {:.1} s, on L1 after {}",
        accepted.as_secs_f64(),
        included.as_secs_f64(),
        shown(begun)
    ));
    Ok(())
}

fn withdraw(rollup: &Rollup, l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let target = Key::named("dave").address();
    let call = IL2Messenger::sendCall {
        to: target,
        refundTo: target,
        gasLimit: 0,
        fee: 0,
        data: Bytes::new(),
    };
    let input = call.abi_encode().into();
    let hash = send(l2, L2_CHAIN, alice, L2_MESSENGER.into(), 2 * ETHER, input, 200_000)?;
    let number = receipt(l2, hash)?.block_number.ok_or_eyre("a receipt without a block")?;
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    let claim: Bytes = l2.request("rollup_claimProof", ("0x0",))?;
    let l1 = rollup.l1.client();
    let hash = send(l1, L1_CHAIN, alice, rollup.inbox.into(), 0, claim, 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "the claim failed");
    ensure!(balance(l1, target)? == U256::from(2 * ETHER), "Dave was paid something else");
    report.step(format!("2 ETH withdrawn, proven and claimed on L1 after {}", shown(begun)));
    Ok(())
}

fn force(rollup: &Rollup, l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    let erin = Key::named("erin").address();
    let nonce = nonce(l2, alice.address())?;
    let raw = signed(L2_CHAIN, alice, nonce, erin.into(), ETHER, Bytes::new(), 21_000);
    let call = IForcedInbox::submitCall { raw };
    let l1 = rollup.l1.client();
    let input = call.abi_encode().into();
    let hash = send(l1, L1_CHAIN, alice, rollup.forced.into(), 0, input, 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "not submitted");
    until("the forced transaction", || {
        let known = l2.request::<_, Value>("rollup_forcedStatus", ("0x0",)).unwrap_or_default();
        Ok(known["discharged"] == true)
    })?;
    ensure!(balance(l2, erin)? == U256::from(ETHER), "Erin has something else");
    report.step(
        "a transaction that was given to L1 alone is in an L2 block, and discharged".to_owned(),
    );
    Ok(())
}

/// Kills the sequencer while it has blocks that L1 does not have, and starts it again.
fn kill(rollup: &Rollup, sequencer: NodeProcess, report: &mut Report) -> Result<NodeProcess> {
    let alice = Key::named("alice");
    let bob = Key::named("bob").address();
    let hash = send(sequencer.client(), L2_CHAIN, &alice, bob.into(), 7, Bytes::new(), 21_000)?;
    let before = receipt(sequencer.client(), hash)?;
    // It has no chance to say goodbye.
    drop(sequencer);
    let sequencer = rollup.sequencer()?;
    let after = receipt(sequencer.client(), hash)?;
    ensure!(before.block_hash == after.block_hash, "an acknowledged block is another one now");
    until_safe(sequencer.client())?;
    report.step(
        "the sequencer was killed and started again: no acknowledged block is lost".to_owned(),
    );
    Ok(sequencer)
}

fn reorganise(rollup: &Rollup, l2: &Client, report: &mut Report) -> Result<()> {
    let alice = Key::named("alice");
    let frank = Key::named("frank").address();
    rollup.deposit(&alice, frank, ETHER)?;
    until("the deposit", || Ok(balance(l2, frank)? == U256::from(ETHER)))?;
    until_safe(l2)?;
    let l1 = rollup.l1.client();
    let before: U64 = l1.request("eth_blockNumber", ())?;
    // Deep enough for the deposit and all that the L2 made of it.
    let before: u64 = before.to();
    let mut depth = 1;
    while !has_deposit(l1, rollup.inbox, before + 1 - depth)? {
        depth += 1;
        ensure!(depth <= before, "no block holds the deposit");
    }
    l1.request::<_, Value>("anvil_reorg", (depth, Vec::<()>::new()))?;
    until("the deposit to be gone", || Ok(balance(l2, frank)?.is_zero()))?;
    rollup.deposit(&alice, frank, ETHER)?;
    until("the deposit again", || Ok(balance(l2, frank)? == U256::from(ETHER)))?;
    report.step(format!("L1 was reorganised {depth} blocks deep: the deposit went, and came once"));
    Ok(())
}
