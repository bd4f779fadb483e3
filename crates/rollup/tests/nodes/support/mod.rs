//! A rollup on a devnet, both behind real sockets.

pub(crate) mod answers;
pub(crate) mod described;
pub(crate) mod driven;
pub(crate) mod ethereumjs;
pub(crate) mod ethrex;

use alloy_consensus::TxEip1559;
use alloy_eips::{BlockNumberOrTag, eip2718::Encodable2718 as _};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_provider::{DynProvider, Provider, RootProvider, ext::AnvilApi as _};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_sol_types::SolCall;
use chain::{ForkTime, ForkTimes};
use client::{Client, ClientOptions};
use contracts::{
    Deployment, GenesisAllowance,
    bindings::{IForcedInbox, IL1MessageQueue},
};
use devnet::{Devnet, DevnetBuilder, Hardfork};
use enshrine_rollup::{
    AdminConfig, AdminToken, BacklogConfig, Config, L1Limits, PoolLimits, Prices, Role, RollupNode,
    SequencerConfig, Signer, SubmitterConfig, SyncStatus,
};
use eyre::{OptionExt, Result, ensure, eyre};
use rpc::{AccessToken, ServerConfig};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;
use testkit::{
    ETHER, FORCED_FEE, Key, Proxy, RollupFixture, Timeout, Transaction, allow_all, eip1559, id_of,
    rich, write_deployment,
};
use variants::{DialectName, Dialects, GasSchedule};
use wire::ProtocolFork;

pub(crate) const L2_CHAIN: u64 = 8_079;
/// Account of a sequencer on L1: the second key of the devnet.
pub(crate) const ADVANCE: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
/// Maximum time that a test waits for an action of a node.
pub(crate) const PATIENCE: Duration = Timeout::LIMIT;

/// How a rollup is deployed.
pub(crate) struct Setup {
    l1: DevnetBuilder,
    forks: ForkTimes,
    accounts: Vec<(Address, GenesisAccount)>,
    change: Box<dyn FnOnce(RollupFixture) -> RollupFixture + Send>,
}

impl Setup {
    /// A rollup that anyone may advance, on a new devnet.
    pub(crate) fn new() -> Self {
        let forks = ForkTimes::constant(ProtocolFork::Osaka);
        Self {
            l1: Devnet::builder(),
            forks,
            accounts: Vec::new(),
            change: Box::new(|rollup| rollup),
        }
    }

    /// A rollup with blobs whose L1 starts at Prague at `time` and activates later forks after
    /// these numbers of seconds, and whose genesis has these later forks.
    pub(crate) fn forking(
        time: u64,
        of_l1: &[(ProtocolFork, u64)],
        of_l2: &[(ProtocolFork, u64)],
    ) -> Self {
        let at = |later: &[(ProtocolFork, u64)]| {
            later.iter().map(|(fork, after)| (*fork, ForkTime::At(time + after))).collect()
        };
        let later = at(of_l1);
        let forks = ForkTimes { first: ProtocolFork::Prague, later: at(of_l2) };
        Self { forks, ..Self::new() }
            .on(|l1| l1.timestamp(time).hardforks(Hardfork::Prague, later))
            .large_blocks()
            .blobs()
    }

    /// A rollup with blobs at Amsterdam, like its L1.
    pub(crate) fn at_amsterdam() -> Self {
        Self { forks: ForkTimes::constant(ProtocolFork::Amsterdam), ..Self::new() }
            .on(|l1| l1.hardfork(Hardfork::Amsterdam))
            .large_blocks()
            .blobs()
    }

    /// At Amsterdam, storing the contracts costs more than the default block gas limit of L1.
    fn large_blocks(self) -> Self {
        self.on(|l1| l1.with(|config| config.gas_limit = 60_000_000))
    }

    /// Changes L1.
    pub(crate) fn on(self, l1: impl FnOnce(DevnetBuilder) -> DevnetBuilder) -> Self {
        Self { l1: l1(self.l1), ..self }
    }

    /// L1's EXECUTE accepts inputs with blobs.
    pub(crate) fn blobs(self) -> Self {
        self.on(|l1| l1.with(|config| config.execute_dialects = with_blobs()))
    }

    /// L1 has this schedule of EXECUTE gas, and a market that prices it.
    pub(crate) fn market(self, schedule: GasSchedule) -> Self {
        let change = move |l1: DevnetBuilder| {
            l1.with(move |config| (config.execute_gas, config.execute_market) = (schedule, true))
        };
        self.on(change).blobs()
    }

    /// Has these accounts in the genesis.
    pub(crate) fn accounts(self, accounts: Vec<(Address, GenesisAccount)>) -> Self {
        Self { accounts, ..self }
    }

    /// Changes the genesis or the contracts.
    pub(crate) fn change(
        self,
        change: impl FnOnce(RollupFixture) -> RollupFixture + Send + 'static,
    ) -> Self {
        Self { change: Box::new(change), ..self }
    }

    /// Only this account may advance the rollup.
    pub(crate) fn sequencer(self, sequencer: Address) -> Self {
        self.change(move |rollup| rollup.sequenced_by(sequencer))
    }

    pub(crate) async fn deploy(self) -> Result<DevnetRollup> {
        let Self { l1, forks, accounts, change } = self;
        let l1 = l1.mainnet().spawn().await?;
        let provider = l1.provider();
        let time = head_time(&provider).await?;
        let (url, deployer) = (l1.endpoint(), Key::named("deployer"));
        provider.anvil_set_balance(deployer.address(), rich(1_000 * ETHER).balance).await?;
        let deployed = tokio::task::spawn_blocking(move || {
            let client = Client::new(&url, ClientOptions::default())?;
            let later = forks.timestamps((0, time), None)?;
            let fixture = RollupFixture::forking(L2_CHAIN, forks.first, &later, time)?
                .rich(["operator"], ETHER)
                .accounts(accounts);
            change(fixture).deploy_over_rpc(&client, &deployer)
        });
        let deployment = deployed.await??;
        let folder = tempfile::tempdir()?;
        write_deployment(&deployment, folder.path())?;
        let genesis_allowance = allow_all(&deployment.genesis);
        let Deployment { message_queue, forced, .. } = deployment;
        Ok(DevnetRollup { l1, provider, message_queue, forced, genesis_allowance, folder })
    }
}

/// A deployed rollup.
pub(crate) struct DevnetRollup {
    pub(crate) l1: Devnet,
    pub(crate) provider: DynProvider,
    pub(crate) message_queue: Address,
    pub(crate) forced: Address,
    /// Allows all balances and codes of the genesis.
    genesis_allowance: GenesisAllowance,
    folder: TempDir,
}

impl DevnetRollup {
    /// Deploys a rollup that anyone may advance on a new devnet.
    pub(crate) async fn new() -> Result<Self> {
        Setup::new().deploy().await
    }

    /// Deploys a rollup that only this sequencer may advance.
    pub(crate) async fn with_sequencer(sequencer: Address) -> Result<Self> {
        Setup::new().sequencer(sequencer).deploy().await
    }

    /// Deploys a rollup with these accounts in its genesis.
    pub(crate) async fn with(accounts: Vec<(Address, GenesisAccount)>) -> Result<Self> {
        Setup::new().accounts(accounts).deploy().await
    }

    /// Deploys a rollup on an L1 whose EXECUTE accepts inputs with blobs.
    pub(crate) async fn with_blobs() -> Result<Self> {
        Setup::new().blobs().deploy().await
    }

    /// Mines an L1 block one second later.
    pub(crate) async fn next_second(&self) -> Result<()> {
        self.provider.anvil_increase_time(1).await?;
        self.provider.anvil_mine(Some(1), None).await?;
        Ok(())
    }

    /// Replaces the newest L1 blocks by as many empty ones.
    pub(crate) async fn reorg(&self, depth: u64) -> Result<()> {
        let nothing: [(); 0] = [];
        Ok(self.provider.raw_request("anvil_reorg".into(), (depth, nothing)).await?)
    }

    pub(crate) fn deployment(&self) -> PathBuf {
        self.folder.path().join("deployment.json")
    }

    /// Starts a proxy in front of L1, and returns the configuration of a node that uses it.
    pub(crate) fn behind_proxy(&self, role: Role) -> Result<(Proxy, Config)> {
        let server = self.l1.server().ok_or_eyre("the devnet serves HTTP")?;
        let proxy = Proxy::start(server.addresses()[0])?;
        let config = Config { l1: vec![proxy.url()], ..self.config(role) };
        Ok((proxy, config))
    }

    pub(crate) fn config(&self, role: Role) -> Config {
        Config {
            deployment: self.deployment(),
            allow_altered_genesis: false,
            genesis_allowance: self.genesis_allowance.clone(),
            l1: vec![self.l1.endpoint()],
            l1_beacon: Vec::new(),
            l1_timeout: Duration::from_secs(10),
            execute_gas: GasSchedule::DEFAULT,
            l1_limits: L1Limits::default(),
            poll_interval: Duration::from_millis(50),
            data_dir: None,
            pool: PoolLimits::default(),
            role,
            standby: None,
            feeds: Vec::new(),
            feed_signers: Vec::new(),
            preconf_bonds: None,
            peer: None,
            lease: None,
            admin: None,
            server: ServerConfig { port: 0, ..ServerConfig::default() },
            engine: None,
            watch: None,
            observer: None,
        }
    }

    pub(crate) fn sequencer_config(&self) -> Result<SequencerConfig> {
        let secret = B256::from_slice(&self.l1.keys()[1].to_bytes()[..]);
        Ok(SequencerConfig {
            advance_key: Signer::new("advance_key", secret)?,
            operator_key: Signer::new("operator_key", Key::named("operator").secret())?,
            block_time: Duration::from_millis(200),
            idle_block_time: Duration::from_secs(3_600),
            submit_interval: Duration::from_millis(300),
            confirmations: 0,
            l1_drift: Duration::from_secs(300),
            submitter: SubmitterConfig::default(),
            backlog: BacklogConfig::default(),
            prices: Prices::default(),
            preconfirm: None,
        })
    }

    /// Role of a sequencer with [`Self::sequencer_config`].
    pub(crate) fn sequencer_role(&self) -> Result<Role> {
        Ok(Role::Sequencer(Box::new(self.sequencer_config()?)))
    }

    /// Starts a sequencer.
    pub(crate) async fn start(&self, config: SequencerConfig) -> Result<RollupNode> {
        Ok(RollupNode::start(self.config(Role::Sequencer(Box::new(config)))).await?)
    }

    pub(crate) async fn sequencer(&self) -> Result<RollupNode> {
        self.start(self.sequencer_config()?).await
    }

    pub(crate) async fn follower(&self, sequencer: Option<&RollupNode>) -> Result<RollupNode> {
        let sequencer = sequencer.map(|node| format!("ws://{}", node.server().addresses()[0]));
        Ok(RollupNode::start(self.config(Role::Follower { sequencer })).await?)
    }

    /// Sends ETH to an account on the L2.
    pub(crate) async fn deposit(&self, to: Address, value: U256) -> Result<TransactionReceipt> {
        let call =
            IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        self.l1_call(self.message_queue, value, call.abi_encode()).await
    }

    /// Like [`Self::deposit`], and waits until an account that receives nothing else has it on the
    /// L2 of this node.
    pub(crate) async fn deposit_on(
        &self,
        node: &RollupNode,
        to: Address,
        value: U256,
    ) -> Result<TransactionReceipt> {
        let expected = provider_of(node)?.get_balance(to).await? + value;
        let receipt = self.deposit(to, value).await?;
        until_balance("the deposit", node, to, expected).await?;
        Ok(receipt)
    }

    /// Submits a transaction to the forced inbox.
    pub(crate) async fn force(&self, raw: impl Into<Bytes>) -> Result<TransactionReceipt> {
        let submit = IForcedInbox::submitCall { raw: raw.into() };
        self.l1_call(self.forced, U256::from(FORCED_FEE), submit.abi_encode()).await
    }

    pub(crate) async fn l1_call(
        &self,
        to: Address,
        value: U256,
        input: Vec<u8>,
    ) -> Result<TransactionReceipt> {
        self.l1_call_from(self.l1.addresses()[0], to, value, input).await
    }

    /// Calls a contract on L1 from an account of the devnet.
    pub(crate) async fn l1_call_from(
        &self,
        from: Address,
        to: Address,
        value: U256,
        input: Vec<u8>,
    ) -> Result<TransactionReceipt> {
        // The provider's cached nonce would be wrong after a reorg, or a transaction of a node.
        let nonce = self.provider.get_transaction_count(from).await?;
        let request = TransactionRequest::default()
            .from(from)
            .to(to)
            .nonce(nonce)
            .value(value)
            .input(input.into());
        let receipt = self.provider.send_transaction(request).await?.get_receipt().await?;
        ensure!(receipt.status(), "an L1 transaction failed");
        Ok(receipt)
    }
}

/// Dialects of EXECUTE that also accept inputs with blobs.
pub(crate) fn with_blobs() -> Dialects {
    Dialects::usual(&[DialectName::Specs, DialectName::Blobs])
}

/// Returns accounts with 24 kB of code each, and one that calls all of them. A call of it needs
/// 196 kB of code as witness, more than fits into an `advance`.
pub(crate) fn with_much_code(reader: Address) -> Vec<(Address, GenesisAccount)> {
    let mut accounts = Vec::new();
    let mut calls = Vec::new();
    for number in 1..=8_u8 {
        let address = Address::repeat_byte(number);
        let code = [vec![0], vec![number; 24_000]].concat();
        let account = GenesisAccount { code: Some(code.into()), ..Default::default() };
        accounts.push((address, account));
        // CALL(GAS, address, 0, 0, 0, 0, 0), POP
        calls.extend([0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x73]);
        calls.extend(address);
        calls.extend([0x5a, 0xf1, 0x50]);
    }
    let account = GenesisAccount { code: Some(calls.into()), ..Default::default() };
    accounts.push((reader, account));
    accounts
}

pub(crate) async fn head_time(provider: &DynProvider) -> Result<u64> {
    let block = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
    Ok(block.ok_or_eyre("no head")?.header.timestamp)
}

/// Returns a provider for a node's RPC, which checks the form of answers. Its type is concrete to
/// save compile time.
pub(crate) fn provider_of(node: &RollupNode) -> Result<RootProvider> {
    let url = format!("http://{}", node.server().addresses()[0]).parse()?;
    Ok(answers::checked(&RootProvider::new_http(url)))
}

/// Bearer token of the admin ports.
const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Configuration of an admin port at a free address.
pub(crate) fn admin_config() -> Result<AdminConfig> {
    let token = AccessToken::parse(ADMIN_TOKEN).ok_or_eyre("no token")?;
    Ok(AdminConfig { address: "127.0.0.1:0".parse()?, token: AdminToken::Given(token) })
}

/// Returns a provider for a node's admin port.
pub(crate) fn admin_of(node: &RollupNode) -> Result<RootProvider> {
    let url = format!("http://{}", node.admin_address().ok_or_eyre("no admin address")?);
    let header = ("authorization".to_owned(), format!("Bearer {ADMIN_TOKEN}"));
    let client = Client::of_several(&[&url], &[header], ClientOptions::default())?;
    Ok(client.provider().clone())
}

/// Returns a JSON-RPC response to a request with this text as the result.
pub(crate) fn json_response(request: &str, result: impl core::fmt::Display) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":"{result}"}}"#, id_of(request))
}

/// Returns a JSON-RPC error response to a request.
pub(crate) fn refusal(request: &str, message: &str) -> String {
    let id = id_of(request);
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32000,"message":"{message}"}}}}"#)
}

/// Waits until a condition holds, and fails with the node's status after the time limit.
pub(crate) async fn until<F: Future<Output = Result<bool>>>(
    what: &str,
    node: &RollupNode,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let timeout = Timeout::begin();
    while !holds().await? {
        if !timeout.lasts() {
            return Err(eyre!("timed out waiting for {what}: {:?}", node.status()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Waits until the status of a node meets a condition.
pub(crate) async fn until_status(
    what: &str,
    node: &RollupNode,
    holds: impl Fn(SyncStatus) -> bool,
) -> Result<()> {
    until(what, node, || async { Ok(holds(node.status())) }).await
}

/// Waits until a node has read all of L1.
pub(crate) async fn until_synced(node: &RollupNode) -> Result<()> {
    until_status("L1", node, |status| status.synced).await
}

/// Waits until a node has read L1's current head.
pub(crate) async fn until_l1_head(rollup: &DevnetRollup, node: &RollupNode) -> Result<()> {
    let head = rollup.provider.get_block_number().await?;
    until_status("L1's head", node, |status| status.l1_head.is_some_and(|l1| l1.number >= head))
        .await
}

/// Waits until L1 has all blocks of a node.
pub(crate) async fn until_settled(what: &str, node: &RollupNode) -> Result<()> {
    until_status(what, node, |status| status.safe_head == status.unsafe_head).await
}

/// Waits until a node reports a fault that contains this text.
pub(crate) async fn until_fault(node: &RollupNode, text: &str) -> Result<()> {
    let what = format!("a fault with: {text}");
    until_status(&what, node, |status| status.fault.is_some_and(|fault| fault.contains(text))).await
}

/// Waits until an account has this balance on the L2 of a node.
pub(crate) async fn until_balance(
    what: &str,
    node: &RollupNode,
    account: Address,
    wei: U256,
) -> Result<()> {
    let l2 = provider_of(node)?;
    until(what, node, || async { Ok(l2.get_balance(account).await? == wei) }).await
}

/// Like [`until_balance`], and until L1 has all blocks of the node.
pub(crate) async fn until_posted_balance(
    what: &str,
    node: &RollupNode,
    account: Address,
    wei: U256,
) -> Result<()> {
    until_balance(what, node, account, wei).await?;
    until_settled(what, node).await
}

/// Waits until an account has sent this many transactions in L2 blocks of a node.
pub(crate) async fn until_nonce(
    what: &str,
    node: &RollupNode,
    account: Address,
    count: u64,
) -> Result<()> {
    let l2 = provider_of(node)?;
    until(what, node, || async { Ok(l2.get_transaction_count(account).await? >= count) }).await
}

/// Waits until an L2 block of a node contains a transaction.
pub(crate) async fn until_included(what: &str, node: &RollupNode, hash: B256) -> Result<()> {
    let l2 = provider_of(node)?;
    until(what, node, || async { Ok(l2.get_transaction_receipt(hash).await?.is_some()) }).await
}

/// Waits until L1 has the L2 block that contains a transaction.
pub(crate) async fn until_posted(what: &str, node: &RollupNode, hash: B256) -> Result<()> {
    let l2 = provider_of(node)?;
    until(what, node, || async {
        let number =
            l2.get_transaction_receipt(hash).await?.and_then(|receipt| receipt.block_number);
        Ok(number.is_some_and(|number| node.status().safe_head.number >= number))
    })
    .await
}

/// Returns `true` if L1 has all blocks of a node. A test that also waits for a block must check for
/// the block first, since it may appear between the two checks.
pub(crate) fn is_settled(node: &RollupNode) -> bool {
    let status = node.status();
    status.safe_head == status.unsafe_head
}

/// Signs an L2 transfer or call with the account's next nonce.
pub(crate) async fn signed(
    l2: &RootProvider,
    from: &Key,
    to: Address,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Result<Transaction> {
    let nonce = l2.get_transaction_count(from.address()).await?;
    Ok(signed_with(from, nonce, to, value, input, gas_limit))
}

/// Signs a transfer or call with this nonce.
pub(crate) fn signed_with(
    from: &Key,
    nonce: u64,
    to: Address,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Transaction {
    from.sign(TxEip1559 {
        max_priority_fee_per_gas: 1_000_000,
        value: U256::from(value),
        input,
        ..eip1559(nonce, to, gas_limit)
    })
}

/// Signs a transfer of one wei with this nonce.
pub(crate) fn one_wei(from: &Key, nonce: u64, to: Address) -> Transaction {
    signed_with(from, nonce, to, 1, Bytes::new(), 21_000)
}

/// Sends a transaction, and returns its hash.
pub(crate) async fn submit(l2: &RootProvider, transaction: &Transaction) -> Result<B256> {
    Ok(*l2.send_raw_transaction(&transaction.encoded_2718()).await?.tx_hash())
}
