//! `enshrine init`.

use super::{
    genesis::First,
    keys::Keys,
    meaning,
    plan::{Delays, ForkMode, NodeConfig, Plan, Policy},
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
    /// Folder for the files. The scripts may write below deployments/ of the checkout only, and
    /// paths are written down as they are given: so name it from the top of the checkout, as in
    /// deployments/my-rollup.
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Chain id of the L2.
    #[arg(long, value_name = "ID", default_value_t = 8_079)]
    chain_id: u64,

    /// The rules by which the L2 begins, those of L1: prague, osaka, bpo1, bpo2 or amsterdam; and
    /// the forks that L1 has scheduled, with the times at which L1 forks, as in
    /// osaka,amsterdam@1800000000 or osaka,amsterdam@+86400 (after the first block).
    #[arg(long, value_name = "FORKS", value_parser = parse_forks, default_value = "osaka")]
    fork: ForkTimes,

    /// Gas limit of the L2's blocks.
    #[arg(long, value_name = "GAS", default_value_t = 10_000_000)]
    gas_limit: u64,

    /// Time of the L2's first block, in seconds since 1970: no later than L1's when the contracts
    /// are deployed [default: that of L1's latest block, or a minute ago if L1 does not answer]
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<u64>,

    /// Source of the rollup's forks, for good.
    #[arg(long, value_enum, default_value_t = ForkMode::Follow)]
    fork_mode: ForkMode,

    /// Account that may pause deposits and delay large claims for three days if EXECUTE has a bug,
    /// for good. It can do nothing else, and not at once again [default: no account]
    #[arg(long, value_name = "ADDRESS")]
    guardian: Option<Address>,

    /// Policy for advancing the rollup. By default one sequencer has a head start, and the rollup
    /// is open to anyone once its head is 90 minutes old (90 seconds with --dev).
    #[arg(long, value_enum, default_value_t = Policy::Permissioned)]
    policy: Policy,

    /// The one account, with --policy permissioned [default: that of the advance key]
    #[arg(long, value_name = "ADDRESS")]
    sequencer: Option<Address>,

    /// Account that may announce upgrades [default: none, for good]
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,

    /// With the deployer's account this decides the addresses on L1 [default: one that no other L2
    /// has]
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,

    /// Ether that the operator has on the L2 at genesis. Nothing on L1 backs it until the same
    /// amount is deposited to an account without a known key.
    #[arg(long, value_name = "ETHER", value_parser = parse_float, default_value = "1")]
    operator_float: U256,

    /// The shortest delays that the contracts accept, for trying things out.
    #[arg(long)]
    dev: bool,

    /// JSON-RPC address of L1, for the node.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    l1: String,

    /// Port of the node.
    #[arg(long, value_name = "PORT", default_value_t = 9545)]
    http_port: u16,

    /// JSON instead of what to do next.
    #[arg(long)]
    json: bool,
}

/// Timeout for L1, which `init` can do without.
const L1_TIMEOUT: Duration = Duration::from_secs(3);

/// A fork, or a schedule that begins with one.
fn parse_forks(text: &str) -> Result<ForkTimes, String> {
    if !text.contains([',', '@']) {
        return fork_since(ProtocolFork::Prague, text).map(ForkTimes::constant);
    }
    let forks: ForkTimes = text.parse().map_err(|error| format!("{error}"))?;
    fork_since(ProtocolFork::Prague, forks.first.name())?;
    Ok(forks)
}

fn parse_float(ether: &str) -> Result<U256, String> {
    let wei = parse_ether(ether).map_err(|error| format!("an amount of ether: {error}"))?;
    let most = U256::from(u64::MAX);
    (wei <= most).then_some(wei).ok_or_else(|| format!("at most {} ether", format_ether(most)))
}

/// The files of a rollup, and their names as others are to read them.
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
            path.ok_or_eyre("the name of the folder is not UTF-8, and no file could name it")
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

    /// Refuses to overwrite a file: without them, a running chain cannot be operated any more.
    fn refuse_to_overwrite(&self) -> Result<()> {
        for path in [&self.genesis, &self.plan, &self.node, &self.deployment, &self.data] {
            ensure!(
                !Path::new(path).exists(),
                "{path} is there already, and init overwrites nothing: name another folder, or remove \
                 what is no longer needed (keys in {} are kept and used again)",
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
        .wrap_err_with(|| format!("cannot make the folder {}", arguments.folder.display()))?;
    // First, lest the keys be put under version control in between.
    if !Path::new(&files.ignore).exists() {
        write(&files.ignore, "keys.json\ndata/\n")?;
    }
    let keys = Keys::read_or_make(Path::new(&files.keys))?;
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
        delays: if arguments.dev { Delays::DEV } else { Delays::USUAL },
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
        float: (!arguments.operator_float.is_zero())
            .then_some((keys.operator.address, arguments.operator_float)),
    };
    write(&files.genesis, &(serde_json::to_string_pretty(&genesis)? + "\n"))?;
    let plan = plan.to_toml()?;
    write(&files.plan, &plan)?;
    write(&files.node, &node.to_toml())?;
    if arguments.json {
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
            "sequencer": (arguments.policy == Policy::Permissioned).then_some(sequencer),
            "operatorFloat": arguments.operator_float.to_string(),
        });
        say!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        arguments.tell(&files, &keys, &first, &meaning::lines(&plan)?);
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn check(&self) -> Result<()> {
        ensure!(self.chain_id != 0, "--chain-id 0: a chain id is at least 1");
        ensure!(
            ChainSpec::known(self.chain_id).is_none(),
            "--chain-id {}: that is a public network's, whose forks EXECUTE would apply; take one that \
             no other chain has",
            self.chain_id
        );
        ensure!(
            u32::try_from(self.gas_limit).is_ok(),
            "--gas-limit {}: a rollup keeps it in 32 bits, so at most {}",
            self.gas_limit,
            u32::MAX
        );
        if let Some(sequencer) = self.sequencer {
            ensure!(
                self.policy == Policy::Permissioned,
                "--sequencer {sequencer}: only --policy permissioned has one"
            );
            ensure!(!sequencer.is_zero(), "--sequencer {sequencer}: the zero address has no key");
        }
        Ok(())
    }

    /// The genesis of an L2 whose operator can pay for its first transactions.
    fn genesis(&self, operator: Address) -> Result<Genesis> {
        let timestamp = self.timestamp.map_or_else(|| self.begins(), Ok)?;
        let predeploys = Predeploys::built_in();
        // With the contracts of the newest fork: an L2 that lacks those of a fork has no valid
        // block from that fork on, and the times of L1's later forks are not known yet.
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

    /// A time at which an L2 may begin whose contracts are deployed from now on. `forge script`
    /// tries them out on L1's latest block first, which may be a slot old, or hours on an L1 that
    /// makes blocks when there is something to put into them.
    fn begins(&self) -> Result<u64> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .wrap_err("the clock of this machine is before 1970: give --timestamp")?
            .as_secs();
        let options = ClientOptions { timeout: L1_TIMEOUT, ..ClientOptions::default() };
        let latest = Client::new(&self.l1, options)
            .and_then(|l1| l1.request::<_, Block>("eth_getBlockByNumber", ("latest", false)));
        Ok(match latest {
            Ok(block) => now.min(block.header.timestamp),
            Err(_) => now.saturating_sub(60),
        })
    }

    /// Prints the created files and the next steps.
    fn tell(&self, files: &Files, keys: &Keys, first: &First, meanings: &[String]) {
        let (l1, advance) = (&self.l1, keys.advance.address);
        let Files { genesis, plan, node, keys: key_file, deployment, .. } = files;
        say!("L2 {} ({}) starts at {}", self.chain_id, self.fork, first.block.hash);
        say!("  {genesis}   its genesis, as common clients read it");
        say!("  {plan}    what script/Deploy.s.sol deploys");
        say!("  {node}      what a node of it reads");
        say!("  {key_file}      the sequencer's keys, for development; keep them to yourself");
        say!("");
        say!("The rollup, as {plan} has it until it is deployed:");
        say!("");
        for line in meanings {
            say!("  {line}");
        }
        say!("");
        say!(
            "Next, at the top of the checkout, with an L1 at {l1} (such as `enshrine devnet --mainnet`):"
        );
        say!("");
        say!("  # Deploys the contracts, with any account that has ether. Writes {deployment}.");
        say!(
            "  npx forge script script/Deploy.s.sol --sig 'run(string)' {plan} \\\n      \
             --rpc-url {l1} --broadcast --slow --private-key KEY"
        );
        say!("  # What the sequencer spends on L1.");
        say!("  npx cast send {advance} --value 10ether --rpc-url {l1} --private-key KEY");
        say!("  enshrine node --config {node}");
        if self.operator_float.is_zero() {
            return;
        }
        let float = format_ether(self.operator_float);
        let float = float.trim_end_matches('0').trim_end_matches('.');
        say!("");
        say!(
            "The operator has {float} ether on the L2 at genesis, without ether on L1 behind it. Until a \
             deposit\nbacks it, L1 cannot pay all withdrawals. Deposit the same amount to an account without \
             a known key:"
        );
        say!("");
        say!(
            "  npx forge script script/Operate.s.sol --sig 'deposit(string,address,uint256)' \\\n      \
             {deployment} 0x000000000000000000000000000000000000dEaD {} \\\n      \
             --rpc-url {l1} --broadcast --private-key KEY",
            self.operator_float
        );
        say!("");
        say!("A follower that knows of this float and accepts it starts with:");
        say!("");
        say!(
            "  enshrine node --role follower --deployment {deployment} --l1 {l1} \\\n      \
             --allow-balance {}={}",
            keys.operator.address,
            self.operator_float
        );
    }
}

/// Writes a file that is not there yet.
fn write(path: &str, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .wrap_err_with(|| format!("cannot write {path}"))
}
