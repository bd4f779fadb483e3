use super::*;
use std::{fs::File, io};

/// A file with room for a limited number of further bytes.
#[derive(Debug)]
struct Full {
    file: File,
    room: usize,
    can_undo: bool,
}

impl LogFile for Full {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let room = self.room.min(bytes.len());
        LogFile::write_at(&mut self.file, offset, &bytes[..room])?;
        self.room -= room;
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.can_undo { self.file.truncate(length) } else { Err(io::Error::other("no undo")) }
    }
}

#[test]
fn full_disk_leaves_record_file_usable() {
    let whole = 16 + 100;
    for room in 0..=whole {
        for can_undo in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("records");
            let (mut records, _) = RecordFile::open(&path, B256::ZERO, |_, _| Ok(())).unwrap();
            records.append(&[1; 40]).unwrap();
            let before = std::fs::read(&path).unwrap();
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            records.file = Box::new(Full { file, room, can_undo });
            let written = records.append(&[2; 100]);
            assert_eq!(written.is_ok(), room == whole, "{room}");
            if room == whole {
                continue;
            }
            assert!(matches!(written, Err(DiskError::Io { .. })), "{written:?}");
            if can_undo {
                assert_eq!(std::fs::read(&path).unwrap(), before);
            }
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            records.file = Box::new(file);
            let again = records.append(&[3; 7]);
            assert_eq!(again.is_ok(), can_undo);
            // A record that could not be undone is truncated on reopening.
            let mut found = Vec::new();
            RecordFile::open(&path, B256::ZERO, |_, body| {
                found.push(body.len());
                Ok(())
            })
            .unwrap();
            assert_eq!(found, if can_undo { vec![40, 7] } else { vec![40] });
        }
    }
}
