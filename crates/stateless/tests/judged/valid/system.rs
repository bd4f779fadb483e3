//! System contracts: which code is at their addresses when they are called.

use super::test_chain::{CHAIN_ID, TestChain};
use alloy_consensus::Header;
use alloy_primitives::{Address, keccak256};
use chain::ChainConfig;
use enshrine_stateless::{BlockTally, ChainSpec, EvmOverrides, Invalid, SystemCode, VerifyOptions};
use executor::{BlockError, HookState, SYSTEM_CONTRACTS, SystemContract, Transaction};
use revm::{
    bytecode::Bytecode,
    state::{Account, AccountInfo},
};
use std::sync::Arc;
use wire::ProtocolFork;

/// Deploys the contracts that return requests, before the first transaction or after the last one,
/// as a transaction of the block would.
#[derive(Debug)]
struct Deploys {
    code: fn(&SystemContract) -> Bytecode,
    at_the_end: bool,
}

impl Deploys {
    fn deploy(&self, state: &mut dyn HookState) {
        for contract in SYSTEM_CONTRACTS.iter().filter(|contract| !contract.optional) {
            let code = (self.code)(contract);
            let info = AccountInfo { nonce: 1, ..AccountInfo::from_bytecode(code) };
            let mut account = Account::from(info);
            account.mark_touch();
            account.mark_created();
            // As everywhere, the account is read before it is written.
            let _ = state.basic(contract.address);
            state.commit([(contract.address, account)].into_iter().collect());
        }
    }
}

impl EvmOverrides for Deploys {
    fn before_transaction(
        &self,
        index: usize,
        _: &Transaction,
        _: Address,
        state: &mut dyn HookState,
    ) -> Result<(), BlockError> {
        if index == 0 && !self.at_the_end {
            self.deploy(state);
        }
        Ok(())
    }

    fn end_block(
        &self,
        _: &Header,
        state: &mut dyn HookState,
        _: &BlockTally,
    ) -> Result<(), BlockError> {
        if self.at_the_end {
            self.deploy(state);
        }
        Ok(())
    }
}

fn canonical(contract: &SystemContract) -> Bytecode {
    Bytecode::new_legacy(contract.code())
}

fn foreign(_: &SystemContract) -> Bytecode {
    Bytecode::new_legacy(vec![0].into())
}

#[test]
fn block_may_deploy_system_contract_it_calls() {
    // Prague starts with the first block that has a transaction.
    let spec = ChainSpec::scheduled(CHAIN_ID, ProtocolFork::Cancun, &[(ProtocolFork::Prague, 12)]);
    let deploys = Deploys { code: canonical, at_the_end: false };
    let config = ChainConfig::new(spec).with_extension(Arc::new(deploys));
    let mut chain = TestChain::on(ProtocolFork::Cancun, config, |_| {});
    let transfer = chain.call(Address::repeat_byte(1), 21_000, vec![]);
    let block = chain.block(vec![transfer]);
    assert_eq!(block.fork, ProtocolFork::Prague);
    assert!(!block.block.executed.receipts.is_empty());
}

#[test]
fn absent_required_contract_invalidates_block() {
    let fork = ProtocolFork::Osaka;
    for missing in SYSTEM_CONTRACTS.iter().filter(|contract| contract.since <= fork) {
        let chain = TestChain::new(fork, |genesis| {
            genesis.alloc.remove(&missing.address);
        });
        let (block, _) = chain.chain.build(&chain.attributes(), vec![]).expect("builds");
        assert_eq!(block.block.provable, missing.optional, "{}", missing.address);
        for system_code in [SystemCode::Canonical, SystemCode::Any] {
            let outcome = chain.verify(&block, VerifyOptions { system_code, ..Default::default() });
            match outcome {
                Ok(_) => assert!(missing.optional, "{}", missing.address),
                Err(Invalid::SystemCode { address, got, .. }) => {
                    assert!(!missing.optional, "{address}");
                    assert_eq!((address, got), (missing.address, keccak256([])));
                }
                Err(reason) => panic!("{}: {reason}", missing.address),
            }
        }
    }
}

#[test]
fn deployed_foreign_system_code_is_refused() {
    let spec = ChainSpec::scheduled(CHAIN_ID, ProtocolFork::Cancun, &[(ProtocolFork::Prague, 12)]);
    let deploys = Arc::new(Deploys { code: foreign, at_the_end: true });
    let config = ChainConfig::new(spec).with_extension(deploys);
    let chain = TestChain::on(ProtocolFork::Cancun, config, |_| {});
    let (block, _) = chain.chain.build(&chain.attributes(), vec![]).expect("builds");
    let verify = |system_code| {
        let options =
            VerifyOptions { system_code, evm: chain.chain.config(), ..Default::default() };
        chain.verify(&block, options)
    };
    match verify(SystemCode::Canonical) {
        Err(Invalid::SystemCode { got, .. }) => assert_eq!(got, keccak256([0])),
        other => panic!("{other:?}"),
    }
    assert!(verify(SystemCode::Any).is_ok());
}
