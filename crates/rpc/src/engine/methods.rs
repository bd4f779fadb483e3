//! JSON-RPC methods of the Engine API.

use super::{BuiltPayload, Engine, NewPayload, codes};
use crate::{Args, ErrorStyle, Hash, Number, Registry, RpcError, Workers};
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{B256, Bytes, FixedBytes};
use chain::{Block, Transaction};
use codec::PayloadStatus;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wire::{NewPayloadRequest, ProtocolFork};

/// Inclusive range of forks that a method's version supports.
type Forks = (ProtocolFork, ProtocolFork);

const CANCUN: Forks = (ProtocolFork::Cancun, ProtocolFork::Cancun);
const PRAGUE: Forks = (ProtocolFork::Prague, ProtocolFork::Prague);
const OSAKA: Forks = (ProtocolFork::Osaka, ProtocolFork::Bpo2);
const PRAGUE_TO_OSAKA: Forks = (ProtocolFork::Prague, ProtocolFork::Bpo2);
const CANCUN_TO_OSAKA: Forks = (ProtocolFork::Cancun, ProtocolFork::Bpo2);
const AMSTERDAM: Forks = (ProtocolFork::Amsterdam, ProtocolFork::Amsterdam);

/// The supported methods, as `engine_exchangeCapabilities` returns them.
pub const CAPABILITIES: [&str; 18] = [
    "engine_newPayloadV3",
    "engine_newPayloadV4",
    "engine_newPayloadV5",
    "engine_newPayloadWithWitnessV3",
    "engine_newPayloadWithWitnessV4",
    "engine_newPayloadWithWitnessV5",
    "engine_forkchoiceUpdatedV3",
    "engine_forkchoiceUpdatedV4",
    "engine_getPayloadV3",
    "engine_getPayloadV4",
    "engine_getPayloadV5",
    "engine_getPayloadV6",
    "engine_getPayloadBodiesByHashV1",
    "engine_getPayloadBodiesByHashV2",
    "engine_getPayloadBodiesByRangeV1",
    "engine_getPayloadBodiesByRangeV2",
    "engine_getClientVersionV1",
    "POST /engine/v1/payloads/witness",
];

/// Maximum number of payload bodies in a response.
const MAX_BODIES: u64 = 32;

/// Result of `engine_newPayloadWithWitness`: the status, and the witness in geth's RLP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatusWithWitness {
    #[serde(flatten)]
    pub(crate) status: PayloadStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) witness: Option<Bytes>,
}

/// Name and version of a client (`ClientVersionV1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientVersion {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) commit: String,
}

impl ClientVersion {
    /// Returns the version of this node. The commit is always zero.
    pub(crate) fn own() -> Self {
        Self {
            code: "EN".to_owned(),
            name: "Enshrine".to_owned(),
            version: concat!("v", env!("CARGO_PKG_VERSION")).to_owned(),
            commit: "0x00000000".to_owned(),
        }
    }
}

/// Block body (`ExecutionPayloadBodyV1` and `ExecutionPayloadBodyV2`).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    transactions: Vec<Bytes>,
    withdrawals: Option<Vec<Withdrawal>>,
    /// Only in `V2`, where it may be null.
    #[serde(skip_serializing_if = "Option::is_none")]
    block_access_list: Option<Option<Bytes>>,
}

impl Body {
    fn of(block: &Block, with_access_list: bool) -> Self {
        let has_withdrawals = block.header.withdrawals_root.is_some();
        let access_list = || block.executed.block_access_list.clone();
        Self {
            transactions: block.raw_transactions(),
            withdrawals: has_withdrawals.then(|| block.withdrawals.clone()),
            block_access_list: with_access_list.then(access_list),
        }
    }
}

pub(crate) fn registry(engine: Arc<Engine>, workers: Arc<Workers>) -> Registry<Engine> {
    let mut methods = Registry::new(engine, workers, ErrorStyle::Geth);
    let m = &mut methods;
    for (name, forks) in [
        ("engine_newPayloadV3", CANCUN),
        ("engine_newPayloadV4", PRAGUE_TO_OSAKA),
        ("engine_newPayloadV5", AMSTERDAM),
    ] {
        m.execute(name, move |engine, args| new_payload(engine, args, forks));
    }
    for (name, forks) in [
        ("engine_newPayloadWithWitnessV3", CANCUN),
        ("engine_newPayloadWithWitnessV4", PRAGUE_TO_OSAKA),
        ("engine_newPayloadWithWitnessV5", AMSTERDAM),
    ] {
        m.execute(name, move |engine, args| {
            let status = new_payload(engine, args, forks)?;
            let witness = engine.witness_if_valid(&status)?;
            let witness = witness.map(|(_, witness)| witness.to_geth_rlp());
            Ok(StatusWithWitness { status, witness })
        });
    }
    for (name, forks) in
        [("engine_forkchoiceUpdatedV3", CANCUN_TO_OSAKA), ("engine_forkchoiceUpdatedV4", AMSTERDAM)]
    {
        m.write(name, move |engine, args| {
            let state = args.required()?;
            engine.forkchoice_updated(state, args.optional()?, forks)
        });
    }
    for (name, forks) in [
        ("engine_getPayloadV3", CANCUN),
        ("engine_getPayloadV4", PRAGUE),
        ("engine_getPayloadV5", OSAKA),
        ("engine_getPayloadV6", AMSTERDAM),
    ] {
        m.execute(name, move |engine, args| -> Result<BuiltPayload, RpcError> {
            let id: FixedBytes<8> = args.required()?;
            engine.get_payload(id, forks)
        });
    }
    for (name, with_access_list) in
        [("engine_getPayloadBodiesByHashV1", false), ("engine_getPayloadBodiesByHashV2", true)]
    {
        m.execute(name, move |engine, args| {
            let hashes: Vec<Hash> = args.required()?;
            bounded(hashes.len() as u64)?;
            let chain = engine.api.chain();
            let body = |Hash(hash)| -> Result<_, RpcError> {
                let block = chain.find_block(&hash)?;
                Ok(block.map(|block| Body::of(&block, with_access_list)))
            };
            hashes.into_iter().map(body).collect::<Result<Vec<Option<Body>>, _>>()
        });
    }
    for (name, with_access_list) in
        [("engine_getPayloadBodiesByRangeV1", false), ("engine_getPayloadBodiesByRangeV2", true)]
    {
        m.execute(name, move |engine, args| {
            let (start, count) = (number(args)?, number(args)?);
            if start == 0 || count == 0 {
                return Err(RpcError::params("start and count must be at least 1"));
            }
            bounded(count)?;
            let chain = engine.api.chain();
            let end = start.saturating_add(count - 1).min(chain.head().header.number);
            let body = |number| -> Result<_, RpcError> {
                let block = chain.canonical_block(number)?;
                Ok(block.map(|block| Body::of(&block, with_access_list)))
            };
            (start..=end).map(body).collect::<Result<Vec<Option<Body>>, _>>()
        });
    }
    m.inline("engine_exchangeCapabilities", |_, args| {
        let _theirs: Vec<String> = args.required()?;
        Ok(CAPABILITIES.to_vec())
    });
    m.inline("engine_getClientVersionV1", |_, args| {
        let _theirs: ClientVersion = args.required()?;
        Ok(vec![ClientVersion::own()])
    });
    methods
}

fn number(args: &mut Args) -> Result<u64, RpcError> {
    args.required::<Number>()?.u64()
}

fn bounded(count: u64) -> Result<(), RpcError> {
    if count > MAX_BODIES {
        let text = format!("{count} payload bodies requested, at most {MAX_BODIES} allowed");
        return Err(RpcError::new(codes::TOO_LARGE, text));
    }
    Ok(())
}

/// Parses the parameters of `engine_newPayload` and validates the payload.
fn new_payload(engine: &Engine, args: &mut Args, forks: Forks) -> Result<PayloadStatus, RpcError> {
    let new = NewPayload {
        payload: args.required()?,
        versioned_hashes: args.required()?,
        parent_beacon_block_root: args.required()?,
        requests: match forks.0 >= ProtocolFork::Prague {
            true => args.required()?,
            false => Vec::new(),
        },
    };
    new.check_form(forks.0)?;
    let fork = engine.fork_within(new.payload.timestamp.to(), forks)?;
    let judged =
        new.with_request(fork, |request: &NewPayloadRequest<'_>| engine.new_payload(request, fork));
    judged.unwrap_or_else(|error| Ok(PayloadStatus::invalid(None, error.to_string())))
}

/// Returns the uncompressed public keys of the signers of a block's transactions.
pub(crate) fn public_keys(block: &Block) -> Result<Vec<[u8; 65]>, RpcError> {
    let key = |transaction: &Transaction| {
        let (signature, hash): (_, B256) = match transaction {
            Transaction::Ethereum(it) => (*it.signature(), it.signature_hash()),
            Transaction::Execute(it) => (it.signature, it.tx.signing_hash()),
        };
        let key = signature.recover_from_prehash(&hash).ok()?;
        key.to_encoded_point(false).as_bytes().try_into().ok()
    };
    let keys: Option<Vec<_>> = block.transactions.iter().map(key).collect();
    keys.ok_or_else(|| RpcError::internal("cannot recover the signer of a transaction"))
}
