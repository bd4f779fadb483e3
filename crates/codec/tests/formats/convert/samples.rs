//! Sample headers, transactions and blocks, and helpers to write RLP by hand.

use alloy_consensus::{Header, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7702::Authorization,
};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, TxKind, U256};
use testkit::{Key, Transaction};
use wire::ProtocolFork;

/// Wraps encoded items in an RLP list.
pub(crate) fn rlp_list<T: AsRef<[u8]>>(items: &[T]) -> Vec<u8> {
    let payload_length = items.iter().map(|item| item.as_ref().len()).sum();
    let mut out = Vec::new();
    alloy_rlp::Header { list: true, payload_length }.encode(&mut out);
    items.iter().for_each(|item| out.extend_from_slice(item.as_ref()));
    out
}

/// Encodes an RLP string.
pub(crate) fn rlp_string(bytes: &[u8]) -> Vec<u8> {
    alloy_rlp::encode(bytes)
}

/// A header of `fork` in which no two fields have the same value.
pub(crate) fn header(fork: ProtocolFork, number: u64) -> Header {
    let word = |n: u8| B256::repeat_byte(n);
    let since = |first| fork >= first;
    Header {
        parent_hash: word(1),
        ommers_hash: alloy_consensus::EMPTY_OMMER_ROOT_HASH,
        beneficiary: Address::repeat_byte(2),
        state_root: word(3),
        transactions_root: word(4),
        receipts_root: word(5),
        logs_bloom: Bloom::repeat_byte(6),
        difficulty: U256::ZERO,
        number,
        gas_limit: 30_000_001,
        gas_used: 20_000_002,
        timestamp: 1_700_000_003,
        extra_data: Bytes::from_static(b"extra"),
        mix_hash: word(7),
        nonce: B64::ZERO,
        base_fee_per_gas: Some(1_000_000_004),
        withdrawals_root: since(ProtocolFork::Shanghai).then_some(word(8)),
        blob_gas_used: since(ProtocolFork::Cancun).then_some(131_072),
        excess_blob_gas: since(ProtocolFork::Cancun).then_some(262_145),
        parent_beacon_block_root: since(ProtocolFork::Cancun).then_some(word(9)),
        requests_hash: since(ProtocolFork::Prague).then_some(word(10)),
        block_access_list_hash: since(ProtocolFork::Amsterdam).then_some(word(11)),
        slot_number: since(ProtocolFork::Amsterdam).then_some(9_000_006),
    }
}

fn alice() -> Key {
    Key::named("alice")
}

pub(crate) fn blob_transaction(nonce: u64, hashes: &[B256]) -> Transaction {
    alice().sign(TxEip4844 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 9,
        max_priority_fee_per_gas: 1,
        to: Address::repeat_byte(0x44),
        max_fee_per_blob_gas: 3,
        blob_versioned_hashes: hashes.to_vec(),
        ..Default::default()
    })
}

/// Blob hashes of [`transactions`], in order.
pub(crate) const fn blob_hashes() -> [B256; 3] {
    [B256::repeat_byte(0xb3), B256::repeat_byte(0xb1), B256::repeat_byte(0xb2)]
}

/// One transaction of each type, and a second one of some.
pub(crate) fn transactions() -> Vec<Transaction> {
    let to = TxKind::Call(Address::repeat_byte(0x11));
    let access_list = AccessList(vec![AccessListItem {
        address: Address::repeat_byte(0x22),
        storage_keys: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
    }]);
    let authorization =
        Authorization { chain_id: U256::from(1), address: Address::repeat_byte(0x33), nonce: 5 };
    let alice = alice();
    let [first, second, third] = blob_hashes();
    vec![
        alice.sign(TxLegacy {
            chain_id: Some(1),
            gas_price: 7,
            gas_limit: 21_000,
            to,
            value: U256::from(12),
            ..Default::default()
        }),
        // A transaction from before EIP-155: no chain id, `v` is 27 or 28.
        alice.sign(TxLegacy { chain_id: None, nonce: 1, gas_limit: 50_000, ..Default::default() }),
        alice.sign(TxEip2930 {
            chain_id: 1,
            nonce: 2,
            gas_price: 8,
            gas_limit: 90_000,
            to,
            access_list: access_list.clone(),
            ..Default::default()
        }),
        blob_transaction(3, &[first, second]),
        alice.sign(TxEip1559 {
            chain_id: 1,
            nonce: 4,
            gas_limit: 100_000,
            max_fee_per_gas: 10,
            max_priority_fee_per_gas: 2,
            to: TxKind::Create,
            input: Bytes::from(vec![0x5b; 300]),
            ..Default::default()
        }),
        alice.sign(TxEip7702 {
            chain_id: 1,
            nonce: 5,
            gas_limit: 110_000,
            to: Address::repeat_byte(0x55),
            access_list,
            authorization_list: vec![alice.authorize(authorization)],
            ..Default::default()
        }),
        blob_transaction(6, &[third]),
    ]
}

pub(crate) fn withdrawals() -> Vec<Withdrawal> {
    (1..=3)
        .map(|n| Withdrawal {
            index: n,
            validator_index: 100 * n,
            address: Address::repeat_byte(n as u8),
            // The last amount has a different value in each byte, to detect a wrong byte order.
            amount: if n == 3 { 0x0102_0304_0506_0708 } else { n },
        })
        .collect()
}

/// The parts of a block's RLP, which tests change before encoding.
#[derive(Debug, Clone)]
pub(crate) struct BlockParts {
    pub(crate) header: Vec<u8>,
    pub(crate) transactions: Vec<Vec<u8>>,
    pub(crate) ommers: Vec<Vec<u8>>,
    pub(crate) withdrawals: Option<Vec<Vec<u8>>>,
}

impl BlockParts {
    pub(crate) fn new(header: &Header, transactions: &[Transaction]) -> Self {
        let wrap = |transaction: &Transaction| {
            let mut out = Vec::new();
            transaction.network_encode(&mut out);
            out
        };
        let withdrawal = |Withdrawal { index, validator_index, address, amount }| {
            rlp_list(&[
                alloy_rlp::encode(index),
                alloy_rlp::encode(validator_index),
                alloy_rlp::encode(address),
                alloy_rlp::encode(amount),
            ])
        };
        Self {
            header: alloy_rlp::encode(header),
            transactions: transactions.iter().map(wrap).collect(),
            ommers: Vec::new(),
            withdrawals: header
                .withdrawals_root
                .map(|_| withdrawals().into_iter().map(withdrawal).collect()),
        }
    }

    pub(crate) fn rlp(&self) -> Vec<u8> {
        let mut fields =
            vec![self.header.clone(), rlp_list(&self.transactions), rlp_list(&self.ommers)];
        fields.extend(self.withdrawals.as_ref().map(|list| rlp_list(list)));
        rlp_list(&fields)
    }
}
