//! Hours of traffic and faults, with everything compared after each step.
//!
//! The choices follow from the seed; what the processes are doing when a fault meets them does not.

use crate::{
    processes::{
        L2_CHAIN, Rollup, balance, block_hash, receipt, shown, signed, status, until, until_safe,
    },
    report::Report,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::{Log, TransactionReceipt};
use alloy_sol_types::SolCall as _;
use client::Client;
use contracts::{
    L2_MESSENGER, PREMINT,
    bindings::{IL2Messenger, INativeRollup},
    sent_in,
};
use eyre::{Result, WrapErr as _, ensure};
use serde_json::{Value, json};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::{ETHER, GWEI, Key, NodeProcess};

/// Blocks on top of the first deposits before faults begin, and the deepest reorganisation.
const BURIED: u64 = 16;
const DEEPEST: u64 = 8;
/// Longest jump of L1's clock, in seconds: more than the rollup waits for blocks.
const LONGEST_JUMP: u64 = 7_200;

/// What goes wrong in a step.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Nothing,
    KillSequencer,
    KillFollower,
    KillBoth,
    Reorganise(u64),
    /// L1 does not answer for as many milliseconds.
    Hang(u64),
    /// L1's clock jumps by as many seconds.
    Jump(u64),
}

/// SplitMix64.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    const fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

struct Soak {
    rollup: Rollup,
    sequencer: NodeProcess,
    follower: NodeProcess,
    users: Vec<Key>,
    random: Random,
    /// Transactions that were acknowledged, and what they take back to L1.
    acknowledged: Vec<(B256, u128)>,
    /// How many of these are known to stand in blocks that L1 has.
    settled: usize,
    kills: u64,
    faults: u64,
}

/// Runs steps for so many minutes.
pub(crate) fn run(minutes: f64, seed: u64, report: &mut Report) -> Result<()> {
    report.part(&format!("Traffic and faults for {minutes} minutes, seed {seed}"));
    let end = Instant::now() + Duration::try_from_secs_f64(minutes * 60.0)?;
    let mut soak = Soak::begin(seed, report)?;
    let mut steps = 0;
    while Instant::now() < end {
        soak.step(report).wrap_err_with(|| format!("step {steps} of seed {seed}"))?;
        steps += 1;
    }
    soak.check_all()?;
    report.step(format!(
        "{steps} steps, {} faults, {} of them kills; {} transactions acknowledged, all of them on L1",
        soak.faults,
        soak.kills,
        soak.acknowledged.len()
    ));
    Ok(())
}

impl Soak {
    fn begin(seed: u64, report: &mut Report) -> Result<Self> {
        let rollup = Rollup::create(report)?;
        let (sequencer, follower) = (rollup.sequencer()?, rollup.kept_follower()?);
        let users: Vec<_> = ["bob", "carol", "dave", "erin"].map(Key::named).into_iter().collect();
        for user in &users {
            rollup.deposit(&Key::named("alice"), user.address(), 100 * ETHER)?;
        }
        for user in &users {
            until("a deposit", || {
                Ok(balance(sequencer.client(), user.address())? >= U256::from(100 * ETHER))
            })?;
        }
        until_safe(sequencer.client())?;
        rollup.l1.client().request::<_, Value>("anvil_mine", (BURIED,))?;
        let random = Random(seed);
        let (acknowledged, settled, kills, faults) = (Vec::new(), 0, 0, 0);
        Ok(Self {
            rollup,
            sequencer,
            follower,
            users,
            random,
            acknowledged,
            settled,
            kills,
            faults,
        })
    }

    const fn fault(&mut self) -> Fault {
        match self.random.below(12) {
            0..=3 => Fault::KillSequencer,
            4 => Fault::KillFollower,
            5 => Fault::KillBoth,
            6 | 7 => Fault::Reorganise(1 + self.random.below(DEEPEST)),
            8 | 9 => Fault::Hang(self.random.below(3_000)),
            10 => Fault::Jump(self.random.below(LONGEST_JUMP)),
            _ => Fault::Nothing,
        }
    }

    fn step(&mut self, report: &mut Report) -> Result<()> {
        let begun = Instant::now();
        self.traffic()?;
        // Whatever the nodes are at then.
        sleep(Duration::from_millis(self.random.below(900)));
        let fault = self.fault();
        self.suffer(fault)?;
        let sent = self.acknowledged.len() - self.settled;
        let safe = self.check().wrap_err_with(|| format!("after {fault:?}"))?;
        report.step(format!(
            "{fault:?}: {sent} transactions more, all on L1 in block {safe}, after {}",
            shown(begun)
        ));
        Ok(())
    }

    /// Transfers, deposits and withdrawals, as far as the sequencer takes them.
    fn traffic(&mut self) -> Result<()> {
        for _ in 0..self.random.below(4) {
            let user = self.random.below(self.users.len() as u64);
            let user = self.users[usize::try_from(user)?].clone();
            let withdraws = self.random.below(4) == 0;
            let l2 = self.sequencer.client();
            let (next, count) = (pending_nonce(l2, user.address())?, 1 + self.random.below(12));
            for nonce in next..next + count {
                let value = u128::from(1 + self.random.below(1_000));
                let (to, input, gas, back) = if withdraws {
                    (L2_MESSENGER, withdrawal(user.address()), 200_000, value)
                } else {
                    (Address::repeat_byte(0x5e), Bytes::new(), 21_000, 0)
                };
                let raw = signed(L2_CHAIN, &user, nonce, to.into(), value, input, gas);
                let hash = l2.request("eth_sendRawTransaction", (raw,))?;
                self.acknowledged.push((hash, back));
            }
        }
        if self.random.below(2) == 0 {
            let value = u128::from(1 + self.random.below(1_000)) * GWEI;
            self.rollup.deposit(&Key::named("alice"), self.users[0].address(), value)?;
        }
        Ok(())
    }

    fn suffer(&mut self, fault: Fault) -> Result<()> {
        let l1 = self.rollup.l1.client();
        self.faults += u64::from(!matches!(fault, Fault::Nothing));
        match fault {
            Fault::Nothing => {}
            Fault::KillSequencer => {
                self.kills += 1;
                self.sequencer.kill();
                self.sequencer = self.rollup.sequencer()?;
            }
            Fault::KillFollower => {
                self.kills += 1;
                self.follower.kill();
                self.follower = self.rollup.kept_follower()?;
            }
            Fault::KillBoth => {
                self.kills += 2;
                self.sequencer.kill();
                self.follower.kill();
                self.sequencer = self.rollup.sequencer()?;
                self.follower = self.rollup.kept_follower()?;
            }
            Fault::Reorganise(depth) => {
                l1.request::<_, Value>("anvil_reorg", (depth, Vec::<()>::new()))?;
            }
            Fault::Hang(milliseconds) => {
                self.rollup.l1.pause()?;
                sleep(Duration::from_millis(milliseconds));
                self.rollup.l1.resume()?;
            }
            Fault::Jump(seconds) => {
                l1.request::<_, Value>("evm_increaseTime", (seconds,))?;
                l1.request::<_, Value>("anvil_mine", (1,))?;
            }
        }
        Ok(())
    }

    /// Waits until nothing is under way, and compares; number of the newest block on L1.
    fn check(&mut self) -> Result<u64> {
        let (l1, l2) = (self.rollup.l1.client(), self.sequencer.client());
        until("all that was acknowledged", || {
            let new = &self.acknowledged[self.settled..];
            let stand = new.iter().map(|(hash, _)| is_included(l2, *hash));
            Ok(stand.collect::<Result<Vec<_>>>()?.into_iter().all(|stands| stands))
        })?;
        let mut safe = 0;
        until("sequencer, follower and L1 to agree", || {
            // Both are asked for the same block: L1 may go on meanwhile.
            let now = status(l2)?;
            safe = now.safe_head.number;
            let all = now.unsafe_head.number == safe && deposited(&self.rollup)? == relayed(l2)?;
            let behind = status(self.follower.client())?.safe_head.number < safe;
            Ok(all && !behind && head_of(l1, self.rollup.address)? == block_hash(l2, safe)?)
        })?;
        let theirs = block_hash(self.follower.client(), safe)?;
        ensure!(block_hash(l2, safe)? == theirs, "two L2s at block {safe}");
        self.settled = self.acknowledged.len();

        let mut back = U256::ZERO;
        for (hash, value) in self.acknowledged.iter().filter(|(_, value)| *value > 0) {
            ensure!(receipt(l2, *hash)?.status(), "withdrawal {hash} has failed");
            back += U256::from(*value);
        }
        let sent: U256 = messages(&self.rollup)?.into_iter().sum();
        let escrow = balance(l1, self.rollup.inbox)?;
        ensure!(escrow == sent, "{escrow} wei are locked up, and {sent} were deposited");
        let held = balance(l2, L2_MESSENGER)?;
        let expected = PREMINT - sent + back;
        ensure!(held == expected, "the messenger holds {held} wei instead of {expected}");
        Ok(safe)
    }

    /// That nothing of the whole run is lost.
    fn check_all(&self) -> Result<()> {
        for (hash, _) in &self.acknowledged {
            ensure!(is_included(self.sequencer.client(), *hash)?, "{hash} is lost");
            ensure!(is_included(self.follower.client(), *hash)?, "{hash} is lost for the follower");
        }
        Ok(())
    }
}

fn withdrawal(to: Address) -> Bytes {
    let call = IL2Messenger::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
    call.abi_encode().into()
}

fn pending_nonce(node: &Client, account: Address) -> Result<u64> {
    let nonce: U256 = node.request("eth_getTransactionCount", (account, "pending"))?;
    Ok(nonce.try_into()?)
}

fn is_included(node: &Client, hash: B256) -> Result<bool> {
    let found: Option<TransactionReceipt> = node.request("eth_getTransactionReceipt", (hash,))?;
    Ok(found.is_some())
}

/// Values of the messages that L1 has, in wei.
fn messages(rollup: &Rollup) -> Result<Vec<U256>> {
    let filter = json!({ "address": rollup.inbox, "fromBlock": "0x0" });
    let logs: Vec<Log> = rollup.l1.client().request("eth_getLogs", (filter,))?;
    let sent = sent_in(rollup.inbox, logs.iter().map(|log| &log.inner));
    Ok(sent.into_iter().map(|message| U256::from(message.value)).collect())
}

fn deposited(rollup: &Rollup) -> Result<u64> {
    Ok(messages(rollup)?.len() as u64)
}

fn relayed(l2: &Client) -> Result<u64> {
    let slot: B256 = l2.request("eth_getStorageAt", (L2_MESSENGER, "0x0", "latest"))?;
    Ok(U256::from_be_bytes(slot.0).as_limbs()[0])
}

/// The newest block of the L2, as L1 has it.
fn head_of(l1: &Client, rollup: Address) -> Result<B256> {
    let call = INativeRollup::blockHashCall {}.abi_encode();
    let request = json!({ "to": rollup, "input": Bytes::from(call) });
    Ok(l1.request("eth_call", (request, "latest"))?)
}
