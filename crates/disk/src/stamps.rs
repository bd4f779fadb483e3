//! Completeness check of the state store: each keyspace contains the numbers of the last batches.
//!
//! Each keyspace writes its tables independently, and the journals contain the rest. If a journal
//! or the tables of one keyspace are lost, the store still opens, and look-ups silently miss data.
//! Therefore each batch writes its number into every keyspace, in a ring buffer of [`RING`] slots,
//! and opening the store checks that every keyspace has all of the last numbers.

use crate::DiskError;
use fjall::{Keyspace, OwnedWriteBatch};

/// Number of slots in the ring buffer: more batches than the journals contain, because the
/// memtables are flushed into tables every [`FLUSH`] batches.
const RING: u64 = 4_096;
/// Number of batches after which all memtables are flushed into tables.
const FLUSH: u64 = 1_024;
/// Prefix of the keys of slots. No other key of a keyspace has the same length and prefix.
const PREFIX: [u8; 2] = [0xff, b's'];
const KEY: usize = PREFIX.len() + 2;

/// Returns `true` for the key of a slot, which iterators skip.
pub(crate) fn is_stamp(key: &[u8]) -> bool {
    key.len() == KEY && key.starts_with(&PREFIX)
}

const fn key(number: u64) -> [u8; KEY] {
    let [high, low] = ((number % RING) as u16).to_be_bytes();
    [PREFIX[0], PREFIX[1], high, low]
}

/// Writes the number of a batch into each keyspace.
pub(crate) fn put(batch: &mut OwnedWriteBatch, keyspaces: &[&Keyspace], number: u64) {
    for keyspace in keyspaces {
        batch.insert(keyspace, key(number), number.to_be_bytes());
    }
}

/// Returns `true` if the memtables must be flushed into tables after this batch.
pub(crate) const fn wants_tables(number: u64) -> bool {
    number.is_multiple_of(FLUSH)
}

/// Checks that every keyspace has the stamps of the last batches, and returns the number of the
/// last batch.
///
/// # Errors
///
/// [`DiskError::Incomplete`] if a keyspace lacks one.
pub(crate) fn check(keyspaces: &[(&'static str, &Keyspace)]) -> Result<u64, DiskError> {
    let rings = keyspaces.iter().map(|(name, keyspace)| Ok((*name, ring(keyspace)?)));
    let rings = rings.collect::<Result<Vec<_>, DiskError>>()?;
    let last = rings.iter().flat_map(|(_, ring)| ring.iter().copied().max()).max().unwrap_or(0);
    for (keyspace, ring) in rings {
        let has = |number: &u64| ring.binary_search(number).is_ok();
        let first = last.saturating_sub(RING) + 1;
        if let Some(batch) = (first..=last).find(|number| !has(number)) {
            return Err(DiskError::Incomplete { keyspace, batch, last });
        }
    }
    Ok(last)
}

/// Returns the stamps of a keyspace, ascending.
fn ring(keyspace: &Keyspace) -> Result<Vec<u64>, DiskError> {
    let mut found = Vec::new();
    for guard in keyspace.prefix(PREFIX) {
        let (key, value) = guard.into_inner()?;
        if is_stamp(&key) {
            let value = <[u8; 8]>::try_from(&value[..])
                .map_err(|_| DiskError::malformed("stamp of a batch", "not eight bytes"))?;
            found.push(u64::from_be_bytes(value));
        }
    }
    found.sort_unstable();
    Ok(found)
}
