use super::*;
use crate::frame::MAX_BODY;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tempfile::tempdir;

const GENESIS: B256 = B256::repeat_byte(0x11);

fn open_at(folder: &Path, applied: Position) -> Result<OpenedLog, DiskError> {
    BlockLog::open(folder, GENESIS, 1 << 20, applied, None)
}

fn open(folder: &Path) -> Result<OpenedLog, DiskError> {
    open_at(folder, Position::start_of(0))
}

fn bodies(folder: &Path, records: &VecDeque<Position>) -> Vec<Vec<u8>> {
    records.iter().map(|position| read_record(folder, GENESIS, *position).unwrap()).collect()
}

/// A log of three records: its folder, its content, the boundaries and the bodies of the records.
fn three() -> (tempfile::TempDir, Vec<u8>, [u64; 4], Vec<Vec<u8>>) {
    let folder = tempdir().unwrap();
    let mut log = open(folder.path()).unwrap().log;
    // Zeros inside and at the end of a body must not be taken for a torn record.
    let bodies = vec![vec![7; 40], [vec![1; 20], vec![0; 30]].concat(), vec![0; 25]];
    let starts: Vec<_> = bodies.iter().map(|body| log.append(body).unwrap().offset).collect();
    let file = fs::read(segment_path(folder.path(), 0)).unwrap();
    let ends = [starts[0], starts[1], starts[2], file.len() as u64];
    (folder, file, ends, bodies)
}

#[test]
fn log_returns_appended_records() {
    let (folder, _, ends, expected) = three();
    let OpenedLog { log, records, torn } = open(folder.path()).unwrap();
    assert_eq!((bodies(folder.path(), &records), torn), (expected.clone(), None));
    assert_eq!(log.end().offset, ends[3]);
    // From the second record on.
    let opened = open_at(folder.path(), records[1]).unwrap();
    assert_eq!(bodies(folder.path(), &opened.records), expected[1..]);
    let opened = open_at(folder.path(), log.end()).unwrap();
    assert!(opened.records.is_empty());
}

#[test]
fn torn_record_is_truncated_and_overwritten() {
    let (folder, file, ends, expected) = three();
    let path = segment_path(folder.path(), 0);
    for cut in ends[2]..ends[3] {
        for zeros in [0, 1, file.len() - usize::try_from(cut).unwrap(), 5_000, 20_000] {
            let mut torn = file[..usize::try_from(cut).unwrap()].to_vec();
            torn.resize(torn.len() + zeros, 0);
            fs::write(&path, &torn).unwrap();
            let OpenedLog { mut log, records, torn: tail } = open(folder.path()).unwrap();
            let bytes = torn.len() as u64 - ends[2];
            let position = Position { segment: 0, offset: ends[2] };
            assert_eq!(tail, (bytes > 0).then_some(TornTail { position, bytes }), "{cut}, {zeros}");
            assert_eq!(bodies(folder.path(), &records), expected[..2]);
            log.append(&expected[2]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), file);
        }
    }
}

#[test]
fn any_flipped_bit_is_an_error() {
    let (folder, file, ends, expected) = three();
    let path = segment_path(folder.path(), 0);
    let last = Position { segment: 0, offset: ends[3] };
    for byte in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[byte] ^= 1 << bit;
            fs::write(&path, &flipped).unwrap();
            let refused = open(folder.path()).unwrap_err();
            let record = ends[..3].iter().rposition(|start| *start <= byte as u64);
            let at = match refused {
                DiskError::NotALog { .. } | DiskError::OtherChain { .. } => None,
                DiskError::Checksum { offset, got, expected, .. }
                | DiskError::EndMark { offset, got, expected, .. } => {
                    assert_ne!(got, expected);
                    Some(offset)
                }
                error => panic!("byte {byte}, bit {bit}: {error}"),
            };
            assert_eq!(at, record.map(|record| ends[record]), "byte {byte}, bit {bit}");
            assert_eq!(fs::read(&path).unwrap(), flipped, "nothing is cut off");
            // Records that have been applied are checked when they are read.
            let opened = open_at(folder.path(), last);
            assert_eq!(opened.is_ok(), record.is_some());
            for (index, expected) in expected.iter().enumerate() {
                let position = Position { segment: 0, offset: ends[index] };
                match read_record(folder.path(), GENESIS, position) {
                    Ok(body) => assert!(body == *expected && record.is_some_and(|at| at != index)),
                    Err(_) => assert!(record.is_none_or(|at| at == index)),
                }
            }
        }
    }
}

/// Returns pseudorandom bytes.
fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 8_079_u64;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A log with a record of each of these bodies: its folder, its content, and the boundaries of the
/// records.
fn log_of(bodies: &[Vec<u8>]) -> (tempfile::TempDir, Vec<u8>, Vec<usize>) {
    let folder = tempdir().unwrap();
    let mut log = open(folder.path()).unwrap().log;
    let mut ends: Vec<_> =
        bodies.iter().map(|body| log.append(body).unwrap().offset as usize).collect();
    ends.push(log.end().offset as usize);
    let file = fs::read(segment_path(folder.path(), 0)).unwrap();
    (folder, file, ends)
}

/// Parts of a file in this range, divided at multiples of `size`.
fn parts(range: std::ops::Range<usize>, size: usize) -> Vec<std::ops::Range<usize>> {
    let parts = range.start / size..range.end.div_ceil(size);
    parts.map(|part| (part * size).max(range.start)..((part + 1) * size).min(range.end)).collect()
}

#[test]
fn last_record_without_some_sectors_is_truncated() {
    // The last record begins at different offsets in a sector, and its head may be in two.
    for first in (430..450).chain([0, 100, 300]) {
        let bodies = [random_bytes(first), random_bytes(1_900)];
        let (folder, file, ends) = log_of(&bodies);
        let path = segment_path(folder.path(), 0);
        let position = Position { segment: 0, offset: ends[1] as u64 };
        let sectors = parts(ends[1]..ends[2], 512);
        for lost in 1_u32..1 << sectors.len() {
            let mut torn = file.clone();
            for (_, sector) in
                sectors.iter().enumerate().filter(|(index, _)| lost >> index & 1 == 1)
            {
                torn[sector.clone()].fill(0);
            }
            fs::write(&path, &torn).unwrap();
            let OpenedLog { mut log, records, torn: tail } = open(folder.path()).unwrap();
            if torn == file {
                assert_eq!((records.len(), tail), (2, None));
                continue;
            }
            let bytes = (ends[2] - ends[1]) as u64;
            assert_eq!(tail, Some(TornTail { position, bytes }), "{first}, {lost:b}");
            assert_eq!(records, [Position::start_of(0)]);
            log.append(&bodies[1]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), file);
        }
    }
}

#[test]
fn long_last_record_without_a_page_is_truncated() {
    let (folder, file, ends) = log_of(&[random_bytes(3_000), random_bytes(100_000)]);
    for part in parts(ends[1]..ends[2], 4_096) {
        let mut torn = file.clone();
        torn[part.clone()].fill(0);
        fs::write(segment_path(folder.path(), 0), &torn).unwrap();
        assert!(BlockLog::check(folder.path(), GENESIS).is_ok(), "{part:?}");
        let opened = open(folder.path()).unwrap();
        assert_eq!((opened.records.len(), opened.torn.is_some()), (1, true), "{part:?}");
    }
}

#[test]
fn synced_record_without_a_sector_is_an_error() {
    let bodies = [random_bytes(1_400), vec![0; 1_500], random_bytes(1_400), random_bytes(2_000)];
    let (folder, file, ends) = log_of(&bodies);
    let path = segment_path(folder.path(), 0);
    for part in parts(SEGMENT_HEAD..ends[3], 512) {
        let mut damaged = file.clone();
        damaged[part.clone()].fill(0);
        fs::write(&path, &damaged).unwrap();
        if damaged == file {
            assert_eq!(open(folder.path()).unwrap().records.len(), 4);
            continue;
        }
        let refused = open(folder.path()).unwrap_err();
        let is_named = matches!(refused, DiskError::Checksum { .. } | DiskError::EndMark { .. });
        assert!(is_named, "{part:?}: {refused}");
        assert!(BlockLog::check(folder.path(), GENESIS).is_err());
        assert_eq!(fs::read(&path).unwrap(), damaged, "nothing is cut off");
    }
}

#[test]
fn flipped_bit_beside_zero_sectors_is_an_error() {
    let body = [random_bytes(700), vec![0; 1_100], random_bytes(300)].concat();
    // The head's first bytes are zero, and the only ones in their sector.
    for first in [100, 442, 443] {
        let (folder, file, ends) = log_of(&[random_bytes(first), body.clone()]);
        let path = segment_path(folder.path(), 0);
        let head = 8 * ends[1]..8 * (ends[1] + 12);
        for bit in head.chain((8 * ends[1]..8 * ends[2]).step_by(7)) {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            let opened = open(folder.path());
            assert!(opened.is_err(), "{first}, bit {bit}");
        }
        fs::write(&path, &file).unwrap();
        assert_eq!(open(folder.path()).unwrap().records.len(), 2);
    }
}

#[test]
fn moved_record_is_rejected() {
    let (folder, file, ends, _) = three();
    let [start, end] = [ends[0], ends[1]].map(|at| usize::try_from(at).unwrap());
    let moved = [&file[..], &file[start..end]].concat();
    fs::write(segment_path(folder.path(), 0), moved).unwrap();
    let refused = open(folder.path()).unwrap_err();
    assert!(
        matches!(refused, DiskError::Checksum { part: "head", offset, .. } if offset == ends[3])
    );
}

#[test]
fn excessive_record_length_is_rejected() {
    let (folder, mut file, ends, _) = three();
    let position = Position { segment: 0, offset: ends[3] };
    let length = u32::try_from(MAX_BODY + 1).unwrap();
    file.extend(length.to_be_bytes());
    file.extend([9; 4]);
    file.extend(crate::frame::head_sum(position, length, 0x0909_0909).to_be_bytes());
    file.extend([1; 10]);
    fs::write(segment_path(folder.path(), 0), file).unwrap();
    let refused = open(folder.path()).unwrap_err();
    let expected = (MAX_BODY + 1, MAX_BODY);
    assert!(matches!(refused, DiskError::TooLong { got, limit } if (got, limit) == expected));
    // Such a record is not written either; a record of maximum length is.
    let body = vec![0; usize::try_from(MAX_BODY + 1).unwrap()];
    assert!(matches!(head(position, &body), Err(DiskError::TooLong { .. })));
    assert!(head(position, &body[1..]).is_ok());
}

#[test]
fn segments_are_contiguous_and_oldest_can_be_removed() {
    let folder = tempdir().unwrap();
    let open = |at| BlockLog::open(folder.path(), GENESIS, 100, at, None);
    let mut log = open(Position::start_of(0)).unwrap().log;
    let positions: Vec<_> = (0..6).map(|body| log.append(&[body; 30]).unwrap()).collect();
    let segments: Vec<_> = positions.iter().map(|position| position.segment).collect();
    assert_eq!(segments, [0, 0, 1, 1, 2, 2]);
    drop(log);
    let OpenedLog { mut log, records, .. } = open(Position::start_of(0)).unwrap();
    assert_eq!(records, positions);
    log.remove_segments_before(positions[3]).unwrap();
    assert_eq!(log.first(), 1);
    assert!(read_record(folder.path(), GENESIS, positions[1]).is_err());
    assert_eq!(read_record(folder.path(), GENESIS, positions[2]).unwrap(), [2; 30]);
    // The last segment is never removed.
    log.remove_segments_before(Position::start_of(9)).unwrap();
    assert_eq!((log.first(), log.append(&[6; 30]).unwrap().segment), (2, 3));
    drop(log);
    assert_eq!(open(positions[4]).unwrap().records.len(), 3);
    let refused = open(positions[3]).unwrap_err();
    assert!(matches!(refused, DiskError::MissingSegment { segment: 1, .. }));
    // Only the last segment can have a torn end: in the others, later records were acknowledged.
    let path = segment_path(folder.path(), 2);
    let file = fs::read(&path).unwrap();
    fs::write(&path, &file[..file.len() - 1]).unwrap();
    let refused = open(positions[4]).unwrap_err();
    let expected = 30 + OVERHEAD;
    assert!(matches!(refused, DiskError::CutShort { got, expected: needs, .. }
        if (got, needs) == (expected - 1, expected)));
}

#[test]
fn segment_with_unwritten_head_is_recreated() {
    let folder = tempdir().unwrap();
    let position = {
        let mut log = open(folder.path()).unwrap().log;
        log.append(&[1; 30]).unwrap();
        log.end()
    };
    let path = segment_path(folder.path(), 1);
    let head = segment_head(GENESIS, 1);
    for length in 0..SEGMENT_HEAD {
        for file in [head[..length].to_vec(), vec![0; SEGMENT_HEAD]] {
            fs::write(&path, file).unwrap();
            let OpenedLog { mut log, records, .. } = open_at(folder.path(), position).unwrap();
            assert!(records.is_empty());
            assert_eq!(log.append(&[2; 30]).unwrap(), Position::start_of(1));
            assert_eq!(open_at(folder.path(), position).unwrap().records.len(), 1);
        }
    }
}

#[test]
fn log_of_another_chain_is_rejected() {
    let (folder, ..) = three();
    let other = B256::repeat_byte(0x22);
    let refused =
        BlockLog::open(folder.path(), other, 1 << 20, Position::start_of(0), None).unwrap_err();
    assert!(matches!(refused, DiskError::OtherChain { got, expected, .. }
        if (got, expected) == (GENESIS, other)));
}

/// A file on a disk with limited space, which the test can change.
#[derive(Debug)]
struct Small {
    file: File,
    room: Arc<AtomicU64>,
    can_undo: bool,
    can_sync: bool,
}

impl LogFile for Small {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.room.load(Ordering::Relaxed)).unwrap().min(bytes.len());
        LogFile::write_at(&mut self.file, offset, &bytes[..room])?;
        self.room.fetch_sub(room as u64, Ordering::Relaxed);
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.can_sync { self.file.sync() } else { Err(io::Error::other("sync failed")) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.can_undo { self.file.truncate(length) } else { Err(io::Error::other("no undo")) }
    }
}

/// A log of three records on a disk with space for `room` more bytes.
fn small(
    room: u64,
    can_undo: bool,
    can_sync: bool,
) -> (tempfile::TempDir, BlockLog, Arc<AtomicU64>) {
    let (folder, ..) = three();
    let mut log = open(folder.path()).unwrap().log;
    let path = segment_path(folder.path(), 0);
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let room = Arc::new(AtomicU64::new(room));
    log.file = Box::new(Small { file, room: Arc::clone(&room), can_undo, can_sync });
    (folder, log, room)
}

#[test]
fn full_disk_leaves_log_usable() {
    let body = [5; 33];
    let needs = 33 + OVERHEAD;
    for room in 0..=needs {
        let (folder, mut log, left) = small(room, true, true);
        let end = log.end();
        match log.append(&body) {
            Ok(position) => assert!(room == needs && position == end),
            Err(DiskError::Io { source, .. }) => {
                assert!(room < needs && source.kind() == io::ErrorKind::StorageFull);
                assert_eq!((log.end(), open(folder.path()).unwrap().records.len()), (end, 3));
                left.store(needs, Ordering::Relaxed);
                assert_eq!(log.append(&body).unwrap(), end);
            }
            Err(error) => panic!("{error}"),
        }
        let OpenedLog { records, torn, .. } = open(folder.path()).unwrap();
        assert_eq!((records.len(), torn), (4, None));
        assert_eq!(read_record(folder.path(), GENESIS, records[3]).unwrap(), body);
    }
}

#[test]
fn failed_undo_or_sync_makes_log_unusable() {
    for (room, can_undo, can_sync) in [(10, false, true), (1_000, true, false)] {
        let (folder, mut log, left) = small(room, can_undo, can_sync);
        assert!(matches!(log.append(&[5; 33]), Err(DiskError::Io { .. })));
        left.store(1_000, Ordering::Relaxed);
        assert!(matches!(log.append(&[5; 33]), Err(DiskError::Unusable(_))));
        // After reopening, the log is usable: an unacknowledged record is complete or gone.
        let mut opened = open(folder.path()).unwrap();
        assert_eq!(opened.records.len(), if can_sync { 3 } else { 4 });
        opened.log.append(&[6; 33]).unwrap();
    }
}
