//! Accounts that only a genesis can create, and balances at their maximum.

use super::test_chain::{CHAIN_ID, FORKS, GWEI, TestChain, contract};
use alloy_consensus::TxEip7702;
use alloy_eips::{
    eip4895::Withdrawal,
    eip7702::Authorization,
    eip7928::{AccountChanges, BlockAccessList},
};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, U256, address};
use alloy_rlp::Decodable;
use chain::ChainError;
use enshrine_stateless::Invalid;
use revm::bytecode::opcode as op;
use testkit::{Key, Transaction};
use wire::ProtocolFork;

/// An account with storage and a balance, but without nonce and code.
fn with_storage_only() -> GenesisAccount {
    let storage = [(B256::with_last_byte(1), B256::with_last_byte(2))];
    let balance = U256::from(7);
    GenesisAccount { balance, storage: Some(storage.into()), ..Default::default() }
}

/// A transaction that delegates the account of `key` to the code of `delegate`.
fn delegation(chain: &mut TestChain, key: &Key, delegate: Address) -> Transaction {
    let authorization =
        Authorization { chain_id: U256::from(CHAIN_ID), address: delegate, nonce: 0 };
    Key::named("alice").sign(TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: chain.nonce("alice"),
        gas_limit: 500_000,
        max_fee_per_gas: 10 * GWEI,
        to: Address::repeat_byte(0xbb),
        authorization_list: vec![key.authorize(authorization)],
        ..Default::default()
    })
}

#[test]
fn clearing_absent_delegation_is_no_code_change() {
    let ghost = Key::named("ghost");
    let at = ghost.address();
    let changes = |delegate: Address| {
        let mut chain = TestChain::new(ProtocolFork::Amsterdam, |genesis| {
            genesis.alloc.insert(at, with_storage_only());
        });
        let transaction = delegation(&mut chain, &ghost, delegate);
        let block = chain.block(vec![transaction]);
        let list = block.block.executed.block_access_list.expect("exists in Amsterdam");
        let list = BlockAccessList::decode(&mut &list[..]).expect("a list");
        let account = list.into_iter().find(|account: &AccountChanges| account.address == at);
        let account = account.expect("is in the list");
        assert_eq!(account.nonce_changes.len(), 1);
        account.code_changes.len()
    };
    assert_eq!(changes(Address::ZERO), 0);
    assert_eq!(changes(Address::repeat_byte(0xaa)), 1);
}

#[test]
fn storage_only_account_is_preserved_in_every_fork() {
    let ghost = Address::repeat_byte(0x9e);
    for fork in FORKS {
        let mut chain = TestChain::new(fork, |genesis| {
            genesis.alloc.insert(ghost, with_storage_only());
        });
        let before = chain.chain.state().account(ghost).expect("reads");
        let call = chain.call(ghost, 100_000, vec![]);
        chain.block(vec![call]);
        assert_eq!(chain.chain.state().account(ghost).expect("reads"), before, "{fork}");
        assert_eq!(chain.chain.storage(ghost, U256::ONE).expect("reads"), U256::from(2));
    }
}

#[test]
fn empty_genesis_account_is_removed_only_as_beneficiary() {
    let (called, inner, heir, fees) = (1, 2, 3, 4);
    let empty = |number: u8| Address::repeat_byte(0xe0 + number);
    let push = |code: &mut Vec<u8>, address: Address| {
        code.push(op::PUSH20);
        code.extend(address.as_slice());
    };
    // Calls an empty account, and then destroys itself in favour of another one, without a balance.
    let caller = Address::repeat_byte(0xca);
    let mut code = vec![op::PUSH0; 5];
    push(&mut code, empty(inner));
    code.extend([op::GAS, op::CALL, op::POP]);
    push(&mut code, empty(heir));
    code.push(op::SELFDESTRUCT);
    for fork in FORKS {
        let mut chain = TestChain::new(fork, |genesis| {
            for number in [called, inner, heir, fees] {
                genesis.alloc.insert(empty(number), GenesisAccount::default());
            }
            genesis.alloc.insert(caller, contract(&code));
        });
        let transactions =
            vec![chain.call(empty(called), 100_000, vec![]), chain.call(caller, 300_000, vec![])];
        let mut attributes = chain.attributes();
        attributes.fee_recipient = empty(fees);
        let (block, rejected) = chain.chain.build(&attributes, transactions).expect("builds");
        assert!(rejected.is_empty(), "{rejected:?}");
        assert!(block.block.executed.receipts.iter().all(|receipt| receipt.success));
        assert!(chain.verify(&block, Default::default()).is_ok(), "{fork}");
        chain.chain.append(block).expect("appends");
        let is_there =
            |number| chain.chain.state().account(empty(number)).expect("reads").is_some();
        assert_eq!([called, inner, heir, fees].map(is_there), [true, true, false, false], "{fork}");
    }
}

#[test]
fn fees_and_withdrawals_cannot_overflow_balance() {
    let full = Address::repeat_byte(0xfe);
    for fork in FORKS {
        let mut chain = TestChain::new(fork, |genesis| {
            let rich = GenesisAccount { balance: U256::MAX - U256::from(5), ..Default::default() };
            genesis.alloc.insert(full, rich);
        });
        let mut attributes = chain.attributes();
        attributes.fee_recipient = full;
        let mut transaction = chain.transaction("bob", Address::repeat_byte(1), 100_000, vec![]);
        let free = Key::named("bob").sign(transaction.clone());
        transaction.max_priority_fee_per_gas = 1;
        let tipping = Key::named("bob").sign(transaction);
        let build = |transaction: &Transaction| {
            chain.chain.build(&attributes, vec![transaction.clone()]).expect("builds")
        };
        let (block, rejected) = build(&free);
        assert!(rejected.is_empty() && chain.verify(&block, Default::default()).is_ok());
        match &build(&tipping).1[..] {
            [(0, Invalid::Transaction { index: 0, reason })] => {
                assert!(reason.contains("fee recipient"), "{reason}");
            }
            other => panic!("{fork}: {other:?}"),
        }

        let withdrawing = |amounts: &[u64]| {
            let mut attributes = chain.attributes();
            let withdrawal =
                |amount: &u64| Withdrawal { address: full, amount: *amount, ..Default::default() };
            attributes.withdrawals = amounts.iter().map(withdrawal).collect();
            chain.chain.build(&attributes, vec![]).map(|_| ())
        };
        assert_eq!(withdrawing(&[0, 0]), Ok(()), "{fork}");
        for amounts in [&[1][..], &[0, 1]] {
            let refusal = withdrawing(amounts);
            assert!(
                matches!(refusal, Err(ChainError::Invalid(Invalid::Execution(_)))),
                "{fork}: {refusal:?}"
            );
        }
    }
}

#[test]
fn factory_exists_from_first_amsterdam_block() {
    let factory = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
    for fork in FORKS {
        let mut chain = TestChain::new(fork, |_| {});
        assert_eq!(
            !chain.chain.code(factory).expect("reads").is_empty(),
            fork >= ProtocolFork::Amsterdam
        );
        if fork < ProtocolFork::Amsterdam {
            continue;
        }
        // A salt, and initialisation code that deploys a single STOP.
        let mut input = vec![0; 32];
        input.extend([op::PUSH1, 1, op::PUSH0, op::RETURN]);
        let created = factory.create2_from_code(B256::ZERO, &input[32..]);
        let deploy = chain.call(factory, 3_000_000, input);
        chain.block(vec![deploy]);
        assert_eq!(chain.chain.code(created).expect("reads")[..], [0]);
    }
}
