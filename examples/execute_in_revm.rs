//! EXECUTE as a precompile of an EVM of one's own.
//!
//! `cargo run --release --bin execute-in-revm`

use alloy_evm::{Evm, EvmEnv, EvmFactory, eth::EthEvmFactory};
use alloy_primitives::{Address, Bytes};
use execute::{EXECUTE_ADDRESS, Execute};
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    primitives::{TxKind, hardfork::SpecId},
};
use std::sync::Arc;
use wire::StatelessResult;

/// Calls EXECUTE in a transaction of its own.
fn call_execute(calldata: Vec<u8>) -> eyre::Result<ExecutionResult> {
    let cfg = CfgEnv::new_with_spec(SpecId::OSAKA);
    let block = BlockEnv { gas_limit: 60_000_000, ..Default::default() };
    let env = EvmEnv { cfg_env: cfg, block_env: block };
    let mut evm = EthEvmFactory::default().create_evm(CacheDB::new(EmptyDB::new()), env);

    // All that makes this EVM one of an L1 with native rollups.
    Arc::new(Execute::default()).install(evm.precompiles_mut());

    let transaction = TxEnv {
        caller: Address::repeat_byte(1),
        kind: TxKind::Call(EXECUTE_ADDRESS),
        data: Bytes::from(calldata),
        gas_limit: 10_000_000,
        ..Default::default()
    };
    Ok(evm.transact(transaction)?.result)
}

fn main() -> eyre::Result<()> {
    let input = enshrine_examples::l2_block()?;
    let answer = call_execute(input.clone())?;
    eyre::ensure!(answer.is_success(), "EXECUTE refuses a valid block: {answer:?}");
    let result = StatelessResult::decode(answer.output().map_or(&[][..], |output| output))?;
    println!("a valid block of chain {} for {} gas", result.chain_id, answer.tx_gas_used());

    // A block that is not what its hash says: the call fails, and the EVM goes on.
    let mut forged = input;
    forged[200] ^= 1;
    let answer = call_execute(forged)?;
    eyre::ensure!(!answer.is_success(), "EXECUTE takes a forged block");
    println!("a forged one fails, and costs all the gas of its call: {}", answer.tx_gas_used());
    Ok(())
}
