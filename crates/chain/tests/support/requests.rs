//! The requests that an invalid block claims: its header has only their hash.

use alloy_primitives::{B256, Bytes};
use wire::ExecutionRequests;

/// Type, length of a record and widths of its fields (EIP-6110, EIP-7002, EIP-7251).
const KINDS: [(u8, &[usize]); 3] =
    [(0, &[48, 32, 8, 96, 8]), (1, &[20, 48, 8]), (2, &[20, 48, 48])];

type Lists = [Vec<Vec<u8>>; 3];

/// The lists of requests with this hash among those that differ from the true ones in one thing: a
/// record is missing, comes twice, at another place, or has another value in a field.
pub(crate) fn claimed(executed: &[Bytes], hash: B256) -> Option<Vec<Bytes>> {
    let lists = split(executed);
    variations(&lists).into_iter().map(|lists| join(&lists)).find(|typed| {
        ExecutionRequests::from_typed(typed).is_ok_and(|requests| requests.requests_hash() == hash)
    })
}

fn split(typed: &[Bytes]) -> Lists {
    KINDS.map(|(kind, widths)| {
        let list = typed.iter().find(|list| list.first() == Some(&kind));
        let records = list.map_or(&[][..], |list| &list[1..]).chunks(widths.iter().sum());
        records.map(<[u8]>::to_vec).collect()
    })
}

fn join(lists: &Lists) -> Vec<Bytes> {
    let lists = KINDS.iter().zip(lists).filter(|(_, records)| !records.is_empty());
    lists.map(|((kind, _), records)| [&[*kind][..], &records.concat()].concat().into()).collect()
}

fn variations(lists: &Lists) -> Vec<Lists> {
    let mut all = Vec::new();
    for (kind, (_, widths)) in KINDS.iter().enumerate() {
        let mut with = |records: Vec<Vec<u8>>| {
            let mut lists = lists.clone();
            lists[kind] = records;
            all.push(lists);
        };
        let records = &lists[kind];
        with(Vec::new());
        for (index, record) in records.iter().enumerate() {
            let mut fewer = records.clone();
            fewer.remove(index);
            with(fewer.clone());
            for place in 0..records.len() {
                let mut moved = fewer.clone();
                moved.insert(place, record.clone());
                with(moved);
            }
            let mut twice = records.clone();
            twice.insert(index, record.clone());
            with(twice);
            for changed in with_another_value(record, widths) {
                let mut others = records.clone();
                others[index] = changed;
                with(others);
            }
        }
    }
    all
}

/// A record with a field that is one more or one less, a small number, or what another field has.
fn with_another_value(record: &[u8], widths: &[usize]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut at = 0;
    for width in widths {
        let field = at..at + width;
        let mut put = |value: &[u8]| {
            let mut changed = record.to_vec();
            changed[field.clone()].copy_from_slice(value);
            all.push(changed);
        };
        let mut value = record[field.clone()].to_vec();
        for place in [0, width - 1] {
            for step in [1, 0xff] {
                value[place] = value[place].wrapping_add(step);
                put(&value);
                value.copy_from_slice(&record[field.clone()]);
            }
        }
        for number in 0..=4 {
            for place in [0, width - 1] {
                let mut small = vec![0; *width];
                small[place] = number;
                put(&small);
            }
        }
        at = field.end;
    }
    if let [source, first, second] = widths
        && first == second
    {
        let (a, b) = (*source..source + first, source + first..source + 2 * first);
        let mut swapped = record.to_vec();
        swapped[a.clone()].copy_from_slice(&record[b.clone()]);
        swapped[b].copy_from_slice(&record[a]);
        all.push(swapped);
    }
    all
}
