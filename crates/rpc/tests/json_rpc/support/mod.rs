//! A node with two rich accounts and a contract, and its methods.

#![allow(dead_code, reason = "not every test uses all of it")]

use alloy_primitives::{Address, Bytes, TxKind, U256};
use chain::{Chain, ChainConfig};
use enshrine_rpc::{Api, Options, WorkerOptions, Workers, methods};
use execute::Rules;
use executor::ChainSpec;
use jsonrpsee::Methods;
use node::{Clock, Mining, Node, Settings};
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::{ETHER, Key, logger, rich_genesis};
use wire::ProtocolFork;

pub(crate) use testkit::{CHAIN_ID, LOGGER};

pub(crate) const BOB: Address = Address::repeat_byte(0xb0);

pub(crate) struct Server {
    pub(crate) node: Arc<Node>,
    pub(crate) methods: Methods,
}

impl Server {
    pub(crate) fn new(mining: Mining) -> Self {
        Self::with(Settings { mining, verify_blocks: Some(Rules::L1), ..Settings::default() })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let fork = ProtocolFork::Osaka;
        let mut genesis = rich_genesis(fork, ["alice", "carol"], 100 * ETHER);
        genesis.alloc.insert(LOGGER, logger());
        let config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork));
        let node =
            Node::new(Chain::new(&genesis, config).unwrap(), Clock::starting_at(1_000), settings);
        let workers = Arc::new(Workers::new(&WorkerOptions::default()));
        let methods = methods(Api::new(Arc::clone(&node), Options::default()), workers);
        Self { node, methods }
    }

    /// The whole answer to a request.
    pub(crate) async fn answer(&self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (raw, _) = self.methods.raw_json_request(&request.to_string(), 1).await.unwrap();
        serde_json::from_str(raw.get()).unwrap()
    }

    /// The result of a request.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The code of the error that a request gets.
    pub(crate) async fn code(&self, method: &str, params: Value) -> i64 {
        let answer = self.answer(method, params).await;
        answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method}: {answer}"))
    }
}

/// A transaction of alice, as bytes.
pub(crate) fn raw(nonce: u64, to: Address, input: Vec<u8>) -> Bytes {
    use alloy_eips::eip2718::Encodable2718;
    let transaction = alloy_consensus::TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value: U256::from(u64::from(to == BOB)),
        input: input.into(),
        ..Default::default()
    };
    Key::named("alice").sign(transaction).encoded_2718().into()
}
