//! Transactions, withdrawals, requests, access lists and chain ids: every change is detected.
//!
//! The block hash is always updated, so that it is not the reason for refusing the block. A change
//! of what the execution layer does not check (index and validator of a withdrawal, order of
//! withdrawals) yields another valid block.

use super::support::{Case, all, generated, items, verdict_on};
use alloy_consensus::{EthereumTypedTransaction, Transaction as _};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, Signature, U256, uint};
use enshrine_stateless::verify;
use executor::{ChainSpec, Invalid, Receipt, Transaction, decode_transaction};
use testkit::Random;
use wire::{ByteLists, ExecutionRequests, PayloadShape, ProtocolFork, Records, Withdrawal};

/// Order of the curve.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

fn transactions(case: &Case) -> Vec<&[u8]> {
    items(case.input().request.payload.transactions)
}

fn decode(bytes: &[u8]) -> Transaction {
    decode_transaction(bytes).expect("of a valid block")
}

/// Verifies a case with other transactions.
fn with_transactions(case: &Case, transactions: &[&[u8]]) -> Result<(), Invalid> {
    let transactions = ByteLists::from(transactions);
    let outcome = case.rehashed(|input| input.request.payload.transactions = transactions);
    outcome.map(|verdict| {
        assert_ne!(verdict.block_hash, case.verdict.block_hash, "{}", case.name);
    })
}

#[test]
fn changed_transaction_byte_invalidates_block() {
    let mut random = Random::new(3);
    let mut flips = 0;
    for case in all() {
        let transactions = transactions(case);
        let places: Vec<_> = transactions
            .iter()
            .enumerate()
            .flat_map(|(index, bytes)| (0..bytes.len()).map(move |at| (index, at)))
            .collect();
        for place in random.sample(places.len(), if case.is_small() { 300 } else { 60 }) {
            let (index, at) = places[place];
            let mut changed = transactions[index].to_vec();
            changed[at] ^= random.mask();
            let mut others = transactions.clone();
            others[index] = &changed;
            let reason = with_transactions(case, &others).expect_err("is invalid");
            // It is no longer a transaction, or it has another sender, who has no balance or is not
            // in the witness.
            let of_the_transaction = match &reason {
                Invalid::MalformedTransaction { index: at, .. }
                | Invalid::TransactionGas { index: at, .. }
                | Invalid::Signature { index: at }
                | Invalid::Transaction { index: at, .. } => *at == index,
                Invalid::VersionedHash { .. }
                | Invalid::IntrinsicGas { .. }
                | Invalid::State(_) => true,
                _ => false,
            };
            assert!(of_the_transaction, "{} transaction {index} at {at}: {reason}", case.name);
            flips += 1;
        }
    }
    println!("{flips} bytes of transactions flipped");
}

#[test]
fn high_s_signatures_are_refused() {
    for case in all() {
        let transactions = transactions(case);
        for index in Random::new(4).sample(transactions.len(), 8) {
            let good = decode(transactions[index]);
            let signature = *good.signature();
            let mirrored = Signature::new(signature.r(), ORDER - signature.s(), !signature.v());
            let high = Transaction::from((EthereumTypedTransaction::from(good), mirrored));
            let high = high.encoded_2718();
            let mut others = transactions.clone();
            others[index] = &high;
            assert_eq!(
                with_transactions(case, &others),
                Err(Invalid::Signature { index }),
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn added_or_omitted_transactions_invalidate_block() {
    for case in all() {
        let name = &case.name;
        let transactions = transactions(case);
        let Some(last) = transactions.last() else { continue };
        for index in Random::new(5).sample(transactions.len(), 8) {
            let mut fewer = transactions.clone();
            fewer.remove(index);
            assert!(with_transactions(case, &fewer).is_err(), "{name} without {index}");
        }
        if !decode(last).is_eip4844() {
            let mut more = transactions.clone();
            more.push(last);
            let reason = with_transactions(case, &more).expect_err("is invalid");
            let repeated = matches!(
                &reason,
                Invalid::Transaction { index, .. } if *index == transactions.len()
            );
            assert!(repeated, "{name}: {reason}");
        }
        let mut more = transactions.clone();
        more.push(&[]);
        let reason = with_transactions(case, &more).expect_err("is invalid");
        assert!(matches!(reason, Invalid::MalformedTransaction { .. }), "{name}: {reason}");
        let mut longer = last.to_vec();
        longer.push(0);
        let mut others = transactions.clone();
        *others.last_mut().expect("a transaction") = &longer;
        let reason = with_transactions(case, &others).expect_err("is invalid");
        assert!(matches!(reason, Invalid::MalformedTransaction { .. }), "{name}: {reason}");
    }
}

/// Returns each transaction's own receipt, without the totals of the transactions before it.
fn own_receipts(receipts: &[Receipt]) -> Vec<Receipt> {
    let mut before = 0;
    let own = |receipt: &Receipt| {
        let mut own = receipt.clone();
        own.cumulative_gas_used -= before;
        before = receipt.cumulative_gas_used;
        own
    };
    receipts.iter().map(own).collect()
}

#[test]
fn swapped_transactions_invalidate_block_unless_they_commute() {
    let (mut swaps, mut commuting) = (0, 0);
    for case in all() {
        let transactions = transactions(case);
        let own = own_receipts(&case.verdict.executed.receipts);
        let pairs = transactions.len().saturating_sub(1);
        let maximum = if case.is_small() { usize::MAX } else { 20 };
        for index in Random::new(6).sample(pairs, maximum) {
            let mut swapped = transactions.clone();
            swapped.swap(index, index + 1);
            let blobs = |at: usize| decode(transactions[at]).is_eip4844();
            let outcome = with_transactions(case, &swapped);
            swaps += 1;
            match outcome {
                Err(Invalid::VersionedHash { .. }) => {
                    assert!(blobs(index) && blobs(index + 1), "{} {index}", case.name);
                }
                Err(Invalid::GasBeyondClaim { .. } | Invalid::Commitment { .. }) => {}
                Err(Invalid::Transaction { index: at, .. }) => {
                    assert!(at == index || at == index + 1, "{} {index}: {at}", case.name);
                }
                Err(Invalid::State(_) | Invalid::LogsBloom | Invalid::Amount { .. }) => {}
                Err(other) => panic!("{} {index}: {other}", case.name),
                // The header commits to the receipts in order, so they must be equal.
                Ok(()) => {
                    assert_eq!(own[index], own[index + 1], "{} {index}", case.name);
                    commuting += 1;
                }
            }
        }
    }
    println!("{swaps} pairs of transactions swapped, {commuting} commute");
    assert!(swaps > 0);
}

#[test]
fn withdrawals_change_state_except_consensus_layer_fields() {
    let mut random = Random::new(7);
    for case in all() {
        let input = case.input();
        let records: Vec<_> = input.request.payload.withdrawals.iter().copied().collect();
        let with = |records: &[[u8; Withdrawal::LEN]]| {
            case.rehashed(|input| input.request.payload.withdrawals = Records::new(records))
        };
        let places = records.len() * Withdrawal::LEN;
        for place in random.sample(places, if case.is_small() { usize::MAX } else { 24 }) {
            let (index, at) = (place / Withdrawal::LEN, place % Withdrawal::LEN);
            let mut changed = records.clone();
            changed[index][at] ^= random.mask();
            match with(&changed) {
                // The index and the validator index are the first fields.
                Ok(verdict) if at < 16 => case.assert_sibling(&verdict, "withdrawal index"),
                // From Amsterdam on, the access list contains balances and is compared first.
                Err(Invalid::Commitment {
                    what: "state root" | "block access list hash", ..
                }) if at >= 16 => {}
                Err(Invalid::State(_)) if at >= 16 => {}
                other => panic!("{} withdrawal {index} at {at}: {other:?}", case.name),
            }
        }
        if records.len() > 1 {
            let mut reordered = records.clone();
            reordered.reverse();
            let verdict = with(&reordered).expect("sums do not depend on the order");
            case.assert_sibling(&verdict, "withdrawals reversed");
            let reason = with(&records[1..]).expect_err("is invalid");
            let of_the_state = matches!(
                reason,
                Invalid::Commitment { what: "state root" | "block access list hash", .. }
            );
            assert!(of_the_state, "{}: {reason}", case.name);
        }
    }
}

#[test]
fn blob_hashes_must_match_transactions() {
    let mut with_blobs = 0;
    for case in all() {
        let hashes: Vec<_> = case.input().request.versioned_hashes.iter().copied().collect();
        let with = |hashes: &[[u8; 32]]| {
            case.refusal(|input| input.request.versioned_hashes = Records::new(hashes))
        };
        let mut more = hashes.clone();
        more.push([1; 32]);
        let (index, got) = (hashes.len(), Some(B256::new([1; 32])));
        assert_eq!(with(&more), Invalid::VersionedHash { index, got, expected: None });
        if let Some(first) = hashes.first() {
            with_blobs += 1;
            let expected = Some(B256::from(*first));
            let mut changed = hashes.clone();
            changed[0][31] ^= 1;
            let got = Some(B256::from(changed[0]));
            assert_eq!(with(&changed), Invalid::VersionedHash { index: 0, got, expected });
            assert!(matches!(with(&[]), Invalid::VersionedHash { index: 0, got: None, .. }));
        }
    }
    assert!(with_blobs > 0);
}

/// The lists of a request's execution requests, as bytes.
fn lists(requests: &ExecutionRequests<'_>) -> Vec<Vec<u8>> {
    requests.typed().iter().map(|(kind, data)| [&[*kind][..], data].concat()).collect()
}

#[test]
fn requests_must_match_execution() {
    let mut random = Random::new(8);
    let mut flips = 0;
    for case in all().filter(|case| case.input().fork >= ProtocolFork::Prague) {
        let good = lists(&case.input().request.execution_requests);
        let expected = case.verdict.header.requests_hash.expect("there since Prague");
        let check = |changed: &[Vec<u8>]| {
            let requests = codec::requests_from_typed(changed).expect("whole records");
            let reason = case.refusal(|input| input.request.execution_requests = requests.clone());
            let got = requests.requests_hash();
            let right = Invalid::Commitment { what: "requests hash", got, expected };
            assert_eq!(reason, right, "{}", case.name);
        };
        for list in 0..good.len() {
            let len = good[list].len() - 1;
            for at in random.sample(len, if case.is_small() { 100 } else { 8 }) {
                let mut changed = good.clone();
                changed[list][1 + at] ^= random.mask();
                check(&changed);
                flips += 1;
            }
            if len > 0 {
                let mut changed = good.clone();
                changed[list].truncate(1);
                check(&changed);
            }
            let record = [192, 76, 116, 184, 68][list];
            let mut changed = good.clone();
            changed[list].extend(vec![7; record]);
            check(&changed);
        }
    }
    println!("{flips} bytes of requests flipped");
    assert!(flips > 0);
}

#[test]
fn access_list_must_match_execution() {
    let mut random = Random::new(9);
    let amsterdam = generated().iter().filter(|case| case.input().fork >= ProtocolFork::Amsterdam);
    for case in amsterdam {
        let good = case.input().request.payload.block_access_list.to_vec();
        let expected = case.verdict.header.block_access_list_hash.expect("there since Amsterdam");
        let check = |changed: &[u8]| {
            let reason = case.refusal(|input| input.request.payload.block_access_list = changed);
            let got = alloy_primitives::keccak256(changed);
            let right = Invalid::Commitment { what: "block access list hash", got, expected };
            assert_eq!(reason, right, "{}", case.name);
        };
        assert!(good.len() > 100, "{}", case.name);
        for at in random.sample(good.len(), 300) {
            let mut changed = good.clone();
            changed[at] ^= random.mask();
            check(&changed);
        }
        check(&[]);
        check(&[0xc0]);
        check(&good[..good.len() - 1]);
    }
}

#[test]
fn transactions_bind_block_to_its_chain_id() {
    const OTHER: u64 = 4_242;
    let mut valid_anywhere = 0;
    for case in all() {
        let expected = case.spec.chain_id();
        assert_eq!(
            case.refusal(|input| input.chain_id = OTHER),
            Invalid::ChainId { got: OTHER, expected },
            "{}",
            case.name
        );
        let mut input = case.input();
        input.chain_id = OTHER;
        let bound = transactions(case).iter().position(|bytes| decode(bytes).chain_id().is_some());
        let outcome = verdict_on(verify(&input, &ChainSpec::for_input(OTHER, input.fork)));
        match (outcome, bound) {
            (Err(Invalid::Transaction { index, .. }), Some(bound)) => assert_eq!(index, bound),
            // Only transactions bind a block to its chain id: a caller must check the chain id in
            // the verdict.
            (Ok(verdict), None) => {
                assert_eq!(verdict.chain_id, OTHER);
                valid_anywhere += 1;
            }
            (outcome, bound) => panic!("{}: {:?}, {bound:?}", case.name, outcome.map(|_| ())),
        }
    }
    assert!(valid_anywhere > 0);
}

#[test]
fn block_is_invalid_under_other_forks() {
    for case in all() {
        let timestamp = case.verdict.header.timestamp;
        let expected = case.input().fork;
        for got in ProtocolFork::ALL.into_iter().filter(|fork| *fork != expected) {
            let reason = case.refusal(|input| {
                input.fork = got;
                input.request.payload.shape = PayloadShape::of(got);
            });
            assert_eq!(reason, Invalid::Fork { got, expected, timestamp }, "{}", case.name);
        }
    }
}

#[test]
fn blocks_from_before_cancun_are_not_verified() {
    for case in generated() {
        let mut input = case.input();
        for fork in [ProtocolFork::Paris, ProtocolFork::Shanghai] {
            input.fork = fork;
            input.request.payload.shape = PayloadShape::of(fork);
            let spec = ChainSpec::for_input(input.chain_id, fork);
            let outcome = verdict_on(verify(&input, &spec));
            assert_eq!(outcome, Err(Invalid::UnsupportedFork(fork)), "{}", case.name);
        }
    }
}

#[test]
fn oversized_block_is_refused() {
    let limit = enshrine_stateless::RlpSize::LIMIT;
    let empty = |fork: ProtocolFork| {
        let name = format!("{fork} empty");
        generated().iter().find(|case| case.name == name).expect("every chain has one")
    };
    // A transaction so long that the block exceeds the limit; it need not be executable.
    let long = |len: usize| {
        let input = Bytes::from(vec![0; len]);
        let transaction = alloy_consensus::TxLegacy { input, ..Default::default() };
        testkit::Key::named("alice").sign(transaction).encoded_2718()
    };
    let case = empty(ProtocolFork::Osaka);
    let too_long = with_transactions(case, &[&long(limit)]);
    assert!(
        matches!(too_long, Err(Invalid::BlockSize { got, limit: at }) if got > limit && at == limit),
        "{too_long:?}"
    );
    let shorter = with_transactions(case, &[&long(limit - 2_000)]);
    assert!(matches!(shorter, Err(Invalid::TransactionGas { index: 0, .. })), "{shorter:?}");
    let before = with_transactions(empty(ProtocolFork::Prague), &[&long(limit)]);
    assert!(matches!(before, Err(Invalid::TransactionGas { index: 0, .. })), "{before:?}");
}
