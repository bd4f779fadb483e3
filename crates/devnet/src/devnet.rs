//! Startup and shutdown of a devnet.

use crate::{
    Accounts, CLIENT_VERSION, DevnetConfig, DevnetError, Facts, ForkOrigin, MiningMode, NAME,
    Origin, Traces, api, cheats::ForcedHeader, console, console_output::ConsoleOutput, dump,
    fork::Remote, genesis, server::RunningServer, state::DevnetState,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256};
use alloy_signer_local::PrivateKeySigner;
use client::RedactedUrl;
use futures_util::future::BoxFuture;
use node::{BlobStore, HeaderPolicy, Node, Order, SetBlobStore, SetObserver, Settings};
use rpc::{
    Api, BeaconPages, ConsoleOptions, FailureStyle, MorePages, Pages, RpcOptions, Telemetry,
    WorkerOptions, Workers,
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    task::{self, JoinHandle},
    time,
};

/// In-process devnet that runs until it is stopped or dropped.
///
/// ```no_run
/// # async fn run() -> Result<(), enshrine_devnet::DevnetError> {
/// let devnet = enshrine_devnet::Devnet::builder().chain_id(1337).spawn().await?;
/// println!("{} has {:?}", devnet.endpoint(), devnet.addresses());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Devnet {
    state: Arc<DevnetState>,
    accounts: Accounts,
    server: Option<RunningServer>,
    miner: JoinHandle<()>,
}

impl Devnet {
    /// Starts a devnet. Must be called inside a multi-threaded Tokio runtime.
    ///
    /// # Errors
    ///
    /// Any [`DevnetError`]; no devnet is then running.
    pub fn start(config: DevnetConfig) -> BoxFuture<'static, Result<Self, DevnetError>> {
        Self::start_from(config, None)
    }

    /// Like [`Self::start`], but loads a state file before the first request is served.
    ///
    /// # Errors
    ///
    /// Those of [`Self::start`] and [`Self::load_state`].
    pub fn start_from(
        config: DevnetConfig,
        file: Option<&Path>,
    ) -> BoxFuture<'_, Result<Self, DevnetError>> {
        Box::pin(Self::open(config, file))
    }

    async fn open(config: DevnetConfig, file: Option<&Path>) -> Result<Self, DevnetError> {
        let accounts =
            Accounts::derive(&config.mnemonic, &config.derivation_path, config.accounts)?;
        let telemetry = Arc::new(Telemetry::new(ConsoleOptions {
            console: config.console.then_some(console::line as fn(&[u8]) -> Option<String>),
            failures: config.traces >= Traces::Failures,
            traces: config.traces >= Traces::All,
            storage: config.traces >= Traces::Storage,
        }));
        // A thread of this runtime may be serving the forked node, so it must not be blocked by the
        // connection.
        let blobs = Arc::<BlobStore>::default();
        let (own, telemetry) = ((config, accounts), Arc::clone(&telemetry));
        let found_in = Arc::clone(&blobs);
        let started = task::spawn_blocking(move || {
            let (config, accounts) = own;
            let remote = match &config.origin {
                Origin::Fork(fork) => Some(Arc::new(Remote::connect(fork)?)),
                Origin::Own | Origin::Genesis { .. } => None,
            };
            let (chain, clock) =
                genesis::start(&config, &accounts, remote.as_ref(), &telemetry, &found_in)?;
            Ok::<_, DevnetError>((config, accounts, remote, chain, clock, telemetry))
        });
        let (config, accounts, remote, chain, clock, telemetry) = started
            .await
            .map_err(|error| DevnetError::Flag { flag: "--init", reason: error.to_string() })??;
        let clock = if config.loose_timestamps { clock.loose() } else { clock };
        let settings = Settings {
            mining: config.mining.into(),
            order: if config.order_by_fees { Order::Offers } else { Order::Arrival },
            gas_price: config.gas_price.or_else(|| {
                (!chain.state().has_base_fee()).then_some(DevnetConfig::LEGACY_GAS_PRICE)
            }),
            refuse_below_base_fee: true,
            refuse_below_floor: config.floor_check,
            slots_in_an_epoch: config.slots_in_an_epoch,
            final_number: chain.head().header.number,
            max_transaction_bytes: config.max_tx_size.unwrap_or(usize::MAX),
            history: config.history,
            bodies: config.bodies,
            verify_blocks: config.verify_blocks.then_some(execute::Rules::L1),
            suggested_tip: config.suggested_tip,
            max_transactions: config.max_transactions,
            refuse_unpaid: !config.unpaid,
            replacement_bump: 0,
            ..Settings::default()
        };
        let forced_header = Arc::new(ForcedHeader::at_start(&config));
        let policy: Arc<dyn HeaderPolicy> = Arc::<ForcedHeader>::clone(&forced_header);
        let node = Node::with_header_policy(chain, clock, settings, policy);
        let options = RpcOptions {
            block_environment: true,
            failure_style: FailureStyle::Anvil,
            client_version: CLIENT_VERSION.to_owned(),
            gas_cap_flag: Some("--no-tx-gas-cap"),
            plain_senders: true,
            old_sidecars: true,
            past_logs: true,
            estimate_at: BlockNumberOrTag::Pending,
            limits: config.server.limits.clone(),
            telemetry: Arc::clone(&telemetry),
            ..RpcOptions::default()
        };
        telemetry.state(node.read(|node| node.chain.head().header.number), 0);
        node.execute(SetBlobStore(blobs));
        node.execute(SetObserver(Arc::new(ConsoleOutput::new(&node, Arc::clone(&telemetry)))));
        let api = Api::new(Arc::clone(&node), options);
        let server_config = config.server.clone();
        let state =
            Arc::new(DevnetState::new(api.clone(), config, &accounts, remote, forced_header));
        if let Some(path) = file {
            let (state, path) = (Arc::clone(&state), path.to_owned());
            let loaded = task::spawn_blocking(move || dump::load_file(&state, &path));
            loaded.await.map_err(|error| DevnetError::Flag {
                flag: "--load-state",
                reason: error.to_string(),
            })??;
        }
        let mut workers = WorkerOptions::default();
        if let Some(threads) = state.config.threads {
            for lane in [&mut workers.read, &mut workers.execute, &mut workers.write] {
                lane.threads = threads;
            }
        }
        let workers = if state.remote().is_some() { workers.remote_reads() } else { workers };
        let workers = Arc::new(Workers::new(&workers));
        let more: Arc<dyn MorePages> = Arc::new(BeaconPages::new(api.clone()));
        let methods = rpc::overlaid(api::methods(&state, &workers), &rpc::methods(api, workers));
        let methods = api::overlay(&methods, &state).map_err(|error| DevnetError::Flag {
            flag: "--fork-url",
            reason: error.message().to_owned(),
        })?;
        let (name, health) = (NAME.to_owned(), Arc::new(()));
        let pages = Some(Pages { name, telemetry, health, more: Some(more) });
        let server = RunningServer::start_with_pages(&server_config, methods, pages).await?;
        let miner = tokio::spawn(node.run());
        Ok(Self { state, accounts, server: Some(server), miner })
    }

    pub(crate) const fn state(&self) -> &Arc<DevnetState> {
        &self.state
    }

    /// Returns the node.
    pub fn node(&self) -> &Arc<Node> {
        &self.state.node
    }

    /// Returns the configuration with which the devnet was started.
    pub fn config(&self) -> &DevnetConfig {
        &self.state.config
    }

    /// Returns the test accounts.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Returns the addresses of the test accounts.
    pub fn addresses(&self) -> &[Address] {
        &self.state.addresses
    }

    /// Returns the keys of the test accounts.
    pub fn keys(&self) -> &[PrivateKeySigner] {
        &self.accounts.signers
    }

    /// Returns the current chain id.
    pub fn chain_id(&self) -> u64 {
        self.state.node.read(|node| node.chain.config().spec.chain_id())
    }

    /// Writes the forked node's responses to the cache for later forks of the same block, if the
    /// cache is enabled.
    pub fn keep_answers(&self) {
        if let Some(remote) = self.state.remote() {
            remote.keep();
        }
    }

    /// Returns the current properties of the chain.
    pub fn facts(&self) -> Facts {
        let fork = self.state.remote();
        self.state.node.read(|node| Facts {
            chain_id: node.chain.config().spec.chain_id(),
            base_fee: node.next_base_fee(),
            gas_limit: node.next_gas_limit(),
            genesis_time: self.state.genesis_time,
            genesis_number: node.chain.first_number(),
            fork: fork.map(|remote| ForkOrigin {
                url: RedactedUrl::new(&remote.url()),
                number: remote.number(),
                hash: remote.hash,
                base_fee: remote.header.base_fee_per_gas.unwrap_or_default(),
            }),
        })
    }

    /// Returns the timestamp of the genesis block, in seconds.
    pub fn genesis_time(&self) -> u64 {
        self.state.genesis_time
    }

    /// Returns the hash of the genesis block.
    pub fn genesis_hash(&self) -> Option<B256> {
        let chain = self.state.api.chain();
        chain.canonical_hash(chain.first_number()).ok().flatten()
    }

    /// Returns the JSON-RPC server.
    pub const fn server(&self) -> Option<&RunningServer> {
        self.server.as_ref()
    }

    /// Returns the server's port, or 0 without a server.
    pub fn port(&self) -> u16 {
        let address = self.server.as_ref().and_then(|server| server.addresses().first());
        address.map_or(0, std::net::SocketAddr::port)
    }

    /// Returns the HTTP URL of the server.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.authority())
    }

    /// Returns the WebSocket URL of the server.
    pub fn ws_endpoint(&self) -> String {
        format!("ws://{}", self.authority())
    }

    fn authority(&self) -> String {
        let address = self.server.as_ref().and_then(|server| server.addresses().first());
        address.map_or_else(String::new, ToString::to_string)
    }

    /// Stops the devnet and waits until its connections have ended.
    pub fn stop(mut self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(server) = self.server.take() {
                server.stop().await;
            }
        })
    }

    /// Writes the state to a file.
    ///
    /// # Errors
    ///
    /// [`DevnetError::File`], or [`DevnetError::Flag`] if the blocks were imported.
    pub fn dump_state(&self, path: &Path) -> Result<(), DevnetError> {
        let failed = |error: dump::DumpError| DevnetError::Flag {
            flag: "--dump-state",
            reason: error.to_string(),
        };
        dump::dump(self.state(), self.config().preserve_states).map_err(failed)?.write(path)
    }

    /// Like [`Self::dump_state`], but gives up if a change locks the chain for longer than the
    /// given time, because a shutdown must not wait for it.
    ///
    /// # Errors
    ///
    /// [`DevnetError::NotWritten`] on timeout, and those of [`Self::dump_state`].
    pub fn dump_state_within<'a>(
        &'a self,
        path: &'a Path,
        max_wait: Duration,
    ) -> BoxFuture<'a, Result<(), DevnetError>> {
        Box::pin(async move {
            let node = Arc::clone(self.node());
            let free = task::spawn_blocking(move || node.read(|_| ()));
            if time::timeout(max_wait, free).await.is_err() {
                return Err(DevnetError::NotWritten { path: path.to_owned(), waited: max_wait });
            }
            self.dump_state(path)
        })
    }

    /// Loads a state file.
    ///
    /// # Errors
    ///
    /// [`DevnetError::File`] or [`DevnetError::Format`]; the devnet is then unchanged.
    pub fn load_state(&self, path: &Path) -> Result<(), DevnetError> {
        dump::load_file(self.state(), path)
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        self.miner.abort();
    }
}

impl From<MiningMode> for node::Mining {
    fn from(mining: MiningMode) -> Self {
        match mining {
            MiningMode::Instant => Self::Auto,
            MiningMode::Interval(interval) => Self::Interval(interval),
            MiningMode::Mixed(interval) => Self::Mixed(interval),
            MiningMode::Manual => Self::Manual,
        }
    }
}
