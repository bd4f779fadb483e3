//! `Transactions` compared with alloy-consensus, and its intrinsic gas with revm.

use super::{
    cases,
    evm::{Harness, Refused, call},
};
use alloy_consensus::{
    SignableTransaction, Transaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy,
    transaction::SignerRecoverable,
};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use alloy_rlp::Header;
use proptest::{collection::vec, prelude::*, sample::Index};
use revm::{
    context_interface::cfg::gas_params::{Eip2780TxInfo, GasParams},
    primitives::hardfork::SpecId,
};
use testkit::{Key, Transaction};

const CHAIN: u64 = 8_079;

/// Half the order of secp256k1.
const MAX_S: U256 = U256::from_limbs([
    0xdfe9_2f46_681b_20a0,
    0x5d57_6e73_57a4_501d,
    0xffff_ffff_ffff_ffff,
    0x7fff_ffff_ffff_ffff,
]);

/// Numbers of all lengths.
fn number() -> impl Strategy<Value = u128> {
    (any::<u128>(), 0..=128_u32).prop_map(|(n, cut)| n.checked_shr(cut).unwrap_or_default())
}

prop_compose! {
    fn access_list()(
        items in vec((any::<[u8; 20]>(), vec(any::<[u8; 32]>(), 0..4)), 0..4),
    ) -> AccessList {
        let item = |(address, keys): ([u8; 20], Vec<[u8; 32]>)| AccessListItem {
            address: address.into(),
            storage_keys: keys.into_iter().map(B256::from).collect(),
        };
        AccessList(items.into_iter().map(item).collect())
    }
}

prop_compose! {
    fn authorization()(
        chain in any::<[u64; 4]>(), cut in 0..=256_usize, address in any::<[u8; 20]>(),
        nonce in number(), parity in any::<u8>(), r in any::<[u64; 4]>(), s in any::<[u64; 4]>(),
    ) -> SignedAuthorization {
        let chain_id = U256::from_limbs(chain).checked_shr(cut).unwrap_or_default();
        let inner = Authorization { chain_id, address: address.into(), nonce: nonce as u64 };
        // The signature of an authorization need not be valid.
        let number = |limbs| U256::from_limbs(limbs).checked_shr(cut / 2).unwrap_or_default();
        SignedAuthorization::new_unchecked(inner, parity, number(r), number(s))
    }
}

/// A signed transaction of type 0, 1, 2 or 4, and its signer.
fn transaction() -> impl Strategy<Value = (Transaction, Address)> {
    let prices = (number(), number()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let target = prop_oneof![
        4 => any::<[u8; 20]>().prop_map(|a| TxKind::Call(a.into())),
        1 => Just(TxKind::Create),
    ];
    let data = prop_oneof![Just(vec![]), vec(any::<u8>(), 0..100), vec(any::<u8>(), 200..300)];
    let common = (0..4_u8, 0..8_u8, number(), prices, number(), target, number(), data);
    (common, access_list(), vec(authorization(), 1..3)).prop_map(
        |((kind, signer, nonce, (tip, fee), gas, to, value, data), access_list, auths)| {
            let key = Key::named(&format!("signer {signer}"));
            let nonce = nonce as u64;
            // Most have enough gas, some too little.
            let gas_limit = if gas % 4 == 0 { gas as u64 } else { gas as u64 | 1 << 22 };
            let (value, input) = (U256::from(value), Bytes::from(data));
            let signed = match kind {
                0 => key.sign(TxLegacy {
                    chain_id: Some(CHAIN),
                    nonce,
                    gas_price: fee,
                    gas_limit,
                    to,
                    value,
                    input,
                }),
                1 => key.sign(TxEip2930 {
                    chain_id: CHAIN,
                    nonce,
                    gas_price: fee,
                    gas_limit,
                    to,
                    value,
                    input,
                    access_list,
                }),
                2 => key.sign(TxEip1559 {
                    chain_id: CHAIN,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list,
                    input,
                }),
                _ => key.sign(TxEip7702 {
                    chain_id: CHAIN,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to: to.to().copied().unwrap_or_default(),
                    value,
                    access_list,
                    authorization_list: auths,
                    input,
                }),
            };
            (signed, key.address())
        },
    )
}

/// Decodes a transaction that could be in a block of this chain, given a sufficient balance: the
/// block decoder accepts it, and it satisfies the other rules of block validation.
fn strictly(raw: &[u8]) -> Option<(Transaction, Address)> {
    let tx = Transaction::decode_2718_exact(raw).ok()?;
    if tx.encoded_2718() != raw {
        return None;
    }
    let sender = tx.recover_signer().ok()?;
    let fees = tx.max_priority_fee_per_gas().unwrap_or_default() <= tx.max_fee_per_gas();
    let authorizations = tx.authorization_list().is_none_or(|list| !list.is_empty());
    let fine = u8::from(tx.tx_type()) != 3
        && tx.chain_id() == Some(CHAIN)
        && tx.nonce() != u64::MAX
        && fees
        && authorizations
        && tx.signature().s() <= MAX_S
        && tx.value() <= U256::from(u128::MAX);
    fine.then_some((tx, sender))
}

/// Returns the intrinsic gas of a transaction, the maximum over all forks.
fn intrinsic_gas(tx: &Transaction, sender: Address) -> u64 {
    let list = tx.access_list();
    let count = |n: usize| n as u64;
    [SpecId::PRAGUE, SpecId::OSAKA, SpecId::AMSTERDAM]
        .into_iter()
        .map(|spec| {
            let gas = GasParams::new_spec(spec).initial_tx_gas(
                tx.input(),
                tx.is_create(),
                count(list.map_or(0, |list| list.len())),
                count(list.map_or(0, AccessList::storage_keys_count)),
                count(tx.authorization_list().map_or(0, <[_]>::len)),
                Some(Eip2780TxInfo {
                    value: tx.value(),
                    is_self_transfer: tx.to() == Some(sender),
                }),
            );
            gas.initial_total_gas().max(gas.floor_gas())
        })
        .max()
        .unwrap_or_default()
}

/// Checks that both sides decode the same transaction, or that both reject the bytes.
fn agree(raw: &[u8]) -> Result<bool, TestCaseError> {
    let got = call(&Harness::decodeCall { raw: Bytes::copy_from_slice(raw), chainId: CHAIN });
    let Some((tx, sender)) = strictly(raw) else {
        prop_assert!(got.is_err(), "accepted: {}", Bytes::copy_from_slice(raw));
        return Ok(false);
    };
    let got = match got {
        Ok(got) => got,
        // Solidity may be stricter than each fork, but only in the intrinsic gas.
        Err(Refused::GasBelowIntrinsic(e)) if e.got == U256::from(tx.gas_limit()) => {
            prop_assert!(e.minimum > e.got);
            return Ok(false);
        }
        Err(refused) => return Err(TestCaseError::fail(format!("{refused:?}: {tx:?}"))),
    };
    let minimum = intrinsic_gas(&tx, sender);
    prop_assert!(got.intrinsicGas >= U256::from(minimum), "{} < {minimum}", got.intrinsicGas);
    prop_assert!(tx.gas_limit() >= minimum);

    let t = got.transaction;
    prop_assert_eq!(t.kind, u8::from(tx.tx_type()));
    prop_assert_eq!((t.creates, t.to), (tx.is_create(), tx.to().unwrap_or_default()));
    prop_assert_eq!((t.sender, t.nonce, t.gasLimit), (sender, tx.nonce(), tx.gas_limit()));
    prop_assert_eq!((t.maxFee, U256::from(t.value)), (tx.max_fee_per_gas(), tx.value()));
    let selector = tx.input().first_chunk::<4>().copied().unwrap_or_default();
    prop_assert_eq!(t.selector.0, selector);
    let argument = tx.input().get(4..36).map_or(B256::ZERO, B256::from_slice);
    prop_assert_eq!(t.argument, argument);
    prop_assert_eq!(t.dataLength.to::<usize>(), tx.input().len());
    let list = tx.access_list();
    prop_assert_eq!(t.addresses.to::<usize>(), list.map_or(0, |list| list.len()));
    prop_assert_eq!(t.keys.to::<usize>(), list.map_or(0, AccessList::storage_keys_count));
    let authorizations = tx.authorization_list().map_or(0, <[_]>::len);
    prop_assert_eq!(t.authorizations.to::<usize>(), authorizations);
    Ok(true)
}

/// Splits a payload into its items, each with its header.
fn items(mut payload: &[u8]) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    while !payload.is_empty() {
        let mut rest = payload;
        let header = Header::decode(&mut rest).expect("is RLP");
        let length = payload.len() - rest.len() + header.payload_length;
        items.push(payload[..length].to_vec());
        payload = &payload[length..];
    }
    items
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend(payload);
    out
}

/// Replaces an item by another encoding of it, by an empty item, or by another item.
fn replace(item: &mut Vec<u8>, how: u8, filler: &[u8]) {
    let mut rest = item.as_slice();
    let header = Header::decode(&mut rest).expect("is RLP");
    let payload = rest[..header.payload_length].to_vec();
    let string = |payload: &[u8]| alloy_rlp::encode(payload);
    *item = match how {
        // A leading zero; two headers with more length bytes than needed.
        0 => string(&[&[0], &payload[..]].concat()),
        1 => [&[if header.list { 0xf8 } else { 0xb8 }, payload.len() as u8], &payload[..]].concat(),
        2 => {
            let length = (payload.len() as u16).to_be_bytes();
            [&[if header.list { 0xf9 } else { 0xb9 }], &length[..], &payload[..]].concat()
        }
        3 => vec![0x80],
        4 => vec![0xc0],
        // A single byte with a header; zero as a byte.
        5 => vec![0x81, payload.first().copied().unwrap_or_default()],
        6 => vec![0x00],
        // The same payload as the other kind of item.
        7 if header.list => string(&payload),
        7 => list(&[payload]),
        8 => string(&filler[..filler.len().min(40)]),
        9 => string(&[&payload[..], &[1]].concat()),
        10 => string(&payload[..payload.len().saturating_sub(1)]),
        11 => string(&[0xff; 8]),
        12 => string(&[0xff; 9]),
        13 => string(&[0xff; 16]),
        14 => string(&[0xff; 17]),
        15 => {
            string(&U256::from(CHAIN * 2 + 35 + u64::from(filler[0] % 4)).to_be_bytes_trimmed_vec())
        }
        16 => string(&[27 + filler[0] % 2]),
        _ => string(&(MAX_S + U256::from(filler[0] % 2)).to_be_bytes_trimmed_vec()),
    };
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn signed_transactions_are_decoded((tx, sender) in transaction()) {
        let raw = tx.encoded_2718();
        let accepted = agree(&raw)?;
        prop_assert_eq!(strictly(&raw).map(|(_, sender)| sender), (tx.nonce() != u64::MAX).then_some(sender));
        // With this much gas the transaction must be accepted.
        if tx.gas_limit() >= 1 << 22 && tx.nonce() != u64::MAX {
            prop_assert!(accepted);
        }
    }

    #[test]
    fn mutated_bytes_are_decoded_like_alloy(
        (tx, _) in transaction(), changes in vec((any::<Index>(), 0..4_u8, any::<u8>()), 1..3),
    ) {
        let mut raw = tx.encoded_2718();
        for (at, how, byte) in changes {
            // Mutates the beginning, with types and lengths, more often than the rest.
            let at = at.index(if byte % 2 == 0 { raw.len() } else { raw.len().min(12) });
            match how {
                0 => raw[at] = byte,
                1 => raw[at] ^= 1 << (byte % 8),
                2 => raw.insert(at, byte),
                _ => { raw.remove(at); }
            }
            if raw.is_empty() { raw.push(byte); }
        }
        agree(&raw)?;
    }

    #[test]
    fn mutated_items_are_decoded_like_alloy(
        (tx, _) in transaction(), at in any::<Index>(), how in 0..20_u8,
        inner in any::<Index>(), filler in vec(any::<u8>(), 1..60),
    ) {
        let raw = tx.encoded_2718();
        let kind = u8::from(tx.tx_type());
        let mut body = if kind == 0 { &raw[..] } else { &raw[1..] };
        Header::decode(&mut body).expect("is a list");
        let mut fields = items(body);
        let at = at.index(fields.len());
        let deeper = fields[at][0] > 0xc0 && filler[0] % 4 != 0;
        if how == 18 {
            fields.remove(at);
        } else if how == 19 {
            let same = fields[at].clone();
            fields.insert(at, same);
        } else if deeper {
            // Within an access list or a list of authorizations.
            let mut rest = fields[at].as_slice();
            Header::decode(&mut rest).expect("is a list");
            let mut tuples = items(rest);
            let tuple = inner.index(tuples.len());
            let mut rest = tuples[tuple].as_slice();
            Header::decode(&mut rest).expect("is a list");
            let mut parts = items(rest);
            let part = inner.index(parts.len());
            replace(&mut parts[part], how, &filler);
            tuples[tuple] = list(&parts);
            fields[at] = list(&tuples);
        } else {
            replace(&mut fields[at], how, &filler);
        }
        let body = list(&fields);
        let changed = if kind == 0 { body } else { [&[kind], &body[..]].concat() };
        agree(&changed)?;
    }

    #[test]
    fn random_bytes_are_decoded_like_alloy(raw in vec(any::<u8>(), 0..200)) {
        agree(&raw)?;
    }

    #[test]
    fn signatures_are_accepted_like_alloy(
        (tx, _) in transaction(), r in any::<[u64; 4]>(), s in any::<[u64; 4]>(), cut in 0..=256_usize,
        how in 0..5_u8, parity in any::<bool>(),
    ) {
        let order = MAX_S * U256::from(2) + U256::ONE;
        let number = |limbs| U256::from_limbs(limbs).checked_shr(cut).unwrap_or_default();
        let own = *tx.signature();
        let signature = match how {
            0 => Signature::new(number(r), number(s), parity),
            1 => Signature::new(own.r(), order - own.s(), !own.v()),
            2 => Signature::new(own.r(), own.s(), !own.v()),
            3 => Signature::new(own.r(), U256::ZERO, own.v()),
            _ => Signature::new(order + number(r) % (U256::MAX - order), own.s(), own.v()),
        };
        let raw = match tx {
            Transaction::Legacy(tx) => resigned(tx.strip_signature(), signature),
            Transaction::Eip2930(tx) => resigned(tx.strip_signature(), signature),
            Transaction::Eip1559(tx) => resigned(tx.strip_signature(), signature),
            Transaction::Eip7702(tx) => resigned(tx.strip_signature(), signature),
            Transaction::Eip4844(_) => unreachable!("none is made"),
        };
        agree(&raw)?;
    }
}

fn resigned<T>(tx: T, signature: Signature) -> Vec<u8>
where
    T: SignableTransaction<Signature>,
    alloy_consensus::Signed<T>: Into<Transaction>,
{
    let tx: Transaction = tx.into_signed(signature).into();
    tx.encoded_2718()
}
