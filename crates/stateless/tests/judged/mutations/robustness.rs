//! For any bytes, EXECUTE returns a result or an error and never panics.

use super::support::{
    Case, generated, real, rehash,
    relink::{Part, owned, relink},
};
use alloy_consensus::{Header, Transaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use codec::Encode as _;
use execute::{Execute, ExecuteError};
use executor::{SYSTEM_CONTRACTS, decode_transaction, recover_sender};
use std::collections::BTreeMap;
use testkit::{
    Key, Random, resealed,
    tampered::{CHANGES, Draft, scramble},
};

const RUNS: u64 = 120_000;

/// Numbers at which arithmetic is likely to fail.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    5_000,
    1 << 17,
    u32::MAX as u64,
    1 << 32,
    i64::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

/// Changes one part of the state, the codes or the ancestors, and all hashes above it.
fn make_up_state(random: &mut Random, case: &Case) -> Vec<u8> {
    let mut input = case.input();
    let witness = owned(&input);
    let part = match random.index(10) {
        0 if !witness.codes.is_empty() => Part::Code(random.index(witness.codes.len())),
        1..=3 => Part::Header(random.index(witness.headers.len())),
        _ => Part::Node(random.index(witness.state.len())),
    };
    let new = match part {
        Part::Header(index) if !random.one_in(4) => {
            let header = alloy_rlp::decode_exact::<Header>(&witness.headers[index]);
            change_header(random, header.expect("of a valid block"))
        }
        Part::Header(index) => change_item(random, &witness.headers[index]),
        Part::Node(_) if random.one_in(6) => random.pick(&witness.state).to_vec(),
        Part::Node(index) => change_item(random, &witness.state[index]),
        Part::Code(index) => change_item(random, &witness.codes[index]),
    };
    let lie = relink(&witness, part, new);
    input.witness = lie.witness.view();
    input.request.payload.parent_hash = lie.parent_hash;
    rehash(&mut input);
    input.encode()
}

fn change_header(random: &mut Random, mut header: Header) -> Vec<u8> {
    let edge = *random.pick(&EDGES);
    match random.index(8) {
        0 => header.number = edge,
        1 => header.gas_limit = edge,
        2 => header.gas_used = edge,
        3 => header.timestamp = edge,
        4 => header.base_fee_per_gas = Some(edge),
        5 => header.blob_gas_used = Some(edge),
        6 => header.excess_blob_gas = Some(edge),
        _ => header.base_fee_per_gas = None,
    }
    alloy_rlp::encode(header)
}

fn change_item(random: &mut Random, item: &[u8]) -> Vec<u8> {
    let mut item = item.to_vec();
    for _ in 0..=random.index(3) {
        if item.is_empty() {
            break;
        }
        let place = random.index(item.len());
        match random.index(8) {
            0 => item.truncate(place),
            1 => item.insert(place, random.mask()),
            2 => {
                item.remove(place);
            }
            _ => item[place] ^= random.mask(),
        }
    }
    item
}

/// Changes fields and lists of the block and its witness.
fn change_parts(random: &mut Random, case: &Case) -> Option<Vec<u8>> {
    let mut draft = Draft::new(&case.input());
    let place = random.index(draft.transactions.len());
    if random.one_in(3)
        && let Some(transaction) = draft.transactions.get_mut(place)
        && let Some(signed) = sign_another(random, transaction)
    {
        *transaction = signed.into();
        // A claimed gas that does not stop execution halfway.
        draft.request.payload.gas_used = draft.request.payload.gas_limit;
    } else {
        for _ in 0..=random.index(3) {
            let (_, change) = random.pick(CHANGES);
            change(&mut draft, random);
        }
    }
    draft.encode().map(Into::into)
}

/// Signs another transaction from the sender of this one, if the sender's key is known.
fn sign_another(random: &mut Random, transaction: &[u8]) -> Option<Vec<u8>> {
    let transaction = decode_transaction(transaction).ok()?;
    let sender = recover_sender(&transaction)?;
    let keys = ["alice", "bob", "carol"].map(Key::named);
    let key = keys.into_iter().find(|key| key.address() == sender)?;
    // Precompiles, system contracts, contracts of the chain, and recipients of earlier calls.
    let to = match random.index(4) {
        0 => TxKind::Call(Address::with_last_byte(random.index(20) as u8)),
        1 => TxKind::Call(random.pick(&SYSTEM_CONTRACTS).address),
        2 => TxKind::Create,
        _ => transaction.kind(),
    };
    let edge = *random.pick(&EDGES);
    let usual = transaction.gas_limit();
    let input = match random.index(3) {
        0 => transaction.input().clone(),
        _ => {
            let len = random.index(300);
            random.bytes(len).into()
        }
    };
    let another = TxEip1559 {
        chain_id: transaction.chain_id().unwrap_or(1),
        nonce: if random.one_in(8) { edge } else { transaction.nonce() },
        gas_limit: if random.one_in(4) { edge } else { usual },
        max_fee_per_gas: if random.one_in(8) { edge.into() } else { transaction.max_fee_per_gas() },
        max_priority_fee_per_gas: if random.one_in(8) { edge.into() } else { 1 },
        to,
        value: if random.one_in(3) { U256::from(edge) } else { U256::ZERO },
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        input,
    };
    Some(key.sign(another).encoded_2718())
}

/// Returns the kind of an error, without its fields.
fn kind(refusal: &ExecuteError) -> String {
    let debug = match refusal {
        ExecuteError::Invalid(reason) => format!("Invalid::{reason:?}"),
        other => format!("{other:?}"),
    };
    let end = debug.find([' ', '(', '{']).unwrap_or(debug.len());
    debug[..end].to_owned()
}

#[test]
fn no_bytes_make_execute_panic() {
    // Small blocks, to spend the time on variety: the smallest real one, and the generated ones.
    let mut cases: Vec<&Case> = generated().iter().collect();
    cases.extend(real().iter().min_by_key(|case| case.bytes.len()));
    let executes = [Execute::l1(), Execute::default()];
    let mut kinds = BTreeMap::<String, u64>::new();
    for run in 0..RUNS {
        // Each run can be reproduced on its own.
        let mut random = Random::new(0x00e8_c07e ^ run << 32);
        let case = *random.pick(&cases);
        let changed = match random.index(10) {
            0..=2 => Some(make_up_state(&mut random, case)),
            3..=5 => change_parts(&mut random, case),
            _ => None,
        };
        let mut bytes = Bytes::from(changed.unwrap_or_else(|| case.bytes.clone()));
        if bytes == case.bytes || random.one_in(8) {
            for _ in 0..=random.index(3) {
                // An empty input has no byte to change.
                if !bytes.is_empty() {
                    bytes = scramble(&bytes, &mut random);
                }
            }
            if random.one_in(2) {
                bytes = resealed(&bytes, |_| {}).map_or(bytes, Into::into);
            }
        }
        let execute = &executes[usize::from(random.one_in(4))];
        let kind = match execute.run(&bytes, u64::MAX) {
            Ok(executed) => {
                // Whatever was changed, it is the same block or another one.
                let verdict = executed.verdict;
                for case in &cases {
                    if verdict.block_hash == case.verdict.block_hash {
                        let chain_id = verdict.chain_id;
                        let expected =
                            enshrine_stateless::Verdict { chain_id, ..case.verdict.clone() };
                        assert_eq!(verdict, expected, "run {run} from {}", case.name);
                    }
                }
                "accepted".to_owned()
            }
            Err(error @ (ExecuteError::Internal(_) | ExecuteError::Panic(_))) => {
                panic!("run {run} from {}: {error}", case.name)
            }
            Err(refusal) => kind(&refusal),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    println!("{RUNS} mutated inputs: {kinds:#?}");
    // The mutations reach every part of the verifier, not only the first checks.
    for expected in [
        "accepted",
        "Decode",
        "Rules",
        "Invalid::BlockHash",
        "Invalid::Header",
        "Invalid::HeaderRange",
        "Invalid::BrokenAncestry",
        "Invalid::MalformedHeader",
        "Invalid::MalformedTransaction",
        "Invalid::VersionedHash",
        "Invalid::TransactionGas",
        "Invalid::Signature",
        "Invalid::Transaction",
        "Invalid::SystemCode",
        "Invalid::State",
        "Invalid::GasBeyondClaim",
        "Invalid::Amount",
        "Invalid::Commitment",
        "Invalid::LogsBloom",
    ] {
        assert!(kinds.contains_key(expected), "never refused for {expected}: {kinds:?}");
    }
}
