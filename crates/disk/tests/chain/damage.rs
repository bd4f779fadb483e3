//! Torn and corrupted files: an error or no effect, never a wrong answer.

use crate::twin::{Twin, account, copy_folder, open, random};
use chain::ChainError;
use enshrine_disk::{DiskError, DiskOptions, DiskStore, open_chain_with};
use std::{
    fs::{self, OpenOptions},
    path::Path,
};
use tempfile::tempdir;
use testkit::Key;

fn fault(error: &ChainError) -> &DiskError {
    let ChainError::Store(error) = error else { panic!("{error}") };
    error.fault().downcast_ref().unwrap_or_else(|| panic!("{error}"))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// A chain of four blocks whose log has all four, and whose state store is from before the fourth:
/// the files after a crash before the state store was written.
fn before_and_after(work: &Path) -> (Twin, Twin, u64) {
    let (mut three, mut four) = (Twin::new(), Twin::new());
    let mut chain = open(&work.join("before")).unwrap();
    three.grow(3, 0, &mut [&mut chain]);
    drop(chain);
    copy_folder(&work.join("before"), &work.join("after"));
    let mut chain = open(&work.join("after")).unwrap();
    four.grow(3, 0, &mut []);
    four.grow(1, 0, &mut [&mut chain]);
    drop(chain);
    let start = length(&work.join("before/blocks/0000000000.log"));
    (three, four, start)
}

#[test]
fn torn_record_is_truncated_and_chain_continues() {
    let work = tempdir().unwrap();
    let (three, four, start) = before_and_after(work.path());
    let log = fs::read(work.path().join("after/blocks/0000000000.log")).unwrap();
    let length = log.len() as u64 - start;
    let cuts = (0..14).chain(length - 14..=length).chain((0..10).map(|n| random(n) % length));
    for (index, cut) in cuts.enumerate() {
        let folder = work.path().join(format!("torn{index}"));
        copy_folder(&work.path().join("before"), &folder);
        let mut torn = log[..usize::try_from(start + cut).unwrap()].to_vec();
        // The file may already have its final length, with only zeros from the cut on.
        if index % 2 == 1 {
            torn.resize(log.len(), 0);
        }
        let missing = torn.len() as u64 - start;
        fs::write(folder.join("blocks/0000000000.log"), torn).unwrap();
        let store = DiskStore::open(&folder, DiskOptions::default()).unwrap();
        let cut_off = store.torn_tail().map(|tail| (tail.position.offset, tail.bytes));
        if cut < length && missing > 0 {
            assert_eq!(cut_off, Some((start, missing)), "{cut} of {length}");
        } else {
            assert_eq!(cut_off, None, "{cut} of {length}");
        }
        drop(store);
        let mut chain = open(&folder).unwrap();
        if cut < length {
            three.assert_same(&chain, 0);
            let block = crate::twin::child(&chain, 0);
            chain.append(block).unwrap();
            drop(chain);
            chain = open(&folder).unwrap();
        }
        four.assert_same(&chain, 0);
        drop(chain);
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn log_without_acknowledged_blocks_is_rejected() {
    let work = tempdir().unwrap();
    let (.., start) = before_and_after(work.path());
    let path = work.path().join("after/blocks/0000000000.log");
    let whole = length(&path);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(start + 5).unwrap();
    let refused = open(&work.path().join("after")).unwrap_err();
    let DiskError::LogLostBlocks { log, states } = fault(&refused) else { panic!("{refused}") };
    assert_eq!((log.offset, states.offset), (start + 5, whole));
}

#[test]
fn missing_segment_is_named() {
    let folder = tempdir().unwrap();
    let options = DiskOptions { segment_bytes: 1, ..DiskOptions::default() };
    let open = || {
        let (genesis, config) = (crate::twin::genesis(), crate::twin::config());
        open_chain_with(folder.path(), &genesis, config, options.clone())
    };
    let mut twin = Twin::new();
    let mut chain = open().unwrap();
    twin.grow(4, 0, &mut [&mut chain]);
    drop(chain);
    let segment = |number: u64| folder.path().join(format!("blocks/{number:010}.log"));
    assert!(segment(3).exists() && !segment(4).exists(), "one record to a segment");
    fs::rename(segment(3), segment(9)).unwrap();
    let refused = open().unwrap_err();
    assert!(matches!(fault(&refused), DiskError::MissingSegment { segment: 3, .. }), "{refused}");
    fs::rename(segment(9), segment(3)).unwrap();
    twin.assert_same(&open().unwrap(), 0);
    // A segment under the name of another is rejected.
    fs::copy(segment(2), segment(3)).unwrap();
    let refused = open().unwrap_err();
    assert!(matches!(fault(&refused), DiskError::NotALog { .. }), "{refused}");
}

#[test]
fn flipped_bit_error_names_its_position() {
    let work = tempdir().unwrap();
    let (_, four, start) = before_and_after(work.path());
    let log = fs::read(work.path().join("after/blocks/0000000000.log")).unwrap();
    let folder = work.path().join("flipped");
    copy_folder(&work.path().join("before"), &folder);
    let path = folder.join("blocks/0000000000.log");
    let length = log.len() - usize::try_from(start).unwrap();
    let mut kinds = [0; 4];
    for index in 0..200 {
        // Head, body and end mark of the record that has not been applied yet.
        let byte = match index {
            0..24 => index / 2,
            24..32 => length - 1 - (index - 24) / 2,
            _ => usize::try_from(random(index as u64)).unwrap_or(usize::MAX) % length,
        } + usize::try_from(start).unwrap();
        let mut flipped = log.clone();
        flipped[byte] ^= 1 << (random(index as u64) % 8);
        fs::write(&path, flipped).unwrap();
        let refused = DiskStore::open(&folder, DiskOptions::default()).unwrap_err();
        let kind = match refused {
            DiskError::Checksum { offset, part: "head", .. } if offset == start => 0,
            DiskError::Checksum { offset, part: "body", .. } if offset == start => 1,
            DiskError::EndMark { offset, .. } if offset == start => 2,
            error => panic!("byte {byte}: {error}"),
        };
        kinds[kind] += 1;
        assert_eq!(fs::metadata(&path).unwrap().len(), log.len() as u64, "nothing is cut off");
    }
    assert!(kinds[..3].iter().all(|count| *count > 3), "{kinds:?}");
    fs::write(&path, &log).unwrap();
    four.assert_same(&open(&folder).unwrap(), 0);
}

/// An attacker who can recompute the checksums can also change a sender in the log. Executing the
/// block detects it.
#[test]
fn forged_sender_in_log_is_detected() {
    let work = tempdir().unwrap();
    let (_, four, start) = before_and_after(work.path());
    let folder = work.path().join("before");
    let path = folder.join("blocks/0000000000.log");
    let log = fs::read(work.path().join("after/blocks/0000000000.log")).unwrap();
    let at = usize::try_from(start).unwrap();
    let (body, end) = (at + 12, log.len() - 4);
    let senders = Key::named("alice").address().repeat(7);
    let found = log[body..end].windows(senders.len()).position(|window| window == senders);
    let last = body + found.unwrap() + senders.len() - 20;
    let mut changed = log.clone();
    changed[last..last + 20].copy_from_slice(account(1).as_slice());
    let sum = crc32fast::hash(&changed[body..end]).to_be_bytes();
    changed[at + 4..at + 8].copy_from_slice(&sum);
    let head = [&0_u64.to_be_bytes()[..], &start.to_be_bytes(), &changed[at..at + 8]].concat();
    changed[at + 8..body].copy_from_slice(&crc32fast::hash(&head).to_be_bytes());
    fs::write(&path, changed).unwrap();
    let refused = open(&folder).unwrap_err();
    assert!(matches!(refused, ChainError::Replay { number: 4, .. }), "{refused}");
    fs::write(&path, log).unwrap();
    four.assert_same(&open(&folder).unwrap(), 0);
}
