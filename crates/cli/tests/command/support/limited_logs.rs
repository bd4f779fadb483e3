//! A node that limits the blocks of a request for logs, as public ones do.

use client::Client;
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use testkit::Proxy;

/// Proxy of a node that refuses `eth_getLogs` for too many blocks.
pub(crate) struct LimitedLogs {
    proxy: Proxy,
    refused: Arc<AtomicUsize>,
}

impl LimitedLogs {
    /// Message of a refusal.
    pub(crate) const MESSAGE: &str = "query exceeds the range of blocks";

    pub(crate) fn of(node: &Client) -> Self {
        let address = node.url().trim_start_matches("http://").trim_end_matches('/');
        let proxy = Proxy::start(address.parse().unwrap()).unwrap();
        Self { proxy, refused: Arc::default() }
    }

    pub(crate) fn url(&self) -> String {
        self.proxy.url()
    }

    /// Refuses requests for more blocks than this.
    pub(crate) fn limit(&self, blocks: u64) {
        let refused = Arc::clone(&self.refused);
        self.proxy.set(move |request, answer| {
            let Some(body) = request.find('{').map(|at| &request[at..]) else {
                return Some(answer);
            };
            let asked: Value = serde_json::from_str(body).unwrap_or_default();
            if asked["method"] != "eth_getLogs" {
                return Some(answer);
            }
            let number = |name: &str| {
                let text = asked["params"][0][name].as_str().unwrap_or("0x0");
                u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
            };
            if number("toBlock") - number("fromBlock") < blocks {
                return Some(answer);
            }
            refused.fetch_add(1, Ordering::Relaxed);
            let error = json!({ "code": -32005, "message": Self::MESSAGE });
            Some(json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string())
        });
    }

    /// Returns the number of refused requests since the last call.
    pub(crate) fn take_refused(&self) -> usize {
        self.refused.swap(0, Ordering::Relaxed)
    }
}
