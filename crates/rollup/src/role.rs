//! A node from its configuration to its end: a thread that reads L1, one that makes or takes blocks, one that brings
//! them to L1, and a server.

use crate::{
    Config, EngineConfig, L1Client, L1Error, L1Profile, L1Reader, Prices, Role, RollupError,
    RollupRules, SequencerConfig,
    admin::{self, Asked, Orders},
    forward::Forwarder,
    heads::Heads,
    l1::BlobClient,
    l2_syncer,
    latency::{self, Latencies},
    metrics::{Levels, Readiness},
    pool_log::KeptPool,
    preflight::{self, Check},
    rpc_methods::{RollupApi, Shared, registry},
    unsafe_block_client::UnsafeBlockClient,
    worker::{MAX_RETRY_INTERVAL, Start, Worker},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use alloy_provider::Provider as _;
use chain::{Chain, ChainConfig, DiskOptions, spec_of};
use contracts::{Deployment, GenesisAllowance, GenesisFinding, posting::L1Limits};
use engine::{Driver, Engine, EngineServer, RunningDriver};
use execute::Rules as ExecuteRules;
use futures_util::future::BoxFuture;
use node::{Clock, Mining, Node, PoolLimits, Settings};
use rpc::{Api, Options, Pages, RunningServer, Telemetry, WorkerOptions, Workers};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Longest wait for the worker thread at the end: it may hang at an L1 that does not answer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Interval of the checks that gave a warning.
const RECHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A node that runs until it is stopped.
#[derive(Debug)]
pub struct RollupNode {
    node: Arc<Node>,
    shared: Arc<Shared>,
    rooms: Rooms,
    ports: Ports,
    /// Tasks that only observe.
    tasks: Vec<tokio::task::AbortHandle>,
}

/// The threads and tasks of a node that work without being asked.
#[derive(Debug)]
struct Rooms {
    stop: Arc<AtomicBool>,
    worker: JoinHandle<()>,
    feed: tokio::task::JoinHandle<()>,
    driver: Option<RunningDriver>,
}

/// The servers of a node.
#[derive(Debug)]
struct Ports {
    server: RunningServer,
    admin: Option<RunningServer>,
    engine: Option<EngineServer>,
}

impl RollupNode {
    /// Starts a node. Must be called inside a Tokio runtime of several threads. An L1 that does not answer is
    /// waited for.
    ///
    /// The order is: the stores, the file of the pool, its journal, the rooms, the ports. So a node answers nothing
    /// before it can keep what it acknowledges.
    ///
    /// # Errors
    ///
    /// [`RollupError`]: if the deployment cannot be read, is not the one on this L1, or the server cannot
    /// listen. Nothing runs then.
    pub fn start(config: Config) -> BoxFuture<'static, Result<Self, RollupError>> {
        Box::pin(Self::open(config))
    }

    async fn open(mut config: Config) -> Result<Self, RollupError> {
        admin::check(config.admin)?;
        let deployment = Deployment::read(&config.deployment)?;
        check_genesis(&deployment, config.allow_altered_genesis)?;
        let (l1, timeout) = (config.l1.clone(), config.l1_timeout);
        let has_beacon = !config.l1_beacon.is_empty();
        let beacon = || BlobClient::new(&config.l1_beacon, timeout);
        let (blobs, asked_beacon) = match has_beacon {
            true => (Some(beacon()?), Some(beacon()?)),
            false => (None, None),
        };
        let checked = Arc::new(Checked {
            deployment: deployment.clone(),
            profile: config.profile,
            sequencing: preflight::sequencing(&config).cloned(),
            beacon: asked_beacon,
        });
        let (client, connected) = connect(L1Client::new(&l1, timeout)?, &checked).await?;
        let Connected { rules, gas_limit: l1_gas_limit, warnings } = connected;
        let chain = open_chain(&config, &deployment)?;
        let coinbase = match &config.role {
            Role::Sequencer(it) => it.operator_key.address(),
            Role::Follower { .. } => Default::default(),
        };
        let sequencing = match &mut config.role {
            Role::Sequencer(it) => Some(it),
            Role::Follower { .. } => config.standby.as_mut(),
        };
        let operator = sequencing.as_ref().map(|it| it.operator_key.address());
        let (mut pool_limits, mut limits) = (PoolLimits::public(), L1Limits::default());
        let mut prices = Prices::default();
        if let Some(sequencing) = sequencing {
            (pool_limits, prices) = (sequencing.pool.clone(), sequencing.prices);
            let of_l1 = &mut sequencing.submitter.limits;
            // No transaction has more than the block that it stands in.
            of_l1.gas = of_l1.gas.min(l1_gas_limit.unwrap_or(u64::MAX));
            limits = *of_l1;
        }
        let settings = Settings {
            mining: Mining::Manual,
            coinbase,
            pool_limits,
            history: config.data_dir.as_ref().map(|_| DiskOptions::default().states),
            min_tip: prices.gas,
            byte_price: prices.byte,
            suggested_tip: prices.gas.max(1_000_000),
            refuse_below_base_fee: true,
            max_input: Some(limits.input_bytes()),
            max_execute_gas: Some(limits.execute_gas()),
            execute_gas: config.profile.schedule,
            verify_blocks: Some(ExecuteRules::default()),
            ..Settings::default()
        };
        let node = Node::new(chain, Clock::default(), settings);
        let kept_pool = match &config.data_dir {
            Some(folder) => Some(KeptPool::open(&node, folder, deployment.genesis_hash, operator)?),
            None => None,
        };
        let mut telemetry = Telemetry::default();
        let levels = Levels::new(&mut telemetry);
        let latencies = Latencies::new(&mut telemetry);
        let telemetry = Arc::new(telemetry);
        let shared = Arc::<Shared>::default();
        *shared.warnings.lock() = warnings;
        if let Some(folder) = &config.data_dir {
            let field = "admin.json of the data directory";
            let unusable =
                |error: io::Error| RollupError::Config { field, reason: error.to_string() };
            shared.controls.open(folder).map_err(unusable)?;
        }
        let health = Readiness {
            shared: Arc::clone(&shared),
            answered: client.answered().clone(),
            longest_silence: Readiness::LONGEST_SILENCE.max(2 * config.poll_interval),
        };
        let mut reader = L1Reader::new(client, deployment).with_blobs(blobs);
        if let Some(folder) = &config.data_dir {
            let chain = node.read(|node| node.chain.reader().clone());
            let known = |hash: &B256| chain.find_block(hash).is_ok_and(|found| found.is_some());
            reader = reader.with_log(&folder.join("l1.log"), &known)?;
        }
        let (orders, asked) = Orders::new(Arc::clone(&shared));
        let feed = UnsafeBlockClient::default();
        let has_callers = config.engine.as_ref().is_some_and(|engine| engine.serve.is_some());
        let forwarder = Forwarder::new(Arc::clone(&shared), feed.clone(), has_callers);
        let forwarder = Arc::new(forwarder);
        let start = Start {
            rules,
            profile: config.profile,
            node: Arc::clone(&node),
            shared: Arc::clone(&shared),
            data_dir: config.data_dir.clone(),
            kept_pool,
            sequencing: None,
            peer: config.peer.clone(),
            has_callers,
            feed,
            runtime: tokio::runtime::Handle::current(),
            poll: config.poll_interval,
            stop: Arc::default(),
        };
        let tasks = vec![
            latency::start(latencies, node.subscribe(), &shared).abort_handle(),
            checked.recheck(reader.client(), rules, &shared).abort_handle(),
        ];
        let offers = Arc::clone(&forwarder);
        let rooms = Rooms::start(&mut config, start, reader, levels, asked, offers).await?;
        match Ports::open(&config, &node, &shared, telemetry, health, orders, forwarder).await {
            Ok(ports) => Ok(Self { node, shared, rooms, ports, tasks }),
            Err(error) => {
                rooms.end().await;
                Err(error)
            }
        }
    }

    /// The L2's node.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The node's status.
    pub fn status(&self) -> crate::Status {
        self.shared.status(&self.node)
    }

    /// Its server.
    pub const fn server(&self) -> &RunningServer {
        &self.ports.server
    }

    /// Address at which an operator can change the role, if the node has one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.ports.admin.as_ref().and_then(|admin| admin.addresses().first().copied())
    }

    /// Address at which the node serves the Engine API, if it does.
    pub fn engine_address(&self) -> Option<SocketAddr> {
        self.ports.engine.as_ref().map(EngineServer::address)
    }

    /// Stops it: no more blocks, and no connection stays open. A thread that waits for L1 is left to end
    /// by itself.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
            self.rooms.end().await;
            self.ports.close().await;
        })
    }
}

impl Rooms {
    /// Starts to read L1, and to make or take blocks.
    async fn start(
        config: &mut Config,
        mut start: Start,
        reader: L1Reader,
        levels: Levels,
        asked: Receiver<Asked>,
        forwarder: Arc<Forwarder>,
    ) -> Result<Self, RollupError> {
        start.sequencing = config.standby.take();
        let is_sequencer = match &mut config.role {
            Role::Sequencer(sequencing) => {
                start.sequencing = Some(sequencing.clone());
                true
            }
            Role::Follower { sequencer } => {
                start.peer = sequencer.take().or(start.peer);
                false
            }
        };
        let (inputs, receiver) = channel();
        let (node, shared, stop) =
            (Arc::clone(&start.node), Arc::clone(&start.shared), Arc::clone(&start.stop));
        let driver = drive(config, &node, &shared)?;
        let (offers, ends) = (Arc::downgrade(&node), Arc::clone(&stop));
        let feed = start.feed.clone().read(node, Arc::clone(&shared), inputs);
        let started = Worker::start(start, reader, is_sequencer).await;
        // What it had started by then ends.
        let worker = started.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        let no_thread =
            |error: io::Error| RollupError::Config { field: "threads", reason: error.to_string() };
        let worker = thread::Builder::new()
            .name("rollup".to_owned())
            .spawn(move || worker.work(&shared, &levels, &receiver, &asked))
            .map_err(no_thread)?;
        thread::Builder::new()
            .name("offers".to_owned())
            .spawn(move || forwarder.offer(&offers, &ends))
            .map_err(no_thread)?;
        Ok(Self { stop, worker, feed: tokio::spawn(feed), driver })
    }

    async fn end(self) {
        let Self { stop, worker, feed, driver } = self;
        stop.store(true, Ordering::Relaxed);
        feed.abort();
        if let Some(driver) = &driver {
            driver.end();
        }
        let begun = Instant::now();
        while !worker.is_finished() && begun.elapsed() < SHUTDOWN_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if worker.is_finished() {
            // A panic of it was logged.
            let _ = worker.join();
        } else {
            tracing::warn!("L1 request still pending at shutdown, abandoned it");
        }
        if let Some(driver) = driver {
            let _ = tokio::task::spawn_blocking(move || driver.stop()).await;
        }
    }
}

impl Ports {
    /// Begins to answer.
    async fn open(
        config: &Config,
        node: &Arc<Node>,
        shared: &Arc<Shared>,
        telemetry: Arc<Telemetry>,
        health: Readiness,
        orders: Orders,
        forwarder: Arc<Forwarder>,
    ) -> Result<Self, RollupError> {
        let elsewhere = Some(forwarder as _);
        let options = Options {
            telemetry: Arc::clone(&telemetry),
            limits: config.server.limits.clone(),
            elsewhere,
            ..Options::default()
        };
        let name = options.client_version.clone();
        let api = Api::new(Arc::clone(node), options);
        // Who reads from a disk waits for it, and not on the threads that serve connections.
        let inline_reads = config.data_dir.is_none();
        // No block is made of a transaction while its sender waits; but a node that may be a follower waits for the
        // sequencer.
        let is_sequencer = matches!(config.role, Role::Sequencer(_));
        let inline_sends = is_sequencer && config.peer.is_none() && config.admin.is_none();
        let workers = WorkerOptions { inline_reads, inline_sends, ..WorkerOptions::default() };
        let workers = Arc::new(Workers::new(&workers));
        let rollup = Arc::new(RollupApi { api: api.clone(), shared: Arc::clone(shared) });
        let own = registry(rollup, Arc::clone(&workers)).into_methods();
        let engine = serve_engine(config, &api, shared).await?;
        let admin = match config.admin {
            Some(address) => Some(admin::serve(address, orders, Arc::clone(&workers)).await?),
            None => None,
        };
        let methods = rpc::overlaid(own, &rpc::methods(api, workers));
        let pages = Some(Pages { name, telemetry, health: Arc::new(health), more: None });
        let server = RunningServer::start_with_pages(&config.server, methods, pages).await?;
        Ok(Self { server, admin, engine })
    }

    async fn close(self) {
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
        if let Some(admin) = self.admin {
            admin.stop().await;
        }
        self.server.stop().await;
    }
}

/// Serves the Engine API, if the configuration says so.
async fn serve_engine(
    config: &Config,
    api: &Api,
    shared: &Arc<Shared>,
) -> Result<Option<EngineServer>, RollupError> {
    let Some(EngineConfig { secret, serve: Some(address), .. }) = &config.engine else {
        return Ok(None);
    };
    let heads = Arc::new(Heads { shared: Arc::clone(shared) });
    let engine = Arc::new(Engine::new(api.clone(), heads));
    Ok(Some(EngineServer::start(*address, secret.clone(), engine).await?))
}

/// Drives another client, if the configuration says so.
fn drive(
    config: &Config,
    node: &Arc<Node>,
    shared: &Shared,
) -> Result<Option<RunningDriver>, RollupError> {
    let Some(EngineConfig { secret, drive: Some(url), .. }) = &config.engine else {
        return Ok(None);
    };
    let no_thread =
        |error: io::Error| RollupError::Config { field: "threads", reason: error.to_string() };
    let driver = Driver::new(Arc::clone(node), url, secret.clone())?.start().map_err(no_thread)?;
    *shared.driven.lock() = Some(driver.share());
    Ok(Some(driver))
}

/// L1 as a node finds it at its start.
#[derive(Debug)]
struct Connected {
    rules: RollupRules,
    /// Gas limit of L1's newest block.
    gas_limit: Option<u64>,
    warnings: Vec<String>,
}

/// Parts of a configuration that are checked against L1 before a node starts.
struct Checked {
    deployment: Deployment,
    profile: L1Profile,
    sequencing: Option<SequencerConfig>,
    beacon: Option<BlobClient>,
}

impl Checked {
    /// Returns what L1 says of the rollup, if all of it fits this L1.
    fn against(&self, client: &L1Client) -> Result<Connected, RollupError> {
        let rules = l2_syncer::rules(client, &self.deployment)?;
        self.profile.check(client, &self.deployment)?;
        let checks = self.checks(client, &rules)?;
        preflight::judge(&checks)?;
        let warnings = preflight::warnings(&checks);
        Ok(Connected { rules, gas_limit: gas_limit(client)?, warnings })
    }

    fn checks(&self, client: &L1Client, rules: &RollupRules) -> Result<Vec<Check>, RollupError> {
        let mut checks =
            preflight::of_l1(client, &self.deployment, rules, self.sequencing.as_ref())?;
        if let Some(beacon) = &self.beacon {
            checks.extend(preflight::of_beacon(client, &self.deployment, beacon)?);
        }
        Ok(checks)
    }

    /// Repeats the checks as long as there are warnings, so that one whose cause is gone is withdrawn.
    fn recheck(
        self: Arc<Self>,
        client: &Arc<L1Client>,
        rules: RollupRules,
        shared: &Arc<Shared>,
    ) -> tokio::task::JoinHandle<()> {
        // The node may end while a check waits for L1.
        let (client, shared) = (Arc::downgrade(client), Arc::downgrade(shared));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(RECHECK_INTERVAL).await;
                let (Some(client), Some(shared)) = (client.upgrade(), shared.upgrade()) else {
                    return;
                };
                if shared.warnings.lock().is_empty() {
                    return;
                }
                let checked = Arc::clone(&self);
                let again = tokio::task::spawn_blocking(move || {
                    if let Ok(checks) = checked.checks(&client, &rules) {
                        *shared.warnings.lock() = preflight::warnings(&checks);
                    }
                });
                if again.await.is_err() {
                    return;
                }
            }
        })
    }
}

/// Reads the rules of a deployment once L1 answers: a node that is started again while its L1 is away needs no
/// operator who starts it a third time.
async fn connect(
    client: L1Client,
    checked: &Arc<Checked>,
) -> Result<(L1Client, Connected), RollupError> {
    let client = Arc::new(client);
    let mut pause = Duration::from_secs(1);
    loop {
        let (asked, checked) = (Arc::clone(&client), Arc::clone(checked));
        let asking = tokio::task::spawn_blocking(move || checked.against(&asked));
        match asking.await.map_err(|_| L1Error::Thread)? {
            Ok(connected) => {
                let client = Arc::into_inner(client).ok_or(L1Error::Thread)?;
                return Ok((client, connected));
            }
            Err(error) if error.is_silence() => {
                let seconds = pause.as_secs();
                tracing::warn!(%error, "L1 request failed, retrying in {seconds} s");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_RETRY_INTERVAL);
            }
            Err(error) => return Err(error),
        }
    }
}

fn gas_limit(client: &L1Client) -> Result<Option<u64>, L1Error> {
    let provider = client.inner().provider().clone();
    let latest = BlockNumberOrTag::Latest;
    let block = client.inner().wait(async move { provider.get_block_by_number(latest).await })?;
    Ok(block.map(|block| block.header.gas_limit))
}

/// Refuses a genesis with other protocol contracts, and warns of ETH and code that a new L2 does not have.
fn check_genesis(deployment: &Deployment, allow_altered: bool) -> Result<(), RollupError> {
    let (protocol, other): (Vec<_>, Vec<_>) =
        contracts::check_genesis(&deployment.genesis, &GenesisAllowance::default())
            .into_iter()
            .partition(GenesisFinding::is_protocol);
    for finding in &other {
        tracing::warn!(%finding, "L2 genesis has accounts that a new L2 does not have");
    }
    let findings = protocol.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if protocol.is_empty() || allow_altered {
        if !findings.is_empty() {
            tracing::warn!(findings, "L2 genesis has altered protocol contracts");
        }
        return Ok(());
    }
    Err(RollupError::AlteredGenesis { findings })
}

fn open_chain(config: &Config, deployment: &Deployment) -> Result<Chain, RollupError> {
    let rules = ChainConfig::new(spec_of(&deployment.genesis.config));
    match &config.data_dir {
        None => Ok(Chain::new(&deployment.genesis, rules)?),
        Some(folder) => Ok(Chain::open(folder, &deployment.genesis, rules)?),
    }
}
