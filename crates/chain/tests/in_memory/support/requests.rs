//! The requests that invalid blocks of the fixtures claim.
//!
//! A block contains only the hash of its requests. The requests themselves are in the sources of
//! the fixtures, and are repeated here by the name of the test. Each claim is checked against the
//! hash.

use alloy_primitives::{Address, B256, Bytes, address};
use revm::precompile::crypto;

/// Sender of the fixtures' transactions.
const SENDER: Address = address!("0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b");
/// Another account.
const OTHER: Address = address!("0x8a0a19589531694250d570040a0c4b74576919b8");

/// Requests that a block claims.
pub(crate) enum Claim {
    /// Requests that an input can represent: of known types, in order, with whole records.
    Shown(Vec<Bytes>),
    /// Lists that no input can represent.
    Malformed,
}

/// Returns the claim of a test's block; `None` if the test is unknown here.
pub(crate) fn claimed(test: &str, hash: B256) -> Option<Claim> {
    let lists = lists_of(test)?;
    if hash_of(&lists) != hash {
        return None;
    }
    let is_shown =
        codec::requests_from_typed(&lists).is_ok_and(|requests| requests.requests_hash() == hash);
    Some(if is_shown {
        Claim::Shown(lists.into_iter().map(Bytes::from).collect())
    } else {
        Claim::Malformed
    })
}

/// Hash of the requests (EIP-7685) as the fixtures compute it, without omitting empty ones.
fn hash_of(lists: &[Vec<u8>]) -> B256 {
    let sha256 = |data: &[u8]| crypto().sha256(data);
    sha256(&lists.iter().flat_map(|list| sha256(list)).collect::<Vec<_>>()).into()
}

/// Encodes a number in `length` bytes, big-endian.
fn number(value: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes[length - 1] = value;
    bytes
}

/// Returns a deposit request (EIP-6110) with this key, credentials, signature, index and amount in
/// gwei.
fn deposit([key, credentials, signature, index]: [u8; 4], gwei: u64) -> Vec<u8> {
    let index = u64::from(index).to_le_bytes();
    [number(key, 48), number(credentials, 32), gwei.to_le_bytes().into(), number(signature, 96)]
        .concat()
        .into_iter()
        .chain(index)
        .collect()
}

/// Returns a withdrawal request (EIP-7002).
fn withdrawal(source: Address, key: u8, gwei: u64) -> Vec<u8> {
    [&source[..], &number(key, 48), &gwei.to_le_bytes()].concat()
}

/// Returns a consolidation request (EIP-7251).
fn consolidation(source: Address, from: u8, to: u8) -> Vec<u8> {
    [&source[..], &number(from, 48), &number(to, 48)].concat()
}

/// Returns the lists of requests that the block of a test claims, each after its type if it has
/// one.
fn lists_of(test: &str) -> Option<Vec<Vec<u8>>> {
    const ETHER: u64 = 1_000_000_000;
    let typed = |kind: u8, records: &[Vec<u8>]| [vec![kind], records.concat()].concat();
    let deposits = |records: &[Vec<u8>]| vec![typed(0, records)];
    let withdrawals = |records: &[Vec<u8>]| vec![typed(1, records)];
    let consolidations = |records: &[Vec<u8>]| vec![typed(2, records)];
    let (one, zero) = (deposit([1, 2, 3, 0], ETHER), deposit([0, 1, 2, 0], 32 * ETHER));
    let exit = withdrawal(SENDER, 1, 0);
    let (merge, first) = (consolidation(SENDER, 1, 2), consolidation(SENDER, 0, 1));
    // One request of each type, in order.
    let [a, b, c] = [(0, &zero), (1, &exit), (2, &first)]
        .map(|(kind, record)| typed(kind, core::slice::from_ref(record)));
    let all = || vec![a.clone(), b.clone(), c.clone()];
    let and = |more: &[u8]| [all(), vec![more.to_vec()]].concat();
    let known =
        |name: &&(&str, Vec<Vec<u8>>)| test.split(['[', ']', '-']).any(|part| part == name.0);
    let claims = [
        ("no_deposits_non_empty_requests_list", deposits(core::slice::from_ref(&one))),
        ("single_deposit_empty_requests_list", vec![]),
        ("single_deposit_pubkey_mismatch", deposits(&[deposit([2, 2, 3, 0], ETHER)])),
        ("single_deposit_credentials_mismatch", deposits(&[deposit([1, 3, 3, 0], ETHER)])),
        ("single_deposit_amount_mismatch", deposits(&[deposit([1, 2, 3, 0], 2 * ETHER)])),
        ("single_deposit_signature_mismatch", deposits(&[deposit([1, 2, 4, 0], ETHER)])),
        ("single_deposit_index_mismatch", deposits(&[deposit([1, 2, 3, 1], ETHER)])),
        (
            "two_deposits_out_of_order",
            deposits(&[deposit([1, 2, 3, 1], ETHER), deposit([1, 2, 3, 0], ETHER)]),
        ),
        ("single_deposit_duplicate_in_requests_list", deposits(&[one.clone(), one])),
        ("no_withdrawals_non_empty_requests_list", withdrawals(&[withdrawal(Address::ZERO, 1, 0)])),
        ("single_withdrawal_request_empty_requests_list", vec![]),
        ("single_withdrawal_request_public_key_mismatch", withdrawals(&[withdrawal(SENDER, 2, 0)])),
        ("single_withdrawal_request_amount_mismatch", withdrawals(&[withdrawal(SENDER, 1, 1)])),
        (
            "single_withdrawal_request_source_address_mismatch",
            withdrawals(&[withdrawal(OTHER, 1, 0)]),
        ),
        (
            "two_withdrawal_requests_out_of_order",
            withdrawals(&[withdrawal(SENDER, 2, 0), exit.clone()]),
        ),
        (
            "single_withdrawal_requests_duplicate_in_requests_list",
            withdrawals(&[exit.clone(), exit.clone()]),
        ),
        (
            "no_consolidations_non_empty_requests_list",
            consolidations(&[consolidation(Address::ZERO, 1, 2)]),
        ),
        ("single_consolidation_request_empty_requests_list", vec![]),
        (
            "single_consolidation_request_source_public_key_mismatch",
            consolidations(&[consolidation(SENDER, 0, 2)]),
        ),
        (
            "single_consolidation_request_target_public_key_mismatch",
            consolidations(&[consolidation(SENDER, 1, 0)]),
        ),
        (
            "single_consolidation_request_pubkeys_swapped",
            consolidations(&[consolidation(SENDER, 2, 1)]),
        ),
        (
            "single_consolidation_request_source_address_mismatch",
            consolidations(&[consolidation(OTHER, 1, 2)]),
        ),
        (
            "two_consolidation_requests_out_of_order",
            consolidations(&[consolidation(SENDER, 3, 4), merge.clone()]),
        ),
        (
            "single_consolidation_requests_duplicate_in_requests_list",
            consolidations(&[merge.clone(), merge]),
        ),
        ("single_withdrawal_empty_requests_list", vec![]),
        ("single_consolidation_empty_requests_list", vec![]),
        // Duplicate, unordered, unknown or missing types.
        ("duplicate_deposit_request", vec![a.clone(), a.clone()]),
        ("duplicate_withdrawal_request", vec![b.clone(), b.clone()]),
        ("duplicate_consolidation_request", vec![c.clone(), c.clone()]),
        ("incorrect_order_first_request_at_end", vec![b.clone(), c.clone(), a.clone()]),
        ("incorrect_order_second_request_at_end", vec![a.clone(), c.clone(), b.clone()]),
        ("incorrect_order_last_request_at_beginning", vec![c.clone(), a.clone(), b.clone()]),
        ("extra_empty_request", and(&[])),
        ("extra_invalid_type_request_with_no_data", and(&[3])),
        ("extra_invalid_type_request_with_data_0x00", and(&[3, 0])),
        ("extra_invalid_type_request_with_data_0x01", and(&[3, 1])),
        ("extra_invalid_type_request_with_data_0xff", and(&[3, 0xff])),
        ("no_requests_and_invalid_hash_calculation_method", vec![vec![0], vec![1], vec![2]]),
        ("no_requests_and_invalid_hash_calculation_method_2", vec![vec![]; 3]),
        ("single_deposit_missing_type_byte", vec![zero]),
        ("single_withdrawal_missing_type_byte", vec![exit]),
        ("single_consolidation_missing_type_byte", vec![first]),
    ];
    claims.iter().find(known).map(|(_, lists)| lists.clone())
}
