//! The floor: work that no verifier of a block can avoid.
//!
//! It consists of one Keccak pass over the witness, recovery of all senders, and plain revm over a
//! pre-state in memory with analysed codes, without decoding, tries, roots and receipts. Hashes,
//! signatures and precompiles are computed by the libraries of the verifier.

use crate::timed;
use alloy_consensus::transaction::SignerRecoverable as _;
use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, FromRecoveredTx as _, eth::EthEvmFactory};
use alloy_primitives::{Address, B256, U256};
use core::hint::black_box;
use executor::{
    BlockState, ChainSpec, Cryptography, ReadError, StateSource, Transaction, decode_transaction,
};
use eyre::{Result, ensure, eyre};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    context::TxEnv,
    database::{CacheDB, EmptyDB, in_memory_db::DbAccount},
    state::AccountInfo,
};
use serde::Serialize;
use stateless::{Witness, header_of};
use std::cell::RefCell;
use wire::StatelessInput;

/// CPU time of each part, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FloorTimes {
    /// One pass over nodes, codes and headers, in batches.
    pub keccak: f64,
    /// The same pass, one hash at a time; not part of the floor.
    pub keccak_scalar: f64,
    /// Recovery of all senders.
    pub senders: f64,
    /// Execution over a state in memory.
    pub evm: f64,
}

impl FloorTimes {
    /// Combines the times of each part over multiple runs.
    pub fn each(runs: &[Self], combine: impl Fn(Vec<f64>) -> f64) -> Self {
        let part = |of: fn(&Self) -> f64| combine(runs.iter().map(of).collect());
        Self {
            keccak: part(|times| times.keccak),
            keccak_scalar: part(|times| times.keccak_scalar),
            senders: part(|times| times.senders),
            evm: part(|times| times.evm),
        }
    }

    /// Returns the floor: the sum of its parts.
    pub const fn total(&self) -> f64 {
        self.keccak + self.senders + self.evm
    }

    /// Returns the floor of a verifier that hashes one node at a time.
    pub const fn scalar_total(&self) -> f64 {
        self.keccak_scalar + self.senders + self.evm
    }
}

/// The floor of a block, with its data prepared outside the measurement.
#[derive(Debug)]
pub struct Floor<'a> {
    cryptography: &'static dyn Cryptography,
    preimages: Vec<&'a [u8]>,
    transactions: Vec<Transaction>,
    environments: Vec<TxEnv>,
    block: EvmEnv,
    pre_state: CacheDB<EmptyDB>,
}

impl<'a> Floor<'a> {
    /// Executes a block and records the state that it reads. `cryptography` recovers the senders.
    ///
    /// # Errors
    ///
    /// If the calldata is not the input of one valid block.
    pub fn prepare(calldata: &'a [u8], cryptography: &'static dyn Cryptography) -> Result<Self> {
        let input = StatelessInput::decode(calldata)?;
        let payload = &input.request.payload;
        let spec = ChainSpec::for_input(input.chain_id, input.fork);
        let header = header_of(&input.request, input.fork).ok_or_else(|| eyre!("no header"))?;
        let blob_params = spec.blob_params_at(header.timestamp);
        let block = EvmEnv::for_eth_block(&header, &spec, spec.chain_id(), blob_params);
        let transactions = payload
            .transactions
            .iter()
            .map(|bytes| decode_transaction(bytes).map_err(|reason| eyre!(reason)))
            .collect::<Result<Vec<_>>>()?;
        let environments = transactions
            .iter()
            .map(|tx| Ok(TxEnv::from_recovered_tx(tx, tx.recover_signer()?)))
            .collect::<Result<Vec<_>>>()?;

        let witness = Witness::new(&input.witness, payload.parent_hash)?;
        let linked = witness.link();
        let source = linked.state();
        let recorder = Recorder {
            state: RefCell::new(BlockState::new(&source, witness.state_root())),
            read: RefCell::new(CacheDB::new(EmptyDB::new())),
        };
        execute(&block, CacheDB::new(&recorder), environments.clone())?;
        let lists = [input.witness.state, input.witness.codes, input.witness.headers];
        Ok(Self {
            cryptography,
            preimages: lists.into_iter().flat_map(wire::ByteLists::iter).collect(),
            transactions,
            environments,
            block,
            pre_state: recorder.read.into_inner(),
        })
    }

    /// Does the work once and measures it.
    ///
    /// # Errors
    ///
    /// If a transaction cannot be executed, which [`Self::prepare`] rules out.
    pub fn run(&self) -> Result<FloorTimes> {
        let pre_state = self.pre_state.clone();
        let environments = self.environments.clone();
        let mut digests = vec![B256::ZERO; self.preimages.len()];
        let keccak_scalar = on_core(|| {
            for preimage in &self.preimages {
                black_box(keccak::keccak256(preimage));
            }
        });
        let keccak = on_core(|| {
            keccak::keccak256_batch(&self.preimages, &mut digests);
            black_box(&digests);
        });
        let senders = on_core(|| {
            black_box(self.cryptography.senders(&self.transactions));
        });
        let mut outcome = Ok(0);
        let evm = on_core(|| outcome = execute(&self.block, pre_state, environments));
        ensure!(outcome? > 0 || self.transactions.is_empty(), "transactions use gas");
        Ok(FloorTimes { keccak, keccak_scalar, senders, evm })
    }
}

fn on_core(work: impl FnOnce()) -> f64 {
    timed(work).1.on_core
}

/// Runs transactions one after another and returns the gas that they use.
fn execute<DB>(block: &EvmEnv, db: DB, transactions: Vec<TxEnv>) -> Result<u64>
where
    DB: alloy_evm::Database + DatabaseCommit,
{
    let mut evm = EthEvmFactory::default().create_evm(db, block.clone());
    let mut gas = 0;
    for transaction in transactions {
        let executed = evm.transact(transaction).map_err(|error| eyre!("{error}"))?;
        gas += executed.result.tx_gas_used();
        evm.db_mut().commit(executed.state);
    }
    Ok(gas)
}

/// Reads the state of a witness, and records the values read, which are those before the block.
struct Recorder<'s, S: StateSource> {
    state: RefCell<BlockState<'s, S>>,
    read: RefCell<CacheDB<EmptyDB>>,
}

impl<S: StateSource> core::fmt::Debug for Recorder<'_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Recorder")
    }
}

impl<S: StateSource> DatabaseRef for Recorder<'_, S> {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        let info = self.state.borrow_mut().basic(address)?;
        let account = info.clone().map_or_else(DbAccount::new_not_existing, DbAccount::from);
        self.read.borrow_mut().cache.accounts.entry(address).or_insert(account);
        Ok(info)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadError> {
        let code = self.state.borrow_mut().code_by_hash(hash)?;
        self.read.borrow_mut().cache.contracts.insert(hash, code.clone());
        Ok(code)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        let value = self.state.borrow_mut().storage(address, slot)?;
        if let Some(account) = self.read.borrow_mut().cache.accounts.get_mut(&address) {
            account.storage.insert(slot, value);
        }
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        let hash = self.state.borrow_mut().block_hash(number)?;
        self.read.borrow_mut().cache.block_hashes.insert(U256::from(number), hash);
        Ok(hash)
    }
}
