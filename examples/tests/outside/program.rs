//! Verifies a block, and then has EXECUTE verify it inside an EVM.

use alloy_evm::{Evm, EvmEnv, EvmFactory, eth::EthEvmFactory};
use alloy_primitives::{Address, Bytes};
use execute::{EXECUTE_ADDRESS, Execute};
use revm::{
    context::{BlockEnv, TxEnv},
    database::EmptyDB,
    primitives::TxKind,
};
use stateless::{ChainSpec, verify};
use std::{env, error::Error, fs, sync::Arc};
use wire::StatelessInput;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: outside INPUT")?;
    let bytes = fs::read(path)?;

    let input = StatelessInput::decode(&bytes)?;
    let rules = ChainSpec::constant(input.chain_id, input.fork);
    let verdict = verify(&input, &rules)?;
    println!("verified {}", verdict.block_hash);

    let block_env = BlockEnv { gas_limit: 60_000_000, ..Default::default() };
    let env = EvmEnv { block_env, ..Default::default() };
    let mut evm = EthEvmFactory::default().create_evm(EmptyDB::new(), env);
    Arc::new(Execute::default()).install(evm.precompiles_mut());
    let transaction = TxEnv {
        caller: Address::repeat_byte(1),
        kind: TxKind::Call(EXECUTE_ADDRESS),
        data: Bytes::from(bytes),
        gas_limit: 10_000_000,
        ..Default::default()
    };
    let answer = evm.transact(transaction)?.result;
    println!("executed {}", answer.output().map_or(0, |output| output.len()));
    Ok(())
}
