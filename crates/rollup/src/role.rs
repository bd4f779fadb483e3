//! A node from its configuration to its end: a thread that reads L1, one that makes or takes blocks, one that brings
//! them to L1, and a server.

use crate::{
    Config, EngineConfig, L1Client, L1Error, L1Profile, L1Reader, Prices, Role, RollupError, Rules,
    admin::{self, Orders},
    heads::Heads,
    l1::BlobClient,
    metrics::{Levels, Readiness},
    rpc_methods::{RollupApi, Shared, registry},
    sync,
    unsafe_feed::Feed,
    worker::{LONGEST_PAUSE, Start, Worker},
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use alloy_provider::Provider as _;
use chain::{Chain, ChainConfig, DiskOptions, spec_of};
use contracts::{Deployment, posting::L1Limits};
use engine::{Driver, Engine, EngineServer, RunningDriver};
use execute::Rules as ExecuteRules;
use futures_util::future::BoxFuture;
use node::{Clock, Mining, Node, PoolLimits, Settings};
use rpc::{Api, Journal, Options, Pages, RunningServer, WorkerOptions, Workers};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long the working thread is waited for in the end: it may hang at an L1 that does not answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// A node that runs until it is stopped.
#[derive(Debug)]
pub struct RollupNode {
    node: Arc<Node>,
    shared: Arc<Shared>,
    server: RunningServer,
    stop: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
    feed: tokio::task::JoinHandle<()>,
    admin: Option<RunningServer>,
    engine: Option<EngineServer>,
    driver: Option<RunningDriver>,
}

impl RollupNode {
    /// Starts a node. Must be called inside a Tokio runtime of several threads. An L1 that does not answer is
    /// waited for.
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
        let (l1, timeout) = (config.l1.clone(), config.l1_timeout);
        let beacon = config.l1_beacon.as_deref();
        let blobs = beacon.map(|url| BlobClient::new(url, timeout)).transpose()?;
        let (client, rules, l1_gas_limit) =
            connect(L1Client::new(&l1, timeout)?, &deployment, config.profile).await?;
        let chain = open_chain(&config, &deployment)?;
        let coinbase = match &config.role {
            Role::Sequencer(it) => it.operator_key.address(),
            Role::Follower { .. } => Default::default(),
        };
        let sequencing = match &mut config.role {
            Role::Sequencer(it) => Some(it),
            Role::Follower { .. } => config.standby.as_mut(),
        };
        let (mut pool_limits, mut limits) = (PoolLimits::default(), L1Limits::default());
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
        let mut journal = Journal::default();
        let levels = Levels::new(&mut journal);
        let journal = Arc::new(journal);
        let options = Options { journal: Arc::clone(&journal), ..Options::default() };
        let name = options.client_version.clone();
        let api = Api::new(Arc::clone(&node), options);
        // Who reads from a disk waits for it, and not on the threads that serve connections.
        let inline_reads = config.data_dir.is_none();
        // No block is made of a transaction while its sender waits.
        let workers =
            WorkerOptions { inline_reads, inline_sends: true, ..WorkerOptions::default() };
        let workers = Arc::new(Workers::new(&workers));
        let shared = Arc::<Shared>::default();
        let orders_workers = Arc::clone(&workers);
        let rollup = Arc::new(RollupApi { api: api.clone(), shared: Arc::clone(&shared) });
        let own = registry(rollup, Arc::clone(&workers)).into_methods();
        let served = serve_engine(&config, &api, &shared).await?;
        let driver = drive(&config, &node, &shared)?;
        let methods = rpc::overlaid(own, &rpc::methods(api, workers));
        let health = Readiness {
            shared: Arc::clone(&shared),
            answered: client.answered().clone(),
            longest_silence: Readiness::LONGEST_SILENCE.max(2 * config.poll_interval),
        };
        let health = Arc::new(health);
        let pages = Some(Pages { name, journal, health, more: None });
        let server = RunningServer::start_with_pages(&config.server, methods, pages).await?;

        let mut reader = L1Reader::new(client, deployment).with_blobs(blobs);
        if let Some(folder) = &config.data_dir {
            let chain = node.read(|node| node.chain.reader().clone());
            let known = |hash: &B256| chain.find_block(hash).is_ok_and(|found| found.is_some());
            reader = reader.with_log(&folder.join("l1.log"), &known)?;
        }
        let (inputs, receiver) = channel();
        let (orders, asked) = Orders::new();
        let admin = match config.admin {
            Some(address) => Some(admin::serve(address, orders, orders_workers).await?),
            None => None,
        };
        let stop = Arc::<AtomicBool>::default();
        let mut start = Start {
            rules,
            profile: config.profile,
            node: Arc::clone(&node),
            shared: Arc::clone(&shared),
            data_dir: config.data_dir.clone(),
            sequencing: config.standby,
            peer: config.peer,
            has_callers: served.is_some(),
            feed: Feed::default(),
            runtime: tokio::runtime::Handle::current(),
            poll: config.poll_interval,
            stop: Arc::clone(&stop),
        };
        let is_sequencer = match config.role {
            Role::Sequencer(sequencing) => {
                start.sequencing = Some(sequencing);
                true
            }
            Role::Follower { sequencer } => {
                start.peer = sequencer.or(start.peer);
                false
            }
        };
        let feed =
            tokio::spawn(start.feed.clone().read(Arc::clone(&node), Arc::clone(&shared), inputs));
        let worker = Worker::start(start, reader, is_sequencer).await?;
        let told = Arc::clone(&shared);
        let worker = thread::Builder::new()
            .name("rollup".to_owned())
            .spawn(move || worker.work(&told, &levels, &receiver, &asked))
            .map_err(|error| RollupError::Config { field: "threads", reason: error.to_string() })?;
        let worker = Some(worker);
        Ok(Self { node, shared, server, stop, worker, feed, admin, engine: served, driver })
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

    /// Where its role can be changed, if it can.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|admin| admin.addresses().first().copied())
    }

    /// Where it serves the Engine API, if it does.
    pub fn engine_address(&self) -> Option<SocketAddr> {
        self.engine.as_ref().map(EngineServer::address)
    }

    /// Stops it: no more blocks, and no connection stays open. A thread that waits for L1 is left to end
    /// by itself.
    pub fn stop(mut self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.stop.store(true, Ordering::Relaxed);
            self.feed.abort();
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
            if let Some(admin) = self.admin.take() {
                admin.stop().await;
            }
            self.server.stop().await;
        })
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

/// Gas limit of L1's newest block.
/// What is on L1 of a deployment, once L1 answers: a node that is started again while its L1 is away does not
/// need anybody who starts it a third time.
async fn connect(
    client: L1Client,
    deployment: &Deployment,
    profile: L1Profile,
) -> Result<(L1Client, Rules, Option<u64>), RollupError> {
    let client = Arc::new(client);
    let mut pause = Duration::from_secs(1);
    loop {
        let (asked, deployment) = (Arc::clone(&client), deployment.clone());
        let asking = tokio::task::spawn_blocking(move || {
            let rules = sync::rules(&asked, &deployment)?;
            profile.check(&asked, &deployment)?;
            Ok::<_, RollupError>((rules, gas_limit(&asked)?))
        });
        match asking.await.map_err(|_| L1Error::Thread)? {
            Ok((rules, gas_limit)) => {
                let client = Arc::into_inner(client).ok_or(L1Error::Thread)?;
                return Ok((client, rules, gas_limit));
            }
            Err(error) if error.is_silence() => {
                let seconds = pause.as_secs();
                tracing::warn!(%error, "L1 does not answer: it is asked again in {seconds} s");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
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

fn open_chain(config: &Config, deployment: &Deployment) -> Result<Chain, RollupError> {
    let rules = ChainConfig::new(spec_of(&deployment.genesis.config));
    match &config.data_dir {
        None => Ok(Chain::new(&deployment.genesis, rules)?),
        Some(folder) => Ok(Chain::open(folder, &deployment.genesis, rules)?),
    }
}
