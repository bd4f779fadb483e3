//! Faults of the sequencer and of L1, and the recovery from each.

use alloy_primitives::{B256, Bytes, U256};
use alloy_sol_types::SolCall;
use client::{Client, ClientOptions};
use contracts::bindings::{IForcedInbox, INativeRollup, ISequencing};
use eyre::{OptionExt, Result, ensure};
use serde_json::Value;
use std::time::Instant;
use testkit::localnet::{
    processes::{L1_CHAIN, L2_CHAIN, Rollup},
    report::Report,
    requests::{
        ask, balance, has_deposit, nonce, number, receipt, send, shown, signed, status, until,
        until_safe,
    },
};
use testkit::{ETHER, FORCED_FEE, FORCED_GAS, Interception, Key, NodeProcess, Proxy, rich};

/// Number of transfers acknowledged just before the sequencer is killed.
const ACKNOWLEDGED: u64 = 20;
/// Seconds without a new head, longer than the silence after which any account may advance.
const SILENCE: u64 = 120;

/// Submits a transaction on L1 that the sequencer's endpoint rejects.
pub(super) fn force(rollup: &Rollup, l2: &Client, alice: &Key, report: &mut Report) -> Result<()> {
    let erin = Key::named("erin").address();
    let nonce = nonce(l2, alice.address())?;
    let raw = signed(L2_CHAIN, alice, nonce, erin.into(), ETHER, Bytes::new(), FORCED_GAS);
    let address = l2.url().trim_start_matches("http://").trim_end_matches('/').parse()?;
    let door = Proxy::start(address)?;
    door.intercept(|request| {
        request.contains("eth_sendRawTransaction").then_some(Interception::Refused(403))
    });
    let user = Client::new(&door.url(), ClientOptions::default())?;
    let refused = user.request::<_, B256>("eth_sendRawTransaction", (raw.clone(),));
    ensure!(refused.is_err(), "the censored transaction was accepted");
    let call = IForcedInbox::submitCall { raw };
    let l1 = rollup.l1.client();
    let input = call.abi_encode().into();
    let forced = rollup.deployment.forced;
    let hash = send(l1, L1_CHAIN, alice, forced.into(), FORCED_FEE, input, 1_000_000)?;
    ensure!(receipt(l1, hash)?.status(), "submitting the forced transaction failed");
    until("the forced transaction", || {
        let known = l2.request::<_, Value>("rollup_getForced", ("0x0",)).unwrap_or_default();
        Ok(known["outcome"] == "included")
    })?;
    ensure!(balance(&user, erin)? == U256::from(ETHER), "Erin has another balance");
    report.survived(
        "a censored transaction of Alice reaches the L2 as a forced transaction on L1".to_owned(),
    );
    Ok(())
}

/// Kills the sequencer while some of its blocks are not on L1 and some transactions are in no
/// block, and restarts it.
pub(super) fn kill(
    rollup: &Rollup,
    sequencer: NodeProcess,
    report: &mut Report,
) -> Result<NodeProcess> {
    let alice = Key::named("alice");
    let bob = Key::named("bob").address();
    let l2 = sequencer.client();
    let hash = send(l2, L2_CHAIN, &alice, bob.into(), 7, Bytes::new(), 21_000)?;
    let before = receipt(l2, hash)?;
    let next = nonce(l2, alice.address())?;
    let mut acknowledged: Vec<B256> = Vec::new();
    for nonce in next..next + ACKNOWLEDGED {
        let raw = signed(L2_CHAIN, &alice, nonce, bob.into(), 1, Bytes::new(), 21_000);
        acknowledged.push(l2.request("eth_sendRawTransaction", (raw,))?);
    }
    // Dropping the process kills it with SIGKILL, so it cannot shut down cleanly.
    drop(sequencer);
    let sequencer = rollup.sequencer()?;
    let after = receipt(sequencer.client(), hash)?;
    ensure!(before.block_hash == after.block_hash, "an acknowledged block was replaced");
    for hash in acknowledged {
        ensure!(receipt(sequencer.client(), hash)?.status(), "{hash} has failed");
    }
    until_safe(sequencer.client())?;
    report.survived(format!(
        "after kill -9 and a restart, the sequencer has all acknowledged blocks and the last {ACKNOWLEDGED} \
         acknowledged transactions"
    ));
    Ok(sequencer)
}

pub(super) fn reorganise(rollup: &Rollup, l2: &Client, report: &mut Report) -> Result<()> {
    let alice = Key::named("alice");
    let frank = Key::named("frank").address();
    rollup.deposit(&alice, frank, ETHER)?;
    until("the deposit", || Ok(balance(l2, frank)? == U256::from(ETHER)))?;
    until_safe(l2)?;
    let l1 = rollup.l1.client();
    // The reorg must remove the block with the deposit.
    let before = number(l1)?;
    let mut depth = 1;
    while !has_deposit(l1, rollup.deployment.message_queue, before + 1 - depth)? {
        depth += 1;
        ensure!(depth <= before, "no block contains the deposit");
    }
    l1.request::<_, Value>("anvil_reorg", (depth, Vec::<()>::new()))?;
    until("the deposit to be gone", || Ok(balance(l2, frank)?.is_zero()))?;
    rollup.deposit(&alice, frank, ETHER)?;
    until("the deposit again", || Ok(balance(l2, frank)? == U256::from(ETHER)))?;
    report.survived(format!(
        "an L1 reorg of {depth} blocks removes a deposit from the L2; sent again, it arrives once"
    ));
    Ok(())
}

/// Stops the sequencer permanently. Once it has been silent for long enough, another account takes
/// over with only the deployment file and some ether on both chains.
pub(super) fn take_over(
    rollup: &Rollup,
    sequencer: NodeProcess,
    report: &mut Report,
) -> Result<NodeProcess> {
    let (alice, rescuer) = (Key::named("alice"), Key::named("rescuer"));
    let l2 = sequencer.client();
    let hash =
        send(l2, L2_CHAIN, &alice, rescuer.address().into(), ETHER / 2, Bytes::new(), 21_000)?;
    receipt(l2, hash)?;
    let before = until_safe(l2)?;
    drop(sequencer);
    let l1 = rollup.l1.client();
    let wei = rich(100 * ETHER).balance;
    l1.request::<_, Value>("anvil_setBalance", (rescuer.address(), wei))?;
    let head = ask(l1, rollup.deployment.rollup, &INativeRollup::headCall {})?;
    let may =
        ISequencing::authorizeCall { caller: rescuer.address(), headTimestamp: head.timestamp };
    let refused = ask(l1, rollup.deployment.policy, &may);
    ensure!(refused.is_err(), "another account may advance at once");
    report.refused(
        "another account that advances while the silent sequencer still has its turn".to_owned(),
    );

    let begun = Instant::now();
    let rescue = rollup.rescue(&rescuer)?;
    let l2 = rescue.client();
    until("all of L1", || Ok(status(l2)?.safe_head.number >= before))?;
    l1.request::<_, Value>("evm_increaseTime", (SILENCE,))?;
    l1.request::<_, Value>("anvil_mine", (1,))?;
    ask(l1, rollup.deployment.policy, &may)?;
    let grace = Key::named("grace").address();
    let hash = send(l2, L2_CHAIN, &alice, grace.into(), 1, Bytes::new(), 21_000)?;
    let number = receipt(l2, hash)?.block_number.ok_or_eyre("a receipt without a block")?;
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    report.survived(format!(
        "after {SILENCE} s of silence another sequencer rebuilds the L2 from L1 and advances it, in {}",
        shown(begun)
    ));
    Ok(rescue)
}
