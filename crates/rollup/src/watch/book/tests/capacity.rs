//! Tests of the memory and CPU time of a book with many blocks.

use super::*;
use crate::watch::PROVABLE;
use std::env;

/// Number of L2 blocks per L1 block, at one block per second.
const POSTED: u64 = 12;
/// Prefixes of a block, and transactions of each.
const PREFIXES: usize = 10;
const TRANSACTIONS: usize = 2;
const TRANSACTION_BYTES: usize = 110;
/// Number of measured repetitions of the last check.
const CHECKS: u32 = 200;

/// Returns the CPU time of this thread, or zero without Linux's `/proc`.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// Returns the resident memory of this process in MB.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1_000
}

/// Returns the prefixes of a block, the last of them sealed, with signatures that the book does not
/// check.
fn block(number: u64, parent: B256) -> Vec<PrefixUpdate> {
    let length = PREFIXES * TRANSACTIONS;
    let list: Vec<Bytes> = (0..length)
        .map(|index| {
            [number.to_be_bytes().as_slice(), &[index as u8; TRANSACTION_BYTES - 8]].concat()
        })
        .map(Bytes::from)
        .collect();
    let lengths =
        (1..=PREFIXES).map(|count| (count * TRANSACTIONS, count * TRANSACTIONS - TRANSACTIONS));
    let ends = lengths.map(|(end, first)| (end, first, false)).chain([(length, length, true)]);
    ends.map(|(end, first, is_sealed)| {
        let put = |raw: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(raw);
        let header = Header {
            parent_hash: parent,
            number,
            transactions_root: ordered_trie_root_with_encoder(&list[..end], put),
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::ZERO),
            ..Header::default()
        };
        PrefixUpdate {
            message: Preconfirmation {
                rollup: ROLLUP,
                block_hash: header.hash_slow(),
                schema: SchemaId::OSAKA,
                is_sealed,
                l1_block: 1,
                l1_hash: PARENT,
            },
            signature: FixedBytes::ZERO,
            header: alloy_rlp::encode(&header).into(),
            first: first as u32,
            transactions: list[first..end].to_vec(),
            tip: 0,
            floor: 0,
        }
    })
    .collect()
}

/// `ENSHRINE_WATCHED_BLOCKS=98292` tests 27 hours of blocks.
#[test]
fn book_of_posted_blocks_stays_small() {
    let count = env::var("ENSHRINE_WATCHED_BLOCKS").ok().and_then(|value| value.parse().ok());
    let count: u64 = count.unwrap_or(240);
    let (mut book, mut parent, mut posted) = (Book::default(), PARENT, vec![PARENT]);
    let (before, mut peak) = (resident(), 0);
    let (mut keeping, mut checking) = (Duration::ZERO, Duration::ZERO);
    for number in 1..=count {
        let updates = block(number, parent);
        let begun = cpu();
        for update in &updates {
            let header = HeaderSummary::read(&update.header).unwrap();
            let stored = book.keep(update, header, Address::ZERO, true, &is_on_l1);
            assert_eq!(stored, Ok(true));
            book.on_executed(&header.hash);
        }
        keeping += cpu() - begun;
        parent = updates[PREFIXES].message.block_hash;
        posted.push(parent);
        peak = peak.max(book.bytes());
        if number.is_multiple_of(POSTED) {
            let begun = cpu();
            check(&mut book, number, &posted);
            checking += cpu() - begun;
        }
    }
    let (blocks, after) = (book.parents.len(), resident());
    let begun = cpu();
    for _ in 0..CHECKS {
        check(&mut book, count, &posted);
    }
    let check_time = (cpu() - begun) / CHECKS;
    let update = keeping / (count as u32 * (PREFIXES as u32 + 1));
    eprintln!(
        "{count} blocks: at most {peak} bytes, {blocks} blocks are kept, {before} to {after} MB of the process; \
         {update:?} per prefix, {checking:?} for all posted blocks, {check_time:?} per check at the end"
    );
    assert!(
        blocks as u64 <= PROVABLE + POSTED && peak <= MAX_BYTES,
        "{blocks} blocks, {peak} bytes"
    );
    // All posted blocks were checked, and refer to the transactions in the chain.
    let length = PREFIXES * TRANSACTIONS * TRANSACTION_BYTES;
    assert!(!count.is_multiple_of(POSTED) || book.bytes() < blocks * length);
}

/// Runs the watcher's checks after a new message, with an L1 that has the blocks up to `number`.
fn check(book: &mut Book, number: u64, posted: &[B256]) {
    book.trim(&is_on_l1);
    assert!(book.conflicting().is_empty());
    assert_eq!(book.after(number).count(), 0);
    let of_number = |number: u64| posted.get(number as usize).copied();
    for (place, hash, _) in book.to_check(number, of_number) {
        book.on_checked(&place, hash);
    }
    book.forget_before(number.saturating_sub(PROVABLE));
}
