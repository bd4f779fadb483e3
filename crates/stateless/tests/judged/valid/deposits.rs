//! Deposits (EIP-6110): the contract whose logs count, and their layout.

use super::test_chain::{CHAIN_ID, TestChain, contract};
use alloy_primitives::{Address, B256, U256, address, b256};
use chain::ChainConfig;
use enshrine_stateless::{ChainSpec, Invalid};
use executor::Transaction;
use revm::bytecode::opcode as op;
use wire::ProtocolFork;

/// Topic of a deposit.
const DEPOSIT: B256 = b256!("0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");
/// Caller of the system calls.
const SYSTEM: Address = address!("0xfffffffffffffffffffffffffffffffffffffffe");
const FORKS: [ProtocolFork; 3] =
    [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Amsterdam];

/// Logs its calldata under a topic.
fn logs_under(topic: B256) -> Vec<u8> {
    let mut code = vec![op::CALLDATASIZE, op::PUSH0, op::PUSH0, op::CALLDATACOPY, op::PUSH32];
    code.extend(topic);
    code.extend([op::CALLDATASIZE, op::PUSH0, op::LOG1]);
    code
}

/// The data of a deposit log: five byte strings after their offsets.
fn deposit() -> Vec<u8> {
    let mut data = vec![0; 576];
    let mut put = |at: usize, number: usize| {
        data[at..at + 32].copy_from_slice(&U256::from(number).to_be_bytes::<32>());
    };
    let places = [160, 256, 320, 384, 512];
    for (index, (place, size)) in places.into_iter().zip([48, 32, 8, 96, 8]).enumerate() {
        put(32 * index, place);
        put(place, size);
    }
    data
}

struct Deposits {
    chain: TestChain,
    contract: Address,
}

impl Deposits {
    fn new(fork: ProtocolFork, topic: B256) -> Self {
        let address = Address::repeat_byte(0xd0);
        let spec = ChainSpec::constant(CHAIN_ID, fork).with_deposit_contract(address);
        let chain = TestChain::on(fork, ChainConfig::new(spec), |genesis| {
            genesis.alloc.insert(address, contract(&logs_under(topic)));
        });
        Self { chain, contract: address }
    }

    fn log(&mut self, data: Vec<u8>) -> Transaction {
        self.chain.call(self.contract, 300_000, data)
    }
}

#[test]
fn malformed_deposit_log_invalidates_block() {
    for fork in FORKS {
        let mut good = Deposits::new(fork, DEPOSIT);
        let transaction = good.log(deposit());
        let block = good.chain.block(vec![transaction]);
        let requests = block.block.executed.requests.expect("exist since Prague");
        assert_eq!(requests[0].len(), 1 + 192, "{fork}");

        // Another value in every word of the layout, and other lengths.
        let mut bad: Vec<Vec<u8>> = vec![vec![], deposit()[..544].to_vec()];
        bad.push([&deposit()[..], &[0; 32]].concat());
        for at in [0, 32, 64, 96, 128, 160, 256, 320, 384, 512] {
            let mut data = deposit();
            data[at + 31] ^= 0x20;
            bad.push(data);
            let mut data = deposit();
            data[at] = 1;
            bad.push(data);
        }
        for data in bad {
            let mut deposits = Deposits::new(fork, DEPOSIT);
            let transaction = deposits.log(data.clone());
            let (block, rejected) = deposits.chain.offer(vec![transaction]);
            assert!(block.block.transactions.is_empty());
            match &rejected[..] {
                [(0, Invalid::Transaction { reason, .. })] => {
                    assert!(reason.contains("an invalid layout"), "{reason}");
                }
                other => panic!("{fork}, {} bytes: {other:?}", data.len()),
            }
            // With another topic it is a log like any other.
            let mut others = Deposits::new(fork, B256::repeat_byte(1));
            let transaction = others.log(data);
            others.chain.block(vec![transaction]);
        }
    }
}

#[test]
fn chain_without_deposit_contract_has_no_deposits() {
    let mainnets = address!("0x00000000219ab540356cbb839cbe05303d7705fa");
    for fork in FORKS {
        // The last one is a precompile, where no code of a genesis runs.
        for at in [SYSTEM, mainnets, Address::with_last_byte(1)] {
            for data in [deposit(), vec![1, 2, 3]] {
                let mut chain = TestChain::new(fork, |genesis| {
                    genesis.alloc.insert(at, contract(&logs_under(DEPOSIT)));
                });
                let call = chain.call(at, 300_000, data);
                let block = chain.block(vec![call]);
                assert!(block.block.executed.receipts[0].success);
                let requests = block.block.executed.requests.expect("exist since Prague");
                assert!(requests.iter().all(|request| request.first() != Some(&0)), "{fork} {at}");
            }
        }
    }
}
