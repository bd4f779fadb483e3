//! `debug` methods for raw blocks and execution witnesses.

use crate::{Api, Registry, RpcError, precompile_events};
use alloy_eips::BlockId;
use alloy_primitives::{B256, Bytes};
use chain::{Block, witness_of};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.read("debug_getRawBlock", |api, args| Ok(api.block(args.required()?)?.rlp()));
    methods.read("debug_getRawHeader", |api, args| {
        let block = api.block(args.required()?)?;
        Ok(Bytes::from(alloy_rlp::encode(&block.header)))
    });
    methods
        .read("debug_getRawReceipts", |api, args| Ok(api.block(args.required()?)?.raw_receipts()));
    methods.read("debug_getRawTransactions", |api, args| {
        Ok(api.block(args.required()?)?.raw_transactions())
    });
    methods
        .execute("debug_executionWitness", |api, args| witness(api, &api.block(args.required()?)?));
    methods.execute("debug_executionWitnessByBlockHash", |api, args| {
        let crate::Hash(hash) = args.required()?;
        witness(api, &api.block(hash.into())?)
    });
    methods.read("debug_codeByHash", |api, args| {
        let hash: B256 = args.required()?;
        let _block: Option<BlockId> = args.optional()?;
        let code = api.chain().store().code(&hash).map_err(chain::ChainError::from)?;
        Ok(code.map(|code| code.original_bytes()))
    });
    methods.read("debug_dbGet", |api, args| {
        let key: Bytes = args.required()?;
        let hash = match key.len() {
            32 => B256::from_slice(&key),
            33 if key[0] == b'c' => B256::from_slice(&key[1..]),
            _ => return Err(RpcError::params("a key is a hash, or a 'c' and a hash")),
        };
        let code = api.chain().store().code(&hash).map_err(chain::ChainError::from)?;
        Ok(code.map(|code| code.original_bytes()))
    });
    methods.inline("debug_getBadBlocks", |_, _| Ok(Vec::<Value>::new()));
}

/// Returns the execution witness of a block in canonical form: the minimum that a verifier needs.
fn witness(api: &Api, block: &Arc<Block>) -> Result<Value, RpcError> {
    let parent = api.chain().state_before(block)?.ok_or_else(|| {
        RpcError::server("the genesis block has no parent, and therefore no witness")
    })?;
    let witness = precompile_events::watch_again(|| witness_of(&parent, block)).0?;
    Ok(json!({
        "state": witness.state, "keys": [], "codes": witness.codes, "headers": witness.headers,
    }))
}
