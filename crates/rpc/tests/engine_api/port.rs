//! Authentication on the port, and the methods that it serves.

use crate::support::{Peer, secret};
use enshrine_rpc::engine::{CAPABILITIES, EngineClient, EngineError, JwtSecret};
use eyre::Result;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const CHAIN_ID: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;

async fn post(url: &str, authorization: Option<String>, path: &str) -> Result<(u16, String)> {
    let client = reqwest::Client::builder().tls_certs_only([]).build()?;
    let mut request = client
        .post(format!("{url}{path}"))
        .header("content-type", "application/json")
        .body(CHAIN_ID);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn port_rejects_requests_without_valid_token() -> Result<()> {
    let peer = Peer::new().await?;
    let url = peer.url();
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();

    let (status, body) = post(&url, bearer(secret().token()), "/").await?;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_str::<Value>(&body)?["result"], "0x1f8f");

    let other = JwtSecret::parse(&"5b".repeat(32))?;
    // {"alg":"none"} and {"iat":…}, with an empty signature.
    let none = "eyJhbGciOiJub25lIn0.eyJpYXQiOjE3MDAwMDAwMDB9.".to_owned();
    for (what, authorization) in [
        ("none", None),
        ("no token", bearer(String::new())),
        ("another secret", bearer(other.token())),
        ("expired token", bearer(secret().token_at(now - 120))),
        ("token from the future", bearer(secret().token_at(now + 120))),
        ("unsigned", bearer(none)),
        ("another scheme", Some(format!("Basic {}", secret().token()))),
    ] {
        for path in ["/", "/engine/v1/payloads/witness", "/engine/v1/capabilities"] {
            let (status, body) = post(&url, authorization.clone(), path).await?;
            assert_eq!(status, 401, "{what} {path}: {body}");
            assert!(!body.contains("0x1f8f"), "{what}");
        }
    }

    let stranger = EngineClient::new(&url, other)?;
    let refused = stranger.call::<Value>("eth_chainId", json!([])).await;
    assert!(matches!(refused, Err(EngineError::Status { status: 401, .. })), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn advertised_capabilities_are_served() -> Result<()> {
    let peer = Peer::new().await?;
    let listed: Vec<String> = peer
        .client
        .call("engine_exchangeCapabilities", json!([["engine_newPayloadV4", "engine_unheardOf"]]))
        .await?;
    assert_eq!(listed, CAPABILITIES);
    for method in listed.iter().filter(|name| name.starts_with("engine_")) {
        // Without parameters, each method fails with "invalid params", not "method not found".
        assert_eq!(peer.code(method, json!([])).await?, -32_602, "{method}");
    }
    assert_eq!(peer.code("engine_unheardOf", json!([])).await?, -32_601);

    let own = json!({ "code": "XX", "name": "x", "version": "1", "commit": "0x01020304" });
    let versions: Value = peer.client.call("engine_getClientVersionV1", json!([own])).await?;
    let commit = versions[0]["commit"].as_str().unwrap_or_default();
    assert_eq!((commit.len(), &commit[..2]), (10, "0x"));
    assert_eq!(versions[0]["code"].as_str().map(str::len), Some(2));

    // Other methods that consensus clients call on this port.
    for (method, params) in [
        ("eth_syncing", json!([])),
        ("eth_blockNumber", json!([])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getLogs", json!([{}])),
    ] {
        let _: Value = peer.client.call(method, params).await?;
    }
    Ok(())
}

#[test]
fn methods_document_matches_capabilities() {
    let document = include_str!("../../../../docs/methods.md");
    let (_, section) = document.split_once("## The Engine API\n").unwrap();
    let mut listed: Vec<_> = section.split('`').skip(1).step_by(2).collect();
    assert_eq!(listed.remove(0), "engine_exchangeCapabilities");
    assert!(CAPABILITIES.iter().all(|name| listed.contains(name) || name.starts_with("POST")));
    assert!(listed.iter().all(|name| CAPABILITIES.contains(name)), "{listed:?}");
}
