//! Payload witnesses: EXECUTE verifies a block of another client from the witness it returns.

use crate::support::{BOB, Peer, attributes, secret, tampered, to};
use alloy_primitives::{Address, B256, keccak256};
use codec::{PayloadEnvelope, PayloadStatus, PayloadStatusWithWitness, PayloadVerdict};
use enshrine_rpc::engine::{EngineClient, NewPayload};
use execute::{Execute, Networks};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result};
use std::sync::Arc;
use testkit::{CHAIN_ID, Key, LOGGER};
use wire::{ByteLists, ProtocolFork};

/// Verifies an EXECUTE input of the test chain and returns the block hash.
fn verify(input: &[u8], fork: ProtocolFork) -> Result<B256> {
    let networks = Networks::Only(Arc::new(ChainSpec::constant(CHAIN_ID, fork)));
    let execute = Execute { networks, ..Execute::on(fork) };
    Ok(execute.run(input, u64::MAX)?.verdict.block_hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn execute_verifies_built_payload_from_its_witness() -> Result<()> {
    for fork in [ProtocolFork::Cancun, ProtocolFork::Osaka, ProtocolFork::Amsterdam] {
        let builder = Peer::with(fork, Default::default(), Arc::new(())).await?;
        let head = builder.head();
        builder.offer(0, BOB)?;
        builder.offer(1, LOGGER)?;
        let wanted = attributes(&head, fork);
        let client = &builder.client;
        let begun = client.forkchoice_updated(to(head.hash), Some(&wanted), fork).await?;
        let id = begun.payload_id.ok_or_eyre("no payload is being built")?;
        let built = client.get_payload(id, fork).await?;
        let new = built.into_new_payload(wanted.parent_beacon_block_root);

        // The witness suffices to verify the block statelessly.
        let (status, witness) = client.new_payload_with_witness(&new, fork).await?;
        assert_eq!(status, PayloadStatus::valid(new.payload.block_hash));
        let witness = witness.ok_or_eyre("no witness")?;
        let input = new.stateless_input(fork, CHAIN_ID, &witness)?;
        assert_eq!(verify(&input, fork)?, new.payload.block_hash, "{fork}");
        let short = codec::OwnedWitness { state: witness.state[1..].to_vec(), ..witness.clone() };
        assert!(verify(&new.stateless_input(fork, CHAIN_ID, &short)?, fork).is_err());

        // Both transports, every client with the block and every repetition return equal witnesses.
        let other = Peer::with(fork, Default::default(), Arc::new(())).await?;
        for client in [client, &other.client, &other.client] {
            let by_rest = client.witness_by_rest(&new, fork).await?;
            assert_eq!(by_rest.witness.as_ref(), Some(&witness));
            let by_json = client.witness_by_json(&new, fork).await?;
            assert_eq!(by_json, (status.clone(), Some(witness.clone())));
            let senders = by_rest.public_keys.iter().map(|key| {
                assert_eq!(key[0], 4, "uncompressed");
                Address::from_slice(&keccak256(&key[1..])[12..])
            });
            assert!(senders.eq([Key::named("alice").address(); 2]));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_or_unknown_payload_has_no_witness() -> Result<()> {
    let (maker, taker) = (Peer::new().await?, Peer::new().await?);
    maker.offer(0, BOB)?;
    let (first, second) = (maker.make(2_000)?, maker.make(2_001)?);
    let fork = taker.fork;
    for (new, expected) in [
        (tampered(&first), PayloadVerdict::Invalid),
        (NewPayload::of(&second), PayloadVerdict::Syncing),
    ] {
        let by_rest = taker.client.witness_by_rest(&new, fork).await?;
        assert_eq!(by_rest.status.status, expected);
        assert_eq!((by_rest.witness, by_rest.public_keys.len()), (None, 0));
        let (status, witness) = taker.client.witness_by_json(&new, fork).await?;
        assert_eq!((status.status, witness), (expected, None));
    }
    let valid = taker.client.witness_by_rest(&NewPayload::of(&first), fork).await?;
    assert!(valid.witness.is_some());
    Ok(())
}

struct Rest {
    url: String,
    http: reqwest::Client,
}

impl Rest {
    async fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
    ) -> Result<(u16, String, Vec<u8>)> {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(secret().token());
        let add = |request: reqwest::RequestBuilder,
                   (name, value): &(&'static str, &'static str)| {
            request.header(*name, *value)
        };
        let response = headers.iter().fold(request, add).body(body).send().await?;
        let kind = response.headers().get("content-type").ok_or_eyre("no type")?.to_str()?;
        let (status, kind) = (response.status().as_u16(), kind.to_owned());
        Ok((status, kind, response.bytes().await?.to_vec()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_rest_requests_return_problem_types() -> Result<()> {
    let peer = Peer::new().await?;
    let block = Peer::new().await?.make(2_000)?;
    let envelope = NewPayload::of(&block).with_request(peer.fork, |request| {
        let envelope = PayloadEnvelope {
            payload: request.payload.clone(),
            parent_beacon_block_root: request.parent_beacon_block_root,
            execution_requests: ByteLists::EMPTY,
        };
        envelope.encode(peer.fork)
    })?;
    let http = reqwest::Client::builder().tls_certs_only([]).build()?;
    let rest = Rest { url: peer.url(), http };
    let (witness, payloads) = ("/engine/v1/payloads/witness", "/engine/v1/payloads");
    let ssz = ("content-type", "application/octet-stream");
    let (json, osaka) = (("content-type", "application/json"), ("eth-execution-version", "osaka"));
    let long = vec![0; (1 << 26) + 1];
    for (path, headers, body, status, kind) in [
        (witness, &[json, osaka][..], &envelope, 415, "unsupported-media-type"),
        (witness, &[ssz], &envelope, 400, "unsupported-fork"),
        (witness, &[ssz, ("eth-execution-version", "bpo1")], &envelope, 400, "unsupported-fork"),
        (witness, &[ssz, ("eth-execution-version", "prague")], &envelope, 400, "unsupported-fork"),
        (witness, &[ssz, osaka], &envelope[1..].to_vec(), 400, "ssz-decode-error"),
        (witness, &[ssz, osaka], &Vec::new(), 400, "ssz-decode-error"),
        (witness, &[ssz, osaka], &long, 413, "request-too-large"),
        ("/engine/v1/nothing", &[ssz, osaka], &envelope, 404, "method-not-found"),
    ] {
        let (got, content, body) = rest.post(path, headers, body.clone()).await?;
        assert_eq!((got, &*content), (status, "application/problem+json"), "{headers:?}");
        let problem: serde_json::Value = serde_json::from_slice(&body)?;
        assert_eq!(problem["type"], format!("/engine-api/errors/{kind}"), "{headers:?}");
    }
    let (status, kind, body) = rest.post(payloads, &[ssz, osaka], envelope.clone()).await?;
    assert_eq!((status, &*kind), (200, "application/octet-stream"));
    assert_eq!(PayloadStatus::decode(&body)?, PayloadStatus::valid(block.hash));
    let (status, _, body) = rest.post(witness, &[ssz, osaka], envelope).await?;
    assert_eq!(status, 200);
    assert!(PayloadStatusWithWitness::decode(&body)?.witness.is_some());

    let get = rest.http.get(format!("{}/engine/v1/capabilities", rest.url));
    let listed: serde_json::Value =
        serde_json::from_str(&get.bearer_auth(secret().token()).send().await?.text().await?)?;
    assert_eq!(listed["limits"]["payload.max_bytes"], 1 << 26);
    assert!(
        listed["fork_scoped_endpoints"]
            .as_array()
            .is_some_and(|all| { all.iter().any(|endpoint| endpoint == "payloads/witness") })
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn witness_request_falls_back_to_json_rpc() -> Result<()> {
    // A plain JSON-RPC server handles all paths alike and rejects an SSZ body.
    let peer = Peer::new().await?;
    let block = Peer::new().await?.make(2_000)?;
    let server = enshrine_rpc::RunningServer::start(
        &enshrine_rpc::ServerConfig { port: 0, ..Default::default() },
        jsonrpsee_methods(&peer),
    )
    .await?;
    let client = EngineClient::new(&format!("http://{}", server.addresses()[0]), secret())?;
    let asked = client.new_payload_with_witness(&NewPayload::of(&block), peer.fork).await;
    // The server has no Engine API either, but the error shows that the client used JSON-RPC.
    assert!(asked.unwrap_err().to_string().starts_with("engine_newPayloadWithWitnessV4"));
    Ok(())
}

fn jsonrpsee_methods(peer: &Peer) -> jsonrpsee::Methods {
    let api = enshrine_rpc::Api::new(Arc::clone(&peer.node), Default::default());
    enshrine_rpc::methods(api, Arc::new(enshrine_rpc::Workers::new(&Default::default())))
}
