//! A node from its configuration to its end: one thread that follows L1 and makes or takes blocks, and a
//! server.

use crate::{
    Config, EngineConfig, Follower, L1Client, L1View, Role, RollupError, Sequencer,
    heads::Heads,
    l1::BlobClient,
    metrics::{Levels, Readiness},
    pool_log::{self, Offered, PoolLog},
    rpc_methods::{RollupApi, Shared, registry},
    status::BlockId,
    sync::{self, Sync},
};
use alloy_primitives::Bytes;
use alloy_provider::{Provider as _, ProviderBuilder, WsConnect, network::Ethereum};
use alloy_rpc_types_eth::Block;
use chain::{Chain, ChainConfig, DiskOptions, RecoveredTransaction, spec_of};
use contracts::Deployment;
use engine::{Driver, Engine, EngineServer, RunningDriver};
use execute::Rules as ExecuteRules;
use node::{Clock, Mining, Node, SetPoolJournal, Settings};
use rpc::{Api, Journal, Options, Pages, RunningServer, WorkerOptions, Workers};
use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The pause of the working thread when there is nothing to do.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause after faults in a row.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the working thread is waited for in the end: it may hang at an L1 that does not answer.
const FAREWELL: Duration = Duration::from_secs(1);
/// The pause before a sequencer that is gone is looked for again.
const RECONNECT: Duration = Duration::from_secs(1);

/// A node that runs until it is stopped.
#[derive(Debug)]
pub struct RollupNode {
    node: Arc<Node>,
    shared: Arc<Shared>,
    server: RunningServer,
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
    feed: Option<tokio::task::JoinHandle<()>>,
    engine: Option<EngineServer>,
    driver: Option<RunningDriver>,
}

/// Either role, as the working thread has it.
enum Worker {
    Sequencer(Box<Sequencer>),
    Follower(Box<Follower>),
}

impl RollupNode {
    /// Starts a node. Must be called inside a Tokio runtime of several threads.
    ///
    /// # Errors
    ///
    /// [`RollupError`]: if the deployment cannot be read, is not the one on this L1, or the server cannot
    /// listen. Nothing runs then.
    pub async fn start(config: Config) -> Result<Self, RollupError> {
        let deployment = Deployment::read(&config.deployment)?;
        let (l1, timeout) = (config.l1.clone(), config.l1_timeout);
        let read = deployment.clone();
        let connecting = tokio::task::spawn_blocking(move || {
            let client = L1Client::new(&l1, timeout)?;
            let rules = sync::rules(&client, &read)?;
            Ok::<_, RollupError>((client, rules))
        });
        let beacon = config.l1_beacon.as_deref();
        let blobs = beacon.map(|url| BlobClient::new(url, timeout)).transpose()?;
        let (client, rules) = connecting.await.map_err(|_| crate::L1Error::Thread)??;
        let chain = open_chain(&config, &deployment)?;
        let (coinbase, pool_limits) = match &config.role {
            Role::Sequencer(it) => (it.operator_key.address(), it.pool.clone()),
            Role::Follower { .. } => Default::default(),
        };
        let settings = Settings {
            mining: Mining::Manual,
            coinbase,
            pool_limits,
            history: config.data_dir.as_ref().map(|_| DiskOptions::default().states),
            suggested_tip: 1_000_000,
            refuse_below_base_fee: true,
            max_input: Some(crate::sequencer::max_input()),
            max_execute_gas: Some(crate::sequencer::MAX_EXECUTE_GAS),
            verify_blocks: Some(ExecuteRules::default()),
            ..Settings::default()
        };
        let node = Node::new(chain, Clock::default(), settings);
        let mut kept = Vec::new();
        let pool_log = match (&config.data_dir, &config.role) {
            (Some(folder), Role::Sequencer(_)) => {
                let KeptPool { log, refused } = keep_pool(&node, folder)?;
                kept = refused;
                Some(log)
            }
            _ => None,
        };
        let mut journal = Journal::default();
        let levels = Levels::new(&mut journal);
        let journal = Arc::new(journal);
        let options = Options { journal: Arc::clone(&journal), ..Options::default() };
        let name = options.client_version.clone();
        let api = Api::new(Arc::clone(&node), options);
        // Who reads from a disk waits for it, and not on the threads that serve connections.
        let inline_reads = config.data_dir.is_none();
        let workers = WorkerOptions { inline_reads, ..WorkerOptions::default() };
        let workers = Arc::new(Workers::new(&workers));
        let shared = Arc::<Shared>::default();
        let rollup = Arc::new(RollupApi { api: api.clone(), shared: Arc::clone(&shared) });
        let own = registry(rollup, Arc::clone(&workers)).into_methods();
        let served = serve_engine(&config, &api, &shared).await?;
        let driver = drive(&config, &node, &shared)?;
        let methods = rpc::overlaid(own, &rpc::methods(api, workers));
        let health = Arc::new(Readiness(Arc::clone(&shared)));
        let pages = Some(Pages { name, journal, health, more: None });
        let server = RunningServer::start_with_pages(&config.server, methods, pages).await?;

        let view = L1View::new(client, deployment).with_blobs(blobs);
        let sync = Sync::new(Arc::clone(&node), view);
        let (inputs, receiver) = channel();
        let (worker, feed) = match config.role {
            Role::Sequencer(sequencer) => {
                let mut sequencer = Sequencer::new(sync, rules, *sequencer, pool_log);
                sequencer.keep(kept);
                (Worker::Sequencer(Box::new(sequencer)), None)
            }
            Role::Follower { sequencer } => {
                let follower = Follower::new(sync, sequencer.is_some() || served.is_some());
                let feed = sequencer.map(|url| {
                    tokio::spawn(read_feed(url, Arc::clone(&node), Arc::clone(&shared), inputs))
                });
                (Worker::Follower(Box::new(follower)), feed)
            }
        };
        let stop = Arc::<AtomicBool>::default();
        let (ended, told, poll) = (Arc::clone(&stop), Arc::clone(&shared), config.poll_interval);
        let worker = thread::Builder::new()
            .name("rollup".to_owned())
            .spawn(move || worker.work(&ended, &told, &levels, &receiver, poll))
            .map_err(|error| RollupError::Config { field: "threads", reason: error.to_string() })?;
        let worker = Some(worker);
        Ok(Self { node, shared, server, stop, worker, feed, engine: served, driver })
    }

    /// The L2's node.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// What it says of itself.
    pub fn status(&self) -> crate::Status {
        self.shared.status(&self.node)
    }

    /// Its server.
    pub const fn server(&self) -> &RunningServer {
        &self.server
    }

    /// Where it serves the Engine API, if it does.
    pub fn engine_address(&self) -> Option<SocketAddr> {
        self.engine.as_ref().map(EngineServer::address)
    }

    /// Stops it: no more blocks, and no connection stays open. A thread that waits for L1 is left to end
    /// by itself.
    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(feed) = self.feed.take() {
            feed.abort();
        }
        if let Some(driver) = &self.driver {
            driver.end();
        }
        if let Some(worker) = self.worker.take() {
            let begun = Instant::now();
            while !worker.is_finished() && begun.elapsed() < FAREWELL {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if worker.is_finished() {
                // A panic of it was logged.
                let _ = worker.join();
            } else {
                tracing::warn!("L1 does not answer: its request is left");
            }
        }
        if let Some(driver) = self.driver.take() {
            let _ = tokio::task::spawn_blocking(move || driver.stop()).await;
        }
        if let Some(engine) = self.engine.take() {
            engine.stop().await;
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
    let makes_blocks = matches!(config.role, Role::Sequencer(_));
    let heads = Arc::new(Heads { makes_blocks, shared: Arc::clone(shared) });
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

fn open_chain(config: &Config, deployment: &Deployment) -> Result<Chain, RollupError> {
    let rules = ChainConfig::new(spec_of(&deployment.genesis.config));
    match &config.data_dir {
        None => Ok(Chain::new(&deployment.genesis, rules)?),
        Some(folder) => Ok(Chain::open(folder, &deployment.genesis, rules)?),
    }
}

/// The pool's file in the folder of the chain, and what was in it, in the pool again.
fn keep_pool(node: &Node, folder: &Path) -> Result<KeptPool, RollupError> {
    let path = folder.join("pool");
    let opened = PoolLog::open(&path);
    let (log, kept) = opened.map_err(|source| RollupError::Pool { path, source })?;
    let Offered { taken, refused } = pool_log::offer(node, &kept);
    if taken + refused.len() > 0 {
        let not_yet = refused.len();
        tracing::info!(taken, not_yet, "transactions wait since before the restart");
    }
    let log = Arc::new(log);
    node.execute(SetPoolJournal(Arc::clone(&log) as _));
    Ok(KeptPool { log, refused })
}

/// The pool's file, and what was in it that the pool does not take now.
struct KeptPool {
    log: Arc<PoolLog>,
    refused: Vec<RecoveredTransaction>,
}

impl Worker {
    fn work(
        mut self,
        stop: &AtomicBool,
        shared: &Shared,
        levels: &Levels,
        inputs: &Receiver<Vec<Bytes>>,
        poll: Duration,
    ) {
        let (mut looked, mut pause, mut is_synced) = (None::<Instant>, poll, false);
        // Stays until L1 was looked at again.
        let mut unread = None;
        while !stop.load(Ordering::Relaxed) {
            if looked.is_none_or(|at| at.elapsed() >= pause) {
                let read = self.follow_l1();
                looked = Some(Instant::now());
                match read {
                    Ok(more) => {
                        is_synced = !more;
                        unread = None;
                        pause = if more { Duration::ZERO } else { poll };
                    }
                    Err(error) => {
                        // L1 may be gone for an hour: what is there already is served meanwhile.
                        pause = (pause * 2).clamp(poll, LONGEST_PAUSE);
                        unread = Some(error.to_string());
                    }
                }
            }
            let mut outcome = Ok(());
            if is_synced
                && unread.is_none()
                && let Self::Sequencer(sequencer) = &mut self
            {
                let made = sequencer.make_block().map(drop);
                let submitted = sequencer.submit();
                outcome = made.and(submitted);
            }
            let mut taken = Ok(());
            match inputs.recv_timeout(PAUSE.min(poll)) {
                Ok(inputs) => taken = self.take_unsafe(&inputs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => thread::sleep(PAUSE.min(poll)),
            }
            let failed = outcome.and(taken).err().map(|error| error.to_string());
            let fault = unread.clone().or(failed);
            if let Some(error) = &fault
                && shared.status.lock().fault.as_ref() != Some(error)
            {
                tracing::error!(error, "not done, and tried again");
            }
            self.tell(shared, is_synced, fault);
            levels.show(&shared.status(&self.sync().node));
        }
    }

    const fn sync(&self) -> &Sync {
        match self {
            Self::Sequencer(sequencer) => sequencer.sync(),
            Self::Follower(follower) => follower.sync(),
        }
    }

    /// Whether there is more to be read.
    fn follow_l1(&mut self) -> Result<bool, RollupError> {
        match self {
            Self::Sequencer(sequencer) => sequencer.follow_l1().map(|()| false),
            Self::Follower(follower) => follower.follow_l1(),
        }
    }

    fn take_unsafe(&mut self, inputs: &[Bytes]) -> Result<(), RollupError> {
        let Self::Follower(follower) = self else { return Ok(()) };
        inputs.iter().try_for_each(|input| follower.take_unsafe(input).map(drop))
    }

    fn tell(&self, shared: &Shared, is_synced: bool, fault: Option<String>) {
        let Sync { node, view, .. } = self.sync();
        let head = node.read(|node| Arc::clone(node.chain.head()));
        let genesis = (0, view.deployment().genesis_hash);
        let id = |(number, hash)| BlockId { number, hash };
        let mut status = shared.status.lock();
        status.role = match self {
            Self::Sequencer(_) => "sequencer",
            Self::Follower(_) => "follower",
        };
        status.l1_head = view.head().map(|head| id((head.number, head.hash)));
        status.l1_timestamp = view.head().map_or(0, |head| head.timestamp);
        status.l1_finalized = view.finalized();
        status.unsafe_head = id((head.header.number, head.hash));
        status.safe_head = id(view.advanced_head().unwrap_or(genesis));
        status.finalized_head = id(view.finalized_head().unwrap_or(genesis));
        status.synced = is_synced;
        status.fault = fault;
        if let Self::Sequencer(sequencer) = self {
            status.submitter = Some(sequencer.submitter_status());
        }
        drop(status);
        let mut messages = shared.messages.lock();
        let count = view.messages().len();
        if messages.len() as u64 != count
            || messages.last().copied()
                != view
                    .messages()
                    .range(count.saturating_sub(1), count)
                    .next()
                    .map(contracts::Message::hash)
        {
            *messages = view.messages().range(0, count).map(contracts::Message::hash).collect();
        }
        drop(messages);
        let entries = view.forced_from(0);
        let mut forced = shared.forced.lock();
        if forced.len() != entries.len()
            || forced.last().map(|(hash, _)| *hash) != entries.last().map(|it| it.transaction.hash)
        {
            *forced = entries.iter().map(|it| (it.transaction.hash, it.l1_block)).collect();
        }
        *shared.forced_next.lock() = view.forced_next();
    }
}

/// Listens to a sequencer for new heads, and hands on the inputs of blocks that this node does not have.
async fn read_feed(url: String, node: Arc<Node>, shared: Arc<Shared>, inputs: Sender<Vec<Bytes>>) {
    loop {
        if let Err(error) = listen(&url, &node, &shared, &inputs).await {
            tracing::warn!(%error, url, "the sequencer is not heard");
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen(
    url: &str,
    node: &Node,
    shared: &Shared,
    inputs: &Sender<Vec<Bytes>>,
) -> Result<(), alloy_provider::transport::TransportError> {
    let provider =
        ProviderBuilder::<_, _, Ethereum>::default().connect_ws(WsConnect::new(url)).await?;
    let mut heads = provider.subscribe_blocks().await?;
    loop {
        let own = node.read(|node| Arc::clone(node.chain.head()));
        let theirs: Option<Block> = provider.get_block_by_number(own.header.number.into()).await?;
        // Above what both have; if they have another block there, above what L1 has.
        let agreed = theirs.is_some_and(|theirs| theirs.header.hash == own.hash);
        let from = if agreed { own.header.number } else { shared.status.lock().safe_head.number };
        let new: Vec<Bytes> =
            provider.raw_request("rollup_inputsAfter".into(), (format!("{from:#x}"),)).await?;
        let is_behind = !new.is_empty();
        if is_behind && inputs.send(new).is_err() {
            return Ok(());
        }
        if is_behind {
            // The thread that takes them needs a moment.
            tokio::time::sleep(PAUSE).await;
        } else if heads.recv().await.is_err() {
            return Ok(());
        }
    }
}
