//! `enshrine init`: creates the files of a new rollup.

use super::{
    genesis::First,
    keys::Keys,
    l1_slots, meaning,
    plan::{Delays, ForkMode, L1_SLOT_MILLIS, NodeConfig, Plan, Policy, SHARED_BONDS},
};
use crate::{execute::fork_since, output::say};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, U256, utils::format_ether, utils::parse_ether};
use alloy_rpc_types_eth::Block;
use chain::ForkTimes;
use clap::Args;
use client::{Client, ClientOptions};
use contracts::{Predeploys, l2_chain_config_following, l2_genesis};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result, WrapErr as _, ensure};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use wire::ProtocolFork;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder for the files. The scripts can write only below deployments/ of the checkout, and
    /// paths are stored as given, so name the folder relative to the top of the checkout, such as
    /// deployments/my-rollup.
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Chain id of the L2.
    #[arg(long, value_name = "ID", default_value_t = 8_079)]
    chain_id: u64,

    /// Fork of the L2's first block, which must be L1's: prague, osaka, bpo1, bpo2 or amsterdam;
    /// and the forks that L1 has scheduled, at L1's times, as in osaka,amsterdam@1800000000 or
    /// osaka,amsterdam@+86400 (seconds after the first block).
    #[arg(long, value_name = "FORKS", value_parser = parse_forks, default_value = "osaka")]
    fork: ForkTimes,

    /// Gas limit of L2 blocks.
    #[arg(long, value_name = "GAS", default_value_t = 10_000_000)]
    gas_limit: u64,

    /// Unix timestamp of the L2's first block, in seconds; must not be later than L1's time when
    /// the contracts are deployed [default: that of L1's latest block, or a minute ago if L1 does
    /// not respond]
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<u64>,

    /// Source of the rollup's forks; cannot be changed later.
    #[arg(long, value_enum, default_value_t = ForkMode::Follow)]
    fork_mode: ForkMode,

    /// Account that can pause deposits and delay large claims for three days if EXECUTE has a bug.
    /// It has no other power, cannot pause again right after a pause, and cannot be changed later
    /// [default: none]
    #[arg(long, value_name = "ADDRESS")]
    guardian: Option<Address>,

    /// Policy that decides who can advance the rollup. By default one sequencer has a head start,
    /// and anyone can advance once the head is 105 minutes old (105 seconds with --dev).
    #[arg(long, value_enum, default_value_t = Policy::Permissioned)]
    policy: Policy,

    /// Account of the sequencer, with --policy permissioned and preconfirmed [default: that of the
    /// advance key]
    #[arg(long, value_name = "ADDRESS")]
    sequencer: Option<Address>,

    /// Minimum bond of the sequencer in ether, with --policy preconfirmed [default: 10]
    #[arg(long, value_name = "ETHER", value_parser = parse_bond)]
    min_bond: Option<u64>,

    /// Account that can announce upgrades [default: none, which cannot be changed later]
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,

    /// Salt that, with the deployer's account, determines the contract addresses on L1 [default:
    /// unique to this L2]
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,

    /// Balance of the operator on the L2 at genesis, in ether. L1 cannot pay all withdrawals until
    /// the same amount is added to the escrow, by `L1MessageQueue.back`.
    #[arg(long, value_name = "ETHER", value_parser = parse_float, default_value = "1")]
    operator_float: U256,

    /// Use the shortest delays that the contracts accept, for development.
    #[arg(long)]
    dev: bool,

    /// JSON-RPC URL of L1, for the configuration of the node; its last 256 blocks determine
    /// rollup.l1_slot_millis.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    l1: String,

    /// RPC port in the configuration of the node.
    #[arg(long, value_name = "PORT", default_value_t = 9545)]
    http_port: u16,

    /// Print JSON instead of the next steps.
    #[arg(long)]
    json: bool,
}

/// Timeout of the request to L1, without whose response `init` can continue.
const L1_TIMEOUT: Duration = Duration::from_secs(3);

/// Parses a fork, or a schedule that begins with one.
fn parse_forks(text: &str) -> Result<ForkTimes, String> {
    if !text.contains([',', '@']) {
        return fork_since(ProtocolFork::Prague, text).map(ForkTimes::constant);
    }
    let forks: ForkTimes = text.parse().map_err(|error| format!("{error}"))?;
    fork_since(ProtocolFork::Prague, forks.first.name())?;
    Ok(forks)
}

fn parse_float(ether: &str) -> Result<U256, String> {
    let wei =
        parse_ether(ether).map_err(|error| format!("expected an amount of ether: {error}"))?;
    let most = U256::from(u64::MAX);
    (wei <= most).then_some(wei).ok_or_else(|| format!("at most {} ether", format_ether(most)))
}

/// Wei in a gwei, and gwei in an ether.
const GWEI: u64 = 1_000_000_000;

/// Default of the minimum bond, in gwei.
const MIN_BOND_GWEI: u64 = 10 * GWEI;

/// Parses the minimum bond, and returns it in gwei, as `rollup.toml` contains it.
fn parse_bond(ether: &str) -> Result<u64, String> {
    let wei =
        parse_ether(ether).map_err(|error| format!("expected an amount of ether: {error}"))?;
    let (gwei, rest) = wei.div_rem(U256::from(GWEI));
    match u64::try_from(gwei) {
        Ok(gwei) if gwei > 0 && rest.is_zero() => Ok(gwei),
        _ => Err(format!("expected whole gwei, from 1 to {}", u64::MAX)),
    }
}

/// Paths of a rollup's files, as the other files reference them.
struct Files {
    genesis: String,
    plan: String,
    node: String,
    keys: String,
    deployment: String,
    data: String,
    ignore: String,
}

impl Files {
    fn below(folder: &Path) -> Result<Self> {
        let file = |name| {
            let path = folder.join(name).into_os_string().into_string().ok();
            path.ok_or_eyre("the path of the folder is not valid UTF-8")
        };
        Ok(Self {
            genesis: file("genesis.json")?,
            plan: file("rollup.toml")?,
            node: file("node.toml")?,
            keys: file("keys.json")?,
            deployment: file("deployment.json")?,
            data: file("data")?,
            ignore: file(".gitignore")?,
        })
    }

    /// Returns an error if any of the files exists: a running chain could not be operated without
    /// them.
    fn refuse_to_overwrite(&self) -> Result<()> {
        for path in [&self.genesis, &self.plan, &self.node, &self.deployment, &self.data] {
            ensure!(
                !Path::new(path).exists(),
                "{path} already exists, and init overwrites nothing: choose another folder, or remove \
                 files that are no longer needed (keys in {} are kept and reused)",
                self.keys
            );
        }
        Ok(())
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    arguments.check()?;
    let files = Files::below(&arguments.folder)?;
    files.refuse_to_overwrite()?;
    fs::create_dir_all(&arguments.folder)
        .wrap_err_with(|| format!("cannot create the folder {}", arguments.folder.display()))?;
    // Written before the keys, so that they are never tracked by version control.
    if !Path::new(&files.ignore).exists() {
        write(&files.ignore, "keys.json\ndata/\n")?;
    }
    let keys = Keys::read_or_create(Path::new(&files.keys))?;
    let genesis = arguments.genesis(keys.operator.address)?;
    let first = First::of(&genesis)?;
    let salt = arguments.salt.clone().unwrap_or_else(|| {
        format!("{} {} {}", arguments.chain_id, first.block.hash, keys.advance.address)
    });
    let sequencer = arguments.sequencer.unwrap_or(keys.advance.address);
    let plan = Plan {
        salt: &salt,
        deployment: &files.deployment,
        genesis: &files.genesis,
        chain_id: arguments.chain_id,
        fork: arguments.fork.first,
        header: first.header(),
        owner: arguments.owner.unwrap_or_default(),
        fork_mode: arguments.fork_mode,
        guardian: arguments.guardian.unwrap_or_default(),
        policy: arguments.policy,
        sequencer,
        min_bond_gwei: arguments.min_bond_gwei(),
        delays: if arguments.dev { Delays::DEV } else { Delays::USUAL },
        // The values for Ethereum, if L1 does not respond.
        l1_slot_millis: arguments
            .l1_client()
            .and_then(|l1| l1_slots::least_millis(&l1, L1_SLOT_MILLIS))
            .unwrap_or_default(),
    };
    let node = NodeConfig {
        l1: &arguments.l1,
        deployment: &files.deployment,
        data_dir: &files.data,
        keys: &files.keys,
        http_port: arguments.http_port,
        block_time_ms: 1_000,
        idle_block_time_ms: if arguments.dev { 10_000 } else { 600_000 },
        submit_interval_ms: if arguments.dev { 2_000 } else { 12_000 },
        l1_confirmations: if arguments.dev { 0 } else { 4 },
        preconfirm: arguments.policy == Policy::Preconfirmed,
        float: (!arguments.operator_float.is_zero())
            .then_some((keys.operator.address, arguments.operator_float)),
    };
    write(&files.genesis, &(serde_json::to_string_pretty(&genesis)? + "\n"))?;
    let plan = plan.to_toml()?;
    write(&files.plan, &plan)?;
    write(&files.node, &node.to_toml())?;
    if arguments.json {
        let has_bond = arguments.policy == Policy::Preconfirmed;
        let document = json!({
            "chainId": arguments.chain_id,
            "fork": arguments.fork.first.name(),
            "forkMode": arguments.fork_mode.name(),
            "owner": arguments.owner.unwrap_or_default(),
            "guardian": arguments.guardian.unwrap_or_default(),
            "genesisHash": first.block.hash,
            "genesisStateRoot": first.block.header.state_root,
            "genesis": files.genesis,
            "rollup": files.plan,
            "node": files.node,
            "keys": files.keys,
            "deployment": files.deployment,
            "advance": keys.advance.address,
            "operator": keys.operator.address,
            "sequencer": arguments.policy.has_sequencer().then_some(sequencer),
            "bonds": has_bond.then_some(SHARED_BONDS),
            "minBondGwei": has_bond.then(|| arguments.min_bond_gwei()),
            "operatorFloat": arguments.operator_float.to_string(),
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        arguments.print_next_steps(&files, &keys, &first, &meaning::lines(&plan)?);
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn check(&self) -> Result<()> {
        ensure!(self.chain_id != 0, "--chain-id: 0, expected at least 1");
        ensure!(
            ChainSpec::known(self.chain_id).is_none(),
            "--chain-id: {} is a public network's, whose forks EXECUTE would apply; choose one that \
             no other chain has",
            self.chain_id
        );
        ensure!(
            u32::try_from(self.gas_limit).is_ok(),
            "--gas-limit: {}, but a rollup stores it in 32 bits: at most {}",
            self.gas_limit,
            u32::MAX
        );
        if let Some(sequencer) = self.sequencer {
            ensure!(
                self.policy.has_sequencer(),
                "--sequencer: only --policy permissioned and preconfirmed have one"
            );
            ensure!(!sequencer.is_zero(), "--sequencer: the zero address has no key");
        }
        ensure!(
            self.min_bond.is_none() || self.policy == Policy::Preconfirmed,
            "--min-bond: only --policy preconfirmed requires a bond"
        );
        Ok(())
    }

    /// Returns the minimum bond of the sequencer in gwei, with [`Policy::Preconfirmed`].
    fn min_bond_gwei(&self) -> u64 {
        self.min_bond.unwrap_or(MIN_BOND_GWEI)
    }

    /// Creates the genesis, with the operator's float if it is not zero.
    fn genesis(&self, operator: Address) -> Result<Genesis> {
        let timestamp = self.timestamp.map_or_else(|| self.begins(), Ok)?;
        let predeploys = Predeploys::built_in();
        // Include the system contracts of the newest fork: an L2 without those of a fork has no
        // valid block from that fork on, and the times of L1's later forks are not known yet.
        let newest = ProtocolFork::ALL.into_iter().max().unwrap_or(self.fork.last());
        let mut genesis = l2_genesis(&predeploys, newest, self.gas_limit, timestamp);
        let later = self.fork.timestamps((0, timestamp), None).wrap_err("--fork")?;
        genesis.config = l2_chain_config_following(self.chain_id, self.fork.first, &later);
        if !self.operator_float.is_zero() {
            let account = GenesisAccount { balance: self.operator_float, ..Default::default() };
            genesis.alloc.insert(operator, account);
        }
        Ok(genesis)
    }

    /// Returns a genesis timestamp for contracts that are deployed from now on. `forge script`
    /// first simulates the deployment on L1's latest block, which may be a slot old, or hours on an
    /// L1 that mines only on demand.
    fn begins(&self) -> Result<u64> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .wrap_err("the system clock is before 1970: use --timestamp")?
            .as_secs();
        let latest = self
            .l1_client()
            .and_then(|l1| Ok(l1.request::<_, Block>("eth_getBlockByNumber", ("latest", false))?));
        Ok(match latest {
            Ok(block) => now.min(block.header.timestamp),
            Err(_) => now.saturating_sub(60),
        })
    }

    /// Returns a client of L1.
    fn l1_client(&self) -> Result<Client> {
        let options = ClientOptions { timeout: L1_TIMEOUT, ..ClientOptions::default() };
        Ok(Client::new(&self.l1, options)?)
    }

    /// Prints the created files and the next steps.
    fn print_next_steps(&self, files: &Files, keys: &Keys, first: &First, meanings: &[String]) {
        let (l1, advance) = (&self.l1, keys.advance.address);
        let Files { genesis, plan, node, keys: key_file, deployment, .. } = files;
        say!("L2 {} ({}) starts at {}", self.chain_id, self.fork, first.block.hash);
        say!("  {genesis}   genesis of the L2, in the format of geth and reth");
        say!("  {plan}    configuration of script/Deploy.s.sol");
        say!("  {node}      configuration of a node");
        say!("  {key_file}      keys of the sequencer, for development; keep them secret");
        say!("");
        say!("Parameters of the rollup, which you can change in {plan} before the deployment:");
        say!("");
        for line in meanings {
            say!("  {line}");
        }
        say!("");
        say!(
            "Next, at the top of the checkout, with an L1 at {l1} (such as `enshrine devnet --mainnet`):"
        );
        say!("");
        say!("  # Deploy the contracts, from any account with ether. Writes {deployment}.");
        say!(
            "  npx forge script script/Deploy.s.sol --sig 'run(string)' {plan} \\\n      \
             --rpc-url {l1} --broadcast --slow --private-key KEY"
        );
        say!("  # Fund the sequencer on L1.");
        let bond = match self.policy {
            Policy::Preconfirmed => U256::from(self.min_bond_gwei()) * U256::from(GWEI),
            _ => U256::ZERO,
        };
        let funds = format_ether(U256::from(10) * U256::from(GWEI) * U256::from(GWEI) + bond);
        let funds = funds.trim_end_matches('0').trim_end_matches('.');
        say!("  npx cast send {advance} --value {funds}ether --rpc-url {l1} --private-key KEY");
        if !bond.is_zero() {
            say!("  # Deposit its bond, without which it may not advance the rollup.");
            say!(
                "  enshrine bond deposit {} --l1 {l1} --deployment {deployment} \\\n      \
                 --advance-key {key_file}",
                format_ether(bond).trim_end_matches('0').trim_end_matches('.')
            );
        }
        say!("  enshrine node --config {node}");
        if self.operator_float.is_zero() {
            return;
        }
        let float = format_ether(self.operator_float);
        let float = float.trim_end_matches('0').trim_end_matches('.');
        say!("");
        say!(
            "The operator has {float} ether on the L2 at genesis, which no ether on L1 backs yet. Until it is \
             backed,\nL1 cannot pay all withdrawals. Add the same amount to the escrow, from which it cannot be \
             withdrawn:"
        );
        say!("");
        say!(
            "  npx forge script script/Operate.s.sol --sig 'back(string,uint256)' \\\n      \
             {deployment} {} --rpc-url {l1} --broadcast --private-key KEY",
            self.operator_float
        );
        say!("");
        say!("A follower must accept this float:");
        say!("");
        say!(
            "  enshrine node --role follower --deployment {deployment} --l1 {l1} \\\n      \
             --allow-balance {}={}",
            keys.operator.address,
            self.operator_float
        );
    }
}

/// Creates a file; fails if it exists.
fn write(path: &str, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .wrap_err_with(|| format!("cannot write {path}"))
}
