//! A rollup on a devnet, both behind real sockets.

use alloy_consensus::TxEip1559;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_provider::{DynProvider, Provider, ProviderBuilder};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use alloy_sol_types::SolCall;
use contracts::{RollupConfig, bindings::IL1MessageQueue, l2_chain_config, l2_genesis};
use devnet::{Devnet, DevnetBuilder};
use enshrine_rollup::{Config, Role, RollupNode, SequencerConfig, Signer, SubmitterConfig};
use eyre::{OptionExt, Result, ensure, eyre};
use rpc::ServerConfig;
use serde_json::json;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{Artifacts, ETHER, Key, Transaction, rich};
use wire::ProtocolFork;

pub(crate) const L2_CHAIN: u64 = 8_079;
/// How long anything may take that a node does by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A deployed rollup.
pub(crate) struct World {
    pub(crate) l1: Devnet,
    pub(crate) provider: DynProvider,
    pub(crate) inbox: Address,
    #[allow(dead_code, reason = "not every test forces a transaction")]
    pub(crate) forced: Address,
    folder: TempDir,
}

impl World {
    /// Deploys a rollup that anyone may advance on a devnet of its own.
    pub(crate) async fn new() -> Result<Self> {
        Self::on(Devnet::builder()).await
    }

    /// As [`Self::new`], on a devnet of this kind.
    pub(crate) async fn on(l1: DevnetBuilder) -> Result<Self> {
        let l1 = l1.spawn().await?;
        let provider = l1.provider();
        let artifacts = tokio::task::spawn_blocking(|| {
            Artifacts::load(&toolchain::progress_to_stderr).map(|it| (*it).clone())
        })
        .await??;
        let time = head_time(&provider).await?;
        let fork = ProtocolFork::Osaka;
        let mut genesis = l2_genesis(&artifacts.predeploys()?, fork, 10_000_000, time);
        genesis.config = l2_chain_config(L2_CHAIN, fork);
        genesis.alloc.insert(Key::named("operator").address(), rich(ETHER));
        let rules = chain::ChainConfig::new(chain::spec_of(&genesis.config));
        let first = chain::Chain::new(&genesis, rules)?;
        let block = std::sync::Arc::clone(first.head());

        let deployer = l1.addresses()[0];
        let nonce = provider.get_transaction_count(deployer).await?;
        let rollup = deployer.create(nonce + 2);
        let config = RollupConfig { fee_percent: 0, ..RollupConfig::new(L2_CHAIN, fork.schema()) };
        let config = RollupConfig {
            forced: contracts::ForcedConfig { fee_percent: 0, ..config.forced },
            ..config
        };
        let l1_block = provider.get_block_number().await?;
        let deploy = |name: &str, arguments: Vec<u8>| {
            let code = artifacts.get(name).map(|it| it.init_code.clone());
            let provider = provider.clone();
            async move {
                let code = Bytes::from([&code?[..], &arguments].concat());
                let mut create = TransactionRequest::default().from(deployer).input(code.into());
                create.to = Some(TxKind::Create);
                let receipt = provider.send_transaction(create).await?.get_receipt().await?;
                ensure!(receipt.status(), "not deployed");
                receipt.contract_address.ok_or_eyre("no address")
            }
        };
        let inbox = deploy("L1MessageQueue", config.message_queue_arguments(rollup)).await?;
        let forced = deploy("ForcedInbox", config.forced_inbox_arguments(rollup)).await?;
        let made = deploy("NativeRollup", config.rollup_arguments(&block, inbox, forced)).await?;
        ensure!(made == rollup, "another address");

        let folder = tempfile::tempdir()?;
        let file = json!({
            "l1ChainId": l1.chain_id(), "l1Block": l1_block, "l2ChainId": L2_CHAIN,
            "genesisHash": block.hash, "genesisStateRoot": block.header.state_root,
            "deployer": deployer, "rollup": rollup, "inbox": inbox, "forced": forced,
            "policy": Address::ZERO, "l1Bridge": Address::ZERO, "l2Bridge": Address::ZERO,
            "genesis": genesis,
        });
        fs::write(folder.path().join("deployment.json"), file.to_string())?;
        Ok(Self { l1, provider, inbox, forced, folder })
    }

    pub(crate) fn deployment(&self) -> PathBuf {
        self.folder.path().join("deployment.json")
    }

    pub(crate) fn config(&self, role: Role) -> Config {
        Config {
            deployment: self.deployment(),
            l1: self.l1.endpoint(),
            l1_beacon: None,
            l1_timeout: Duration::from_secs(10),
            poll_interval: Duration::from_millis(50),
            data_dir: None,
            role,
            server: ServerConfig { port: 0, ..ServerConfig::default() },
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
            submitter: SubmitterConfig::default(),
        })
    }

    #[allow(dead_code, reason = "some tests have sequencers of their own kind")]
    pub(crate) async fn sequencer(&self) -> Result<RollupNode> {
        let role = Role::Sequencer(Box::new(self.sequencer_config()?));
        Ok(RollupNode::start(self.config(role)).await?)
    }

    pub(crate) async fn follower(&self, sequencer: Option<&RollupNode>) -> Result<RollupNode> {
        let sequencer = sequencer.map(|it| format!("ws://{}", it.server().addresses()[0]));
        Ok(RollupNode::start(self.config(Role::Follower { sequencer })).await?)
    }

    /// Sends ETH to an account on the L2.
    pub(crate) async fn deposit(&self, to: Address, value: U256) -> Result<TransactionReceipt> {
        let call =
            IL1MessageQueue::sendCall { to, refundTo: to, gasLimit: 0, fee: 0, data: Bytes::new() };
        self.l1_call(self.inbox, value, call.abi_encode()).await
    }

    pub(crate) async fn l1_call(
        &self,
        to: Address,
        value: U256,
        input: Vec<u8>,
    ) -> Result<TransactionReceipt> {
        // Not the provider's own count, which knows nothing of reorganisations.
        let from = self.l1.addresses()[0];
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

async fn head_time(provider: &DynProvider) -> Result<u64> {
    let block = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
    Ok(block.ok_or_eyre("no head")?.header.timestamp)
}

/// A provider of a node's RPC.
pub(crate) fn provider_of(node: &RollupNode) -> Result<DynProvider> {
    let url = format!("http://{}", node.server().addresses()[0]).parse()?;
    Ok(ProviderBuilder::new().disable_recommended_fillers().connect_http(url).erased())
}

/// Waits until something holds.
pub(crate) async fn until<F: Future<Output = Result<bool>>>(
    what: &str,
    node: &RollupNode,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let begun = Instant::now();
    while !holds().await? {
        if begun.elapsed() > PATIENCE {
            return Err(eyre!("{what} does not come: {:?}", node.status()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A transfer or call on the L2, behind what the account has sent before.
pub(crate) async fn signed(
    l2: &DynProvider,
    from: &Key,
    to: Address,
    value: u128,
    input: Bytes,
    gas_limit: u64,
) -> Result<Transaction> {
    Ok(from.sign(TxEip1559 {
        chain_id: L2_CHAIN,
        nonce: l2.get_transaction_count(from.address()).await?,
        gas_limit,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to: TxKind::Call(to),
        value: U256::from(value),
        input,
        ..Default::default()
    }))
}
