//! Random worlds: accounts and transactions from a seed.

use crate::{
    precompiles::{PROBE, probed},
    program::{code, word},
};
use alloy_consensus::{TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    eip7702::Authorization,
    eip8282::{BUILDER_DEPOSIT_CONTRACT_ADDRESS, BUILDER_EXIT_CONTRACT_ADDRESS},
};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex};
use executor::{SYSTEM_CONTRACTS, Transaction};
use testkit::{Key, Random};
use wire::ProtocolFork;

/// Contracts with random code.
const CONTRACTS: [Address; 5] = [
    address!("0x1000000000000000000000000000000000000001"),
    address!("0x1000000000000000000000000000000000000002"),
    address!("0x1000000000000000000000000000000000000003"),
    address!("0x1000000000000000000000000000000000000004"),
    address!("0x1000000000000000000000000000000000000005"),
];
/// A contract that calls a precompile.
const CALLER: Address = address!("0x1000000000000000000000000000000000000006");
/// A contract that creates another one at the same address in each call.
const PHOENIX: Address = address!("0x1000000000000000000000000000000000000007");
/// Code of [`PHOENIX`] without the call that makes the new contract destroy itself. It creates
/// twice; the second creation collides, because destruction takes effect at the end of the
/// transaction.
const INIT: [u8; 11] = hex!("69 6133ff5f526002601ef3");
const CREATE: [u8; 7] = hex!("5f600a60165ff5");
const DESTROY: [u8; 9] = hex!("5f5f5f5f5f855af150");
/// An address without an account at genesis.
const ABSENT: Address = address!("0x2000000000000000000000000000000000000001");
const SENDERS: [&str; 4] = ["alice", "bob", "carol", "dave"];
pub(crate) const CHAIN_ID: u64 = 1;

/// A random genesis with accounts that send transactions.
pub(crate) struct RandomGenesis {
    pub(crate) genesis: Genesis,
    keys: Vec<Key>,
    nonces: Vec<u64>,
}

impl RandomGenesis {
    pub(crate) fn new(fork: ProtocolFork, rng: &mut Random) -> Self {
        let mut genesis = chain::empty_genesis(fork);
        let keys: Vec<_> = SENDERS.into_iter().map(Key::named).collect();
        for key in &keys {
            let balance = U256::from(10_u64.pow(19));
            genesis.alloc.insert(key.address(), GenesisAccount { balance, ..Default::default() });
        }
        // One sender has a delegation at genesis.
        if fork >= ProtocolFork::Prague {
            let code = [&[0xef, 0x01, 0x00][..], CONTRACTS[0].as_slice()].concat();
            if let Some(account) = genesis.alloc.get_mut(&keys[3].address()) {
                account.code = Some(code.into());
                account.nonce = Some(1);
            }
        }
        let places = places(&keys);
        for contract in CONTRACTS {
            let slots = 0..rng.index(4);
            let storage = slots.map(|_| (word(rng), B256::from(U256::from(rng.next())))).collect();
            let account = GenesisAccount {
                // At the maximum nonce, creation fails (EIP-2681).
                nonce: Some(*rng.pick(&[1, 1, 1, 1, u64::MAX - 1, u64::MAX])),
                balance: U256::from(rng.index(3)),
                code: Some(code(fork, &places, rng)),
                storage: Some(storage),
                ..Default::default()
            };
            genesis.alloc.insert(contract, account);
        }
        let with_code = |code: Vec<u8>| GenesisAccount {
            nonce: Some(1),
            code: Some(code.into()),
            ..Default::default()
        };
        genesis.alloc.insert(CALLER, with_code(PROBE.to_vec()));
        let destroy = if rng.one_in(2) { &DESTROY[..] } else { &[] };
        let store = hex!("6001 55 5f 55");
        let phoenix = [&INIT[..], &hex!("5f52"), &CREATE, destroy, &CREATE, &store].concat();
        genesis.alloc.insert(PHOENIX, with_code(phoenix));
        let nonces = vec![0, 0, 0, u64::from(fork >= ProtocolFork::Prague)];
        Self { genesis, keys, nonces }
    }

    /// Returns a transaction that is most likely valid in a block of `fork`.
    pub(crate) fn transaction(&mut self, fork: ProtocolFork, rng: &mut Random) -> Transaction {
        let sender = rng.index(self.keys.len());
        let places = places(&self.keys);
        let key = &self.keys[sender];
        let nonce = self.nonces[sender];
        self.nonces[sender] += 1;
        let mut value = U256::from(if rng.one_in(3) { rng.index(5) } else { 0 });
        let (to, input): (TxKind, Bytes) = match rng.index(12) {
            0 => (TxKind::Create, code(fork, &places, rng)),
            1 => {
                let (contract, input, price) = request(rng);
                value = price;
                (contract.into(), input)
            }
            // A transaction whose gas is the floor of its calldata (EIP-7623).
            3 => {
                let length = rng.index(1_500);
                (rng.pick(&places).to_owned().into(), rng.bytes(length).into())
            }
            4 | 5 => (CALLER.into(), probed(rng)),
            kind => {
                let to = *rng.pick(if kind == 2 { &places } else { &CONTRACTS[..] });
                let byte = |rng: &mut Random| if rng.one_in(2) { 0 } else { rng.byte() };
                (to.into(), (0..rng.index(70)).map(|_| byte(rng)).collect())
            }
        };
        let gas_limits = [90_000, 150_000, 300_000, 700_000, 2_000_000, 5_000_000, 8_000_000];
        let gas_limit = *rng.pick(&gas_limits) + rng.index(3_000) as u64;
        let access_list =
            if rng.one_in(3) { access_list(&places, rng) } else { AccessList::default() };
        let (max_fee_per_gas, max_priority_fee_per_gas) = (3_000_000_000, rng.index(3) as u128);
        match rng.index(if fork >= ProtocolFork::Prague { 6 } else { 5 }) {
            0 => key.sign(TxLegacy {
                chain_id: if rng.one_in(2) { Some(CHAIN_ID) } else { None },
                nonce,
                gas_price: max_fee_per_gas,
                gas_limit,
                to,
                value,
                input,
            }),
            1 => key.sign(TxEip2930 {
                chain_id: CHAIN_ID,
                nonce,
                gas_price: max_fee_per_gas,
                gas_limit,
                to,
                value,
                access_list,
                input,
            }),
            2 => key.sign(TxEip4844 {
                chain_id: CHAIN_ID,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: to.to().copied().unwrap_or(CONTRACTS[0]),
                value,
                access_list,
                // The version byte, then an arbitrary hash of a commitment.
                blob_versioned_hashes: vec![B256::right_padding_from(&[1, rng.byte()])],
                max_fee_per_blob_gas: 1_000,
                input,
            }),
            5 => {
                let delegated = rng.index(self.keys.len());
                // The sender's nonce has been incremented when its own authorization is processed.
                let nonce_there = self.nonces[delegated] + u64::from(rng.one_in(8));
                let authorization = self.keys[delegated].authorize(Authorization {
                    chain_id: U256::from(if rng.one_in(2) { CHAIN_ID } else { 0 }),
                    address: if rng.one_in(4) { Address::ZERO } else { *rng.pick(&places) },
                    nonce: nonce_there,
                });
                self.nonces[delegated] += u64::from(nonce_there == self.nonces[delegated]);
                key.sign(TxEip7702 {
                    chain_id: CHAIN_ID,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to: to.to().copied().unwrap_or(CONTRACTS[1]),
                    value,
                    access_list,
                    authorization_list: vec![authorization],
                    input,
                })
            }
            _ => key.sign(TxEip1559 {
                chain_id: CHAIN_ID,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            }),
        }
    }
}

/// Returns withdrawals of a block, some with amount zero or to an account that does not exist.
pub(crate) fn withdrawals(rng: &mut Random) -> Vec<Withdrawal> {
    let withdrawal = |rng: &mut Random| Withdrawal {
        index: rng.next(),
        validator_index: rng.next(),
        address: *rng.pick(&[ABSENT, CONTRACTS[0], Address::with_last_byte(2)]),
        amount: *rng.pick(&[0, 1, u64::MAX]),
    };
    (0..rng.index(3)).map(|_| withdrawal(rng)).collect()
}

/// Returns a call that makes a system contract queue a request: contract, input, value.
fn request(rng: &mut Random) -> (Address, Bytes, U256) {
    let (address, length) = *rng.pick(&[
        (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, 56),
        (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, 96),
        (BUILDER_DEPOSIT_CONTRACT_ADDRESS, 184),
        (BUILDER_EXIT_CONTRACT_ADDRESS, 48),
    ]);
    let mut input: Vec<u8> = (0..length).map(|_| rng.byte()).collect();
    // More than the fee of a short queue; a builder deposit has at least one ether.
    let mut value = U256::from(100);
    if address == BUILDER_DEPOSIT_CONTRACT_ADDRESS {
        let gwei = 1_000_000_000_u64;
        input[80..88].copy_from_slice(&gwei.to_be_bytes());
        value += U256::from(gwei) * U256::from(gwei);
    }
    (address, input.into(), value)
}

/// Returns the addresses that programs use: contracts, senders, precompiles, system contracts, an
/// absent account.
fn places(keys: &[Key]) -> Vec<Address> {
    let mut places = CONTRACTS.to_vec();
    places.extend(CONTRACTS);
    places.extend(keys.iter().map(Key::address));
    places.extend([PHOENIX, ABSENT]);
    places.extend((1..=0x11).map(Address::with_last_byte));
    places.push(address!("0x0000000000000000000000000000000000000100"));
    places.extend(SYSTEM_CONTRACTS.iter().map(|contract| contract.address));
    places
}

fn access_list(places: &[Address], rng: &mut Random) -> AccessList {
    let item = |rng: &mut Random| AccessListItem {
        address: *rng.pick(places),
        storage_keys: (0..rng.index(3)).map(|_| word(rng)).collect(),
    };
    AccessList((0..rng.index(4)).map(|_| item(rng)).collect())
}
