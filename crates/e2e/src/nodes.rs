//! The L2 as processes: an L1, a sequencer and followers, connected only by sockets.

mod faults;
mod traffic;
mod wallet;

use crate::bridge;
use alloy_primitives::{Address, B256, Bytes, U256, utils::format_ether};
use alloy_sol_types::SolCall;
use client::Client;
use contracts::{L2_MESSENGER, PREMINT, bindings::IL2Messenger};
use eyre::{OptionExt, Result, ensure};
use std::time::Instant;
use testkit::localnet::{
    bridge::Token,
    budget::Budget,
    processes::{Deploying, L2_CHAIN, Rollup, claim},
    report::{Figures, Report},
    requests::{
        balance, block_hash, nonce, receipt, send, shown, signed, status, until, until_safe,
    },
    scripts::versions,
};
use testkit::{ETHER, Key, NodeProcess};

/// Number of L2 transfers in the throughput measurement.
const TRANSFERS: u64 = 200;

/// Nodes that are still running at the end of this part.
pub(crate) struct Nodes {
    rollup: Rollup,
    sequencer: NodeProcess,
    follower: NodeProcess,
}

impl Nodes {
    /// Formats the URLs of the nodes, and commands to try.
    pub(crate) fn what_to_try(&self) -> String {
        let urls =
            [&self.rollup.l1, &self.sequencer, &self.follower].map(|node| node.client().url());
        let [l1, l2, follower] = urls;
        let commands = to_try(l2, follower, &Key::named("alice"));
        format!(
            "Left running until it is interrupted:\n  L1         {l1}\n  sequencer  {l2}\n  follower   \
             {follower}\n  files      {}\n\nTo try:\n  {}",
            self.rollup.place().display(),
            commands.join("\n  ")
        )
    }
}

/// Returns commands to try with a sequencer and a follower at these URLs and with this key.
fn to_try(l2: &str, follower: &str, key: &Key) -> [String; 4] {
    let (secret, address) = (key.secret(), key.address());
    [
        format!(
            "npx cast send 0x0000000000000000000000000000000000000b0b --value 1gwei --rpc-url {l2} \
             --private-key {secret}"
        ),
        format!("npx cast rpc rollup_syncStatus --rpc-url {l2}"),
        format!("npx cast balance {address} --rpc-url {follower}"),
        format!("curl {l2}metrics"),
    ]
}

pub(crate) fn run(report: &mut Report) -> Result<Nodes> {
    report.part("The L2 as processes: devnet, sequencer, follower");
    let rollup = Rollup::create(Deploying::ByScripts, report)?;
    report.versions = versions(rollup.scripts.tools());
    let sequencer = rollup.sequencer()?;
    let l2 = sequencer.client();
    report.built(format!("sequencer listens at {}", l2.url()));
    let follower = rollup.follower()?;
    report.built(format!("follower listens at {}", follower.client().url()));
    let (alice, bob) = (Key::named("alice"), Key::named("bob").address());
    let mut figures = Figures::default();

    let begun = Instant::now();
    rollup.deposit(&alice, alice.address(), 5 * ETHER)?;
    until("the deposit", || Ok(balance(l2, alice.address())? >= U256::from(5 * ETHER)))?;
    figures.deposit_seconds = begun.elapsed().as_secs_f64();
    report.shown(format!("Alice's deposit arrives on the L2 after {}", shown(begun)));

    let begun = Instant::now();
    let hash = send(l2, L2_CHAIN, &alice, bob.into(), ETHER, Bytes::new(), 21_000)?;
    let included = receipt(l2, hash)?;
    let number = included.block_number.ok_or_eyre("a receipt without a block")?;
    figures.transfer_seconds = begun.elapsed().as_secs_f64();
    report.shown(format!("a transfer is in L2 block {number} after {}", shown(begun)));
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    figures.transfer_on_l1_seconds = begun.elapsed().as_secs_f64();
    report.shown(format!("that block is on L1 after {}", shown(begun)));
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= number))?;
    ensure!(
        block_hash(l2, number)? == block_hash(follower.client(), number)?,
        "the nodes have different blocks"
    );
    report.shown("the follower derives the block from L1 with the same hash".to_owned());
    throughput(l2, &alice, bob, &mut figures, report)?;

    report.part("User transactions, token bridge, withdrawals");
    traffic::run(&rollup, l2, &alice, report)?;
    let token = bridge::deposit(&rollup, l2, &alice, &|| Ok(()), report)?;
    withdraw(&rollup, l2, &alice, &token, &mut figures, report)?;

    report.part("Censorship, crashes and an L1 reorg");
    faults::force(&rollup, l2, &alice, report)?;
    wallet::run(&rollup, l2, &alice, &token, report)?;
    let sequencer = faults::kill(&rollup, sequencer, report)?;
    faults::reorganise(&rollup, sequencer.client(), report)?;
    let l2 = sequencer.client();
    let safe = until_safe(l2)?;
    until("the follower", || Ok(status(follower.client())?.safe_head.number >= safe))?;
    ensure!(
        block_hash(l2, safe)? == block_hash(follower.client(), safe)?,
        "the nodes have different blocks"
    );
    let sequencer = faults::take_over(&rollup, sequencer, report)?;
    let fresh = rollup.follower()?;
    until("a fresh follower", || Ok(status(fresh.client())?.safe_head.number >= safe))?;
    ensure!(
        block_hash(fresh.client(), safe)? == block_hash(follower.client(), safe)?,
        "the nodes have different blocks"
    );
    report.survived(format!(
        "a new follower derives all {safe} blocks from L1 alone, with the same hash"
    ));

    report.part("Bridge balances");
    let l2 = sequencer.client();
    until_safe(l2)?;
    let escrow = balance(rollup.l1.client(), rollup.deployment.message_queue)?;
    let owed = PREMINT - balance(l2, L2_MESSENGER)?;
    ensure!(escrow == owed, "{escrow} wei in escrow, but {owed} wei on the L2");
    let ether = format_ether(escrow);
    let ether = ether.trim_end_matches('0').trim_end_matches('.');
    report.shown(format!("L1 holds {ether} ETH in escrow, and the L2 has issued as much"));
    bridge::check(&token, &rollup, l2, report)?;
    report.figures = Some(figures);
    Ok(Nodes { rollup, sequencer, follower })
}

fn throughput(
    l2: &Client,
    alice: &Key,
    bob: Address,
    figures: &mut Figures,
    report: &mut Report,
) -> Result<()> {
    let begun = Instant::now();
    let nonce = nonce(l2, alice.address())?;
    let mut last = B256::ZERO;
    for index in 0..TRANSFERS {
        let raw = signed(L2_CHAIN, alice, nonce + index, bob.into(), 1, Bytes::new(), 21_000);
        last = l2.request("eth_sendRawTransaction", (raw,))?;
    }
    let accepted = begun.elapsed().as_secs_f64();
    let budget = Budget::of(l2)?;
    let number = receipt(l2, last)?.block_number.ok_or_eyre("a receipt without a block")?;
    let included = begun.elapsed().as_secs_f64();
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    let settled = begun.elapsed().as_secs_f64();
    let rate = |seconds: f64| TRANSFERS as f64 / seconds;
    figures.accepted_per_second = rate(accepted);
    figures.included_per_second = rate(included);
    figures.settled_per_second = rate(settled);
    report.shown(format!(
        "{TRANSFERS} transfers are accepted in {accepted:.1} s, in blocks after {included:.1} s, on L1 after \
         {settled:.1} s"
    ));
    report.shown(format!(
        "under mainnet's limits, the limiting resource of a block of them is {}",
        budget.shown()
    ));
    Ok(())
}

/// Withdraws ether and tokens to L1.
fn withdraw(
    rollup: &Rollup,
    l2: &Client,
    alice: &Key,
    token: &Token,
    figures: &mut Figures,
    report: &mut Report,
) -> Result<()> {
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
    claim(rollup, l2, alice, 0)?;
    ensure!(
        balance(rollup.l1.client(), target)? == U256::from(2 * ETHER),
        "Dave has another balance"
    );
    figures.withdrawal_seconds = begun.elapsed().as_secs_f64();
    report.shown(format!("2 ETH are withdrawn, proven and claimed on L1 after {}", shown(begun)));
    let number = bridge::withdraw(token, l2, alice)?;
    until("L1", || Ok(status(l2)?.safe_head.number >= number))?;
    claim(rollup, l2, alice, 1)?;
    bridge::check(token, rollup, l2, report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use client::ClientOptions;
    use std::process::Command;
    use toolchain::{Toolchain, progress_to_stderr};

    /// Returns `true` if a command can be run unchanged: a program that this project requires, with
    /// an existing subcommand, existing flags and an existing method.
    fn is_well_formed(tools: &Toolchain, command: &str) -> bool {
        let words: Vec<_> = command.split(' ').collect();
        match &words[..] {
            ["curl", url] => {
                let page =
                    url.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/'));
                page.is_some_and(|(port, page)| port.parse::<u16>().is_ok() && page == "metrics")
            }
            ["npx", "cast", name, rest @ ..] => {
                let help = Command::new(tools.cast()).args([*name, "--help"]).output().unwrap();
                let text = String::from_utf8(help.stdout).unwrap();
                let is_there = |flag: &&str| {
                    let mut known = text.split(|c: char| c != '-' && !c.is_alphanumeric());
                    !flag.starts_with("--") || known.any(|known| known == *flag)
                };
                let methods = include_str!("../../../docs/methods.md");
                let method = rest.first().filter(|_| *name == "rpc");
                help.status.success()
                    && rest.iter().all(is_there)
                    && method.is_none_or(|method| methods.contains(&format!("`{method}`")))
            }
            _ => false,
        }
    }

    #[test]
    fn printed_commands_can_be_pasted() {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let node = |port: u16| {
            Client::new(&format!("http://127.0.0.1:{port}"), ClientOptions::default()).unwrap()
        };
        let (l2, follower) = (node(9_545), node(9_546));
        for command in to_try(l2.url(), follower.url(), &Key::named("alice")) {
            assert!(is_well_formed(&tools, &command), "{command}");
        }
        for command in [
            "npx cast dispatch 0x0b --rpc-url http://127.0.0.1:9545/",
            "npx cast balance 0x0b --rpc-ulr http://127.0.0.1:9545/",
            "npx cast rpc rollup_syncstatus --rpc-url http://127.0.0.1:9545/",
            "curl http://127.0.0.1:9545metrics",
            "wget http://127.0.0.1:9545/metrics",
        ] {
            assert!(!is_well_formed(&tools, command), "{command}");
        }
    }
}
