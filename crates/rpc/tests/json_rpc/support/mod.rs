//! A node with two funded accounts and a contract, and its RPC methods.

#![allow(dead_code, reason = "not every test uses all of it")]

use alloy_genesis::Genesis;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use chain::{Chain, ChainConfig};
use enshrine_rpc::{Api, RequestLimits, RpcOptions, WorkerOptions, Workers, methods};
use execute::Rules;
use executor::ChainSpec;
use jsonrpsee::Methods;
use node::{Clock, Mining, Node, Settings};
use serde_json::{Value, json};
use std::{
    io::{self, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};
use testkit::{ETHER, Key, Timeout, logger, rich_genesis};
use wire::ProtocolFork;

pub(crate) use testkit::{CHAIN_ID, LOGGER, Socket};

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
        Self::with_options(settings, RpcOptions::default())
    }

    /// Creates a server with these request limits.
    pub(crate) fn bounded(limits: RequestLimits) -> Self {
        let settings = Settings { mining: Mining::Auto, ..Settings::default() };
        Self::with_options(settings, RpcOptions { limits, ..RpcOptions::default() })
    }

    /// Creates a server with these request limits whose log filters return the logs of existing
    /// blocks.
    pub(crate) fn with_past_logs(limits: RequestLimits) -> Self {
        let settings = Settings { mining: Mining::Auto, ..Settings::default() };
        let options = RpcOptions { limits, past_logs: true, ..RpcOptions::default() };
        Self::with_options(settings, options)
    }

    /// Creates a server whose calls may use this gas until they time out.
    pub(crate) fn of_long_calls(gas_cap: u64, call_time: Duration) -> Self {
        let (genesis, mut config) = genesis();
        config.limits.no_transaction_gas_cap = true;
        let limits = RequestLimits { call_time, ..RequestLimits::default() };
        let options = RpcOptions { limits, gas_cap, ..RpcOptions::default() };
        Self::on(Chain::new(&genesis, config).unwrap(), Settings::default(), options)
    }

    /// Creates a server whose chain is in this folder.
    pub(crate) fn on_disk(folder: &Path, settings: Settings) -> Self {
        let (genesis, config) = genesis();
        let chain = disk::open_chain(folder, &genesis, config).unwrap();
        Self::on(chain, settings, RpcOptions::default())
    }

    fn with_options(settings: Settings, options: RpcOptions) -> Self {
        let (genesis, config) = genesis();
        Self::on(Chain::new(&genesis, config).unwrap(), settings, options)
    }

    fn on(chain: Chain, settings: Settings, options: RpcOptions) -> Self {
        let node = Node::new(chain, Clock::starting_at(1_000), settings);
        let workers = Arc::new(Workers::new(&WorkerOptions::default()));
        let methods = methods(Api::new(Arc::clone(&node), options), workers);
        Self { node, methods }
    }

    /// Returns the complete response to a request.
    pub(crate) async fn answer(&self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (raw, _) = self.methods.raw_json_request(&request.to_string(), 1).await.unwrap();
        serde_json::from_str(raw.get()).unwrap()
    }

    /// Returns the result of a request.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Returns the error code of a request.
    pub(crate) async fn code(&self, method: &str, params: Value) -> i64 {
        let answer = self.answer(method, params).await;
        answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method}: {answer}"))
    }
}

fn genesis() -> (Genesis, ChainConfig) {
    let fork = ProtocolFork::Osaka;
    let mut genesis = rich_genesis(fork, ["alice", "carol"], 100 * ETHER);
    genesis.alloc.insert(LOGGER, logger());
    (genesis, ChainConfig::new(ChainSpec::constant(CHAIN_ID, fork)))
}

/// A signed transaction of Alice, encoded.
pub(crate) fn raw(nonce: u64, to: Address, input: Vec<u8>) -> Bytes {
    raw_to(nonce, TxKind::Call(to), input)
}

/// [`raw`] that may create a contract.
pub(crate) fn raw_to(nonce: u64, to: TxKind, input: Vec<u8>) -> Bytes {
    use alloy_eips::eip2718::Encodable2718;
    let transaction = alloy_consensus::TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to,
        value: U256::from(u64::from(to == TxKind::Call(BOB))),
        input: input.into(),
        ..Default::default()
    };
    Key::named("alice").sign(transaction).encoded_2718().into()
}

/// Posts a body over a new connection and returns the response.
pub(crate) fn post(address: SocketAddr, body: &Value) -> Value {
    read_http(&mut send(address, body))
}

/// Posts a body over a new connection, from which the response can be read.
pub(crate) fn send(address: SocketAddr, body: &Value) -> TcpStream {
    try_send(address, &body.to_string()).unwrap()
}

/// Like [`send`], with any body; fails if the server closes the connection.
pub(crate) fn try_send(address: SocketAddr, body: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Timeout::LIMIT))?;
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    Ok(stream)
}

/// Body of the next HTTP response, delimited by its Content-Length.
pub(crate) fn read_http(stream: &mut TcpStream) -> Value {
    try_read_http(stream).unwrap()
}

/// Like [`read_http`]; fails if the server closes the connection.
pub(crate) fn try_read_http(stream: &mut TcpStream) -> io::Result<Value> {
    let (_, body) = testkit::read_http(&mut BufReader::new(stream))?;
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}
