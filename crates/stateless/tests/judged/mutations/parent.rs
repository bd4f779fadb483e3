//! Invented parents: a caller may choose any header as parent if the block contains its hash.
//! Arithmetic must be safe for every content.

use super::support::{
    Case, generated, rehash,
    relink::{Part, relink},
};
use alloy_consensus::{Header, TxLegacy};
use alloy_eips::{eip2718::Encodable2718, eip7928::ITEM_COST};
use alloy_primitives::{Address, TxKind, U256};
use codec::OwnedWitness;
use enshrine_stateless::{Invalid, Verdict, next_base_fee, next_excess_blob_gas};
use testkit::Key;
use wire::{ByteLists, StatelessInput};

/// Blocks without transactions on chains without EIP-2935: nothing in them depends on the parent's
/// hash.
fn empty_blocks() -> impl Iterator<Item = &'static Case> {
    generated().iter().filter(|case| case.name.ends_with("bare and empty"))
}

/// Verifies a case on another parent. Base fee and excess blob gas are set to follow from it if
/// possible; then `change` is applied to the block.
fn on_parent<'a>(
    case: &'a Case,
    parent: impl FnOnce(&mut Header),
    change: impl FnOnce(&mut StatelessInput<'a>),
) -> Result<Verdict, Invalid> {
    let mut input = case.input();
    let witness = OwnedWitness::of(&input.witness);
    let last = witness.headers.len() - 1;
    let mut header: Header = alloy_rlp::decode_exact(&witness.headers[last]).expect("a header");
    parent(&mut header);
    let other = relink(&witness, Part::Header(last), alloy_rlp::encode(&header));
    let payload = &mut input.request.payload;
    payload.parent_hash = other.parent_hash;
    if let Ok(base_fee) = next_base_fee(&header) {
        payload.base_fee_per_gas = U256::from(base_fee);
    }
    let params = case.spec.blob_params_at(payload.timestamp).expect("blobs exist");
    if let Ok(excess) = next_excess_blob_gas(&header, input.fork, &params) {
        payload.excess_blob_gas = excess;
    }
    change(&mut input);
    let mut input = StatelessInput { witness: other.witness.view(), ..input };
    rehash(&mut input);
    case.verify(&input)
}

fn range_of(outcome: Result<Verdict, Invalid>) -> &'static str {
    match outcome {
        Err(Invalid::HeaderRange { field, .. }) => field,
        other => panic!("{:?}", other.map(|_| "valid")),
    }
}

#[test]
fn parent_numbers_at_range_limits_do_not_wrap() {
    for case in empty_blocks() {
        let unchanged = on_parent(case, |_| {}, |_| {});
        assert_eq!(unchanged.as_ref(), Ok(&case.verdict), "{}", case.name);
        let refused = |parent: &dyn Fn(&mut Header)| range_of(on_parent(case, parent, |_| {}));
        assert_eq!(refused(&|parent| parent.number = u64::MAX), "parent number");
        assert_eq!(refused(&|parent| parent.timestamp = u64::MAX), "parent timestamp");
        let after = |limit: u64| {
            let parent = |parent: &mut Header| parent.gas_limit = limit;
            on_parent(case, parent, |input| input.request.payload.gas_limit = 5_000)
        };
        // The minimum gas limit of a block, after a parent that allows it and after parents that do
        // not.
        match after(4_997) {
            // This little gas cannot pay for an access list.
            Ok(_) | Err(Invalid::AccessListSize { .. }) => {}
            Err(reason) => panic!("{}: {reason}", case.name),
        }
        for limit in [0, 1, 4_996, 5_005] {
            assert_eq!(range_of(after(limit)), "gas limit", "{limit}");
        }
        let full = |parent: &mut Header| {
            parent.gas_used = parent.gas_limit;
            parent.base_fee_per_gas = Some(u64::MAX);
        };
        assert_eq!(refused(&full), "base fee");
        let blobs = |parent: &mut Header| {
            parent.excess_blob_gas = Some(u64::MAX);
            parent.blob_gas_used = Some(1 << 17);
        };
        assert_eq!(refused(&blobs), "excess blob gas");
        // The maximum is allowed for all other fields.
        let largest = |parent: &mut Header| {
            parent.gas_limit = u64::MAX;
            parent.gas_used = 0;
            parent.blob_gas_used = Some(0);
            parent.excess_blob_gas = Some(u64::MAX);
            parent.base_fee_per_gas = Some(u64::MAX);
        };
        let outcome = on_parent(case, largest, |input| input.request.payload.gas_limit = u64::MAX);
        assert!(outcome.is_ok(), "{}: {outcome:?}", case.name);
    }
}

#[test]
fn malformed_parent_with_correct_hash_is_refused() {
    for case in empty_blocks() {
        let mut input = case.input();
        let witness = OwnedWitness::of(&input.witness);
        let last = witness.headers.len() - 1;
        let header = witness.headers[last].to_vec();
        for bad in [vec![], vec![0x80], vec![0xc0], [&header[..], &[0]].concat()] {
            let other = relink(&witness, Part::Header(last), bad);
            input.request.payload.parent_hash = other.parent_hash;
            let mut input = StatelessInput { witness: other.witness.view(), ..input.clone() };
            rehash(&mut input);
            let outcome = case.verify(&input);
            assert!(
                matches!(outcome, Err(Invalid::MalformedHeader { index, .. }) if index == last),
                "{}: {outcome:?}",
                case.name
            );
        }
    }
}

#[test]
fn gas_limit_must_cover_transactions_before_recovery() {
    let transfer = Key::named("alice").sign(TxLegacy {
        gas_limit: 21_000,
        to: TxKind::Call(Address::ZERO),
        ..Default::default()
    });
    let transfer = transfer.encoded_2718();
    let transfers = [&transfer[..]; 3];
    for case in empty_blocks() {
        let limited = |limit: u64| {
            let lower = |parent: &mut Header| {
                parent.gas_limit = limit;
                parent.gas_used = 0;
            };
            on_parent(case, lower, |input| {
                input.request.payload.gas_limit = limit;
                input.request.payload.transactions = ByteLists::from(&transfers[..]);
            })
        };
        let reason = limited(5_000).expect_err("is invalid");
        assert!(
            matches!(reason, Invalid::IntrinsicGas { gas_limit: 5_000, transactions: 1, .. }),
            "{}: {reason}",
            case.name
        );
        // If the gas limit covers all of them, the first is checked: it has another sender.
        let reason = limited(1_000_000).expect_err("is invalid");
        assert!(
            matches!(reason, Invalid::Transaction { index: 0, .. } | Invalid::State(_)),
            "{}: {reason}",
            case.name
        );
    }
}

#[test]
fn gas_limit_must_cover_access_list() {
    let case = empty_blocks()
        .find(|case| case.name.starts_with("amsterdam"))
        .expect("a case of Amsterdam");
    let items = case.verdict.executed.access_list_items;
    let limited = |limit: u64| {
        let lower = |parent: &mut Header| {
            parent.gas_limit = limit;
            parent.gas_used = 0;
        };
        on_parent(case, lower, |input| input.request.payload.gas_limit = limit)
    };
    let enough = items * ITEM_COST as u64;
    assert!(enough > 5_000, "the limit is one that a block may have");
    assert!(limited(enough).is_ok());
    assert_eq!(limited(enough - 1), Err(Invalid::AccessListSize { items, limit: items - 1 }));
}
