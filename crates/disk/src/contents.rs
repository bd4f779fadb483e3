//! Checks entry counts in the state store's files before fjall relies on them.
//!
//! fjall allocates memory for the declared number of entries before it verifies checksums. One
//! flipped bit can make that gigabytes, and a failed allocation aborts the process. Therefore each
//! count is compared with the number of bytes that follow it. fjall detects all other corruption
//! itself.

use crate::DiskError;
use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

/// Length of a file's trailer in bytes: magic, version, kind of checksum, checksum, position and
/// length of the table of contents.
const TRAILER: u64 = 4 + 1 + 1 + 16 + 8 + 8;
const TRAILER_MAGIC: &[u8] = b"SFA!";
/// Offset of the position of the table of contents in the trailer.
const POSITION: usize = 22;
/// Length of the head of a table of contents in bytes: magic and number of entries.
const TABLE_HEAD: usize = 8;
const TABLE_MAGIC: &[u8] = b"TOC!";
/// Length of an entry without its name in bytes: position and length of the section, and length of
/// the name.
const ENTRY: usize = 8 + 8 + 2;
/// Sections that begin with a number of entries, and the length of such an entry in bytes.
const COUNTED: [(&[u8], u64); 2] = [(b"blob_files", 8 + 1 + 16), (b"blob_gc_stats", 8 + 4 + 8 + 8)];

/// Checks all files below a directory. A missing directory is treated as empty.
///
/// # Errors
///
/// [`DiskError::Malformed`] if a file is too short for the entries that it declares.
pub(crate) fn check(folder: &Path) -> Result<(), DiskError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(DiskError::io("list", folder))?,
    };
    for entry in entries {
        let path = entry.map_err(DiskError::io("list", folder))?.path();
        if path.is_dir() {
            check(&path)?;
        } else {
            let whole = match is_whole(&path) {
                // The file was removed since the directory was listed, or is a dangling link. fjall
                // reports it if it needs the file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                whole => whole.map_err(DiskError::io("read", &path))?,
            };
            if !whole {
                let reason = format!("{} declares more entries than it can hold", path.display());
                return Err(DiskError::malformed("table of contents", reason));
            }
        }
    }
    Ok(())
}

/// Returns `true` if the bytes after each number of entries can hold them, or if the file has no
/// table of contents.
fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let Some(end) = length.checked_sub(TRAILER) else { return Ok(true) };
    let trailer = read_at(&mut file, end, TRAILER)?;
    let position = number(&trailer, POSITION, 8);
    if !trailer.starts_with(TRAILER_MAGIC) || position.saturating_add(TABLE_HEAD as u64) > end {
        return Ok(true);
    }
    // The rest is read only if there is a table; otherwise it may be most of a large file.
    if !read_at(&mut file, position, TABLE_HEAD as u64)?.starts_with(TABLE_MAGIC) {
        return Ok(true);
    }
    let table = read_at(&mut file, position, end - position)?;
    let mut rest = &table[TABLE_HEAD..];
    for _ in 0..number(&table, 4, 4) {
        if rest.len() < ENTRY {
            return Ok(false);
        }
        let (begin, bytes) = (number(rest, 0, 8), number(rest, 8, 8));
        let named = ENTRY + number(rest, 16, 2) as usize;
        let Some(name) = rest.get(ENTRY..named) else { return Ok(false) };
        if let Some((_, size)) = COUNTED.iter().find(|(counted, _)| *counted == name) {
            // If the section lies outside the file, fjall rejects the table by its checksum.
            if bytes >= 4 && begin.checked_add(bytes).is_some_and(|behind| behind <= position) {
                let count = number(&read_at(&mut file, begin, 4)?, 0, 4);
                if count * size > bytes - 4 {
                    return Ok(false);
                }
            }
        }
        rest = &rest[named..];
    }
    Ok(true)
}

fn read_at(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Reads a little-endian number of `length` bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let bytes = &bytes[at..at + length];
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use std::path::PathBuf;

    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }

    /// Returns the offset of the table of contents, if the file has one.
    fn table_of(bytes: &[u8]) -> Option<usize> {
        let trailer = bytes.len().checked_sub(TRAILER as usize)?;
        bytes[trailer..]
            .starts_with(TRAILER_MAGIC)
            .then(|| usize::try_from(number(bytes, trailer + POSITION, 8)).unwrap())
    }

    #[test]
    fn excessive_entry_count_is_rejected() {
        let folder = tempfile::tempdir().unwrap();
        drop(State::open(folder.path(), 1 << 20).unwrap());
        check(folder.path()).unwrap();
        let (mut paths, mut tables, mut counted) = (Vec::new(), 0, 0);
        files(folder.path(), &mut paths);
        for path in paths {
            let whole = fs::read(&path).unwrap();
            let Some(table) = table_of(&whole) else { continue };
            let mut numbers = vec![table + 4];
            let mut at = table + TABLE_HEAD;
            for _ in 0..number(&whole, table + 4, 4) {
                let named = at + ENTRY + number(&whole, at + 16, 2) as usize;
                if COUNTED.iter().any(|(name, _)| *name == &whole[at + ENTRY..named]) {
                    numbers.push(usize::try_from(number(&whole, at, 8)).unwrap());
                    counted += 1;
                }
                at = named;
            }
            for number in numbers {
                for byte in number..number + 4 {
                    let mut flipped = whole.clone();
                    flipped[byte] ^= 0x40;
                    fs::write(&path, &flipped).unwrap();
                    let error = State::open(folder.path(), 1 << 20).err().unwrap();
                    assert!(matches!(error, DiskError::Malformed { .. }), "{error}");
                    assert!(error.is_state_damage(), "the store is rebuilt");
                }
            }
            fs::write(&path, &whole).unwrap();
            tables += 1;
        }
        assert!(
            tables > 0 && counted > 0,
            "{tables} tables of contents, {counted} numbers in them"
        );
        drop(State::open(folder.path(), 1 << 20).unwrap());
    }

    #[test]
    fn missing_folder_and_foreign_files_pass() {
        let folder = tempfile::tempdir().unwrap();
        check(&folder.path().join("nothing")).unwrap();
        fs::write(folder.path().join("short"), b"SFA!").unwrap();
        // A trailer that points outside the file.
        let mut trailer = TRAILER_MAGIC.to_vec();
        trailer.resize(TRAILER as usize, 0xff);
        fs::write(folder.path().join("nowhere"), trailer).unwrap();
        check(folder.path()).unwrap();
    }
}
