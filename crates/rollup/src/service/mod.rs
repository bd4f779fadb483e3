//! Lifecycle of a node, which starts the stores, the pool file and journal, the actors and the
//! ports in this order.

mod connect;
pub(crate) mod data_dir;
pub(crate) mod error;
pub(crate) mod last_state;
pub(crate) mod latency;
mod message_indexer;
pub(crate) mod metrics;
pub(crate) mod node_handle;
mod preconfirming;
pub(crate) mod preflight;
mod setup;
pub(crate) mod snapshot;
pub(crate) mod supervisor;
mod watching;
pub(crate) mod worker;

use crate::{
    BatcherError, Config, EngineConfig, L1Client, L1Profile, L1Reader, Role, RollupError,
    l1::BlobClient,
    l2::{
        heads::Heads, pool_log::LoadedPool, signed_blocks::trust,
        unsafe_block_client::UnsafeBlockClient,
    },
    lease::{Lease, LeaseTask},
    prefix::PrefixClient,
    rpc::{
        RollupApi,
        admin::{self, AdminHandle, AdminRequest},
        forward::Forwarder,
        registry,
    },
    service::{
        data_dir::DataDir,
        error::ServiceError,
        latency::Latencies,
        message_indexer::MessageIndexer,
        metrics::{ActorLevels, Levels, Readiness},
        node_handle::NodeHandle,
        supervisor::{Actor, ActorPanic},
        worker::{Start, Worker},
    },
    watch::{WatchLevels, Watcher},
};
use connect::{CheckedConfig, Connected, connect, open_chain};
use contracts::Deployment;
use futures_util::future::BoxFuture;
use node::{Clock, Node};
use rpc::engine::{Driver, Engine, EngineServer, RunningDriver};
use rpc::{
    Api, ErrorStyle, Pages, RpcOptions, RunningServer, SubscriptionNames, Telemetry, WorkerOptions,
    Workers,
};
use rpc_types::SyncStatus;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PREFIX_SUBSCRIPTION: SubscriptionNames = SubscriptionNames {
    subscribe: "rollup_subscribe",
    notification: "rollup_subscription",
    unsubscribe: "rollup_unsubscribe",
    kind: "prefixes",
};
/// Maximum wait for the worker thread at shutdown. It may be blocked by an L1 that does not
/// respond.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// A running rollup node.
#[derive(Debug)]
pub struct RollupNode {
    node: Arc<Node>,
    shared: Arc<NodeHandle>,
    actors: Actors,
    ports: Ports,
    background: Background,
}

/// Tasks besides the actors. They are aborted when this value is dropped.
#[derive(Debug)]
struct Background {
    /// Tasks that only observe, and hold the chain.
    observers: Vec<tokio::task::JoinHandle<()>>,
    indexer: MessageIndexer,
    /// Task that requests the lease, if one is configured.
    lease: Option<LeaseTask>,
}

#[derive(Debug)]
struct Actors {
    stop: Arc<AtomicBool>,
    worker: JoinHandle<()>,
    feed: tokio::task::JoinHandle<()>,
    driver: Option<RunningDriver>,
    watcher: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Ports {
    server: RunningServer,
    admin: Option<RunningServer>,
    engine: Option<EngineServer>,
}

impl RollupNode {
    /// Starts a node. Must be called inside a multi-threaded Tokio runtime. Waits until L1
    /// responds.
    ///
    /// Opens the stores, the pool file and its journal before the actors and the ports, so that the
    /// node serves no request before it can persist what it acknowledges.
    ///
    /// # Errors
    ///
    /// [`RollupError`] if the deployment cannot be read or belongs to another L1, if a check
    /// rejects the configuration, or if the server cannot listen. After an error, nothing is
    /// running.
    pub fn start(config: Config) -> BoxFuture<'static, Result<Self, RollupError>> {
        Box::pin(Self::open(config))
    }

    async fn open(mut config: Config) -> Result<Self, RollupError> {
        admin::check(config.admin.as_ref())?;
        let deployment = Deployment::read(&config.deployment).map_err(ServiceError::from)?;
        preflight::require_passed(&[preflight::genesis(&config, &deployment)])?;
        let (l1, timeout) = (config.l1.clone(), config.l1_timeout);
        let has_beacon = !config.l1_beacon.is_empty();
        let beacon = || BlobClient::new(&config.l1_beacon, timeout);
        let (blobs, checked_beacon) = match has_beacon {
            true => (Some(beacon()?), Some(beacon()?)),
            false => (None, None),
        };
        // Must come before the stores are opened, so that a node that fails the checks leaves no
        // files.
        let checked = Arc::new(CheckedConfig {
            deployment: deployment.clone(),
            profile: L1Profile::new(&config, &deployment),
            sequencing: preflight::sequencing(&config).cloned(),
            beacon: checked_beacon,
            domain: preconfirming::domain(&config, &deployment).contract,
        });
        let (client, connected) = connect(L1Client::new(&l1, timeout)?, &checked).await?;
        let Connected { rules, profile, warnings, config: rollup_config, unknown_fork } = connected;
        let chain = open_chain(&config, &deployment)?;
        let operator =
            preflight::sequencing(&config).map(|sequencing| sequencing.operator_key.address());
        let shared = Arc::<NodeHandle>::default();
        config.observer.take().into_iter().for_each(|observer| shared.supervisor.observe(observer));
        let settings = setup::settings(&config, &profile, &shared);
        let node = Node::new(chain, Clock::default(), settings);
        let (mut data_dir, notices) =
            match config.data_dir.as_deref().map(DataDir::open).transpose()? {
                Some((opened, notices)) => (Some(opened), notices),
                None => (None, Vec::new()),
            };
        let loaded_pool = match &config.data_dir {
            Some(folder) => {
                Some(LoadedPool::open(&node, folder, deployment.genesis_hash, operator)?)
            }
            None => None,
        };
        let mut telemetry = Telemetry::default();
        let levels = Levels::new(&mut telemetry);
        let actor_levels = ActorLevels::new(&mut telemetry);
        let latencies = Latencies::new(&mut telemetry);
        let watch_levels = WatchLevels::new(&mut telemetry);
        let telemetry = Arc::new(telemetry);
        *shared.warnings.lock() = warnings;
        *shared.config.lock() = Some(rollup_config);
        *shared.notices.lock() = notices;
        let store = node.read(|node| Arc::downgrade(node.chain.reader().store()));
        *shared.store.lock() = Some(store);
        *shared.unknown_fork.lock() = unknown_fork;
        if let Some(folder) = &config.data_dir {
            let field = "admin.json of the data directory";
            let unusable =
                |error: io::Error| ServiceError::Config { field, reason: error.to_string() };
            shared.controls.open(folder).map_err(unusable)?;
        }
        let health = Readiness {
            shared: Arc::clone(&shared),
            answered: client.answered().clone(),
            longest_silence: Readiness::LONGEST_SILENCE.max(2 * config.poll_interval),
        };
        let lease = setup::open_lease(&mut config, &deployment, &shared)?;
        let key = preflight::sequencing(&config).map(|sequencing| sequencing.advance_key.clone());
        shared.signed.open(&deployment, key);
        let reader = setup::open_reader(&config, &deployment, (client, blobs), &node, &shared)?;
        let trust = trust(&config.feed_signers, &deployment, reader.client(), rules);
        let watch =
            watching::open(&config, &deployment, preconfirming::domain(&config, &deployment))?;
        let prefixes = PrefixClient {
            node: Arc::clone(&node),
            shared: Arc::clone(&shared),
            trust: Arc::new(trust),
            domain: preconfirming::domain(&config, &deployment),
            watch: watch.clone(),
        };
        let (commands, requests) = AdminHandle::new(Arc::clone(&shared));
        let feed = UnsafeBlockClient::new(config.feeds.clone());
        let has_callers = config.engine.as_ref().is_some_and(|engine| engine.serve.is_some());
        let forwarder = Forwarder::new(Arc::clone(&shared), feed.clone(), has_callers);
        let forwarder = Arc::new(forwarder);
        let preconfirmations = preconfirming::open(&config, &deployment, &rules, &node, &shared)?;
        let start = Start {
            rules,
            preconfirmations,
            profile,
            node: Arc::clone(&node),
            shared: Arc::clone(&shared),
            data_dir: config.data_dir.clone(),
            loaded_pool,
            sequencing: None,
            peer: config.peer.clone(),
            lease,
            has_callers,
            feed,
            runtime: tokio::runtime::Handle::current(),
            poll: config.poll_interval,
            stop: Arc::default(),
        };
        let watcher = watch.zip(config.watch.take()).map(|(watch, watching)| {
            let (client, node) = (Arc::clone(reader.client()), Arc::clone(&node));
            let (facts, levels) = ((&deployment, &rules), (config.l1_limits, watch_levels));
            Watcher::new(watch, node, client, watching, facts, levels, config.data_dir.as_deref())
        });
        let watcher = watcher.transpose().map_err(BatcherError::from)?;
        let mut background = Background {
            observers: vec![
                latency::start(latencies, node.subscribe(), &shared),
                checked.recheck(reader.client(), rules, &shared),
                actor_levels.follow(&shared),
            ],
            indexer: MessageIndexer::start(&node, &shared),
            lease: start.lease.as_ref().map(Lease::start),
        };
        // A sequencer may send different prefixes to different nodes.
        for url in watching::other_streams(&config).filter(|_| watcher.is_some()) {
            let prefixes = prefixes.clone();
            let watch = async move { prefixes.watch(&url).await };
            background.observers.push(tokio::spawn(watch));
        }
        let offers = Arc::clone(&forwarder);
        let started =
            Actors::start(&mut config, start, reader, levels, requests, offers, prefixes).await;
        let mut actors = match started {
            Ok(actors) => actors,
            Err(error) => {
                background.end(None, None).await;
                return Err(error);
            }
        };
        if let Some(watcher) = watcher
            && let Err(error) = actors.start_watcher(watcher, &shared)
        {
            background.end(Some(actors), None).await;
            return Err(ServiceError::NoThread(error).into());
        }
        if let Some(Err(error)) = data_dir.as_mut().map(DataDir::note) {
            tracing::error!(%error, "failed to list the files of the data directory");
        }
        match Ports::open(&config, &node, &shared, telemetry, health, commands, forwarder).await {
            Ok(ports) => Ok(Self { node, shared, actors, ports, background }),
            Err(error) => {
                background.end(Some(actors), None).await;
                Err(error)
            }
        }
    }

    /// Returns the L2's chain and pool.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Returns the status of the node.
    pub fn status(&self) -> SyncStatus {
        self.shared.status(&self.node)
    }

    /// Returns the RPC server.
    pub const fn server(&self) -> &RunningServer {
        &self.ports.server
    }

    /// Waits until an actor of the node panics. The node does not recover: [stop](Self::stop) it
    /// and exit with an error, so that the process is restarted.
    pub fn failed(&self) -> BoxFuture<'static, ActorPanic> {
        Box::pin(supervisor::failed(self.shared.supervisor.subscribe()))
    }

    /// Returns the names of the actors in the order of their start.
    pub fn actors(&self) -> Vec<&'static str> {
        self.shared.supervisor.started()
    }

    /// Returns the address of the admin port, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.ports.admin.as_ref().and_then(|admin| admin.addresses().first().copied())
    }

    /// Returns the address of the Engine API, if the node serves it.
    pub fn engine_address(&self) -> Option<SocketAddr> {
        self.ports.engine.as_ref().map(EngineServer::address)
    }

    /// Stops block production, releases the lease, closes all connections, and closes the chain. A
    /// thread that is blocked by a request to L1 ends after this returns, and keeps the chain open
    /// until then.
    pub fn stop(self) -> BoxFuture<'static, ()> {
        Box::pin(self.background.end(Some(self.actors), Some(self.ports)))
    }
}

impl Background {
    fn abort(&self) {
        self.observers.iter().for_each(tokio::task::JoinHandle::abort);
        self.indexer.stop();
    }

    /// Ends the actors, resigns the lease, closes the ports, and waits until the tasks have
    /// released the chain.
    async fn end(mut self, actors: Option<Actors>, ports: Option<Ports>) {
        self.abort();
        if let Some(actors) = actors {
            actors.end().await;
        }
        // Must come after the last block, because another node may lead from then on.
        if let Some(lease) = self.lease.take() {
            lease.resign().await;
        }
        if let Some(ports) = ports {
            ports.close().await;
        }
        let ended = async {
            for task in self.observers.iter_mut().chain([self.indexer.task()]) {
                // A panic was logged by the supervisor.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
            tracing::warn!("abandoned background tasks at shutdown");
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.abort();
    }
}

impl Actors {
    async fn start(
        config: &mut Config,
        mut start: Start,
        reader: L1Reader,
        levels: Levels,
        requests: Receiver<AdminRequest>,
        forwarder: Arc<Forwarder>,
        prefixes: PrefixClient,
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
        // At most one response waits in the channel: a peer can send blocks faster than this node
        // executes them, also while the worker's disk hangs.
        let (inputs, receiver) = sync_channel(1);
        let (node, shared, stop) =
            (Arc::clone(&start.node), Arc::clone(&start.shared), Arc::clone(&start.stop));
        let driver = driver(config, &node)?;
        let client = start.feed.clone();
        let ends = Arc::clone(&stop);
        // Starts the actor `l1`, and `batcher` if this node is the sequencer. If a later start
        // fails, the started actors end. No port is open yet, so no user sees an undecided role.
        let started = Worker::start(start, reader, is_sequencer).await;
        let worker = started.inspect_err(|_| ends.store(true, Ordering::Relaxed))?;
        let ended = |error| {
            ends.store(true, Ordering::Relaxed);
            ServiceError::NoThread(error)
        };
        let own = Arc::clone(&shared);
        let worker = spawn(&shared, Actor::Blocks, move || {
            worker.work(&own, &levels, &receiver, &requests);
        });
        let worker = worker.map_err(ended)?;
        let read = client.read(prefixes, inputs);
        let own = Arc::clone(&shared);
        shared.supervisor.start(Actor::UnsafeBlocks);
        let feed =
            tokio::spawn(async move { own.supervisor.run_task(Actor::UnsafeBlocks, read).await });
        let (offers, stops) = (Arc::downgrade(&node), Arc::clone(&stop));
        let mut actors = Self { stop, worker, feed, driver: None, watcher: None };
        let offering = spawn(&shared, Actor::Offers, move || forwarder.offer(&offers, &stops));
        let driver = offering.and_then(|_| driver.map(|driver| drive(driver, &shared)).transpose());
        match driver {
            Ok(driver) => actors.driver = driver,
            Err(error) => {
                actors.end().await;
                return Err(ServiceError::NoThread(error).into());
            }
        }
        Ok(actors)
    }

    fn start_watcher(&mut self, watcher: Watcher, shared: &Arc<NodeHandle>) -> io::Result<()> {
        let (own, stop) = (Arc::clone(shared), Arc::clone(&self.stop));
        self.watcher = Some(spawn(shared, Actor::Watcher, move || watcher.work(&own, &stop))?);
        Ok(())
    }

    async fn end(self) {
        let Self { stop, worker, feed, driver, watcher } = self;
        stop.store(true, Ordering::Relaxed);
        feed.abort();
        if let Some(driver) = &driver {
            driver.end();
        }
        let begun = Instant::now();
        for thread in [Some(worker), watcher].into_iter().flatten() {
            while !thread.is_finished() && begun.elapsed() < SHUTDOWN_TIMEOUT {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if thread.is_finished() {
                // A panic was logged by the supervisor.
                let _ = thread.join();
            } else {
                tracing::warn!("abandoned pending L1 request at shutdown");
            }
        }
        if let Some(driver) = driver {
            let _ = tokio::task::spawn_blocking(move || driver.stop()).await;
        }
    }
}

impl Ports {
    async fn open(
        config: &Config,
        node: &Arc<Node>,
        shared: &Arc<NodeHandle>,
        telemetry: Arc<Telemetry>,
        health: Readiness,
        commands: AdminHandle,
        forwarder: Arc<Forwarder>,
    ) -> Result<Self, RollupError> {
        let elsewhere = Some(forwarder as _);
        let options = RpcOptions {
            telemetry: Arc::clone(&telemetry),
            limits: config.server.limits.clone(),
            elsewhere,
            ..RpcOptions::default()
        };
        let name = options.client_version.clone();
        let api = Api::new(Arc::clone(node), options);
        // Disk reads must not block the threads that serve connections.
        let inline_reads = config.data_dir.is_none();
        // A sequencer only adds a transaction to its pool, but a node that may be a follower
        // forwards it and waits for the sequencer.
        let is_sequencer = matches!(config.role, Role::Sequencer(_));
        let inline_sends = is_sequencer && config.peer.is_none() && config.admin.is_none();
        let workers = WorkerOptions { inline_reads, inline_sends, ..WorkerOptions::default() };
        let workers = Arc::new(Workers::new(&workers));
        let rollup = Arc::new(RollupApi { api: api.clone(), shared: Arc::clone(shared) });
        let mut own = registry(rollup, Arc::clone(&workers)).into_methods();
        let book = Arc::clone(&shared.prefixes);
        let prefixes =
            rpc::subscription(api.clone(), PREFIX_SUBSCRIPTION, move || book.subscribe());
        let added = own.merge(prefixes);
        debug_assert!(added.is_ok(), "rollup_subscribe is registered twice");
        let engine = serve_engine(config, &api, shared).await?;
        let admin = match &config.admin {
            Some(admin) => Some(admin::serve(admin, commands, Arc::clone(&workers)).await?),
            None => None,
        };
        let explorer = rpc::explorer::methods(api.clone(), Arc::clone(&workers), ErrorStyle::Geth);
        let methods = rpc::overlaid(explorer, &rpc::methods(api, workers));
        let methods = rpc::overlaid(own, &methods);
        let pages = Some(Pages { name, telemetry, health: Arc::new(health), more: None });
        let server = RunningServer::start_with_pages(&config.server, methods, pages).await;
        let server = server.map_err(ServiceError::from)?;
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

/// Starts the server of the Engine API, if it is configured.
async fn serve_engine(
    config: &Config,
    api: &Api,
    shared: &Arc<NodeHandle>,
) -> Result<Option<EngineServer>, ServiceError> {
    let Some(EngineConfig { secret, serve: Some(address), .. }) = &config.engine else {
        return Ok(None);
    };
    let hosts = config.server.access.hosts.clone();
    let heads = Arc::new(Heads { shared: Arc::clone(shared) });
    let engine = Arc::new(Engine::new(api.clone(), heads));
    Ok(Some(EngineServer::start(*address, secret.clone(), hosts, engine).await?))
}

/// Returns the driver of another client, if it is configured.
fn driver(config: &Config, node: &Arc<Node>) -> Result<Option<Driver>, ServiceError> {
    let Some(EngineConfig { secret, drive: Some(url), .. }) = &config.engine else {
        return Ok(None);
    };
    Ok(Some(Driver::new(Arc::clone(node), url, secret.clone())?))
}

/// Starts the actor that drives another client.
fn drive(driver: Driver, shared: &Arc<NodeHandle>) -> io::Result<RunningDriver> {
    let (actor, turns) = (Arc::clone(shared), Arc::clone(shared));
    shared.supervisor.start(Actor::Driver);
    let driver = driver.start_within(
        move |work| actor.supervisor.run(Actor::Driver, work),
        move || turns.supervisor.advanced(Actor::Driver),
    )?;
    *shared.driven.lock() = Some(driver.share());
    Ok(driver)
}

fn spawn(
    shared: &Arc<NodeHandle>,
    actor: Actor,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    shared.supervisor.start(actor);
    let thread = thread::Builder::new().name(actor.name().to_owned());
    thread.spawn(move || shared.supervisor.run(actor, work))
}
