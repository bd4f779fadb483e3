//! A rollup whose nodes run as processes.

use crate::localnet::{
    devnet,
    report::Report,
    requests::{RETRY_TIMEOUT, receipt, send, send_deposit, until},
    scripts::Scripts,
};
use crate::{ETHER, Key, NodeProcess, Proxy, RollupFixture, allow_all, enrich, write_deployment};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall as _;
use client::{Client, ClientOptions};
use contracts::{Deployment, bindings::IPreconfBonds};
use eyre::{OptionExt, Result, WrapErr as _, bail, ensure};
use rpc_types::ClaimProof;
use serde_json::Value;
use std::{
    fmt::Display,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    slice,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;
use wire::ProtocolFork;

/// Chain id of the L1.
pub const L1_CHAIN: u64 = 31_337;
/// L2 chain id.
pub const L2_CHAIN: u64 = 8_079;
/// Configuration file of all nodes but the sequencer, with the allowances for the genesis.
const ALLOWED: &str = "allowed.toml";

/// Flags of a sequencer with short intervals.
pub const SEQUENCER_FLAGS: &[&str] =
    &["--block-time-ms", "250", "--submit-interval-ms", "1000", "--poll-interval-ms", "100"];

/// Flags for a daily limit that is never reached, even by an hour of continuous posting.
const WITHOUT_DAILY_LIMIT: [&str; 2] = ["--daily-limit-gwei", "1000000000000"];

/// Ports of a node, which it keeps across restarts.
#[derive(Debug, Clone, Copy)]
struct Ports {
    public: u16,
    admin: u16,
}

impl Ports {
    fn address(self) -> SocketAddr {
        ([127, 0, 0, 1], self.public).into()
    }
}

/// Bearer token of both admin ports.
const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// File with the token, in the directory of the processes.
const ADMIN_TOKEN_FILE: &str = "admin.token";

/// A sequencer and a follower with the same keys that follow each other and can swap roles.
#[derive(Debug, Clone, Copy)]
struct Pair {
    sequencer: Ports,
    follower: Ports,
}

/// A rollup whose nodes run as processes.
#[derive(Debug)]
pub struct Rollup {
    program: PathBuf,
    folder: TempDir,
    /// The L1.
    pub l1: NodeProcess,
    /// Flags of the L1.
    l1_flags: Vec<String>,
    /// Later forks of the L1, with their timestamps.
    pub forks: Vec<(ProtocolFork, u64)>,
    /// Proxy between the L2 nodes and L1, if any.
    proxy: Option<Proxy>,
    /// Ports of the sequencer and the persistent follower, if they can swap roles.
    pair: Option<Pair>,
    /// Key of the sequencer.
    pub advance: Key,
    /// The L1 contracts and the L2 genesis.
    pub deployment: Deployment,
    /// Runner for the checkout's forge scripts.
    pub scripts: Scripts,
}

/// How the contracts are deployed on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploying {
    /// By plain transactions: any account may advance the rollup, without fees.
    Plainly,
    /// By `forge script` with the plan of `enshrine init`: with a token bridge and one sequencer.
    /// Other accounts may advance the rollup only after the silence of the policy. Without fees.
    ByScripts,
    /// Like [`Self::ByScripts`], with a policy that requires a bond of the sequencer, which has to
    /// be [deposited](Rollup::deposit_bond).
    Preconfirmed,
}

/// Parameters of a rollup.
#[derive(Debug)]
pub struct Design {
    /// How the contracts are deployed.
    pub deploying: Deploying,
    /// Flags of the L1.
    pub l1: &'static [&'static str],
    /// Later forks of the L1, and the number of seconds from now after which they activate. If
    /// there are any, L1 and the L2 start with Prague.
    pub forks: &'static [(ProtocolFork, u64)],
    /// Use the contracts' delays for development instead of the defaults.
    pub dev: bool,
    /// Gas limit of L2 blocks, or `None` for the default.
    pub gas_limit: Option<u64>,
    /// Additional accounts in the L2 genesis, for [`Deploying::Plainly`].
    pub accounts: Vec<(Address, GenesisAccount)>,
    /// Lines of `rollup.toml` that are replaced, for a deployment by scripts.
    pub plan: &'static [(&'static str, &'static str)],
}

impl From<Deploying> for Design {
    fn from(deploying: Deploying) -> Self {
        let l1 = &["--verify-blocks"];
        Self {
            deploying,
            l1,
            forks: &[],
            dev: true,
            gas_limit: None,
            accounts: Vec::new(),
            plan: &[],
        }
    }
}

impl Rollup {
    /// Starts an L1, then initialises and deploys a rollup on it.
    pub fn create(design: impl Into<Design>, report: &mut Report) -> Result<Self> {
        let Design { deploying, l1, forks, dev, gas_limit, accounts, plan: edits } = design.into();
        let program = devnet::build()?;
        let mut l1_flags: Vec<_> = l1.iter().map(|&flag| flag.to_owned()).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let forks: Vec<_> = forks.iter().map(|(fork, after)| (*fork, now + after)).collect();
        let schedule = schedule(&forks);
        l1_flags.extend(schedule.iter().flat_map(|entry| ["--hardfork".to_owned(), entry.clone()]));
        let l1 = NodeProcess::start(l1_command(&program).args(&l1_flags))?;
        // `foundry.toml` allows scripts to write there.
        let caches = toolchain::find_root()?.join("cache");
        fs::create_dir_all(&caches)?;
        let folder = tempfile::Builder::new().prefix("e2e-").tempdir_in(caches)?;
        let place = folder.path().join("rollup");
        let policy = match deploying {
            Deploying::Plainly => "none",
            Deploying::ByScripts => "permissioned",
            Deploying::Preconfirmed => "preconfirmed",
        };
        let mut init = Command::new(&program);
        init.arg("init").arg(&place).args(["--policy", policy]);
        init.args(["--l1", l1.client().url()]).args(dev.then_some("--dev"));
        init.args(schedule.iter().flat_map(|entry| ["--fork", entry]));
        if let Some(gas_limit) = gas_limit {
            init.args(["--gas-limit", &gas_limit.to_string()]);
        }
        run(&mut init)?;
        report.built("enshrine init writes genesis, keys and configurations".to_owned());
        let mut genesis: Genesis = serde_json::from_slice(&fs::read(place.join("genesis.json"))?)?;
        genesis.alloc.extend(accounts);
        let keys: Value = serde_json::from_slice(&fs::read(place.join("keys.json"))?)?;
        let advance: B256 = serde_json::from_value(keys["advance"]["key"].clone())?;
        let advance =
            Key::from_secret(advance).ok_or_eyre("the advance key is not a secret key")?;
        let operator = Key::named("operator");
        let accounts = [advance.address(), operator.address(), Key::named("alice").address()];
        enrich(l1.client(), accounts, 1_000 * ETHER)?;
        let scripts = Scripts::new(folder.path())?;
        let deployment = match deploying {
            Deploying::Plainly => {
                let fixture = RollupFixture::of(genesis);
                let deployment = fixture.deploy_over_rpc(l1.client(), &operator)?;
                write_deployment(&deployment, &place)?;
                deployment
            }
            Deploying::ByScripts | Deploying::Preconfirmed => {
                report.doing(
                    "forge script/Deploy.s.sol, which compiles the contracts the first time",
                );
                let plan = place.join("rollup.toml").display().to_string();
                replace_lines(&plan, edits)?;
                scripts.run("Deploy", "run(string)", &[&plan], l1.client().url(), &operator)?;
                Deployment::read(&place.join("deployment.json"))?
            }
        };
        let who = match deploying {
            Deploying::Plainly => "deployed; any account may advance it",
            Deploying::ByScripts => "deployed by forge script; its sequencer may advance it",
            Deploying::Preconfirmed => "deployed by forge script; it requires a bond",
        };
        report.built(format!("NativeRollup at {}, {who}", deployment.rollup));
        allow(&place, &deployment.genesis)?;
        Ok(Self {
            program,
            folder,
            scripts,
            l1,
            l1_flags,
            forks,
            proxy: None,
            pair: None,
            advance,
            deployment,
        })
    }

    /// Deposits the bond of the sequencer, in wei.
    pub fn deposit_bond(&self, wei: u128) -> Result<()> {
        let (bonds, account) = (self.deployment.preconf_bonds, self.advance.address());
        let deposit = IPreconfBonds::depositCall { account }.abi_encode().into();
        let l1 = self.l1.client();
        let hash = send(l1, L1_CHAIN, &self.advance, bonds.into(), wei, deposit, 100_000)?;
        ensure!(receipt(l1, hash)?.status(), "the bond is not accepted");
        Ok(())
    }

    /// Puts a proxy between L1 and all nodes that are started later.
    pub fn put_proxy(&mut self) -> Result<()> {
        self.proxy = Some(Proxy::start(self.l1.address())?);
        Ok(())
    }

    /// Gives fixed ports and the same keys to the sequencer and the persistent follower when they
    /// are started later. They follow each other and can [swap roles](Self::change_role).
    pub fn pair(&mut self) -> Result<()> {
        // Below the range of ephemeral ports: a connection on such a port would prevent a restarted
        // node from binding it.
        let mut free = (20_000..30_000)
            .skip(std::process::id() as usize * 7 % 9_000)
            .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
        let mut next = || free.next().ok_or_eyre("no port is free");
        let sequencer = Ports { public: next()?, admin: next()? };
        let follower = Ports { public: next()?, admin: next()? };
        fs::write(self.folder.path().join(ADMIN_TOKEN_FILE), ADMIN_TOKEN)?;
        self.pair = Some(Pair { sequencer, follower });
        Ok(())
    }

    /// Returns the addresses of the sequencer and the persistent follower, if they are a pair.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let ports = self.pair.iter().flat_map(|pair| [pair.sequencer, pair.follower]);
        ports.map(Ports::address).collect()
    }

    /// Demotes the current sequencer of the pair and promotes the other node. With
    /// `follower_leads`, the node that was started as the follower becomes the sequencer.
    pub fn change_role(&self, follower_leads: bool) -> Result<()> {
        let pair = self.pair.ok_or_eyre("the nodes are not a pair")?;
        let (old, new) = match follower_leads {
            true => (pair.sequencer, pair.follower),
            false => (pair.follower, pair.sequencer),
        };
        let header = ("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"));
        let admin = |ports: Ports| {
            let url = format!("http://127.0.0.1:{}", ports.admin);
            Client::of_several(&[&url], slice::from_ref(&header), ClientOptions::default())
        };
        let url = format!("ws://{}", new.address());
        admin(old)?.request::<_, Value>("rollup_demote", (url,))?;
        let mut refused = None;
        let promoted = until("a promotion", || {
            // The node rejects the promotion while the old sequencer's L1 transactions are pending,
            // or while it has not read L1's latest blocks.
            let answer = admin(new)?.request::<_, Value>("rollup_promote", ());
            refused = answer.err();
            Ok(refused.is_none())
        });
        promoted.wrap_err_with(|| format!("{refused:?}"))
    }

    /// Adds the flags of a node of the pair to its command.
    fn add_pair(&self, command: &mut Command, own: impl Fn(Pair) -> (Ports, Ports)) {
        if let Some((ports, other)) = self.pair.map(own) {
            command.arg("--sequencer").arg(format!("ws://{}", other.address()));
            command.arg("--admin-addr").arg(format!("127.0.0.1:{}", ports.admin));
            command.arg("--admin-token-file").arg(self.folder.path().join(ADMIN_TOKEN_FILE));
        }
    }

    /// Returns the proxy in front of L1.
    pub fn proxy(&self) -> Result<&Proxy> {
        self.proxy.as_ref().ok_or_eyre("there is no proxy in front of L1")
    }

    /// Kills L1 and restarts it after `down` from an older state file, which reverts all later L1
    /// blocks.
    pub fn revive_l1(&mut self, state: &Path, down: Duration) -> Result<()> {
        self.l1.kill();
        sleep(down);
        let mut command = l1_command(&self.program);
        command.args(&self.l1_flags).arg("--load-state").arg(state);
        self.l1 = NodeProcess::start(&mut command)?;
        if let Some(proxy) = &self.proxy {
            proxy.redirect(self.l1.address());
        }
        Ok(())
    }

    fn l1_url(&self) -> String {
        self.proxy.as_ref().map_or_else(|| self.l1.client().url().to_owned(), Proxy::url)
    }

    /// Returns the directory of the rollup's configuration and keys.
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("rollup")
    }

    /// Starts a sequencer with [`SEQUENCER_FLAGS`].
    pub fn sequencer(&self) -> Result<NodeProcess> {
        self.sequencer_with(SEQUENCER_FLAGS)
    }

    /// Starts a sequencer with these flags.
    pub fn sequencer_with(&self, flags: &[&str]) -> Result<NodeProcess> {
        self.start(&mut self.sequencer_command(flags), "sequencer.log")
    }

    /// Starts a sequencer that logs each block as JSON. Its start may take minutes.
    pub fn sequencer_with_json_log(&self, flags: &[&str]) -> Result<NodeProcess> {
        let mut command = self.sequencer_command(flags);
        command.env("RUST_LOG", "warn,enshrine_node=info").args(["--log-format", "json"]);
        let mut node = self.spawn(&mut command, "sequencer.log")?;
        let begun = Instant::now();
        while let Err(error) = node.until_ready() {
            let is_slow = node.ended()?.is_none() && begun.elapsed() < RETRY_TIMEOUT;
            ensure!(is_slow, "{error}, {}", self.last_words("sequencer.log"));
        }
        Ok(node)
    }

    /// Starts a sequencer without waiting until it responds.
    pub fn spawn_sequencer(&self) -> Result<NodeProcess> {
        let mut command = self.sequencer_command(SEQUENCER_FLAGS);
        command.args(WITHOUT_DAILY_LIMIT);
        self.add_pair(&mut command, |pair| (pair.sequencer, pair.follower));
        let port = self.pair.map(|pair| pair.sequencer.public);
        self.spawn_on(port, &mut command, "sequencer.log")
    }

    fn sequencer_command(&self, flags: &[&str]) -> Command {
        let mut command = self.node();
        command.arg("--config").arg(self.place().join("node.toml")).args(flags);
        // The run queries the pool.
        command.args(["--http-api", "all"]);
        command.arg("--l1").arg(self.l1_url());
        command
    }

    /// Returns a node command that ignores SIGXFSZ, so that the file size limit acts like a full
    /// disk and does not kill the node.
    fn node(&self) -> Command {
        self.command("node")
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(&self.program).arg(subcommand);
        command
    }

    /// Starts another devnet, independent of the rollup's L1.
    pub fn devnet(&self, flags: &[&str]) -> Result<NodeProcess> {
        let mut command = Command::new(&self.program);
        Ok(NodeProcess::start(command.args(["devnet", "--silent", "--mainnet"]).args(flags))?)
    }

    /// Starts a follower with a data directory, without waiting until it responds.
    pub fn spawn_kept_follower(&self) -> Result<NodeProcess> {
        let mut command = self.follower_command();
        command.arg("--data-dir").arg(self.place().join("follower"));
        self.add_pair(&mut command, |pair| (pair.follower, pair.sequencer));
        if self.pair.is_some() {
            let keys = self.place().join("keys.json");
            command.arg("--advance-key").arg(&keys).arg("--operator-key").arg(&keys);
            command.args(SEQUENCER_FLAGS.iter().take(4)).args(WITHOUT_DAILY_LIMIT);
        }
        let port = self.pair.map(|pair| pair.follower.public);
        self.spawn_on(port, &mut command, "follower.log")
    }

    fn follower_command(&self) -> Command {
        self.following("node")
    }

    /// Returns a command that follows the rollup.
    fn following(&self, subcommand: &str) -> Command {
        let mut command = self.command(subcommand);
        command.arg("--config").arg(self.place().join(ALLOWED));
        command.args(["--role", "follower", "--poll-interval-ms", "100"]);
        command.arg("--l1").arg(self.l1_url());
        command.arg("--deployment").arg(self.place().join("deployment.json"));
        command
    }

    /// Starts a sequencer that has only the deployment file, L1 and a key.
    pub fn rescue(&self, key: &Key) -> Result<NodeProcess> {
        let secret = key.secret().to_string();
        let mut command = self.node();
        command.arg("--config").arg(self.place().join(ALLOWED));
        command.args(["--role", "sequencer", "--poll-interval-ms", "100"]);
        command.args(["--block-time-ms", "250", "--submit-interval-ms", "1000"]);
        command.env("ENSHRINE_ADVANCE_KEY", &secret).env("ENSHRINE_OPERATOR_KEY", &secret);
        command.arg("--l1").arg(self.l1_url());
        command.arg("--deployment").arg(self.place().join("deployment.json"));
        self.start(&mut command, "rescue.log")
    }

    /// Starts a follower that has only the deployment file and L1.
    pub fn follower(&self) -> Result<NodeProcess> {
        self.follower_with(&[])
    }

    /// Starts a follower that also gets unsafe blocks from a sequencer.
    pub fn follower_of(&self, sequencer: &NodeProcess) -> Result<NodeProcess> {
        let url = sequencer.client().url().replacen("http", "ws", 1);
        self.follower_with(&["--sequencer", &url])
    }

    /// Starts a follower with these flags.
    pub fn follower_with(&self, flags: &[&str]) -> Result<NodeProcess> {
        self.start(self.follower_command().args(flags), "follower.log")
    }

    /// Starts a watcher of a sequencer with these flags.
    pub fn watcher_of(&self, sequencer: &NodeProcess, flags: &[&str]) -> Result<NodeProcess> {
        let url = sequencer.client().url().replacen("http", "ws", 1);
        let mut command = self.following("watch");
        self.start(command.args(["--sequencer", &url]).args(flags), "watcher.log")
    }

    fn start(&self, command: &mut Command, log: &str) -> Result<NodeProcess> {
        let mut node = self.spawn(command, log)?;
        node.until_ready().wrap_err_with(|| self.last_words(log))?;
        Ok(node)
    }

    fn spawn(&self, command: &mut Command, log: &str) -> Result<NodeProcess> {
        self.spawn_on(None, command, log)
    }

    /// Starts a node at this port, or at a free port if `None`.
    fn spawn_on(&self, port: Option<u16>, command: &mut Command, log: &str) -> Result<NodeProcess> {
        let path = self.folder.path().join(log);
        let log = fs::OpenOptions::new().create(true).append(true).open(path)?;
        let command = command.stderr(log);
        Ok(match port {
            Some(port) => NodeProcess::spawn_on(port, "--http-port", command)?,
            None => NodeProcess::spawn_at("--http-port", command)?,
        })
    }

    /// Keeps the files of the nodes when the rollup is dropped, and returns their directory.
    pub fn keep_files(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// Returns the path of a node's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the last lines of a node's log.
    pub fn last_words(&self, log: &str) -> String {
        tail(&self.log(log))
    }

    /// Deposits this many wei from L1 to an account on the L2.
    pub fn deposit(&self, from: &Key, to: Address, value: u128) -> Result<()> {
        let l1 = self.l1.client();
        let hash = send_deposit(l1, L1_CHAIN, self.deployment.message_queue, from, to, value)?;
        ensure!(receipt(l1, hash)?.status(), "the deposit failed");
        Ok(())
    }
}

/// Claims an L2→L1 message whose L2 block is on L1.
pub fn claim(rollup: &Rollup, l2: &Client, from: &Key, index: u64) -> Result<()> {
    let claim: ClaimProof = l2.request("rollup_claimProof", (format!("{index:#x}"),))?;
    let (l1, message_queue) = (rollup.l1.client(), rollup.deployment.message_queue);
    let hash = send(l1, L1_CHAIN, from, message_queue.into(), 0, claim.data, 1_500_000)?;
    ensure!(receipt(l1, hash)?.status(), "the claim of message {index} failed");
    Ok(())
}

/// Formats a fork schedule that starts with Prague, for `--hardfork` and `--fork`. Returns `None`
/// if there are no later forks.
fn schedule(later: &[(ProtocolFork, u64)]) -> Option<String> {
    let later: Vec<_> = later.iter().map(|(fork, time)| format!("{fork}@{time}")).collect();
    (!later.is_empty()).then(|| format!("{},{}", ProtocolFork::Prague, later.join(",")))
}

/// Writes allowances for all balances and codes of the genesis into the configuration of the
/// sequencer and into a separate file for the other nodes.
fn allow(place: &Path, genesis: &Genesis) -> Result<()> {
    let allowance = allow_all(genesis);
    let pair = |address: &Address, value: &dyn Display| format!("{address}={value}");
    let balances: Vec<_> = allowance.balances.iter().map(|(at, wei)| pair(at, wei)).collect();
    let codes: Vec<_> = allowance.codes.iter().map(|(at, hash)| pair(at, hash)).collect();
    let text = format!("allow_balance = {balances:?}\nallow_code = {codes:?}\n");
    fs::write(place.join(ALLOWED), &text)?;
    let node = place.join("node.toml");
    let written = fs::read_to_string(&node)?;
    let others = written.lines().filter(|line| !line.starts_with("allow_balance"));
    fs::write(&node, others.collect::<Vec<_>>().join("\n") + "\n" + &text)?;
    Ok(())
}

/// Replaces whole lines of a file, each of which it must have once.
fn replace_lines(file: &str, edits: &[(&str, &str)]) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let mut lines: Vec<_> = text.lines().collect();
    for (old, new) in edits {
        let places: Vec<_> = (0..lines.len()).filter(|at| lines[*at] == *old).collect();
        let [at] = places[..] else { bail!("{file} has {} lines {old:?}", places.len()) };
        lines[at] = new;
    }
    Ok(fs::write(file, lines.join("\n") + "\n")?)
}

fn l1_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    // Scripts call EXECUTE with empty input to detect it, so its refusals are expected.
    command.env("RUST_LOG", "error");
    command.args(["devnet", "--silent", "--mainnet", "--chain-id", "31337"]);
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(10).collect();
    format!("last lines of its log: {}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
}
