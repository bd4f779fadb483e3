//! Record files: after any damage, exactly the records before it are read.

use alloy_primitives::{B256, Bytes};
use enshrine_disk::{CutOff, DiskError, RecordFile};
use std::{fs, path::Path};
use tempfile::tempdir;

const SUBJECT: B256 = B256::repeat_byte(0x51);

/// Opens a file, and returns it with its records, their positions, and the truncated part.
fn open(path: &Path) -> (RecordFile, Vec<(u64, Bytes)>, Option<CutOff>) {
    let mut found = Vec::new();
    let take = |at, body: &Bytes| {
        found.push((at, body.clone()));
        Ok(())
    };
    let (file, cut) = RecordFile::open(path, SUBJECT, take).unwrap();
    (file, found, cut)
}

/// Writes three records to a file, and returns them with their boundaries.
fn three(path: &Path) -> (Vec<Bytes>, [u64; 4]) {
    let bodies: Vec<Bytes> = [vec![7; 40], [vec![1; 20], vec![0; 30]].concat(), vec![0; 25]]
        .into_iter()
        .map(Bytes::from)
        .collect();
    let (mut file, found, cut) = open(path);
    assert!(found.is_empty() && cut.is_none());
    let begin: Vec<_> = bodies.iter().map(|body| file.append(body).unwrap()).collect();
    let end = fs::metadata(path).unwrap().len();
    (bodies, [begin[0], begin[1], begin[2], end])
}

#[test]
fn appended_records_are_read_after_reopening() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (mut bodies, at) = three(&path);
    let (mut file, found, cut) = open(&path);
    assert!(cut.is_none());
    let expected: Vec<_> = at.into_iter().zip(bodies.clone()).collect();
    assert_eq!(found, expected);
    assert_eq!(file.append(&[9; 5]).unwrap(), at[3]);
    bodies.push(vec![9; 5].into());
    let (_, found, _) = open(&path);
    assert_eq!(found.into_iter().map(|(_, body)| body).collect::<Vec<_>>(), bodies);
}

#[test]
fn truncated_file_is_cut_to_whole_records() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (bodies, at) = three(&path);
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        for zeros in [0, 1, 5_000] {
            let mut torn = whole[..length].to_vec();
            torn.resize(length + zeros, 0);
            fs::write(&path, &torn).unwrap();
            let kept = at[1..].iter().filter(|end| **end <= length as u64).count();
            let (mut file, found, cut) = open(&path);
            assert_eq!(found.len(), kept, "{length}, {zeros}");
            let begin = if length as u64 >= at[0] { at[kept] } else { 0 };
            let bytes = torn.len() as u64 - begin;
            assert_eq!(
                cut.map(|cut| (cut.offset, cut.bytes)),
                (bytes > 0).then_some((begin, bytes))
            );
            // The next record is appended at the end.
            assert_eq!(file.append(b"next").unwrap(), at[kept]);
            let (_, found, cut) = open(&path);
            let next = Bytes::from_static(b"next");
            assert!(
                found
                    .into_iter()
                    .map(|record| record.1)
                    .eq(bodies[..kept].iter().cloned().chain([next]))
            );
            assert!(cut.is_none());
        }
    }
}

#[test]
fn records_after_flipped_bit_are_dropped() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (bodies, at) = three(&path);
    let whole = fs::read(&path).unwrap();
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[byte] ^= 1 << bit;
            fs::write(&path, &flipped).unwrap();
            let (_, found, cut) = open(&path);
            let kept = at[1..].iter().filter(|end| **end <= byte as u64).count();
            assert!(found.into_iter().map(|record| record.1).eq(bodies[..kept].iter().cloned()));
            let cut = cut.unwrap();
            assert!(!matches!(cut.reason, DiskError::Io { .. }), "{:?}", cut.reason);
            assert_eq!(cut.offset, if (byte as u64) < at[0] { 0 } else { at[kept] });
        }
    }
}

#[test]
fn salvage_skips_only_damaged_record() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (bodies, at) = three(&path);
    let whole = fs::read(&path).unwrap();
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 4;
        fs::write(&path, &flipped).unwrap();
        let (_, found, cut) = open(&path);
        let salvaged = RecordFile::salvage(&flipped, cut.unwrap().offset);
        let damaged = at[1..].iter().position(|end| byte as u64 >= at[0] && (byte as u64) < *end);
        let whole_ones = bodies.iter().enumerate().filter(|(index, _)| Some(*index) != damaged);
        let got: Vec<_> = found.into_iter().map(|record| record.1).chain(salvaged).collect();
        assert_eq!(got, whole_ones.map(|record| record.1.clone()).collect::<Vec<_>>(), "{byte}");
    }
    assert_eq!(RecordFile::salvage(&whole, 0), bodies);
    assert!(RecordFile::salvage(&whole[..at[0] as usize], 0).is_empty());
}

#[test]
fn replaced_file_accepts_further_records() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (bodies, _) = three(&path);
    let kept = [&bodies[1][..], b"new"];
    let mut file = RecordFile::replace(&path, SUBJECT, kept).unwrap();
    file.append_all([&b"more"[..], b"and more"]).unwrap();
    file.append(b"last").unwrap();
    let (_, found, cut) = open(&path);
    let expected = [&bodies[1][..], b"new", b"more", b"and more", b"last"];
    assert!(cut.is_none() && found.iter().map(|record| &record.1[..]).eq(expected));
    assert_eq!(file.length(), fs::metadata(&path).unwrap().len());
    // A failed replacement does not change the file.
    let too_long = vec![0; (256 << 20) + 1];
    assert!(matches!(file.append_all([&b"1"[..], &too_long]), Err(DiskError::TooLong { .. })));
    let replaced = RecordFile::replace(&path, SUBJECT, [&too_long[..]]);
    assert!(matches!(replaced, Err(DiskError::TooLong { .. })));
    assert_eq!(open(&path).1.len(), expected.len());
}

#[test]
fn moved_record_is_rejected() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (_, at) = three(&path);
    let mut whole = fs::read(&path).unwrap();
    let third = whole[at[2] as usize..].to_vec();
    whole.extend(third);
    fs::write(&path, &whole).unwrap();
    let (_, found, cut) = open(&path);
    assert_eq!(found.len(), 3);
    let cut = cut.unwrap();
    assert_eq!(cut.offset, at[3]);
    assert!(matches!(cut.reason, DiskError::Checksum { part: "head", .. }), "{:?}", cut.reason);
}

#[test]
fn file_of_another_subject_is_emptied() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    three(&path);
    let (_, found, cut) = open(&path);
    assert!(found.len() == 3 && cut.is_none());
    let other = B256::repeat_byte(0x52);
    let (_, cut) = RecordFile::open(&path, other, |_, _| panic!("nothing is handed over")).unwrap();
    let CutOff { offset, reason, .. } = cut.unwrap();
    assert_eq!(offset, 0);
    assert!(
        matches!(reason, DiskError::OtherSubject { got, expected, .. }
            if got == SUBJECT && expected == other),
        "{reason:?}"
    );
    let (_, found, cut) = open(&path);
    assert!(found.is_empty() && cut.is_some());
}

#[test]
fn refused_record_is_truncated_with_all_later_ones() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("records");
    let (bodies, at) = three(&path);
    let refuse = |begin, _: &Bytes| {
        if begin == at[1] { Err(DiskError::malformed("a record", "none of ours")) } else { Ok(()) }
    };
    let (_, cut) = RecordFile::open(&path, SUBJECT, refuse).unwrap();
    assert_eq!(cut.map(|cut| (cut.offset, cut.bytes)), Some((at[1], at[3] - at[1])));
    let (mut file, found, cut) = open(&path);
    assert!(
        cut.is_none() && found.into_iter().map(|record| record.1).eq(bodies[..1].iter().cloned())
    );
    // The caller can also truncate the file.
    file.append(b"more").unwrap();
    file.cut_back(at[1]).unwrap();
    assert_eq!(open(&path).1.len(), 1);
}

#[test]
fn full_disk_is_an_error() {
    let opened = RecordFile::open(Path::new("/dev/full"), SUBJECT, |_, _| Ok(()));
    assert!(matches!(opened, Err(DiskError::Io { .. })), "{opened:?}");
}
