//! Contracts that call EXECUTE, and the EVM that runs them.

use alloy_evm::{
    Evm as _, EvmEnv, EvmFactory as _,
    eth::{EthEvm, EthEvmFactory},
    precompiles::PrecompilesMap,
};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use enshrine_execute::{BlockTally, EXECUTE_ADDRESS, Execute};
use revm::{
    bytecode::{Bytecode, opcode as op},
    context::{
        BlockEnv, CfgEnv, TxEnv,
        result::{ExecutionResult, Output},
    },
    database::{CacheDB, EmptyDB},
    inspector::NoOpInspector,
    primitives::{TxKind, hardfork::SpecId},
    state::AccountInfo,
};
use std::sync::Arc;
use variants::market::{self, MARKET_ADDRESS};

pub(crate) const CALLER: Address = address!("0x00000000000000000000000000000000000ca11e");
const SENDER: Address = address!("0x0000000000000000000000000000000000005e4d");
/// Gas of a transaction that none of its calls can exhaust.
const PLENTY: u64 = 1 << 50;

/// Gas of a call to a warm account without value.
pub(crate) const WARM_CALL: u64 = 100;

/// Kind of a contract's call to EXECUTE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Call { value: u64 },
    StaticCall,
    DelegateCall,
}

pub(crate) const CALL: How = How::Call { value: 0 };

/// Result of a call, as the contract sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallResult {
    pub(crate) success: bool,
    pub(crate) returned: Vec<u8>,
    /// Gas that the call instruction took, its own price included.
    pub(crate) gas: u64,
}

/// Code that passes its calldata to `callee` with this much gas and returns the result.
pub(crate) fn caller_code(callee: Address, how: How, gas: u64) -> Vec<u8> {
    let mut code = vec![op::CALLDATASIZE, op::PUSH0, op::PUSH0, op::CALLDATACOPY, op::GAS];
    let value = match how {
        How::Call { value } => Some(value),
        _ => None,
    };
    // Return area, arguments, value, address, gas: the last is on top.
    code.extend([op::PUSH0, op::PUSH0, op::CALLDATASIZE, op::PUSH0]);
    if let Some(value) = value {
        push(&mut code, &value.to_be_bytes());
    }
    push(&mut code, callee.as_slice());
    push(&mut code, &gas.to_be_bytes());
    code.push(match how {
        How::Call { .. } => op::CALL,
        How::StaticCall => op::STATICCALL,
        How::DelegateCall => op::DELEGATECALL,
    });
    // Stack: gas before, success. Memory from 0: success, gas taken, return data.
    code.extend([op::GAS, op::SWAP1, op::PUSH0, op::MSTORE]);
    code.extend([op::SWAP1, op::SUB, op::PUSH1, 32, op::MSTORE]);
    code.extend([op::RETURNDATASIZE, op::PUSH0, op::PUSH1, 64, op::RETURNDATACOPY]);
    code.extend([op::RETURNDATASIZE, op::PUSH1, 64, op::ADD, op::PUSH0, op::RETURN]);
    code
}

pub(crate) fn push(code: &mut Vec<u8>, bytes: &[u8]) {
    code.push(op::PUSH0 + u8::try_from(bytes.len()).expect("at most 32"));
    code.extend_from_slice(bytes);
}

/// Gas between the two GAS instructions of [`caller_code`] that does not belong to the call.
const fn around(how: How) -> u64 {
    let value = match how {
        How::Call { .. } => 3,
        _ => 0,
    };
    4 * 2 + value + 2 * 3 + 2
}

/// An EVM with EXECUTE, whose transactions come from a funded sender.
pub(crate) struct Host {
    db: CacheDB<EmptyDB>,
    execute: Arc<Execute>,
    /// Tally of the market's block that contains all transactions, if there is one.
    tally: Option<Arc<BlockTally>>,
    /// Versioned hashes of each transaction's blobs.
    pub(crate) blob_hashes: Vec<B256>,
    /// Balance of the EXECUTE address after the last transaction, in wei.
    pub(crate) last_balance_of_execute: U256,
}

impl Host {
    pub(crate) fn new(execute: Execute) -> Self {
        let mut db = CacheDB::new(EmptyDB::new());
        let rich = AccountInfo { balance: U256::MAX / U256::from(2), ..Default::default() };
        db.insert_account_info(SENDER, rich.clone());
        db.insert_account_info(CALLER, rich);
        let (execute, blob_hashes) = (Arc::new(execute), Vec::new());
        let last_balance_of_execute = U256::ZERO;
        Self { db, execute, tally: None, blob_hashes, last_balance_of_execute }
    }

    /// Creates the EVM of a block with this tally, on a state with this excess.
    pub(crate) fn in_block(execute: Execute, excess: U256, tally: &Arc<BlockTally>) -> Self {
        let mut host = Self::new(execute);
        let stored = host.db.insert_account_storage(MARKET_ADDRESS, U256::ZERO, excess);
        stored.expect("nothing is read for it");
        Self { tally: Some(Arc::clone(tally)), ..host }
    }

    pub(crate) fn put_code(&mut self, address: Address, code: Vec<u8>) {
        let code = Bytecode::new_raw(code.into());
        let balance = U256::from(1_000_000);
        self.db.insert_account_info(
            address,
            AccountInfo { balance, ..AccountInfo::from_bytecode(code) },
        );
    }

    /// Runs a transaction without any limit on gas.
    pub(crate) fn transact(&mut self, kind: TxKind, data: &[u8], gas: u64) -> ExecutionResult {
        self.try_transact(kind, data, gas).expect("EXECUTE never aborts the EVM")
    }

    /// Runs a transaction; the error is the reason why the EVM stopped.
    pub(crate) fn try_transact(
        &mut self,
        kind: TxKind,
        data: &[u8],
        gas: u64,
    ) -> Result<ExecutionResult, String> {
        let mut evm = self.evm();
        let transaction = self.transaction(kind, data, gas);
        let outcome = evm.transact(transaction).map_err(|error| error.to_string())?;
        self.last_balance_of_execute =
            outcome.state.get(&EXECUTE_ADDRESS).map_or(U256::ZERO, |account| account.info.balance);
        Ok(outcome.result)
    }

    /// Creates an EVM with EXECUTE on the current state.
    fn evm(&self) -> EthEvm<CacheDB<EmptyDB>, NoOpInspector, PrecompilesMap> {
        let mut cfg = CfgEnv::new_with_spec(SpecId::OSAKA);
        cfg.tx_gas_limit_cap = Some(u64::MAX);
        cfg.disable_nonce_check = true;
        cfg.limit_contract_initcode_size = Some(usize::MAX);
        let block = BlockEnv { gas_limit: u64::MAX, ..Default::default() };
        let mut evm = EthEvmFactory::default()
            .create_evm(self.db.clone(), EvmEnv { cfg_env: cfg, block_env: block });
        match &self.tally {
            Some(tally) => market::install(&self.execute, evm.precompiles_mut(), tally),
            None => self.execute.install(evm.precompiles_mut()),
        }
        evm
    }

    fn transaction(&self, kind: TxKind, data: &[u8], gas: u64) -> TxEnv {
        TxEnv {
            caller: SENDER,
            kind,
            data: Bytes::copy_from_slice(data),
            gas_limit: gas,
            tx_type: if self.blob_hashes.is_empty() { 0 } else { 3 },
            blob_hashes: self.blob_hashes.clone(),
            max_fee_per_blob_gas: u128::from(u32::MAX),
            ..Default::default()
        }
    }

    /// Returns the result of an EXECUTE call in this way with this gas, as a contract sees it.
    pub(crate) fn call(&mut self, how: How, calldata: &[u8], gas: u64) -> CallResult {
        self.call_at(EXECUTE_ADDRESS, how, calldata, gas)
    }

    /// Returns the result of a call to any address.
    pub(crate) fn call_at(
        &mut self,
        callee: Address,
        how: How,
        calldata: &[u8],
        gas: u64,
    ) -> CallResult {
        self.call_after(vec![], callee, how, calldata, gas)
    }

    /// Returns the result of a call after the contract has run `code`, which must leave its memory
    /// unchanged.
    pub(crate) fn call_after(
        &mut self,
        mut code: Vec<u8>,
        callee: Address,
        how: How,
        calldata: &[u8],
        gas: u64,
    ) -> CallResult {
        code.extend(caller_code(callee, how, gas));
        self.put_code(CALLER, code);
        result_of(how, &self.transact(TxKind::Call(CALLER), calldata, PLENTY))
    }

    /// Returns the results of calls in one EVM, where each call sees the next of these excesses in
    /// the state.
    pub(crate) fn call_at_each(
        &mut self,
        excesses: &[U256],
        how: How,
        calldata: &[u8],
        gas: u64,
    ) -> Vec<CallResult> {
        self.put_code(CALLER, caller_code(EXECUTE_ADDRESS, how, gas));
        let mut evm = self.evm();
        let mut call = |excess: &U256| {
            let stored = evm.db_mut().insert_account_storage(MARKET_ADDRESS, U256::ZERO, *excess);
            stored.expect("nothing is read for it");
            let transaction = self.transaction(TxKind::Call(CALLER), calldata, PLENTY);
            result_of(how, &evm.transact(transaction).expect("EXECUTE never aborts the EVM").result)
        };
        excesses.iter().map(&mut call).collect()
    }
}

/// Decodes the result that a contract with [`caller_code`] returned.
fn result_of(how: How, result: &ExecutionResult) -> CallResult {
    let ExecutionResult::Success { output: Output::Call(output), .. } = result else {
        panic!("the caller continues after any outcome of EXECUTE: {result:?}");
    };
    call_result(how, output)
}

/// Reads what [`caller_code`] returns.
pub(crate) fn call_result(how: How, output: &[u8]) -> CallResult {
    let word = |at: usize| U256::from_be_slice(&output[at..at + 32]);
    CallResult {
        success: word(0) == U256::ONE,
        gas: word(32).to::<u64>() - around(how),
        returned: output[64..].to_vec(),
    }
}
