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
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};
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
        Self::with_options(settings, RpcOptions::default())
    }

    /// Creates a server with these request limits.
    pub(crate) fn bounded(limits: RequestLimits) -> Self {
        let settings = Settings { mining: Mining::Auto, ..Settings::default() };
        Self::with_options(settings, RpcOptions { limits, ..RpcOptions::default() })
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
    let mut stream = TcpStream::connect(address).unwrap();
    let body = body.to_string();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream
}

/// Body of the next HTTP response, delimited by its Content-Length.
pub(crate) fn read_http(stream: &mut TcpStream) -> Value {
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if length.is_some_and(|length: usize| body.len() >= length) {
            return serde_json::from_str(body).unwrap_or_default();
        }
    }
}

/// Minimal WebSocket client that sends and receives one text frame per message.
pub(crate) struct Socket(pub(crate) TcpStream);

impl Socket {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket";
        write!(stream, "GET / HTTP/1.1\r\nhost: localhost\r\n{upgrade}\r\n{key}\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    /// Sends a request; fails if the server has closed the connection.
    pub(crate) fn try_send(&mut self, value: &Value) -> std::io::Result<()> {
        let text = value.to_string();
        let mut frame = vec![0x81];
        match u16::try_from(text.len()) {
            Ok(length @ 0..126) => frame.push(0x80 | length as u8),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
            }
        }
        // A zero mask leaves the text unchanged.
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame)
    }

    pub(crate) fn send(&mut self, value: &Value) {
        self.try_send(value).unwrap();
    }

    pub(crate) fn receive(&mut self) -> Value {
        self.try_receive().unwrap()
    }

    /// Receives the next text; fails if the server has closed the connection.
    pub(crate) fn try_receive(&mut self) -> std::io::Result<Value> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        if head[0] != 0x81 {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.0.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.0.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            length => u64::from(length),
        };
        let mut text = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text).unwrap())
    }
}
