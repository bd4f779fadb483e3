//! A rollup whose nodes are processes.

use crate::{
    devnet,
    report::Report,
    requests::{RETRY_TIMEOUT, receipt, send, send_deposit, until},
    scripts::Scripts,
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, Bytes};
use client::{Client, ClientOptions};
use contracts::Deployment;
use eyre::{OptionExt, Result, WrapErr as _, ensure};
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
use testkit::{ETHER, Key, NodeProcess, Proxy, RollupFixture, allow_all, enrich, write_deployment};
use wire::ProtocolFork;

/// Chain id of the L1.
pub const L1_CHAIN: u64 = 31_337;
/// Chain id of the L2.
pub const L2_CHAIN: u64 = 8_079;
/// Configuration of nodes other than the sequencer.
const ALLOWED: &str = "allowed.toml";

/// Flags of a sequencer in a hurry.
pub const SEQUENCER_FLAGS: &[&str] =
    &["--block-time-ms", "250", "--submit-interval-ms", "1000", "--poll-interval-ms", "100"];

/// Daily limit of a sequencer that posts for an hour without a pause.
const WITHOUT_DAILY_LIMIT: [&str; 2] = ["--daily-limit-gwei", "1000000000000"];

/// Ports of a node, which stay its own over its restarts.
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
/// File with that token, in the folder of the processes.
const ADMIN_TOKEN_FILE: &str = "admin.token";

/// A sequencer and a follower with the same keys that follow each other, and can change roles.
#[derive(Debug, Clone, Copy)]
struct Pair {
    sequencer: Ports,
    follower: Ports,
}

/// A rollup whose nodes are processes.
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
    /// Proxy between the L2's nodes and L1, if there is one.
    proxy: Option<Proxy>,
    /// Ports of sequencer and kept follower, if they can change roles.
    pair: Option<Pair>,
    /// The contracts on L1, and the L2's genesis.
    pub deployment: Deployment,
    /// Scripts of the checkout, run against the L1.
    pub scripts: Scripts,
}

/// Way in which the contracts are deployed on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploying {
    /// By plain transactions: any account may advance the rollup, without fees.
    Plainly,
    /// By `forge script`, as `enshrine init` plans it: with a token bridge and one sequencer; other
    /// accounts may advance the rollup only after its silence. Without fees.
    ByScripts,
}

/// Parameters of a rollup.
#[derive(Debug)]
pub struct Design {
    /// Way in which the contracts are deployed.
    pub deploying: Deploying,
    /// Flags of its L1.
    pub l1: &'static [&'static str],
    /// Forks of its L1 and the seconds from now at which they begin; L1 and the L2 start with
    /// Prague then.
    pub forks: &'static [(ProtocolFork, u64)],
    /// `true` if the delays of the contracts are those for development, not the usual ones.
    pub dev: bool,
    /// Gas limit of the L2's blocks, if not the usual one.
    pub gas_limit: Option<u64>,
    /// Accounts that are on the L2 from its beginning, if it is deployed plainly.
    pub accounts: Vec<(Address, GenesisAccount)>,
}

impl From<Deploying> for Design {
    fn from(deploying: Deploying) -> Self {
        let l1 = &["--verify-blocks"];
        Self { deploying, l1, forks: &[], dev: true, gas_limit: None, accounts: Vec::new() }
    }
}

impl Rollup {
    /// Starts an L1, and initialises and deploys a rollup on it.
    pub fn create(design: impl Into<Design>, report: &mut Report) -> Result<Self> {
        let Design { deploying, l1, forks, dev, gas_limit, accounts } = design.into();
        let program = devnet::build()?;
        let mut l1_flags: Vec<_> = l1.iter().map(|&flag| flag.to_owned()).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let forks: Vec<_> = forks.iter().map(|(fork, after)| (*fork, now + after)).collect();
        let schedule = schedule(&forks);
        l1_flags.extend(schedule.iter().flat_map(|it| ["--hardfork".to_owned(), it.clone()]));
        let l1 = NodeProcess::start(l1_command(&program).args(&l1_flags))?;
        // The scripts may write there.
        let caches = toolchain::find_root()?.join("cache");
        fs::create_dir_all(&caches)?;
        let folder = tempfile::Builder::new().prefix("e2e-").tempdir_in(caches)?;
        let place = folder.path().join("rollup");
        let policy = match deploying {
            Deploying::Plainly => "none",
            Deploying::ByScripts => "permissioned",
        };
        let mut init = Command::new(&program);
        init.arg("init").arg(&place).args(["--policy", policy]);
        init.args(["--l1", l1.client().url()]).args(dev.then_some("--dev"));
        init.args(schedule.iter().flat_map(|it| ["--fork", it]));
        if let Some(gas_limit) = gas_limit {
            init.args(["--gas-limit", &gas_limit.to_string()]);
        }
        run(&mut init)?;
        report.built("enshrine init writes genesis, keys and configurations".to_owned());
        let mut genesis: Genesis = serde_json::from_slice(&fs::read(place.join("genesis.json"))?)?;
        genesis.alloc.extend(accounts);
        let keys: Value = serde_json::from_slice(&fs::read(place.join("keys.json"))?)?;
        let advance: Address = serde_json::from_value(keys["advance"]["address"].clone())?;
        let operator = Key::named("operator");
        let accounts = [advance, operator.address(), Key::named("alice").address()];
        enrich(l1.client(), accounts, 1_000 * ETHER)?;
        let scripts = Scripts::new(folder.path())?;
        let deployment = match deploying {
            Deploying::Plainly => {
                let fixture = RollupFixture::of(genesis);
                let deployment = fixture.deploy_over_rpc(l1.client(), &operator)?;
                write_deployment(&deployment, &place)?;
                deployment
            }
            Deploying::ByScripts => {
                report.doing(
                    "forge script/Deploy.s.sol, which compiles the contracts the first time",
                );
                let plan = place.join("rollup.toml").display().to_string();
                scripts.run("Deploy", "run(string)", &[&plan], l1.client().url(), &operator)?;
                Deployment::read(&place.join("deployment.json"))?
            }
        };
        let who = match deploying {
            Deploying::Plainly => "deployed; any account may advance it",
            Deploying::ByScripts => "deployed by forge script; its sequencer may advance it",
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
            deployment,
        })
    }

    /// From here on, nodes that are started ask L1 by way of a proxy.
    pub fn put_proxy(&mut self) -> Result<()> {
        self.proxy = Some(Proxy::start(self.l1.address())?);
        Ok(())
    }

    /// From here on, sequencer and kept follower have ports of their own and the same keys, follow
    /// each other, and can [change roles](Self::change_role).
    pub fn pair(&mut self) -> Result<()> {
        // Below the ports that the system gives to connections: such a connection would keep a
        // restarted node from its port.
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

    /// Returns the addresses of sequencer and kept follower, if they are a pair.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let ports = self.pair.iter().flat_map(|pair| [pair.sequencer, pair.follower]);
        ports.map(Ports::address).collect()
    }

    /// Makes the sequencer of the pair a follower and its follower the sequencer, or the other way
    /// round.
    pub fn change_role(&self, follower_leads: bool) -> Result<()> {
        let pair = self.pair.ok_or_eyre("the nodes are no pair")?;
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
            // It says why not, for as long as L1 has transactions of the other or news that it has
            // not read.
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

    /// Returns the proxy before L1.
    pub fn proxy(&self) -> Result<&Proxy> {
        self.proxy.as_ref().ok_or_eyre("there is no proxy before L1")
    }

    /// Kills L1, and starts it again from a state file that was written some time ago: what has
    /// happened since then never has.
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

    /// Returns the folder of the rollup's configuration and keys.
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("rollup")
    }

    /// Starts a sequencer in a hurry.
    pub fn sequencer(&self) -> Result<NodeProcess> {
        self.sequencer_with(SEQUENCER_FLAGS)
    }

    /// Starts a sequencer with these flags.
    pub fn sequencer_with(&self, flags: &[&str]) -> Result<NodeProcess> {
        self.start(&mut self.sequencer_command(flags), "sequencer.log")
    }

    /// A sequencer that writes what it does with each block to its log, as JSON, and may take
    /// minutes to begin.
    pub fn telling_sequencer(&self, flags: &[&str]) -> Result<NodeProcess> {
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

    /// A sequencer that may not answer yet.
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
        // What waits is asked for.
        command.args(["--http-api", "all"]);
        command.arg("--l1").arg(self.l1_url());
        command
    }

    /// A node that takes a file that may not grow for a full disk, and not for its end.
    fn node(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(&self.program).arg("node");
        command
    }

    /// A devnet beside the L1 of the rollup.
    pub fn devnet(&self, flags: &[&str]) -> Result<NodeProcess> {
        let mut command = Command::new(&self.program);
        Ok(NodeProcess::start(command.args(["devnet", "--silent", "--mainnet"]).args(flags))?)
    }

    /// A follower that keeps its chain, and may not answer yet.
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
        let mut command = self.node();
        command.arg("--config").arg(self.place().join(ALLOWED));
        command.args(["--role", "follower", "--poll-interval-ms", "100"]);
        command.arg("--l1").arg(self.l1_url());
        command.arg("--deployment").arg(self.place().join("deployment.json"));
        command
    }

    /// A sequencer that has nothing but the deployment file, L1 and a key.
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

    /// A follower that has nothing but the deployment file and L1.
    pub fn follower(&self) -> Result<NodeProcess> {
        self.follower_with(&[])
    }

    /// A follower that also listens to a sequencer, for blocks that L1 does not have yet.
    pub fn follower_of(&self, sequencer: &NodeProcess) -> Result<NodeProcess> {
        let url = sequencer.client().url().replacen("http", "ws", 1);
        self.follower_with(&["--sequencer", &url])
    }

    /// A follower with these flags.
    pub fn follower_with(&self, flags: &[&str]) -> Result<NodeProcess> {
        self.start(self.follower_command().args(flags), "follower.log")
    }

    fn start(&self, command: &mut Command, log: &str) -> Result<NodeProcess> {
        let mut node = self.spawn(command, log)?;
        node.until_ready().wrap_err_with(|| self.last_words(log))?;
        Ok(node)
    }

    fn spawn(&self, command: &mut Command, log: &str) -> Result<NodeProcess> {
        self.spawn_on(None, command, log)
    }

    /// Starts a node at this port, or at a free one.
    fn spawn_on(&self, port: Option<u16>, command: &mut Command, log: &str) -> Result<NodeProcess> {
        let path = self.folder.path().join(log);
        let log = fs::OpenOptions::new().create(true).append(true).open(path)?;
        let command = command.stderr(log);
        Ok(match port {
            Some(port) => NodeProcess::spawn_on(port, "--http-port", command)?,
            None => NodeProcess::spawn_at("--http-port", command)?,
        })
    }

    /// Leaves the files of the nodes where they are; the folder.
    pub fn keep_files(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    /// Path of a node's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The end of what a node has written.
    pub fn last_words(&self, log: &str) -> String {
        tail(&self.log(log))
    }

    /// Deposits wei from L1 to an account on the L2.
    pub fn deposit(&self, from: &Key, to: Address, value: u128) -> Result<()> {
        let l1 = self.l1.client();
        let hash = send_deposit(l1, self.deployment.message_queue, from, to, value)?;
        ensure!(receipt(l1, hash)?.status(), "the deposit failed");
        Ok(())
    }
}

/// Claims a message to L1 that stands in an L2 block which L1 has.
pub fn claim(rollup: &Rollup, l2: &Client, from: &Key, index: u64) -> Result<()> {
    let claim: Bytes = l2.request("rollup_claimProof", (format!("{index:#x}"),))?;
    let (l1, message_queue) = (rollup.l1.client(), rollup.deployment.message_queue);
    let hash = send(l1, L1_CHAIN, from, message_queue.into(), 0, claim, 1_500_000)?;
    ensure!(receipt(l1, hash)?.status(), "the claim of message {index} failed");
    Ok(())
}

/// A schedule of forks that begins with Prague, as `--hardfork` and `--fork` take it; `None`
/// without later forks.
fn schedule(later: &[(ProtocolFork, u64)]) -> Option<String> {
    let later: Vec<_> = later.iter().map(|(fork, time)| format!("{fork}@{time}")).collect();
    (!later.is_empty()).then(|| format!("{},{}", ProtocolFork::Prague, later.join(",")))
}

/// Allows the nodes all balances and codes of the genesis: the sequencer in its configuration, the
/// others in a file of their own.
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
    format!("its last words: {}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
}
