//! Nodes that serve the Engine API to each other over TCP.

#![allow(dead_code, reason = "not every test uses all of it")]

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, TxKind, U64, U256};
use chain::{Block, Chain, ChainConfig};
use enshrine_rpc::engine::{
    Engine, EngineClient, EngineError, EngineServer, ForkchoiceState, HeadPolicy, JwtSecret,
    NewPayload, PayloadAttributes,
};
use enshrine_rpc::{Api, RpcOptions};
use execute::Rules;
use executor::ChainSpec;
use eyre::{Result, eyre};
use node::{Clock, MineRequest, Mining, Node, Settings};
use rollup::InputLimits;
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};
use testkit::{CHAIN_ID, ETHER, Key, LOGGER, logger, rich_genesis};
use wire::ProtocolFork;

pub(crate) const BOB: Address = Address::repeat_byte(0xb0);

pub(crate) fn secret() -> JwtSecret {
    JwtSecret::parse(&"5a".repeat(32)).unwrap()
}

/// A node with an Engine API server, and a client of that server.
pub(crate) struct Peer {
    pub(crate) node: Arc<Node>,
    pub(crate) server: EngineServer,
    pub(crate) client: EngineClient,
    pub(crate) fork: ProtocolFork,
}

impl Peer {
    /// Starts a node of an L2 at Osaka.
    pub(crate) async fn new() -> Result<Self> {
        Self::with(ProtocolFork::Osaka, Rules::default(), Arc::new(())).await
    }

    pub(crate) async fn with(
        fork: ProtocolFork,
        rules: Rules,
        policy: Arc<dyn HeadPolicy>,
    ) -> Result<Self> {
        let mut genesis = rich_genesis(fork, ["alice", "carol"], 100 * ETHER);
        genesis.alloc.insert(LOGGER, logger());
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
        Self::on(Chain::new(&genesis, config)?, fork, rules, policy).await
    }

    pub(crate) async fn on(
        chain: Chain,
        fork: ProtocolFork,
        rules: Rules,
        policy: Arc<dyn HeadPolicy>,
    ) -> Result<Self> {
        let settings = Settings {
            mining: Mining::Manual,
            verify_blocks: Some(rules),
            budget: Arc::new(InputLimits { bytes: Some(100_000), ..InputLimits::default() }),
            ..Settings::default()
        };
        let node = Node::new(chain, Clock::starting_at(1_000), settings);
        let api = Api::new(Arc::clone(&node), RpcOptions::default());
        let engine = Arc::new(Engine::new(api, policy));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server =
            EngineServer::start(address, secret(), vec!["localhost".to_owned()], engine).await?;
        let client = EngineClient::new(&format!("http://{}", server.address()), secret())?;
        Ok(Self { node, server, client, fork })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    pub(crate) fn head(&self) -> Arc<Block> {
        self.node.read(|node| Arc::clone(node.chain.head()))
    }

    /// Adds a transaction of alice to the pool.
    pub(crate) fn offer(&self, nonce: u64, to: Address) -> Result<B256> {
        let transaction = Key::named("alice").sign(TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 100_000,
            max_fee_per_gas: 20_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(to),
            value: U256::from(u64::from(to == BOB)),
            ..Default::default()
        });
        let pooled = enshrine_rpc::decode_pooled(&transaction.encoded_2718().into())?;
        Ok(self.node.submit(pooled)?)
    }

    /// Mines a block with this timestamp from the pool.
    pub(crate) fn make(&self, timestamp: u64) -> Result<Arc<Block>> {
        let request = MineRequest { timestamp: Some(timestamp), ..MineRequest::default() };
        Ok(self.node.mine(&request)?)
    }

    /// Sends a payload to the node and asserts that it is `VALID`.
    pub(crate) async fn take(&self, block: &Block) -> Result<()> {
        let status = self.client.new_payload(&NewPayload::of(block), self.fork).await?;
        assert_eq!(status, codec::PayloadStatus::valid(block.hash));
        Ok(())
    }

    /// Sets the node's head with `engine_forkchoiceUpdated`.
    pub(crate) async fn follow(&self, head: &Block) -> Result<()> {
        let updated = self.client.forkchoice_updated(to(head.hash), None, self.fork).await?;
        assert_eq!(updated.payload_status, codec::PayloadStatus::valid(head.hash));
        assert_eq!(self.head().hash, head.hash);
        Ok(())
    }

    /// Returns the JSON-RPC error code of a call.
    pub(crate) async fn code(&self, method: &str, params: Value) -> Result<i64> {
        match self.client.call::<Value>(method, params).await {
            Err(EngineError::Refused { code, .. }) => Ok(code),
            other => Err(eyre!("{method}: {other:?}")),
        }
    }
}

/// Returns a forkchoice with a head only.
pub(crate) const fn to(head: B256) -> ForkchoiceState {
    ForkchoiceState {
        head_block_hash: head,
        safe_block_hash: B256::ZERO,
        finalized_block_hash: B256::ZERO,
    }
}

/// Returns payload attributes for a child of a block.
pub(crate) fn attributes(parent: &Block, fork: ProtocolFork) -> PayloadAttributes {
    let is_amsterdam = fork >= ProtocolFork::Amsterdam;
    PayloadAttributes {
        timestamp: U64::from(parent.header.timestamp + 2),
        prev_randao: B256::repeat_byte(7),
        suggested_fee_recipient: Address::repeat_byte(0xfe),
        withdrawals: Vec::new(),
        parent_beacon_block_root: B256::repeat_byte(9),
        slot_number: is_amsterdam.then(|| U64::from(5)),
        target_gas_limit: is_amsterdam.then(|| U64::from(parent.header.gas_limit)),
    }
}

/// Returns a payload with a wrong state root and a consistent block hash.
pub(crate) fn tampered(block: &Block) -> NewPayload {
    let mut header = block.header.clone();
    header.state_root = B256::repeat_byte(0xbd);
    let mut new = NewPayload::of(block);
    new.payload.state_root = header.state_root;
    new.payload.block_hash = header.hash_slow();
    new
}
