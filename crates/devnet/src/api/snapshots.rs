//! Snapshots, resets, reorgs and state dumps.

use super::{
    Method,
    args::{Args, Number},
    mining::mine_waiting,
};
use crate::{
    DevnetError, Fork, Origin,
    cheats::{ForceHeader, ForcedFields},
    dump,
    fork::Remote,
    genesis,
    state::{DevnetState, SavedState},
    state_file::StateFile,
};
use alloy_primitives::{B256, Bytes, keccak256, map::B256Set};
use alloy_rpc_types_eth::TransactionRequest;
use chain::{Chain, ChainError};
use node::{
    Clock, Command, MineRequest, Mining, NodeState, RestoreChain, SetMining, SetState, Snapshot,
};
use rpc::RpcError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const METHODS: &[Method] = &[
    (&["anvil_snapshot", "evm_snapshot"], snapshot),
    (&["anvil_revert", "evm_revert"], revert),
    (&["anvil_rollback"], rollback),
    (&["anvil_reset", "hardhat_reset"], reset),
    (&["anvil_reorg"], reorg),
    (&["anvil_dumpState", "hardhat_dumpState"], dump_state),
    (&["anvil_loadState", "hardhat_loadState"], load_state),
];

fn snapshot(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    args.none()?;
    let chain = devnet.node.read(node::NodeState::snapshot);
    let moment = SavedState { chain, forced: devnet.forced_header.fields() };
    Ok(json!(format!("{:#x}", devnet.snapshots.lock().put(moment))))
}

fn revert(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let number = args.required::<Number>()?.u64()?;
    let Some(moment) = devnet.snapshots.lock().take(number) else { return Ok(json!(false)) };
    // Snapshots contain only the chain: pool and mining mode are unchanged.
    devnet.node.execute(RestoreChain(moment.chain)).map_err(RpcError::from)?;
    devnet.forced_header.change(|fields| *fields = moment.forced);
    Ok(json!(true))
}

/// Sets the head to the block `depth` blocks below it.
pub(super) fn rewind(devnet: &DevnetState, depth: u64, what: &str) -> Result<(), RpcError> {
    let chain = devnet.api.chain();
    let height = chain.head().header.number;
    let target = height.checked_sub(depth).map(|number| chain.canonical_block(number));
    let Some(block) = target.transpose().map_err(RpcError::from)?.flatten() else {
        return Err(RpcError::params(format!(
            "{what} depth must not exceed current chain height: current height {height}, depth \
             {depth}"
        )));
    };
    let state = devnet.node.read(|node| node.state_after(&block));
    let state = state.map_err(|error| RpcError::params(error.to_string()))?;
    devnet.node.execute(SetState(state)).map_err(RpcError::from)
}

fn rollback(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    if args.none().is_ok() {
        return Err(RpcError::params("parameter 1 is missing"));
    }
    let depth = args.optional()?.unwrap_or(1);
    rewind(devnet, depth, "Rollback")?;
    Ok(Value::Null)
}

/// Parameters of `anvil_reset`.
#[derive(Debug, Deserialize)]
struct ResetOptions {
    forking: Option<Forking>,
}

/// Node and block to fork.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Forking {
    /// URL of the node; by default the currently forked one.
    json_rpc_url: Option<String>,
    /// Block number; by default the latest.
    block_number: Option<Number>,
}

/// Forks the chain that `forking` describes.
fn fork_from(
    devnet: &DevnetState,
    forking: Forking,
) -> Result<(Option<Arc<Remote>>, Chain, Clock), RpcError> {
    let block = forking.block_number.map(Number::u64).transpose()?;
    let block = block
        .map(i64::try_from)
        .transpose()
        .map_err(|error| RpcError::params(error.to_string()))?;
    let failed = |error: DevnetError| RpcError::failed(error.to_string());
    let began_with = || match &devnet.config.origin {
        Origin::Fork(fork) => Some(fork.clone()),
        _ => None,
    };
    let known = devnet.remote().map(|remote| remote.upstream().fork.clone()).or_else(began_with);
    let fork = match (forking.json_rpc_url, known) {
        (None, Some(known)) => Fork { block, ..known },
        (Some(url), Some(known)) if url == known.url => Fork { block, ..known },
        // Additional URLs belong to the previous node.
        (Some(url), Some(known)) => Fork { url, block, more_urls: Vec::new(), ..known },
        (Some(url), None) => Fork::at(url, block),
        (None, None) => {
            return Err(RpcError::params(
                "this devnet does not fork another node: `jsonRpcUrl` says which it is to be",
            ));
        }
    };
    let remote = Arc::new(Remote::connect(&fork).map_err(failed)?);
    let (chain, clock) = start(devnet, Some(&remote))?;
    Ok((Some(remote), chain, clock))
}

/// Creates a new chain as at startup: a fork of `remote`, or no fork.
fn start(devnet: &DevnetState, remote: Option<&Arc<Remote>>) -> Result<(Chain, Clock), RpcError> {
    let blobs = devnet.node.read(|node| Arc::clone(&node.blobs));
    let (own, accounts) = (&devnet.config, &devnet.accounts);
    let (chain, clock) = genesis::start(own, accounts, remote, devnet.telemetry(), &blobs)
        .map_err(|error| RpcError::failed(error.to_string()))?;
    let clock = if devnet.config.loose_timestamps { clock.loose() } else { clock };
    Ok((chain, clock))
}

fn reset(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let options: Option<ResetOptions> = args.optional()?;
    let another = match (options.and_then(|options| options.forking), devnet.remote()) {
        (Some(forking), _) => Some(fork_from(devnet, forking)?),
        // As in anvil, options without `forking` reset to a chain that is not a fork.
        (None, Some(_)) => {
            let (chain, clock) = start(devnet, None)?;
            Some((None, chain, clock))
        }
        (None, None) => None,
    };
    devnet.snapshots.lock().clear();
    *devnet.instance.lock() = B256::random();
    devnet.clear_cheats();
    let mut start = devnet.start.lock();
    let continued = another.map(|(remote, chain, clock)| {
        if remote.is_some() {
            let fields = ForcedFields::at_start(&devnet.config);
            devnet.forced_header.change(|forced| *forced = fields);
        }
        devnet.continue_another(remote);
        (chain, clock)
    });
    let reset = Reset { start: start.clone(), continued, timestamp: devnet.config.timestamp };
    if let Some(moment) = devnet.node.execute(reset).map_err(RpcError::from)? {
        *start = moment;
    }
    Ok(Value::Null)
}

/// Command that resets the node to the initial chain or another one.
#[derive(Debug)]
struct Reset {
    start: Snapshot,
    continued: Option<(Chain, Clock)>,
    /// Time of the clock after the reset; by default that of the head.
    timestamp: Option<u64>,
}

impl Command for Reset {
    /// The new initial chain, if it was replaced.
    type Output = Result<Option<Snapshot>, ChainError>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        node.restore(&self.start)?;
        node.sidecars.clear();
        if let Some((mut chain, clock)) = self.continued {
            let extensions = Arc::clone(&node.chain.config().extensions);
            chain.configure(|config| config.extensions = extensions);
            (node.chain, node.clock) = (chain, clock);
            return Ok(Some(node.snapshot()));
        }
        let time = self.timestamp.unwrap_or_else(|| node.chain.head().header.timestamp);
        node.clock.set(time);
        Ok(None)
    }
}

/// Transaction of a reorg: raw, or a request.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NewTransaction {
    Raw(Bytes),
    Request(Box<TransactionRequest>),
}

/// Parameters of a reorg: an object, or depth and transactions.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reorg {
    Depth(u64),
    Options {
        depth: u64,
        #[serde(alias = "txBlockPairs")]
        tx_block_pairs: Vec<(NewTransaction, u64)>,
    },
}

/// Replaces the latest blocks with the same number of new ones, which include the given
/// transactions.
fn reorg(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let (depth, transactions) = match args.required()? {
        Reorg::Depth(depth) => (depth, args.required()?),
        Reorg::Options { depth, tx_block_pairs } => (depth, tx_block_pairs),
    };
    if let Some((_, block)) = transactions.iter().find(|(_, block)| *block >= depth) {
        return Err(RpcError::params(format!(
            "Block number for reorg tx will exceed the reorged chain height. Block number {block} must not exceed (depth-1) {}",
            depth.saturating_sub(1)
        )));
    }
    let waited = waiting(devnet);
    let replaced = newest(devnet, depth)?;
    rewind(devnet, depth, "Reorg")?;
    // Disable mining during the reorg, so that the new blocks contain only the given transactions.
    let mining = devnet.node.execute(SetMining(Mining::Manual));
    let made = || -> Result<(), RpcError> {
        let mut transactions: Vec<_> = transactions.iter().collect();
        transactions.sort_by_key(|(_, block)| *block);
        let mut transactions = transactions.into_iter().peekable();
        for number in 0..depth {
            let mut only = Vec::new();
            while let Some((transaction, _)) = transactions.next_if(|(_, block)| *block == number) {
                only.push(match transaction {
                    NewTransaction::Request(request) => {
                        super::wallet::send_request(devnet, (**request).clone().into())?
                    }
                    NewTransaction::Raw(raw) => {
                        let pooled = rpc::decode_pooled(raw)?;
                        rpc::submit(&devnet.api, pooled)?
                    }
                });
            }
            // A different `prevRandao` changes the hash even of a block with the same content.
            if let Some(old) = replaced.get(number as usize) {
                ForceHeader::NextPrevRandao(keccak256(old)).apply(&devnet.forced_header);
            }
            let request = MineRequest { only: Some(only), ..MineRequest::default() };
            devnet.node.mine(&request)?;
        }
        Ok(())
    };
    let made = made();
    devnet.node.execute(SetMining(mining));
    made?;
    // Transactions that arrived during the reorg were not mined.
    if mining.is_auto() && waiting(devnet).iter().any(|hash| !waited.contains(hash)) {
        mine_waiting(devnet)?;
    }
    Ok(Value::Null)
}

/// Hashes of the latest `count` blocks, oldest first; fewer if the chain is shorter.
fn newest(devnet: &DevnetState, count: u64) -> Result<Vec<B256>, RpcError> {
    let chain = devnet.api.chain();
    let head = chain.head().header.number;
    let numbers = head.saturating_sub(count).saturating_add(1)..=head;
    let hashes = numbers.map(|number| chain.canonical_hash(number));
    let hashes: Result<Vec<_>, _> = hashes.collect();
    Ok(hashes.map_err(RpcError::from)?.into_iter().flatten().collect())
}

/// Hashes of the transactions in the pool.
fn waiting(devnet: &DevnetState) -> B256Set {
    devnet.node.read(|node| node.pool.iter().map(|waiting| *waiting.hash()).collect())
}

fn dump_state(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let past = args.optional::<bool>()?.unwrap_or(devnet.config.preserve_states);
    Ok(json!(dump::dump(devnet, past)?.pack()))
}

fn load_state(devnet: &DevnetState, args: &mut Args) -> Result<Value, RpcError> {
    let packed: Bytes = args.required()?;
    let file =
        StateFile::decode(&packed).map_err(|_| RpcError::params("Failed to decode state dump"))?;
    dump::load(devnet, &file).map_err(RpcError::params)?;
    Ok(json!(true))
}
