use super::*;
use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Signature};
use alloy_rlp::Encodable as _;
use alloy_sol_types::SolCall as _;
use std::fs;

const ROLLUP: Address = Address::repeat_byte(0xa0);
const ACCOUNT: Address = Address::repeat_byte(0xc0);

/// Returns a prefix of block `number` with `count` transactions.
pub(in crate::prefix) fn prefix(number: u64, count: u8, is_sealed: bool) -> Prefix {
    let header = Header {
        number,
        state_root: B256::repeat_byte(count),
        transactions_root: B256::repeat_byte(count),
        base_fee_per_gas: Some(7),
        withdrawals_root: Some(B256::ZERO),
        ..Header::default()
    };
    let mut rlp = Vec::new();
    header.encode(&mut rlp);
    let message = Preconfirmation {
        rollup: ROLLUP,
        block_hash: keccak256(&rlp),
        schema: SchemaId::OSAKA,
        is_sealed,
        l1_block: 9,
        l1_hash: B256::repeat_byte(9),
    };
    let transactions = (1..=count).map(|byte| Bytes::from(vec![byte; 50])).collect();
    Prefix::new(message, rlp.into(), transactions, None).unwrap()
}

fn open(path: &Path) -> OpenedJournal {
    Journal::open(path, ROLLUP, ACCOUNT).unwrap()
}

fn same(got: &[Recorded], expected: &[Prefix]) {
    let of = |prefix: &Prefix| (prefix.promised.clone(), prefix.transactions.clone());
    let got: Vec<_> = got.iter().map(|record| of(&record.prefix)).collect();
    assert_eq!(got, expected.iter().map(of).collect::<Vec<_>>());
}

#[test]
fn records_are_read_again_with_all_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let all = [prefix(1, 1, false), prefix(1, 3, false), prefix(1, 3, true), prefix(2, 2, false)];
    let OpenedJournal { mut journal, records, is_intact } = open(&path);
    assert!(records.is_empty() && is_intact);
    let mut lengths = Vec::new();
    for prefix in &all {
        let before = journal.file.length();
        journal.record(prefix, true).unwrap();
        lengths.push(journal.file.length() - before);
    }
    // The third record adds no transactions to the second one.
    assert!(lengths[2] + 50 < lengths[0], "{lengths:?}");
    drop(journal);
    let OpenedJournal { mut journal, records, is_intact } = open(&path);
    same(&records, &all);
    assert!(is_intact);
    // The first record after a start shares transactions with the last one before it.
    journal.record(&prefix(2, 3, true), false).unwrap();
    drop(journal);
    let records = open(&path).records;
    same(&records[4..], &[prefix(2, 3, true)]);
    let is_signed: Vec<_> = records.iter().map(|record| record.is_signed).collect();
    assert_eq!(is_signed, [true, true, true, true, false]);
}

#[test]
fn records_of_final_blocks_leave_long_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let mut journal = open(&path).journal;
    for number in 0..5_000 {
        journal.record(&prefix(number, 3, true), true).unwrap();
    }
    let long = journal.file.length();
    journal.forget_up_to(4_990).unwrap();
    assert!(long > REWRITE_FROM && journal.file.length() < long / 100);
    journal.record(&prefix(5_000, 1, false), true).unwrap();
    drop(journal);
    let number = |record: &Recorded| record.prefix.promised.header.number;
    let numbers: Vec<_> = open(&path).records.iter().map(number).collect();
    assert_eq!(numbers, (4_991..=5_000).collect::<Vec<_>>());
}

/// Records that are read were written before, and a missing one is detected.
#[test]
fn damaged_journal_is_never_intact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let all = [prefix(1, 1, false), prefix(1, 2, true)];
    let mut journal = open(&path).journal;
    all.iter().for_each(|prefix| journal.record(prefix, true).unwrap());
    drop(journal);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for damaged in
            [whole[..at].to_vec(), [&whole[..at], &[whole[at] ^ 0x10], &whole[at + 1..]].concat()]
        {
            fs::write(&path, &damaged).unwrap();
            let OpenedJournal { records, is_intact, .. } = open(&path);
            let count = records.len();
            same(&records, &all[..count]);
            // A file that ends between two records equals an earlier one, so the damage cannot be
            // detected.
            let at_boundary = damaged.len() < whole.len() && is_boundary(&whole, damaged.len());
            assert!(!is_intact || at_boundary, "byte {at}: {count} records");
        }
    }
}

/// Returns `true` if the file ends between two records at this length.
fn is_boundary(whole: &[u8], length: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole");
    fs::write(&path, whole).unwrap();
    let lengths: Vec<_> = open(&path).journal.records.iter().map(|(_, raw)| raw.len()).collect();
    length == 0 || RecordFile::offsets(lengths).any(|offset| offset == length as u64)
}

#[test]
fn journal_of_another_account_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    open(&path).journal.record(&prefix(1, 1, true), true).unwrap();
    let other = Journal::open(&path, ROLLUP, ROLLUP).unwrap();
    assert!(other.records.is_empty() && !other.is_intact);
}

/// A record determines the L1 chains that can include the block.
#[test]
fn record_has_anchor_of_its_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let anchor = |l1_block_number| Anchor {
        l1_block_number,
        l1_block_hash: B256::repeat_byte(9),
        message_count: 0,
        message_root: B256::ZERO,
    };
    let input = anchor(9).prove_call().abi_encode().into();
    let call = TxEip1559 { to: L1_ANCHOR.into(), input, ..TxEip1559::default() };
    let call = call.into_signed(Signature::test_signature()).encoded_2718();
    let mut journal = open(&path).journal;
    // Any transaction can call the contract, so only the anchor in the header counts.
    for carried in [9, 10] {
        let mut prefix = prefix(carried, 2, true);
        let mut header = Header::decode(&mut &prefix.header[..]).unwrap();
        header.blob_gas_used = Some(0);
        header.excess_blob_gas = Some(0);
        header.parent_beacon_block_root = Some(anchor(carried).hash());
        prefix.header = alloy_rlp::encode(&header).into();
        prefix.transactions.push(call.clone().into());
        journal.record(&prefix, true).unwrap();
    }
    drop(journal);
    let anchors = open(&path).records.into_iter().map(|record| record.prefix.promised.anchor);
    let expected = [(9, B256::repeat_byte(9)), (0, B256::ZERO)];
    assert_eq!(anchors.collect::<Vec<_>>(), expected);
}

/// A record continues the complete previous record of the same block, or none.
#[test]
fn record_continues_only_its_own_block() {
    let record = encode(&prefix(1, 3, false), true, Some(&prefix(1, 2, false))).into();
    for (previous, is_read) in [
        (Some(prefix(1, 2, false)), true),
        (Some(prefix(1, 1, false)), false),
        (Some(prefix(1, 3, false)), false),
        (Some(prefix(2, 2, false)), false),
        (None, false),
    ] {
        let read = decode(&record, previous.as_ref());
        assert_eq!(read.is_ok(), is_read, "{previous:?}");
        if let Ok(read) = read {
            same(&[read], &[prefix(1, 3, false)]);
        }
    }
}
