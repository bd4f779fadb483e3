//! Dumping and loading the state of a devnet.

use crate::{
    DevnetError, Origin,
    cheats::ForceHeader,
    history::PastState,
    state::DevnetState,
    state_file::{
        AccountState, BlobPrice, BlockEnvironment, StateFile, StoredBlock, StoredBody,
        StoredTransaction, TransactionInfo,
    },
};
use alloy_consensus::{EthereumReceipt, Transaction as _, TxType, transaction::SignerRecoverable};
use alloy_eips::Typed2718 as _;
use alloy_primitives::{Address, B256, Log, U64, U256, map::B256Map};
use chain::store::{Changes, ExecutedBlock, MemoryStore, Overlay, Store, StoreError, StoredNodes};
use chain::{
    Block, Chain, ChainError, ChainReader, EditState as _, ExecuteDraw, State, Transaction,
};
use codec::ExecuteTx;
use executor::ExecutionOutcome;
use node::{Command, NodeState};
use rpc::RpcError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

/// Loads a state file into a devnet.
pub(crate) fn load_file(devnet: &DevnetState, path: &Path) -> Result<(), DevnetError> {
    let file = StateFile::read(path)?;
    load(devnet, &file).map_err(|reason| DevnetError::Format {
        path: path.to_owned(),
        expected: "state file",
        reason,
    })
}

/// Reason why a state cannot be dumped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    /// The blocks were imported, so the preimages of account keys are unknown.
    #[error("the accounts of imported blocks are known by their hashes alone")]
    Imported,
    /// The chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<DumpError> for RpcError {
    fn from(error: DumpError) -> Self {
        match error {
            DumpError::Imported => Self::failed(error.to_string()),
            DumpError::Chain(error) => error.into(),
        }
    }
}

/// Returns the state of a devnet, including states of earlier blocks if `past` is set.
pub(crate) fn dump(devnet: &DevnetState, past: bool) -> Result<StateFile, DumpError> {
    if matches!(devnet.config.origin, Origin::Genesis { blocks: Some(_), .. }) {
        return Err(DumpError::Imported);
    }
    // The snapshot prevents the state from being pruned in the meantime.
    let (chain, _kept) = devnet.node.read(|node| (node.chain.reader().clone(), node.snapshot()));
    let state = chain.state();
    let mut accounts = BTreeMap::new();
    let mut preimages = state.store().preimages().map_err(ChainError::from)?;
    // The node that loads the file may not be a fork, so everything that was read from the forked
    // node is included.
    if let Some(remote) = devnet.remote() {
        remote.add_known(&mut preimages);
    }
    for (address, slots) in preimages.clone() {
        let Some(account) = state.account(address)? else { continue };
        let code = state.code(address)?;
        let mut storage = BTreeMap::new();
        for slot in slots {
            let value = state.storage(address, slot)?;
            if !value.is_zero() {
                storage.insert(B256::from(slot), B256::from(value));
            }
        }
        let (nonce, balance) = (account.nonce, account.balance);
        accounts.insert(address, AccountState { nonce, balance, code, storage });
    }
    let head = chain.head();
    let (mut blocks, mut transactions) = (Vec::new(), Vec::new());
    for number in chain.first_number()..=head.header.number {
        let Some(block) = chain.canonical_block(number)? else { continue };
        transactions.extend((0..block.transactions.len()).map(|index| stored(&block, index)));
        blocks.push(stored_block(&block));
    }
    let mut historical_states = Vec::new();
    if past {
        for number in chain.first_number()..head.header.number {
            let Some(block) = chain.canonical_block(number)? else { continue };
            // Pruned states are omitted.
            let Ok(state) = devnet.node.read(|node| node.state_after(&block)) else { continue };
            historical_states.push((block.hash, PastState::of(&state, &preimages)?));
        }
    }
    Ok(StateFile {
        block: Some(environment(&chain, head)),
        accounts,
        best_block_number: Some(head.header.number),
        blocks,
        transactions,
        historical_states: past.then(|| json!(historical_states)),
    })
}

fn environment(chain: &ChainReader, head: &Block) -> BlockEnvironment {
    let header = &head.header;
    let params = chain.config().spec.blob_params_at(header.timestamp);
    let price = header.excess_blob_gas.map(|excess_blob_gas| BlobPrice {
        excess_blob_gas,
        blob_gasprice: params.map_or(1, |params| params.calc_blob_fee(excess_blob_gas)),
    });
    BlockEnvironment {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        difficulty: header.difficulty,
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: price,
        slot_num: header.slot_number.unwrap_or_default(),
    }
}

fn stored_block(block: &Block) -> StoredBlock {
    let body = |(transaction, sender): (&Transaction, &Address)| StoredBody {
        transaction: json!(transaction),
        impersonated_sender: (transaction.recover_signer().ok() != Some(*sender))
            .then_some(*sender),
    };
    StoredBlock {
        header: block.header.clone(),
        transactions: block.transactions.iter().zip(&block.senders).map(body).collect(),
        ommers: Vec::new(),
        withdrawals: (!block.withdrawals.is_empty()).then(|| block.withdrawals.clone().into()),
    }
}

fn stored(block: &Block, index: usize) -> StoredTransaction {
    let (transaction, sender) = (&block.transactions[index], block.senders[index]);
    let receipt = &block.executed.receipts[index];
    let created = transaction.to().is_none().then(|| sender.create(transaction.nonce()));
    let mut stored = json!({
        "type": format!("{:#x}", transaction.ty()),
        "status": if receipt.success { "0x1" } else { "0x0" },
        "cumulativeGasUsed": format!("{:#x}", receipt.cumulative_gas_used),
        "logs": receipt.logs,
        "logsBloom": alloy_consensus::TxReceipt::bloom(receipt),
    });
    if let Some(ExecuteDraw { gas, price, .. }) = block.execute_draw(index) {
        stored["executeGasUsed"] = json!(U64::from(gas));
        stored["executeGasPrice"] = json!(U64::from(price));
    }
    StoredTransaction {
        info: TransactionInfo {
            transaction_hash: *transaction.hash(),
            transaction_index: index as u64,
            from: sender,
            to: transaction.to(),
            contract_address: created,
            traces: Vec::new(),
            exit: if receipt.success { "Stop" } else { "Revert" }.to_owned(),
            out: None,
            nonce: transaction.nonce(),
            gas_used: block.transaction_gas(index),
        },
        receipt: stored,
        block_hash: block.hash,
        block_number: block.header.number,
    }
}

/// Loads a state. Its blocks, if any, replace the devnet's. On a fork, only blocks after the forked
/// one are added.
pub(crate) fn load(devnet: &DevnetState, file: &StateFile) -> Result<(), String> {
    // Files from before 2025 also contain blocks of abandoned branches, in no order. As in anvil,
    // the last one of each number is the canonical block.
    let blocks: BTreeMap<u64, _> =
        foreign_blocks(file)?.into_iter().map(|block| (block.header.number, block)).collect();
    let blocks = blocks.into_values().collect();
    let past: Vec<(B256, PastState)> = match &file.historical_states {
        None => Vec::new(),
        Some(states) => serde_json::from_value(states.clone())
            .map_err(|error| format!("historical states: {error}"))?,
    };
    ForceHeader::GasLimit(None).apply(&devnet.forced_header);
    let is_fork = devnet.remote().is_some();
    if is_fork {
        // As for cheats, values of the forked node are read before the chain is locked.
        apply(&devnet.node.state().detached(), file)?;
    }
    devnet.node.execute(LoadState { file, blocks, past, is_fork })
}

/// Command that loads a state with its blocks.
#[derive(Debug)]
struct LoadState<'f> {
    file: &'f StateFile,
    blocks: Vec<Arc<Block>>,
    /// States after earlier blocks, by block hash.
    past: Vec<(B256, PastState)>,
    /// `true` if the chain is a fork.
    is_fork: bool,
}

impl Command for LoadState<'_> {
    type Output = Result<(), String>;

    fn apply(self, node: &mut NodeState) -> Self::Output {
        let Self { file, mut blocks, past, is_fork } = self;
        if let Some(best) = file.best_block_number.filter(|_| !is_fork && !blocks.is_empty())
            && !blocks.iter().any(|block| block.header.number == best)
        {
            return Err(format!("the best block, {best}, is not among the blocks of the file"));
        }
        let numbers = blocks.windows(2).map(|pair| [pair[0].header.number, pair[1].header.number]);
        if let Some([number, _]) = numbers.filter(|_| !is_fork).find(|[one, next]| one + 1 != *next)
        {
            let missing = number + 1;
            return Err(format!("block {missing} is not among the blocks of the file"));
        }
        let edited = apply(&node.chain.state(), file)?;
        blocks
            .retain(|block| file.best_block_number.is_none_or(|best| block.header.number <= best));
        let failed = |error: ChainError| error.to_string();
        let mut chain = if is_fork {
            let mut chain = node.chain.detached();
            for block in blocks {
                if block.header.parent_hash == chain.head().hash {
                    let block = Block::clone(&block);
                    let new = ExecutedBlock::new(block, Changes::default(), &chain.config().spec);
                    chain.append(new).map_err(failed)?;
                }
            }
            chain
        } else {
            let first = blocks.first().map(|block| block.header.number);
            let own = edited.store().first_number().map_err(|error| error.to_string())?;
            // A file from a fork starts at a later block than this chain, whose blocks are not its
            // ancestors, so drop them.
            let store: Arc<dyn Store> = match first > own {
                true => {
                    Arc::new(without_blocks(&**edited.store()).map_err(|error| error.to_string())?)
                }
                false => Arc::new(Overlay::new(Arc::clone(edited.store()))),
            };
            let config = node.chain.config().clone();
            match Chain::from_parts(blocks, store, config).map_err(failed)? {
                Some(chain) => chain,
                None => return node.chain.set_state(&edited).map_err(failed),
            }
        };
        let state = chain.state().with_root(edited.root());
        chain.set_state(&state).map_err(failed)?;
        for (block, past) in &past {
            let root = past.put(&state).map_err(|error| error.to_string())?;
            chain.override_root(*block, root);
        }
        let head = Arc::clone(chain.head());
        node.chain = chain;
        node.clock.set(head.header.timestamp);
        Ok(())
    }
}

/// Returns a store with the states of another one, but none of its blocks.
fn without_blocks(store: &dyn Store) -> Result<MemoryStore, StoreError> {
    let StoredNodes { nodes, codes } = store.everything()?;
    let slots =
        |(address, slots): (Address, BTreeSet<U256>)| (address, slots.into_iter().collect());
    let preimages = store.preimages()?.into_iter().map(slots).collect();
    let mut changes = Changes { preimages, ..Changes::default() };
    changes.put_nodes(nodes);
    for code in codes {
        changes.put_code(code);
    }
    let own = MemoryStore::default();
    own.commit(changes)?;
    Ok(own)
}

fn apply(state: &State, file: &StateFile) -> Result<State, String> {
    let edited = state.edit(|state| {
        for (address, account) in &file.accounts {
            state.set_balance(*address, account.balance)?;
            state.set_nonce(*address, account.nonce)?;
            state.set_code(*address, account.code.clone())?;
            for (slot, value) in &account.storage {
                state.set_slot(*address, (*slot).into(), (*value).into())?;
            }
        }
        Ok(())
    });
    edited.map_err(|error| error.to_string())
}

/// Fields of a stored receipt that are read.
#[derive(Debug, Deserialize)]
struct Receipt {
    #[serde(rename = "type")]
    kind: alloy_primitives::U8,
    status: Value,
    #[serde(rename = "cumulativeGasUsed")]
    cumulative_gas_used: U64,
    logs: Vec<Log>,
    /// EXECUTE gas that the transaction drew from its allowance.
    #[serde(default, rename = "executeGasUsed")]
    execute_gas_used: Option<U64>,
    #[serde(default, rename = "executeGasPrice")]
    execute_gas_price: Option<U64>,
}

fn foreign_blocks(file: &StateFile) -> Result<Vec<Arc<Block>>, String> {
    let stored: B256Map<&StoredTransaction> =
        file.transactions.iter().map(|stored| (stored.info.transaction_hash, stored)).collect();
    file.blocks.iter().map(|block| foreign_block(block, &stored).map(Arc::new)).collect()
}

fn foreign_block(
    block: &StoredBlock,
    known: &B256Map<&StoredTransaction>,
) -> Result<Block, String> {
    let number = block.header.number;
    let (mut transactions, mut senders, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
    let mut execute_draws = Vec::new();
    // Old files of anvil have no receipts, so only the headers of their blocks are kept.
    for body in block.transactions.iter().filter(|_| !known.is_empty()) {
        let transaction: Transaction = serde_json::from_value(body.transaction.clone())
            .map_err(|error| format!("block {number}: transaction: {error}"))?;
        let hash = *transaction.hash();
        let mined = known.get(&hash);
        let sender = body
            .impersonated_sender
            .or_else(|| mined.map(|mined| mined.info.from))
            .or_else(|| transaction.recover_signer().ok())
            .ok_or_else(|| format!("block {number}: {hash} has no sender"))?;
        let mined = mined.ok_or_else(|| format!("block {number}: {hash} has no receipt"))?;
        let receipt: Receipt = serde_json::from_value(mined.receipt.clone())
            .map_err(|error| format!("block {number}: receipt of {hash}: {error}"))?;
        if let Some((gas, price)) = receipt.execute_gas_used.zip(receipt.execute_gas_price) {
            let (index, gas, price) = (transactions.len(), gas.to(), price.to());
            execute_draws.push(ExecuteDraw { index, gas, price });
        }
        receipts.push(EthereumReceipt {
            tx_type: match receipt.kind.to::<u8>() {
                // The executor assigns these receipts this type.
                ExecuteTx::TYPE => TxType::Eip1559,
                kind => {
                    TxType::try_from(kind).map_err(|error| format!("block {number}: {error}"))?
                }
            },
            success: receipt.status != "0x0" && receipt.status != false,
            cumulative_gas_used: receipt.cumulative_gas_used.to(),
            logs: receipt.logs,
        });
        transactions.push(transaction);
        senders.push(sender);
    }
    let header = block.header.clone();
    let executed = ExecutionOutcome {
        receipts,
        gas_used: header.gas_used,
        blob_gas_used: header.blob_gas_used.unwrap_or_default(),
        ..ExecutionOutcome::default()
    };
    let withdrawals = block.withdrawals.clone().unwrap_or_default().into_inner();
    let mut block = Block::foreign(header, transactions, senders, withdrawals, executed);
    block.execute_draws = execute_draws;
    Ok(block)
}
