//! An L1 in this process: a chain with EXECUTE, and contracts on it.

use crate::ContractsError;
use alloy_consensus::TxEip1559;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_sol_types::SolCall;
use chain::{
    Block, BlockAttributes, Call, CallBlock, CallOutcome, Chain, ChainConfig, empty_genesis,
};
use execute::Execute;
use keys::Key;
use stateless::{ChainSpec, Receipt};
use std::sync::Arc;
use wire::ProtocolFork;

/// Gas that a transaction may have at most (EIP-7825).
pub const TRANSACTION_GAS_CAP: u64 = 1 << 24;

const ETHER: u128 = 1_000_000_000_000_000_000;

/// An L1 by the rules of mainnet, on which EXECUTE is a precompile. Each transaction gets a block of
/// its own, twelve seconds after the one before it.
#[derive(Debug)]
pub struct L1 {
    chain: Chain,
    /// Seconds by which the next block is later than usual.
    skipped: u64,
}

/// A transaction in its block.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The block.
    pub block: Arc<Block>,
    /// The receipt.
    pub receipt: Receipt,
    /// Gas used.
    pub gas_used: u64,
    /// Calldata of the transaction.
    pub input: Bytes,
}

impl L1 {
    /// Seconds between blocks.
    pub const BLOCK_TIME: u64 = 12;

    /// An L1 with this chain id, whose named accounts are rich.
    pub fn new(chain_id: u64, execute: Execute, rich: &[&str]) -> Self {
        let fork = ProtocolFork::Osaka;
        let mut genesis = empty_genesis(fork);
        genesis.gas_limit = 60_000_000;
        genesis.timestamp = 1_800_000_000;
        for name in rich {
            let account =
                GenesisAccount { balance: U256::from(10_000 * ETHER), ..Default::default() };
            genesis.alloc.insert(Key::named(name).address(), account);
        }
        let spec = ChainSpec::constant(chain_id, fork);
        let config = ChainConfig::new(spec).with_execute(execute);
        Self { chain: Chain::new(&genesis, config), skipped: 0 }
    }

    /// The chain.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Takes EXECUTE away: from here on its address is an account like any other.
    pub fn remove_execute(&mut self) {
        self.chain.set_execute(None);
    }

    /// Timestamp of the next block.
    pub fn next_timestamp(&self) -> u64 {
        self.chain.head().header.timestamp + Self::BLOCK_TIME + self.skipped
    }

    /// Lets time pass before the next block.
    pub const fn skip(&mut self, seconds: u64) {
        self.skipped += seconds;
    }

    /// Puts a transaction into a block, whether it succeeds or reverts.
    pub fn send(
        &mut self,
        from: &Key,
        to: TxKind,
        value: U256,
        input: Bytes,
        gas_limit: u64,
    ) -> Result<Sent, ContractsError> {
        let transaction = from.sign(TxEip1559 {
            chain_id: self.chain.config().spec.chain_id(),
            nonce: self.chain.nonce(from.address())?,
            gas_limit,
            max_fee_per_gas: 100_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to,
            value,
            input: input.clone(),
            ..Default::default()
        });
        let attributes = BlockAttributes { timestamp: self.next_timestamp(), ..Default::default() };
        let (new, left_out) = self.chain.build(&attributes, vec![transaction])?;
        if let Some((_, reason)) = left_out.into_iter().next() {
            return Err(ContractsError::NotIncluded(reason));
        }
        let block = self.chain.append(new);
        self.skipped = 0;
        let receipt = block.executed.receipts[0].clone();
        let gas_used = receipt.cumulative_gas_used;
        Ok(Sent { block, receipt, gas_used, input })
    }

    /// Deploys a contract; a revert is an error.
    pub fn deploy(&mut self, from: &Key, init_code: Bytes) -> Result<Address, ContractsError> {
        let address = from.address().create(self.chain.nonce(from.address())?);
        let input = init_code.clone();
        let sent = self.send(from, TxKind::Create, U256::ZERO, init_code, TRANSACTION_GAS_CAP)?;
        if sent.receipt.success {
            return Ok(address);
        }
        let call = Call { from: from.address(), data: input, ..Default::default() };
        Err(ContractsError::Reverted { to: None, output: self.chain.call(call)?.output })
    }

    /// Sends a call of a contract; a revert is an error that carries its data.
    pub fn transact<C: SolCall>(
        &mut self,
        from: &Key,
        to: Address,
        value: U256,
        call: &C,
    ) -> Result<Sent, ContractsError> {
        let data = Bytes::from(call.abi_encode());
        let tried = self.try_call(from.address(), to, value, data.clone())?;
        if !tried.success {
            return Err(ContractsError::Reverted { to: Some(to), output: tried.output });
        }
        let sent = self.send(from, to.into(), value, data, TRANSACTION_GAS_CAP)?;
        if !sent.receipt.success {
            return Err(ContractsError::Reverted { to: Some(to), output: Bytes::new() });
        }
        Ok(sent)
    }

    /// Makes a call as a transaction in the next block would, without one.
    pub fn try_call(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: Bytes,
    ) -> Result<CallOutcome, ContractsError> {
        let gas = Some(TRANSACTION_GAS_CAP);
        let block = CallBlock::Next { timestamp: self.next_timestamp() };
        Ok(self.chain.call(Call { from, to: Some(to), data, value, gas, block })?)
    }

    /// Reads from a contract.
    pub fn read<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, ContractsError> {
        let data = call.abi_encode().into();
        let outcome = self.try_call(Address::ZERO, to, U256::ZERO, data)?;
        if !outcome.success {
            return Err(ContractsError::Reverted { to: Some(to), output: outcome.output });
        }
        C::abi_decode_returns(&outcome.output).map_err(|error| ContractsError::Answer { to, error })
    }
}
