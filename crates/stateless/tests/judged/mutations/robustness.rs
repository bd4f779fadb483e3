//! For any bytes, EXECUTE returns a result or an error and never panics.

use super::support::{
    Case, generated, items, real, rehash,
    relink::{Part, relink},
};
use alloy_consensus::{Header, Transaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, TxKind, U256};
use codec::{Encode as _, OwnedWitness};
use enshrine_stateless::header_of;
use execute::{Execute, ExecuteError};
use executor::{SYSTEM_CONTRACTS, decode_transaction, recover_sender};
use std::collections::BTreeMap;
use testkit::{Key, Random};
use wire::{
    ByteLists, Records, StatelessInput,
    layout::{self, payload as at},
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

/// Changes bytes anywhere, preferably in the parts that are decoded.
fn change_bytes(random: &mut Random, bytes: &mut Vec<u8>, others: &[&Case]) {
    for _ in 0..=random.index(3) {
        if bytes.len() < 8 {
            return;
        }
        let len = bytes.len();
        let decoded = len.min(1_200);
        match random.index(10) {
            0..=2 => bytes[random.index(decoded)] ^= random.mask(),
            3 => bytes[random.index(len)] ^= random.mask(),
            // An integer of eight bytes, or an offset of four.
            4 => {
                let place = random.index(decoded - 7);
                bytes[place..place + 8].copy_from_slice(&random.pick(&EDGES).to_le_bytes());
            }
            5 => {
                let place = random.index(decoded - 3);
                let old = u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap());
                let near = [old.wrapping_add(4), old.wrapping_sub(4), len as u32, u32::MAX];
                let new = *random.pick(&near);
                bytes[place..place + 4].copy_from_slice(&new.to_le_bytes());
            }
            6 => bytes.truncate(random.index(len)),
            7 => {
                let count = random.index(40);
                let more = random.bytes(count);
                let place = random.index(len);
                bytes.splice(place..place, more);
            }
            8 => {
                let place = random.index(len);
                let end = len.min(place + random.index(64));
                bytes.drain(place..end);
            }
            _ => {
                let other = &random.pick(others).bytes;
                let place = random.index(len.min(other.len()));
                let end = len.min(other.len()).min(place + random.index(200));
                bytes[place..end].copy_from_slice(&other[place..end]);
            }
        }
    }
}

/// Updates the block hash if the bytes still decode and have a header.
fn rehash_bytes(bytes: &mut [u8]) {
    let Ok(input) = StatelessInput::decode(bytes) else { return };
    let Some(header) = header_of(&input.request, input.fork) else { return };
    let payload = if input.fork >= wire::ProtocolFork::Prague {
        layout::PAYLOAD_IN_CALLDATA
    } else {
        layout::REQUEST_IN_CALLDATA + layout::request::FIXED_CANCUN
    };
    let place = payload + at::BLOCK_HASH;
    if let Some(place) = bytes.get_mut(place..place + 32) {
        place.copy_from_slice(&header.hash_slow()[..]);
    }
}

/// Changes one part of the state, the codes or the ancestors, and all hashes above it.
fn make_up_state(random: &mut Random, case: &Case) -> Vec<u8> {
    let mut input = case.input();
    let witness = OwnedWitness::of(&input.witness);
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

/// Changes lists of the body.
fn change_body(random: &mut Random, case: &Case, others: &[&Case]) -> Vec<u8> {
    let mut input = case.input();
    let other = random.pick(others).input();
    let payload = &mut input.request.payload;
    let mut transactions: Vec<_> =
        items(payload.transactions).into_iter().map(<[u8]>::to_vec).collect();
    let mut withdrawals: Vec<_> = payload.withdrawals.iter().copied().collect();
    let mut hashes: Vec<_> = input.request.versioned_hashes.iter().copied().collect();
    let mut access_list = payload.block_access_list.to_vec();
    let requests = input.request.execution_requests.typed();
    let mut requests: Vec<_> =
        requests.iter().map(|(kind, data)| [&[*kind][..], *data].concat()).collect();
    match random.index(9) {
        0..=1 if !transactions.is_empty() => {
            let place = random.index(transactions.len());
            if let Some(signed) = sign_another(random, &transactions[place]) {
                transactions[place] = signed;
                // A claimed gas that does not stop execution halfway.
                payload.gas_used = payload.gas_limit;
            }
        }
        2 if !transactions.is_empty() => {
            let place = random.index(transactions.len());
            transactions[place] = change_item(random, &transactions[place]);
        }
        3 if !transactions.is_empty() => {
            let place = random.index(transactions.len());
            transactions.remove(place);
        }
        4 => transactions
            .extend(items(other.request.payload.transactions).iter().map(|t| t.to_vec())),
        5 => {
            let mut record = [0; 44];
            record.copy_from_slice(&random.bytes(44));
            withdrawals.push(record);
        }
        6 if !access_list.is_empty() => access_list = change_item(random, &access_list),
        7 => {
            let kind = random.index(requests.len());
            requests[kind].extend(random.bytes([192, 76, 116, 184, 68][kind]));
        }
        _ => hashes = other.request.versioned_hashes.iter().copied().collect(),
    }
    let views: Vec<&[u8]> = transactions.iter().map(Vec::as_slice).collect();
    payload.transactions = ByteLists::from(&views[..]);
    payload.withdrawals = Records::new(&withdrawals);
    payload.block_access_list = &access_list;
    input.request.versioned_hashes = Records::new(&hashes);
    input.request.execution_requests =
        codec::requests_from_typed(&requests).expect("whole records");
    rehash(&mut input);
    input.encode()
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
        let mut bytes = match random.index(10) {
            0..=2 => make_up_state(&mut random, case),
            3..=4 => change_body(&mut random, case, &cases),
            _ => case.bytes.clone(),
        };
        if bytes == case.bytes || random.one_in(8) {
            change_bytes(&mut random, &mut bytes, &cases);
            if random.one_in(2) {
                rehash_bytes(&mut bytes);
            }
        }
        let execute = &executes[usize::from(random.one_in(4))];
        let kind = match execute.run(&bytes, u64::MAX) {
            Ok(executed) => {
                // The change either left the block the same or made another valid one.
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
