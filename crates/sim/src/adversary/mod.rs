//! An adversary that tries to slash two honest sequencers with a lease and a bond.
//!
//! L1 is reorganized, and some reorgs are themselves reverted; nodes are killed and suspended; L1
//! censors their transactions; a stranger posts backdated blocks; and L1's clock jumps. The
//! adversary collects every published message and makes every possible accusation, both by the
//! judgement in Rust and by calls of the registry on L1, which must agree. It submits accusations
//! that the registry would accept. At the end the test signs a contradicting message with the
//! sequencer's key, and the same adversary must win the bond for it.

mod accuser;
mod chains;
mod collector;
mod disturbance;
mod tally;

use crate::{
    failover::{Pair, quick_client, send},
    payers::payers,
};
use accuser::{Accuser, Target};
use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use alloy_rlp::Decodable as _;
use chains::OwnL2;
use client::{Client, ClientOptions};
use collector::{Shared, collect};
use contracts::bindings::{INativeRollup::MAX_LAGCall, IPreconfBonds};
use disturbance::{Disturber, mine};
use eyre::{OptionExt as _, Result, ensure, eyre};
use preconf::{Domain, Preconfirmation, PrefixUpdate};
use std::{
    collections::BTreeMap,
    sync::{Mutex, atomic::Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};
use tally::name;
use testkit::{
    ETHER, Etcd, Key, Random,
    localnet::{
        processes::{Deploying, Design, L1_CHAIN, Rollup},
        report::Report,
        requests::{ask, number, send_deposit, until_safe},
        say,
    },
};
use wire::ProtocolFork;

/// Bond of the sequencer, in wei: fifty times the minimum, since each delay costs a twentieth.
const BOND: u128 = 500 * ETHER;
/// Delays of the rollup: four times those for development, which are too short for a loaded
/// machine. A promise ends after two minutes, and binds the signer for more than four.
const DELAYS: &[(&str, &str)] = &[
    ("max_lag = 60", "max_lag = 240"),
    ("timeout = 105", "timeout = 420"),
    ("post_delay = 10", "post_delay = 40"),
    ("open_after = 120", "open_after = 480"),
    ("relay_deadline = 75", "relay_deadline = 1200"),
    ("delay = 90", "delay = 1200"),
    ("expiry = 86580", "expiry = 90000"),
    ("upgrade_delay = 173220", "upgrade_delay = 180000"),
];
/// Number of sending accounts.
const PAYERS: usize = 16;
/// Interval between transfers, and between deposits from L1, which give the next block an anchor.
const TRANSFERS: Duration = Duration::from_millis(60);
const DEPOSITS: Duration = Duration::from_millis(1_500);

/// Runs the adversary for this many minutes.
pub(crate) fn run(minutes: f64, seed: u64) -> Result<()> {
    let report = &mut Report::new(false);
    report.part(&format!("An adversary against honest sequencers, {minutes} minutes, seed {seed}"));
    let Some(etcd) = Etcd::start(3, "adversary")? else { return Ok(()) };
    let design = Design { l1: &[], plan: DELAYS, ..Deploying::Preconfirmed.into() };
    let mut rollup = Rollup::create(design, report)?;
    rollup.deposit_bond(BOND)?;
    rollup.put_proxy()?;
    let outcome =
        attack(&rollup, &etcd, Duration::try_from_secs_f64(minutes * 60.0)?, seed, report);
    if outcome.is_err() {
        say!("files are in {}", rollup.keep_files().display());
    }
    outcome
}

fn attack(
    rollup: &Rollup,
    etcd: &Etcd,
    lasts: Duration,
    seed: u64,
    report: &mut Report,
) -> Result<()> {
    let l1 = rollup.l1.client();
    report.doing("disturbances");
    let pair = Pair::start(rollup, [0, 1].map(|_| etcd.urls().join(",")), &rollup.place())?;
    let leader = pair.leader(None)?;
    let payers = payers(rollup, &pair.nodes[leader], PAYERS)?;
    testkit::enrich(
        l1,
        [Key::named("adversary"), Key::named("stranger")].map(|key| key.address()),
        1_000 * ETHER,
    )?;
    until_safe(pair.nodes[leader].client())?;
    let deployment = &rollup.deployment;
    let max_lag = ask(l1, deployment.rollup, &MAX_LAGCall {})?;
    let target = Target {
        bonds: deployment.preconf_bonds,
        sequencer: rollup.advance.address(),
        max_lag,
        fork: ProtocolFork::Osaka,
    };
    let shared = Shared::new([0, 1].map(|at| pair.nodes[at].client().url().to_owned()));
    let l2 = Mutex::new(OwnL2::new(l1, deployment, max_lag)?);
    let own_l1 = || Ok::<_, eyre::Report>(Client::new(l1.url(), ClientOptions::default())?);
    let mut accuser = Accuser::new(&shared, &l2, own_l1()?, target, seed);
    let since = number(l1)?;
    let mut disturber = Disturber {
        rollup,
        pair,
        shared: &shared,
        l2: &l2,
        random: Random::new(seed),
        since,
        counts: BTreeMap::new(),
    };
    let (mining, paying) = (own_l1()?, own_l1()?);
    let begun = Instant::now();
    thread::scope(|scope| {
        let collectors = [0, 1].map(|at| {
            scope.spawn({
                let shared = &shared;
                move || collect(shared, at)
            })
        });
        let miner = scope.spawn(|| mine(&shared, &mining));
        let traffic = scope.spawn(|| send_all(&shared, rollup, &paying, &payers));
        let accusing = scope.spawn(|| {
            let accused = accuser.run();
            // Ends the run after an error too.
            shared.stop.store(true, Ordering::Relaxed);
            accused
        });
        let mut outcome = Ok(());
        let mut reported = Instant::now();
        while begun.elapsed() < lasts && shared.is_running() && outcome.is_ok() {
            outcome = disturber.disturb();
            if reported.elapsed() > Duration::from_secs(60) {
                reported = Instant::now();
                let (messages, count) =
                    (shared.book().all.len(), disturber.counts.values().sum::<u64>());
                report.shown(format!(
                    "{:.0} s: {count} disturbances, {messages} signed messages seen",
                    begun.elapsed().as_secs_f64()
                ));
            }
        }
        if outcome.is_ok() && shared.is_running() {
            outcome = settle(&mut disturber);
        }
        shared.stop.store(true, Ordering::Relaxed);
        let panicked = |_| eyre!("a thread has panicked");
        let accused = accusing.join().map_err(panicked)?;
        traffic.join().map_err(panicked)?;
        miner.join().map_err(panicked)?;
        for collector in collectors {
            collector.join().map_err(panicked)??;
        }
        accused.and(outcome)
    })?;
    let lasted = begun.elapsed();
    conclude(&mut accuser, &disturber, lasted, report)?;
    check_adversary(rollup, &shared, &mut accuser, report)?;
    accuser.tally.require_exercised(lasted)?;
    report.end();
    Ok(())
}

/// Waits until all blocks are on L1, while the adversary continues.
fn settle(disturber: &mut Disturber<'_>) -> Result<()> {
    let leader = disturber.pair.leader(None)?;
    until_safe(disturber.pair.nodes[leader].client())?;
    sleep(Duration::from_secs(2));
    Ok(())
}

/// Sends transfers to the nodes and deposits from L1, until the run ends.
fn send_all(shared: &Shared, rollup: &Rollup, l1: &Client, payers: &[Key]) {
    let mut nonces = vec![0; payers.len()];
    let (mut known, mut clients) = (None, Vec::new());
    let mut deposited = Instant::now();
    let alice = Key::named("alice");
    while shared.is_running() {
        let urls = shared.urls();
        if known.as_ref() != Some(&urls) {
            clients = urls.iter().filter_map(|url| quick_client(url).ok()).collect();
            known = Some(urls);
        }
        for (payer, nonce) in payers.iter().zip(&mut nonces) {
            send(&clients, payer, nonce);
            sleep(TRANSFERS);
            if deposited.elapsed() >= DEPOSITS {
                deposited = Instant::now();
                let queue = rollup.deployment.message_queue;
                // Fails while L1 is reorganized.
                let _ = send_deposit(l1, L1_CHAIN, queue, &alice, payer.address(), 1);
            }
        }
    }
}

/// Checks that the bond is complete, apart from delays, and prints what was tried.
fn conclude(
    accuser: &mut Accuser<'_>,
    disturber: &Disturber<'_>,
    lasted: Duration,
    report: &mut Report,
) -> Result<()> {
    // The calls that still wait.
    for _ in 0..200 {
        accuser.turn()?;
    }
    if let Some((event, what)) = accuser.submit_found()? {
        return Err(eyre!("honest sequencer slashed, penalty {event:?}: {what}"));
    }
    let is_delay = |penalty: &IPreconfBonds::Slashed| penalty.fault == IPreconfBonds::Fault::Late;
    ensure!(accuser.accepted.iter().all(is_delay), "slashed: {:?}", accuser.accepted);
    let (left, _) = accuser.bond()?;
    let lost: U256 =
        accuser.accepted.iter().map(|accusation| accusation.burned + accusation.reward).sum();
    // An L1 reorg may have removed a penalty.
    ensure!(
        U256::from(BOND - left) <= lost,
        "the bond has lost {} wei, and all delays cost {lost}",
        BOND - left
    );
    let counts: Vec<_> =
        disturber.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    report.survived(format!("{:.1} minutes: {}", lasted.as_secs_f64() / 60.0, counts.join(", ")));
    let (judged, called) = accuser.tally.sums();
    report.shown(format!(
        "{} signed messages, {} pairs for the same number, judged at {} L1 heads, after {} L1 reorgs of up to {} blocks; {} \
         messages were never shown in full",
        accuser.messages(),
        accuser.pairs,
        accuser.heads,
        accuser.chain.reorgs,
        accuser.chain.deepest,
        accuser.incomplete()
    ));
    report.shown(format!(
        "{judged} judgements and {called} calls of the contract, {} left out:{}",
        accuser.dropped_calls, accuser.tally
    ));
    for (fault, reason) in accuser.tally.missing() {
        say!("\nNOT EXERCISED: no accusation of {} was rejected with {reason}", name(fault));
    }
    report.shown(format!(
        "bonds lost: 0; penalties for delays: {}, of {} ether in all",
        accuser.accepted.len(),
        alloy_primitives::utils::format_ether(lost)
    ));
    Ok(())
}

/// Shows the adversary one contradicting signature, for which it must win the bond.
fn check_adversary(
    rollup: &Rollup,
    shared: &Shared,
    accuser: &mut Accuser<'_>,
    report: &mut Report,
) -> Result<()> {
    let last = accuser.newest_in_force().ok_or_eyre("no signed message")?;
    let header = Header::decode(&mut &last.signed.header[..])?;
    let header = Header { timestamp: header.timestamp + 1, ..header };
    let message = Preconfirmation {
        block_hash: header.hash_slow(),
        l1_block: 0,
        l1_hash: B256::ZERO,
        ..last.signed.message
    };
    let domain = Domain { l1_chain_id: L1_CHAIN, contract: rollup.deployment.preconf_bonds };
    let signature = rollup.advance.sign_digest(&message.digest(&domain));
    shared.book().add(PrefixUpdate {
        message,
        signature: signature.as_bytes().into(),
        header: alloy_rlp::encode(&header).into(),
        first: 0,
        transactions: last.transactions.clone(),
        tip: 0,
        floor: 0,
    })?;
    let (before, _) = accuser.bond()?;
    accuser.turn()?;
    let (event, _) = accuser.submit_found()?.ok_or_eyre("the adversary has found nothing")?;
    let event = event.ok_or_eyre("L1 has not accepted the accusation")?;
    ensure!(event.fault == IPreconfBonds::Fault::Equivocation, "{event:?}");
    ensure!(event.burned + event.reward == U256::from(before), "{event:?}");
    ensure!(event.reward == U256::from(before / 10), "{event:?}");
    report.refused(format!(
        "with one contradicting signature of the same key the same adversary gets the bond: {} ether burned, {} ether \
         reward",
        alloy_primitives::utils::format_ether(event.burned),
        alloy_primitives::utils::format_ether(event.reward)
    ));
    Ok(())
}
