//! Full blocks whose transactions get the maximum refund: up to BPO2 they use less gas than the sum
//! of their intrinsic gas.

use super::test_chain::{CHAIN_ID, FORKS, GWEI, TestChain};
use alloy_consensus::TxEip7702;
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use chain::BlockBuilder;
use enshrine_stateless::{Invalid, VerifyOptions};
use executor::{Transaction, check_transactions, intrinsic_gas};
use testkit::{Key, Random};
use wire::ProtocolFork;

/// Sets slots. Its calldata is a list of pairs of slot and value.
const STORE: [u8; 25] =
    hex!("5f 5b 36 81 10 600a 57 00 00 5b 80 6020 01 35 81 35 55 6040 01 6001 56");
const STORE_AT: Address = Address::repeat_byte(0x57);
const SLOTS: u64 = 2_000;

fn genesis(gas_limit: u64) -> impl FnOnce(&mut Genesis) {
    move |genesis| {
        genesis.gas_limit = gas_limit;
        let storage = (0..SLOTS).map(|slot| (B256::from(U256::from(slot)), B256::repeat_byte(1)));
        let store = GenesisAccount {
            nonce: Some(1),
            code: Some(Bytes::from_static(&STORE)),
            storage: Some(storage.collect()),
            ..Default::default()
        };
        genesis.alloc.insert(STORE_AT, store);
        for number in 0..10 {
            let there = GenesisAccount { balance: U256::ONE, ..Default::default() };
            genesis.alloc.insert(authority(number).address(), there);
        }
    }
}

fn authority(number: u64) -> Key {
    Key::named(&format!("authority {number}"))
}

struct Filler {
    chain: TestChain,
    fork: ProtocolFork,
    next_slot: u64,
    authorized: u64,
    random: Random,
}

impl Filler {
    fn new(fork: ProtocolFork, gas_limit: u64, seed: u64) -> Self {
        let chain = TestChain::new(fork, genesis(gas_limit));
        Self { chain, fork, next_slot: 0, authorized: 0, random: Random::new(seed) }
    }

    /// Gas beyond the intrinsic gas of a transaction.
    fn spare(&self, usually: u64) -> u64 {
        // From EIP-8037 on, growth of the state has its own price.
        if self.fork >= ProtocolFork::Amsterdam { 600_000 } else { usually }
    }

    /// A transaction that clears slots. Its access list makes it pay most of the gas in advance.
    fn clearing(&mut self) -> Transaction {
        let (clears, addresses) = (5 + self.random.below(3), 35 + self.random.below(15));
        let slots = self.next_slot..(self.next_slot + clears).min(SLOTS);
        self.next_slot = slots.end;
        let keys = slots.clone().map(|slot| U256::from(slot).into()).collect();
        let input =
            slots.flat_map(|slot| [slot, 0]).flat_map(|word| U256::from(word).to_be_bytes::<32>());
        let mut transaction = self.chain.transaction("alice", STORE_AT, 0, input.collect());
        let item = |number: u64| AccessListItem {
            address: Address::left_padding_from(&(1_000 + number).to_be_bytes()),
            storage_keys: vec![],
        };
        transaction.access_list = AccessList((0..addresses).map(item).collect());
        transaction.access_list.0.push(AccessListItem { address: STORE_AT, storage_keys: keys });
        let signed = Key::named("alice").sign(transaction.clone());
        transaction.gas_limit = intrinsic_gas(&signed, self.fork) + self.spare(25_000);
        Key::named("alice").sign(transaction)
    }

    /// Authorizations by existing accounts.
    fn authorizing(&mut self) -> Transaction {
        let count = 1 + self.random.below(20);
        let authorizations = (0..count).map(|_| {
            let (number, nonce) = (self.authorized % 10, self.authorized / 10);
            self.authorized += 1;
            authority(number).authorize(Authorization {
                chain_id: U256::from(CHAIN_ID),
                address: Address::repeat_byte(0xaa),
                nonce,
            })
        });
        let mut transaction = TxEip7702 {
            chain_id: CHAIN_ID,
            authorization_list: authorizations.collect(),
            nonce: 0,
            max_fee_per_gas: 10 * GWEI,
            to: Address::repeat_byte(0xbb),
            ..Default::default()
        };
        transaction.nonce = self.chain.nonce("alice");
        let signed = Key::named("alice").sign(transaction.clone());
        transaction.gas_limit = intrinsic_gas(&signed, self.fork) + self.spare(1_000);
        Key::named("alice").sign(transaction)
    }
}

/// Returns `true` if the specification allows a block that the plain sum of intrinsic gas would
/// exceed.
fn exceeds_the_plain_sum(transactions: &[Transaction], gas_limit: u64, fork: ProtocolFork) -> bool {
    transactions.iter().map(|tx| intrinsic_gas(tx, fork)).sum::<u64>() > gas_limit
}

#[test]
fn full_blocks_with_maximum_refunds_are_valid() {
    for fork in FORKS {
        let (mut beyond, mut blocks) = (0, 0);
        for seed in 0..8 {
            let mut filler = Filler::new(fork, 3_000_000 + 500_000 * (seed % 4), seed);
            let offered: Vec<_> = (0..60)
                .map(|_| match filler.random.below(2) {
                    0 if fork >= ProtocolFork::Prague => filler.authorizing(),
                    _ => filler.clearing(),
                })
                .collect();
            let (block, rejected) = filler.chain.offer(offered);
            assert!(!rejected.is_empty() && !block.block.transactions.is_empty(), "{fork}: full");
            let gas_limit = block.block.header.gas_limit;
            blocks += 1;
            let transactions = block.block.ethereum_transactions().unwrap();
            beyond += usize::from(exceeds_the_plain_sum(&transactions, gas_limit, fork));
        }
        println!("{fork}: {beyond} of {blocks} blocks cost more in advance than they may use");
        assert_eq!(beyond > 0, fork < ProtocolFork::Amsterdam, "{fork}");
    }
}

/// Any user can cause such a block: authorizations alone are refunded up to one fifth.
#[test]
fn set_code_transactions_on_existing_accounts_are_valid() {
    for fork in [ProtocolFork::Prague, ProtocolFork::Osaka, ProtocolFork::Bpo2] {
        let mut chain = TestChain::new(fork, genesis(131_000));
        let mut transactions = Vec::new();
        for index in 0..2 {
            let authorization_list = (0..2)
                .map(|number| {
                    authority(2 * index + number).authorize(Authorization {
                        chain_id: U256::from(CHAIN_ID),
                        address: Address::repeat_byte(0xaa),
                        nonce: 0,
                    })
                })
                .collect();
            transactions.push(Key::named("alice").sign(TxEip7702 {
                chain_id: CHAIN_ID,
                nonce: chain.nonce("alice"),
                gas_limit: 71_000,
                max_fee_per_gas: 10 * GWEI,
                to: Address::repeat_byte(0xbb),
                authorization_list,
                ..Default::default()
            }));
        }
        assert!(exceeds_the_plain_sum(&transactions, 131_000, fork));
        let block = chain.block(transactions);
        assert_eq!(block.block.header.gas_used, 2 * (71_000 - 71_000 / 5), "{fork}");
    }
}

#[test]
fn gas_bound_is_exact_without_refunds() {
    // Calldata: the floor of EIP-7623 is never refunded.
    let mut chain = TestChain::new(ProtocolFork::Osaka, |_| {});
    let floor = 21_000 + 40 * 1_000;
    let data = chain.call(Address::repeat_byte(0xbb), floor, vec![1; 1_000]);
    let bound =
        |count: usize, limit, fork| check_transactions(&vec![data.clone(); count], limit, fork);
    let osaka = ProtocolFork::Osaka;
    assert_eq!(bound(3, 3 * floor, osaka), Ok(()));
    let reason =
        Invalid::IntrinsicGas { gas_limit: 3 * floor - 1, minimum: 3 * floor, transactions: 3 };
    assert_eq!(bound(3, 3 * floor - 1, osaka), Err(reason));
    // Before the floor was introduced, a transfer counts four fifths of its gas.
    let transfer = chain.call(Address::repeat_byte(0xbb), 21_000, vec![]);
    for (fork, minimum) in [(ProtocolFork::Cancun, 168_000), (osaka, 210_000)] {
        let check = |limit| check_transactions(&vec![transfer.clone(); 10], limit, fork);
        assert_eq!(check(minimum), Ok(()), "{fork}");
        let refusal = check(minimum - 1);
        assert!(matches!(refusal, Err(Invalid::IntrinsicGas { transactions: 10, .. })), "{fork}");
    }
    // From Amsterdam on, refunds do not count.
    let amsterdam = ProtocolFork::Amsterdam;
    let each = intrinsic_gas(&transfer, amsterdam);
    let check = |limit| check_transactions(&vec![transfer.clone(); 10], limit, amsterdam);
    assert_eq!(check(10 * each), Ok(()));
    assert!(check(10 * each - 1).is_err());
}

#[test]
fn state_and_chain_build_equal_blocks() {
    let mut filler = Filler::new(ProtocolFork::Osaka, 900_000, 7);
    let offered: Vec<_> = (0..12).map(|_| filler.clearing()).collect();
    let (block, _) = filler.chain.offer(offered);
    let recovered: Vec<_> = block
        .block
        .transactions
        .iter()
        .zip(&block.block.senders)
        .map(|(transaction, sender)| chain::RecoveredTransaction {
            transaction: transaction.clone(),
            sender: *sender,
            signed: true,
        })
        .collect();
    let state = filler.chain.chain.state();
    let header = state.open_header(&filler.chain.attributes()).expect("a header");
    let built = BlockBuilder::new(&state).build(&header, &[], &recovered).expect("builds");
    assert_eq!(built.executed.block.hash, block.block.hash);
    assert!(filler.chain.verify(&block, VerifyOptions::default()).is_ok());
}
