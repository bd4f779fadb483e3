use super::*;
use crate::l1::{ClaimedMessage, ForcedDischarge, ForcedEntry, SentMessage};
use std::fs;

pub(super) fn header(number: u64) -> L1Header {
    let (hash, parent) = (B256::ZERO, B256::ZERO);
    L1Header { number, hash, parent, timestamp: 12 * number, base_fee: 1 }
}

/// Returns the events of a block with two messages, a forced transaction, a claim and a pause,
/// which discharges the forced transaction of the previous block.
pub(super) fn events(number: u64) -> Events {
    let message = |index| Message {
        sender: Address::repeat_byte(1),
        to: Address::repeat_byte(2),
        refund_to: Address::ZERO,
        value: u128::from(number),
        fee: 3,
        gas_limit: 4,
        index,
        data: vec![5; 6].into(),
    };
    let sent = |index| SentMessage {
        message: message(index),
        l1_block: number,
        l1_timestamp: 12 * number,
        l1_transaction: B256::with_last_byte(number as u8),
    };
    let transaction = ForcedTransaction {
        hash: B256::repeat_byte(number as u8),
        sender: Address::repeat_byte(7),
        nonce: number,
        gasLimit: 21_000,
        maxFee: 9,
        cost: alloy_primitives::U256::from(10),
        submittedAt: 12 * number,
        bounded: false,
        to: Address::repeat_byte(8),
        footprint: 11,
        priced: true,
    };
    let forced = ForcedEntry {
        index: number,
        transaction,
        raw: Default::default(),
        l1_block: number,
        l1_transaction: B256::ZERO,
    };
    let claim = |index, is_refunded| ClaimedMessage {
        index,
        is_refunded,
        l1_block: number,
        l1_transaction: B256::repeat_byte(9),
    };
    let before = number.checked_sub(1);
    Events {
        messages: vec![sent(2 * number), sent(2 * number + 1)],
        forced: vec![forced],
        discharged: before.map(|index| ForcedDischarge { index, outcome: 1 }).into_iter().collect(),
        // In another order than the blocks.
        claimed: vec![claim(100 - number, number == 2)],
        pauses: vec![1_000 + number],
        ..Events::default()
    }
}

fn filled(blocks: u64) -> BridgeLog {
    let mut log = BridgeLog::default();
    (0..blocks).for_each(|number| log.apply(&header(number), &events(number)));
    log
}

fn bytes(log: &BridgeLog) -> Vec<u8> {
    let mut out = Writer::default();
    log.save(&mut out);
    out.0
}

#[test]
fn saved_records_are_read_back_unchanged() {
    let log = filled(5);
    let saved = bytes(&log);
    let whole = saved.clone().into();
    let mut from = Reader::new("records", &whole);
    let read = BridgeLog::load(&mut from).unwrap();
    from.end().unwrap();
    assert_eq!(bytes(&read), saved);
    assert_eq!((read.sent_len(), read.forced_len(), read.paused_until()), (10, 5, 1_004));
    assert_eq!(read.sent(9).unwrap(), log.sent(9).unwrap());
    assert_eq!(read.sent(9).unwrap().map(|message| message.value), Some(4));
    assert_eq!((read.sent(10).unwrap(), read.sent(u64::MAX).unwrap()), (None, None));
    assert_eq!(read.forced(3).and_then(|forced| forced.discharged), Some((1, 4)));
    assert_eq!(read.forced(4).and_then(|forced| forced.discharged), None);
    for cut in [1, saved.len() / 2, saved.len() - 1] {
        let short = saved[..cut].to_vec().into();
        assert!(BridgeLog::load(&mut Reader::new("records", &short)).is_err(), "{cut}");
    }
}

/// Returns the lookups of all messages and claims.
fn answers(log: &BridgeLog) -> String {
    let mut parties = log.sent_parties();
    let sent = (0..=log.sent_len()).map(|index| (log.sent(index).unwrap(), parties(index)));
    let claims = (90..=100).map(|index| log.claim(index).unwrap());
    let (sent, claims): (Vec<_>, Vec<_>) = (sent.collect(), claims.collect());
    format!("{} {sent:?} {claims:?}", log.first_sent())
}

pub(super) fn files(folder: &Path) -> BridgeFiles {
    BridgeFiles::open_next_to(&folder.join("l1.log"), B256::ZERO).unwrap()
}

/// Reads a saved log with the files of a folder.
fn restarted(saved: &[u8], folder: &Path) -> Result<BridgeLog, DiskError> {
    let mut read = BridgeLog::load(&mut Reader::new("records", &saved.to_vec().into()))?;
    read.attach(&files(folder))?;
    Ok(read)
}

/// Returns a log with files, whose blocks before `oldest` are settled.
fn settled(folder: &Path, blocks: u64, oldest: u64) -> BridgeLog {
    let mut log = filled(blocks);
    log.attach(&files(folder)).unwrap();
    log.settle(oldest);
    log
}

#[test]
fn settled_records_have_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = settled(folder.path(), 6, 4);
    assert!(log.claim(98).unwrap().is_some_and(|claim| claim.is_refunded));
    assert!(log.claim(99).unwrap().is_some_and(|claim| !claim.is_refunded));
    assert_eq!(answers(&log), answers(&filled(6)));
    let before = log.clone();
    assert!(bytes(&log).len() < bytes(&filled(6)).len());
    let read = restarted(&bytes(&log), folder.path()).unwrap();
    assert_eq!(format!("{read:?}"), format!("{log:?}"));
    assert_eq!(answers(&read), answers(&log));
    // The oldest block that a reorg can leave.
    log.cut_back(4, 5);
    assert_eq!(answers(&log), answers(&filled(5)));
    log.apply(&header(5), &events(5));
    assert_eq!(bytes(&log), bytes(&before));
    log.settle(6);
    assert_eq!(answers(&log), answers(&before));
    assert_eq!(answers(&log.to_empty()), answers(&BridgeLog::default()));
}

/// Slots after those of a checkpoint may be complete, partial or missing.
#[test]
fn log_killed_at_any_write_is_equal() {
    let folder = tempfile::tempdir().unwrap();
    let saved = bytes(&settled(folder.path(), 3, 2));
    let paths = ["messages.l1", "claims.l1"].map(|name| folder.path().join(name));
    let needed = paths.clone().map(|path| fs::read(path).unwrap().len());
    let expected = settled(folder.path(), 6, 5);
    for (path, needed) in paths.iter().zip(needed) {
        let whole = fs::read(path).unwrap();
        for length in needed..whole.len() {
            fs::write(path, &whole[..length]).unwrap();
            let mut log = restarted(&saved, folder.path()).unwrap();
            for number in 3..6 {
                log.apply(&header(number), &events(number));
                log.settle(number);
            }
            assert_eq!(bytes(&log), bytes(&expected), "{length}");
            assert_eq!(answers(&log), answers(&expected), "{length}");
            assert!(fs::read(path).unwrap() == whole, "{length}");
        }
    }
}

#[test]
fn damaged_or_lost_settled_record_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let saved = bytes(&settled(folder.path(), 6, 4));
    let is_read = || restarted(&saved, folder.path()).is_ok();
    for path in ["messages.l1", "claims.l1"].map(|name| folder.path().join(name)) {
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, flipped).unwrap();
            assert!(!is_read(), "byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert!(!is_read(), "{at} bytes");
        }
        fs::write(&path, &whole).unwrap();
        assert!(is_read());
    }
    // More records than there are.
    for (count, expected) in [(8_u64, true), (9, false), (u64::MAX, false)] {
        let changed = [&count.to_be_bytes()[..], &saved[8..]].concat();
        assert_eq!(restarted(&changed, folder.path()).is_ok(), expected, "{count}");
    }
}

#[test]
fn records_stay_in_memory_if_unwritable() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = filled(6);
    log.settle(6);
    assert_eq!(bytes(&log), bytes(&filled(6)), "without files");
    log.attach(&files(folder.path())).unwrap();
    // The slot of this position exceeds any file.
    let saved = [&(u64::MAX / 2).to_be_bytes()[..], &1_u32.to_be_bytes()].concat();
    let claim = log.claim(99).unwrap().unwrap();
    let mut out = Writer::default();
    claim.put(&mut out);
    let saved = [saved, out.0].concat().into();
    let mut full: History<ClaimRecord, CLAIM_BYTES> =
        History::load(&mut Reader::new("claims", &saved)).unwrap();
    full.set_file(&files(folder.path()).claims);
    assert!(matches!(full.settle(u64::MAX), Err(DiskError::TooLong { .. })));
    assert_eq!(full.get(u64::MAX / 2).unwrap(), Some(claim));
}

#[test]
fn unreadable_record_stops_reorg() {
    let folder = tempfile::tempdir().unwrap();
    // Equivalent to records that were written before they were settled.
    let mut log = settled(folder.path(), 6, 6);
    let before = log.clone();
    for path in ["messages.l1", "claims.l1"].map(|name| folder.path().join(name)) {
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(log.reload(4).is_err(), "{}", path.display());
        fs::write(&path, &whole).unwrap();
        assert_eq!(answers(&log), answers(&before));
    }
    log.reload(4).unwrap();
    assert_eq!(answers(&log), answers(&before));
    log.cut_back(4, 5);
    assert_eq!(answers(&log), answers(&filled(5)));
}
