//! `eth` methods for blocks, transactions and state.

use crate::{Api, Args, Hash, Registry, RpcError, convert};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256, keccak256};
use alloy_rpc_types_eth::{AccountInfo, EIP1186AccountProofResponse, EIP1186StorageProof, Index};
use alloy_serde::JsonStorageKey;
use chain::{AccountProof, Block};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// Maximum number of slots in one `eth_getStorageValues`.
const MAX_STORAGE_VALUES: usize = 1_024;
/// Maximum number of slots in one `eth_getProof`.
const MAX_PROOF_SLOTS: usize = 1_024;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.inline("web3_clientVersion", |api, _| Ok(api.options().client_version.clone()));
    methods.read("web3_sha3", |_, args| Ok(keccak256(args.required::<Bytes>()?)));
    methods.inline("net_version", |api, _| Ok(chain_id(api).to_string()));
    methods.inline("eth_networkId", |api, _| Ok(chain_id(api).to_string()));
    methods.inline("net_listening", |_, _| Ok(true));
    methods.inline("net_peerCount", |_, _| Ok(U64::ZERO));
    methods.inline("eth_chainId", |api, _| Ok(U64::from(chain_id(api))));
    methods.inline("eth_syncing", |_, _| Ok(false));
    methods.inline("eth_protocolVersion", |_, _| Ok(U64::from(1)));
    methods.inline("eth_hashrate", |_, _| Ok(U256::ZERO));
    methods.inline("eth_coinbase", |api, _| Ok(api.node().read(|node| node.settings.coinbase)));
    methods.inline("eth_blockNumber", |api, _| {
        Ok(U64::from(api.node().read(|node| node.chain.head().header.number)))
    });
    methods.inline("eth_capabilities", |api, _| Ok(capabilities(api)));
    register_blocks(methods);
    register_transactions(methods);
    register_state(methods);
}

fn chain_id(api: &Api) -> u64 {
    api.node().read(|node| node.chain.config().spec.chain_id())
}

/// Ranges of history that the node stores.
fn capabilities(api: &Api) -> Value {
    let (head, first) =
        api.node().read(|node| (Arc::clone(node.chain.head()), node.chain.first_number()));
    let part = json!({ "disabled": false, "oldestBlock": U64::from(first) });
    json!({
        "head": { "number": U64::from(head.header.number), "hash": head.hash },
        "state": part, "tx": part, "logs": part, "receipts": part, "blocks": part,
        "stateproofs": part,
    })
}

fn register_blocks(methods: &mut Registry<Api>) {
    methods.read("eth_getBlockByNumber", |api, args| {
        let (tag, full) = (args.required()?, args.or_default()?);
        Ok(api.block_by_number(tag)?.map(|block| convert::block(&block, full)))
    });
    methods.read("eth_getBlockByHash", |api, args| {
        let (Hash(hash), full) = (args.required()?, args.or_default()?);
        Ok(api.block_by_hash(hash)?.map(|block| convert::block(&block, full)))
    });
    methods.read("eth_getHeaderByNumber", |api, args| {
        Ok(api.block_by_number(args.required()?)?.map(|block| convert::header(&block)))
    });
    methods.read("eth_getHeaderByHash", |api, args| {
        let Hash(hash) = args.required()?;
        Ok(api.block_by_hash(hash)?.map(|block| convert::header(&block)))
    });
    methods.read("eth_getBlockTransactionCountByNumber", |api, args| {
        let count = |block: Arc<Block>| U64::from(block.transactions.len());
        Ok(api.block_by_number(args.required()?)?.map(count))
    });
    methods.read("eth_getBlockTransactionCountByHash", |api, args| {
        let Hash(hash) = args.required()?;
        Ok(api.block_by_hash(hash)?.map(|block| U64::from(block.transactions.len())))
    });
    methods.read("eth_getUncleCountByBlockNumber", |api, args| {
        Ok(api.block_by_number(args.required()?)?.map(|block| U64::from(block.ommers.len())))
    });
    methods.read("eth_getUncleCountByBlockHash", |api, args| {
        let Hash(hash) = args.required()?;
        Ok(api.block_by_hash(hash)?.map(|block| U64::from(block.ommers.len())))
    });
    methods.read("eth_getUncleByBlockNumberAndIndex", |api, args| {
        let block = api.block_by_number(args.required()?)?;
        let index: Index = args.required()?;
        Ok(block.and_then(|block| ommer(&block, index.0)))
    });
    methods.read("eth_getUncleByBlockHashAndIndex", |api, args| {
        let Hash(hash) = args.required()?;
        let index: Index = args.required()?;
        Ok(api.block_by_hash(hash)?.and_then(|block| ommer(&block, index.0)))
    });
    methods.read("eth_getBlockReceipts", |api, args| {
        let block = api.find_block(args.required()?)?;
        let config = api.node().read(|node| node.chain.config().clone());
        Ok(block.map(|block| convert::receipts(&block, &config)))
    });
    methods.read("eth_getBlockAccessList", |api, args| access_list(api, args.required()?));
    methods.read("eth_getBlockAccessListByBlockHash", |api, args| {
        let Hash(hash) = args.required()?;
        access_list(api, hash.into())
    });
}

fn ommer(block: &Block, index: usize) -> Option<Value> {
    let ommer = block.ommers.get(index)?;
    let header = alloy_rpc_types_eth::Header::new(ommer.clone());
    let mut value = serde_json::to_value(header).ok()?;
    value.as_object_mut()?.insert("uncles".to_owned(), json!([]));
    Some(value)
}

/// Returns the decoded block access list (EIP-7928) of a block.
fn access_list(api: &Api, id: BlockId) -> Result<Option<Value>, RpcError> {
    let Some(block) = api.find_block(id)? else { return Ok(None) };
    let Some(list) = &block.executed.block_access_list else {
        return Err(RpcError::server("the block predates Amsterdam and has no block access list"));
    };
    let list: alloy_eips::eip7928::BlockAccessList =
        alloy_rlp::decode_exact(list).map_err(|error| RpcError::internal(error.to_string()))?;
    serde_json::to_value(list).map(Some).map_err(|error| RpcError::internal(error.to_string()))
}

fn register_transactions(methods: &mut Registry<Api>) {
    methods.read("eth_getTransactionByHash", |api, args| {
        let Hash(hash) = args.required()?;
        if let Some((block, index)) = api.chain().transaction(&hash)? {
            return Ok(Some(convert::transaction(&block, index)));
        }
        let pooled = api.node().read(|node| node.pool.get(&hash).cloned());
        Ok(pooled.map(|pooled| convert::pooled(&pooled.recovered.transaction, pooled.sender())))
    });
    methods.read("eth_getTransactionByBlockNumberAndIndex", |api, args| {
        let block = api.block_by_number(args.required()?)?;
        transaction_at(block.as_deref(), args.required()?)
    });
    methods.read("eth_getTransactionByBlockHashAndIndex", |api, args| {
        let Hash(hash) = args.required()?;
        transaction_at(api.block_by_hash(hash)?.as_deref(), args.required()?)
    });
    methods.execute("eth_getTransactionBySenderAndNonce", |api, args| {
        let (sender, nonce) = (args.required()?, args.required::<U64>()?.to());
        by_sender_and_nonce(api, sender, nonce)
    });
    methods.read("eth_getTransactionReceipt", |api, args| {
        let Hash(hash) = args.required()?;
        receipt(api, hash)
    });
    methods.read("eth_getRawTransactionByHash", raw_transaction);
    methods.read("debug_getRawTransaction", raw_transaction);
    methods.read("eth_getRawTransactionByBlockNumberAndIndex", |api, args| {
        let block = api.block_by_number(args.required()?)?;
        let index: Index = args.required()?;
        Ok(block.and_then(|block| block.raw_transactions().get(index.0).cloned()))
    });
    methods.read("eth_getRawTransactionByBlockHashAndIndex", |api, args| {
        let Hash(hash) = args.required()?;
        let index: Index = args.required()?;
        let block = api.block_by_hash(hash)?;
        Ok(block.and_then(|block| block.raw_transactions().get(index.0).cloned()))
    });
    methods.execute("eth_pendingTransactions", |api, _| {
        Ok(api.node().read(|node| {
            let pooled = node.pool.iter();
            pooled
                .map(|pooled| convert::pooled(&pooled.recovered.transaction, pooled.sender()))
                .collect::<Vec<_>>()
        }))
    });
}

fn transaction_at(
    block: Option<&Block>,
    index: Index,
) -> Result<Option<convert::RpcTransaction>, RpcError> {
    let block = block.filter(|block| index.0 < block.transactions.len());
    Ok(block.map(|block| convert::transaction(block, index.0)))
}

fn by_sender_and_nonce(
    api: &Api,
    sender: Address,
    nonce: u64,
) -> Result<Option<convert::RpcTransaction>, RpcError> {
    use alloy_consensus::Transaction as _;
    let waiting = api.node().read(|node| {
        let found = node.pool.of(sender).find(|pooled| pooled.nonce() == nonce);
        found.map(|pooled| convert::pooled(&pooled.recovered.transaction, sender))
    });
    if waiting.is_some() {
        return Ok(waiting);
    }
    let chain = api.chain();
    let numbers = chain.first_number()..=chain.head().header.number;
    let index_in = |block: &Block| {
        (0..block.transactions.len()).find(|index| {
            block.senders[*index] == sender && block.transactions[*index].nonce() == nonce
        })
    };
    // The block is the first one after which the nonce is used: bisect if all states are available.
    let used = |number: u64| -> Result<bool, chain::ChainError> {
        match chain.canonical_block(number)? {
            Some(block) => Ok(chain.state_after(&block).nonce(sender)? > nonce),
            None => Ok(false),
        }
    };
    let bisect = || -> Result<Option<u64>, chain::ChainError> {
        let (mut low, mut high) = (*numbers.start(), *numbers.end());
        if !used(high)? {
            return Ok(None);
        }
        while low < high {
            let middle = low.midpoint(high);
            if used(middle)? { high = middle } else { low = middle + 1 }
        }
        Ok(Some(low))
    };
    let found = |block: Option<Arc<Block>>| {
        let block = block?;
        Some(convert::transaction(&block, index_in(&block)?))
    };
    match bisect() {
        Ok(None) => Ok(None),
        Ok(Some(number)) => Ok(found(chain.canonical_block(number)?)),
        // Some states are pruned: scan all blocks.
        Err(chain::ChainError::Incomplete(_)) => {
            let deadline = api.call_deadline();
            for number in numbers.rev() {
                deadline.check().map_err(|error| error.at_block(number))?;
                if let Some(transaction) = found(chain.canonical_block(number)?) {
                    return Ok(Some(transaction));
                }
            }
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the receipt of a canonical transaction, if it exists.
pub fn receipt(api: &Api, hash: B256) -> Result<Option<convert::RpcReceipt>, RpcError> {
    let chain = api.chain();
    let Some((block, index)) = chain.transaction(&hash)? else { return Ok(None) };
    let first = convert::first_log(&block, index);
    Ok(Some(convert::receipt(&block, index, first, chain.config())))
}

fn raw_transaction(api: &Api, args: &mut Args) -> Result<Option<Bytes>, RpcError> {
    use alloy_eips::eip2718::Encodable2718;
    let Hash(hash) = args.required()?;
    if let Some((block, index)) = api.chain().transaction(&hash)? {
        return Ok(Some(block.transactions[index].encoded_2718().into()));
    }
    Ok(api.node().read(|node| node.pool.get(&hash).map(|pooled| pooled.raw.clone())))
}

fn register_state(methods: &mut Registry<Api>) {
    methods.read("eth_getBalance", |api, args| {
        let address = args.required()?;
        Ok(api.state(args.or_default()?)?.balance(address)?)
    });
    methods.read("eth_getCode", |api, args| {
        let address = args.required()?;
        Ok(api.state(args.or_default()?)?.code(address)?)
    });
    methods.read("eth_getTransactionCount", |api, args| {
        let (address, id): (Address, BlockId) = (args.required()?, args.or_default()?);
        if id.is_pending() {
            return Ok(U64::from(api.node().read(|node| {
                let next = node.chain.nonce(address)?;
                Ok::<_, chain::ChainError>(node.pool.next_nonce(address, next))
            })?));
        }
        Ok(U64::from(api.state(id)?.nonce(address)?))
    });
    methods.read("eth_getStorageAt", |api, args| {
        let (address, JsonStorageKeyArg(slot)) = (args.required()?, args.required()?);
        Ok(B256::from(api.state(args.or_default()?)?.storage(address, slot)?))
    });
    methods.read("eth_getStorageValues", |api, args| {
        let wanted: BTreeMap<Address, Vec<JsonStorageKeyArg>> = args.required()?;
        let slots: usize = wanted.values().map(Vec::len).sum();
        if slots == 0 {
            return Err(RpcError::params("empty request: name at least one slot"));
        }
        if slots > MAX_STORAGE_VALUES {
            return Err(RpcError::params(format!(
                "too many slots: {slots}, at most {MAX_STORAGE_VALUES}"
            )));
        }
        let state = api.state(args.or_default()?)?;
        let mut values: BTreeMap<Address, Vec<B256>> = BTreeMap::new();
        for (address, slots) in wanted {
            let values = values.entry(address).or_default();
            for JsonStorageKeyArg(slot) in slots {
                values.push(state.storage(address, slot)?.into());
            }
        }
        Ok(values)
    });
    methods.read("eth_getAccount", |api, args| {
        let address = args.required()?;
        let proof = AccountProof::new(&api.state(args.or_default()?)?, address, &[])?;
        Ok(proof.account.map(|account| {
            json!({
                "balance": account.balance, "nonce": U64::from(account.nonce),
                "storageRoot": account.storage_root, "codeHash": account.code_hash,
            })
        }))
    });
    methods.read("eth_getAccountInfo", |api, args| {
        let address = args.required()?;
        let state = api.state(args.or_default()?)?;
        let account = state.account(address)?.unwrap_or_default();
        let code = state.code(address)?;
        Ok(AccountInfo { balance: account.balance, nonce: account.nonce, code })
    });
    methods.read("eth_getProof", |api, args| {
        let address = args.required()?;
        let keys: Vec<JsonStorageKey> = args.or_default()?;
        prove(api, address, keys, args.or_default()?)
    });
}

fn prove(
    api: &Api,
    address: Address,
    keys: Vec<JsonStorageKey>,
    id: BlockId,
) -> Result<EIP1186AccountProofResponse, RpcError> {
    if keys.len() > MAX_PROOF_SLOTS {
        return Err(RpcError::params(format!(
            "too many slots: {}, at most {MAX_PROOF_SLOTS}",
            keys.len()
        )));
    }
    let slots: Vec<U256> = keys.iter().map(|key| key.as_b256().into()).collect();
    let proof = AccountProof::new(&api.state(id)?, address, &slots)?;
    let account = proof.account.unwrap_or_else(no_account);
    let storage_proof = keys
        .into_iter()
        .zip(proof.slots)
        .map(|(key, slot)| EIP1186StorageProof { key, value: slot.value, proof: slot.nodes })
        .collect();
    Ok(EIP1186AccountProofResponse {
        address,
        balance: account.balance,
        code_hash: account.code_hash,
        nonce: account.nonce,
        storage_hash: account.storage_root,
        account_proof: proof.nodes,
        storage_proof,
    })
}

/// Returns an absent account, as proofs represent it.
const fn no_account() -> alloy_consensus::TrieAccount {
    alloy_consensus::TrieAccount {
        nonce: 0,
        balance: U256::ZERO,
        storage_root: alloy_consensus::constants::EMPTY_ROOT_HASH,
        code_hash: KECCAK256_EMPTY,
    }
}

/// Storage key: a hexadecimal number of up to 32 bytes.
#[derive(Debug, Clone, Copy)]
struct JsonStorageKeyArg(U256);

impl<'de> serde::Deserialize<'de> for JsonStorageKeyArg {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        if digits.len() > 64 {
            return Err(D::Error::custom("storage key too long: at most 32 bytes"));
        }
        let digits = if digits.is_empty() { "0" } else { digits };
        U256::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| D::Error::custom(format!("invalid hex in storage key: {text:?}")))
    }
}
