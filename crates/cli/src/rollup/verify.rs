//! `enshrine verify`: checks the genesis of a rollup, and its contracts on L1.

mod backing;
mod bonded;
mod exits;

use self::{backing::Backing, bonded::BondedPolicy, exits::Exits};
use super::{Node, allowance::parse_pair, exit::totals::Totals, plan::ForkMode};
use crate::output::{print_stderr, say};
use alloy_primitives::{Address, B256, U64, U256};
use alloy_rpc_types_eth::Log;
use alloy_sol_types::SolEvent as _;
use clap::Args;
use contracts::{
    Deployment, GenesisAllowance, allocated_ether,
    bindings::{
        IL1MessageQueue::guardianCall,
        INativeRollup::{
            self, BlockAdded, CHAIN_IDCall, FORK_MODECall, announcementsCall, blockHashCall,
            headCall, ownerCall, pendingOwnerCall, stateRootAtCall,
        },
    },
    check_genesis,
};
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use serde::Serialize;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Deployment file, with the genesis in it or in genesis.json in the same folder.
    #[arg(value_name = "DEPLOYMENT")]
    file: PathBuf,

    /// JSON-RPC URL of L1, to compare the first block with that of the rollup contract too.
    #[arg(long, value_name = "URL")]
    l1: Option<String>,

    /// Account that may have ETH at genesis, with the maximum amount in wei; can be repeated.
    #[arg(long, value_name = "ADDRESS=WEI", value_parser = parse_pair::<Address, U256>)]
    allow_balance: Vec<(Address, U256)>,

    /// Account that may have code at genesis, with the code hash; can be repeated. Its storage is
    /// not checked.
    #[arg(long, value_name = "ADDRESS=HASH", value_parser = parse_pair::<Address, B256>)]
    allow_code: Vec<(Address, B256)>,

    /// Accept a rollup whose owner has announced changes of its rules, and print them.
    #[arg(long, requires = "l1")]
    allow_announced_changes: bool,

    /// Accept a rollup whose escrow lacks ETH for what the genesis allocates, and print the amount.
    #[arg(long, requires = "l1")]
    allow_unbacked: bool,

    /// Data directory of a stopped node, to print how much of the escrow the accounts of its state
    /// would be paid if the rollup were no longer advanced, and how much belongs to contracts of
    /// the L2.
    #[arg(long, value_name = "FOLDER", requires = "l1")]
    data_dir: Option<PathBuf>,

    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    // `read` compares the genesis with the state root and the hash in the file.
    let deployment = Deployment::read(&arguments.file)?;
    let on_l1 = match &arguments.l1 {
        Some(url) => Some(compare_with_l1(url, &deployment, arguments.data_dir.as_deref())?),
        None => None,
    };
    let allowance = GenesisAllowance {
        balances: arguments.allow_balance.iter().copied().collect(),
        codes: arguments.allow_code.iter().copied().collect(),
    };
    let genesis = &deployment.genesis;
    let mut findings: Vec<String> =
        check_genesis(genesis, &allowance).iter().map(ToString::to_string).collect();
    if let Some(on_l1) = &on_l1
        && !arguments.allow_announced_changes
    {
        findings.extend(on_l1.announced.iter().map(|change| {
            format!("{}; accept it with --allow-announced-changes", change.description())
        }));
    }
    if let Some(OnL1 { backing, .. }) = &on_l1
        && !backing.missing().is_zero()
        && !arguments.allow_unbacked
    {
        findings.push(backing.finding());
    }
    let bonded = on_l1.as_ref().and_then(|checked| checked.bonded.as_ref());
    findings.extend(bonded.iter().flat_map(|bonded| bonded.findings.iter().cloned()));
    let owed = allocated_ether(genesis);
    let exits = on_l1.as_ref().and_then(|checked| checked.exits);
    if arguments.json {
        let document = json!({
            "valid": findings.is_empty(),
            "genesisHash": deployment.genesis_hash,
            "genesisStateRoot": deployment.genesis_state_root,
            "comparedWithL1": arguments.l1.is_some(),
            "guardian": on_l1.as_ref().map(|checked| checked.guardian),
            "owner": on_l1.as_ref().map(|checked| checked.owner),
            "ownershipOfferedTo": on_l1.as_ref().map(|checked| checked.offered_to),
            "announced": on_l1.as_ref().map(|checked| &checked.announced),
            "forks": on_l1.as_ref().map(|checked| checked.forks.name()),
            "nextForkOfL1": on_l1.as_ref().map(OnL1::next_fork),
            "preconfBonds": bonded.map(|bonded| bonded.bonds),
            "minBondWei": bonded.map(|bonded| bonded.min_bond.to_string()),
            "postDelaySeconds": bonded.and_then(|bonded| bonded.post_delay),
            "accounts": genesis.alloc.len(),
            "owedWei": owed.to_string(),
            "backedWei": on_l1.as_ref().map(|checked| checked.backing.backed.to_string()),
            "missingWei": on_l1.as_ref().map(|checked| checked.backing.missing().to_string()),
            "escrowWei": on_l1.as_ref().map(|checked| checked.backing.escrow.to_string()),
            "exitBlockNumber": exits.map(|exits| exits.number),
            "exitPayableWei": exits.map(|exits| exits.totals.payable.wei.to_string()),
            "exitContractsWei": exits.map(|exits| exits.totals.contracts.wei.to_string()),
            "findings": findings,
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        say!("genesis     {}", deployment.genesis_hash);
        say!("state root  {}", deployment.genesis_state_root);
        say!("accounts    {}", genesis.alloc.len());
        say!("owed        {owed} wei outside L2Messenger");
        if let Some(on_l1) = &on_l1 {
            let Backing { backed, escrow, .. } = on_l1.backing;
            say!("escrow      {escrow} wei");
            say!("backed      {backed} wei, missing {} wei", on_l1.backing.missing());
            if let Some(Exits { number, totals: Totals { payable, contracts } }) = exits {
                say!(
                    "exits       {} wei of {} accounts after block {number}; {} wei of {} contracts would stay",
                    payable.wei,
                    payable.accounts,
                    contracts.wei,
                    contracts.accounts
                );
            }
            match on_l1.guardian {
                Address::ZERO => say!("guardian    none"),
                account => say!("guardian    {account} may pause deposits and delay large claims"),
            }
            match on_l1.owner {
                Address::ZERO => say!("owner       none"),
                account => say!("owner       {account}"),
            }
            if !on_l1.offered_to.is_zero() {
                say!("            ownership is offered to {}", on_l1.offered_to);
            }
            for change in &on_l1.announced {
                say!("announced   {}", change.description());
            }
            if let Some(BondedPolicy { policy, bonds, min_bond, post_delay, .. }) = bonded {
                say!("policy      {policy}");
                match *bonds {
                    Address::ZERO => say!("bond        none"),
                    bonds => say!("bond        at least {min_bond} wei in the registry {bonds}"),
                }
                if let Some(delay) = post_delay {
                    say!("            anyone may post signed blocks that are {delay} s old");
                }
            }
            say!("forks       {}: {}", on_l1.forks.name(), on_l1.next_fork());
        }
        for finding in &findings {
            print_stderr(format_args!("{finding}"));
        }
        if findings.is_empty() {
            say!("All checks passed.");
            if arguments.l1.is_none() {
                say!("Not compared with the rollup contract on L1: use --l1.");
            }
        }
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Privileged accounts and pending changes of a rollup, read from its contracts on L1.
#[derive(Debug)]
struct OnL1 {
    /// Account that can pause the message queue, or zero.
    guardian: Address,
    /// Owner of the rollup, or zero.
    owner: Address,
    /// Account to which the owner offers the rollup, or zero.
    offered_to: Address,
    /// Changes that the owner has announced and neither executed nor withdrawn.
    announced: Vec<AnnouncedChange>,
    /// Source of the rollup's forks.
    forks: ForkMode,
    /// What the escrow has for the ETH of the genesis.
    backing: Backing,
    /// The policy, if it requires a bond or lets any account post signed blocks.
    bonded: Option<BondedPolicy>,
    /// What exits would pay, if a state is available.
    exits: Option<Exits>,
}

/// A change of the rollup's rules that its owner has announced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AnnouncedChange {
    /// `policy`, `gas limit`, `fork` or `verification`.
    change: &'static str,
    /// New value: an address, a gas limit, or `timestamp << 16 | schema`.
    value: U256,
    /// L1 timestamp from which the change can be executed, once it is cleared.
    ready_at: u64,
    /// Whether all obligations that the change has to wait for are settled.
    cleared: bool,
}

impl AnnouncedChange {
    fn description(&self) -> String {
        let Self { change, value, ready_at, cleared } = self;
        let state = if *cleared { "cleared" } else { "not cleared yet" };
        format!(
            "change of the {change} to {value:#x}, {state}, can be made from timestamp {ready_at} on"
        )
    }
}

impl TryFrom<INativeRollup::Announcement> for AnnouncedChange {
    type Error = eyre::Report;

    fn try_from(it: INativeRollup::Announcement) -> Result<Self> {
        let change = match it.change {
            INativeRollup::Change::Policy => "policy",
            INativeRollup::Change::GasLimit => "gas limit",
            INativeRollup::Change::Fork => "fork",
            INativeRollup::Change::Verification => "verification",
            INativeRollup::Change::__Invalid => {
                bail!("the owner has announced a change of an unknown kind")
            }
        };
        Ok(Self { change, value: it.value, ready_at: it.readyAt, cleared: it.cleared })
    }
}

impl OnL1 {
    fn next_fork(&self) -> &'static str {
        self.forks.consequence(self.owner.is_zero())
    }
}

/// Compares the first block with that of the contract on L1, and reads privileged accounts and
/// announced changes from the contracts.
///
/// The contract stores only the hash of its newest block, and the state roots of 8,191 blocks. The
/// event of its constructor is permanent.
fn compare_with_l1(url: &str, deployment: &Deployment, data_dir: Option<&Path>) -> Result<OnL1> {
    let l1 = Node::connect("L1", url, Some(deployment.l1_chain_id))?;
    let rollup = deployment.rollup;
    let chain_id = l1.call(rollup, &CHAIN_IDCall {})?;
    ensure!(
        chain_id == deployment.l2_chain_id,
        "the rollup at {rollup} has chain id {chain_id}, expected {}",
        deployment.l2_chain_id
    );
    let first = deployment.genesis.number.unwrap_or_default();
    let (hash, root) = match l1.call(rollup, &headCall {})?.number {
        head if head == first => {
            let root = l1.call(rollup, &stateRootAtCall { number: first })?;
            (l1.call(rollup, &blockHashCall {})?, root)
        }
        _ => started_at(&l1, deployment, first)?,
    };
    for (name, got, expected) in [
        ("block hash", hash, deployment.genesis_hash),
        ("state root", root, deployment.genesis_state_root),
    ] {
        ensure!(
            got == expected,
            "the rollup at {rollup} started from another block: {name} {got}, but the deployment file \
             has {expected}"
        );
    }
    let forks = match l1.call(rollup, &FORK_MODECall {})? {
        INativeRollup::ForkMode::Follow => ForkMode::Follow,
        INativeRollup::ForkMode::Registry => ForkMode::Registry,
        INativeRollup::ForkMode::Pinned => ForkMode::Pinned,
        INativeRollup::ForkMode::__Invalid => {
            bail!("the rollup at {rollup} has an unknown source of forks")
        }
    };
    Ok(OnL1 {
        guardian: l1.call(deployment.message_queue, &guardianCall {})?.account,
        owner: l1.call(rollup, &ownerCall {})?,
        offered_to: l1.call(rollup, &pendingOwnerCall {})?,
        announced: l1
            .call(rollup, &announcementsCall {})?
            .into_iter()
            .map(AnnouncedChange::try_from)
            .collect::<Result<_>>()?,
        forks,
        backing: Backing::read(&l1, deployment)?,
        bonded: BondedPolicy::read(&l1, deployment)?,
        exits: data_dir.map(|folder| Exits::read(&l1, deployment, folder)).transpose()?,
    })
}

/// Reads hash and state root of the first block from the event of the constructor.
fn started_at(l1: &Node, deployment: &Deployment, first: u64) -> Result<(B256, B256)> {
    let filter = json!([{
        "address": deployment.rollup,
        "fromBlock": U64::from(deployment.l1_block),
        "toBlock": "latest",
        "topics": [BlockAdded::SIGNATURE_HASH, B256::from(U256::from(first))],
    }]);
    let logs: Vec<Log> = l1.request("eth_getLogs", filter)?;
    let log = logs
        .first()
        .ok_or_eyre("the L1 node has no event of the rollup's first block: use an archive node")?;
    let event = BlockAdded::decode_log(&log.inner).wrap_err("event of the rollup's first block")?;
    Ok((event.blockHash, event.stateRoot))
}
