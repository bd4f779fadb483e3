//! A JSON-RPC server with scripted responses.

use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use testkit::Proxy;

/// A JSON-RPC server that responds with `answers`.
pub(crate) struct Node {
    pub(crate) url: String,
}

impl Node {
    pub(crate) fn start(answers: impl Fn(&str, &Value) -> Value + Send + 'static) -> Self {
        // Nothing is forwarded to the port.
        let proxy = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        proxy.intercept(move |request| {
            let request: Value = serde_json::from_str(request).expect("JSON");
            let method = request["method"].as_str().expect("a method");
            let mut answer = answers(method, &request["params"]);
            answer["jsonrpc"] = json!("2.0");
            answer["id"] = request["id"].clone();
            Some(answer.to_string())
        });
        Self { url: proxy.url() }
    }
}
