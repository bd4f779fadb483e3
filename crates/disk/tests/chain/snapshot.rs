//! A chain that starts from a snapshot continues like the exported chain, and forged snapshots are
//! rejected.

use crate::twin::{CONTRACT, Twin, child, config, files, genesis, open, random};
use alloy_primitives::{B256, U256, keccak256};
use chain::ChainError;
use enshrine_disk::{
    DiskError,
    snapshot::{Snapshot, SnapshotError, export},
};
use std::{fs, path::Path};
use tempfile::tempdir;

fn first() -> B256 {
    Twin::new().chain.head().hash
}

/// A chain of six blocks on disk with its twin, and a snapshot of the sixth.
fn taken(folder: &Path) -> (Twin, Vec<u8>) {
    let mut twin = Twin::new();
    let mut chain = open(folder).unwrap();
    twin.grow(6, 0, &mut [&mut chain]);
    let head = std::sync::Arc::clone(chain.head());
    // Later blocks are not part of the snapshot.
    let next = child(&chain, 0);
    chain.append(next).unwrap();
    let mut file = Vec::new();
    let records = export(&chain, &head, first(), &mut file).unwrap();
    assert!(records > 100, "{records}");
    (twin, file)
}

fn import(file: &[u8], folder: &Path, expected: B256) -> Result<u64, SnapshotError> {
    Snapshot::open(file)?.import(folder, &genesis(), first(), &config(), expected)
}

#[test]
fn imported_chain_continues_like_exported_one() {
    let work = tempdir().unwrap();
    let (mut twin, file) = taken(&work.path().join("whole"));
    let head = twin.chain.head().hash;
    let folder = work.path().join("fresh");
    assert_eq!(Snapshot::open(&file[..]).unwrap().head().header.number, 6);
    import(&file, &folder, head).unwrap();
    let mut chain = open(&folder).unwrap();
    assert_eq!((chain.head().hash, chain.first_number()), (head, 6));
    // The head's ancestors are found by hash, for BLOCKHASH, but are not canonical blocks.
    let parent = chain.head().header.parent_hash;
    assert_eq!(chain.find_block(&parent).unwrap().unwrap().header.number, 5);
    assert_eq!(chain.canonical_hash(5).unwrap(), None);
    // Both chains append the same blocks with the same witnesses, also after reopening.
    twin.grow(4, 0, &mut [&mut chain]);
    drop(chain);
    let mut chain = open(&folder).unwrap();
    twin.grow(3, 0, &mut [&mut chain]);
    let slots: Vec<_> = (0..24).map(U256::from).collect();
    assert_eq!(
        chain.prove(chain.head(), CONTRACT, &slots).unwrap(),
        twin.chain.prove(twin.chain.head(), CONTRACT, &slots).unwrap()
    );
    assert_eq!(chain.code(CONTRACT).unwrap(), twin.chain.code(CONTRACT).unwrap());
    // A snapshot of the imported chain equals that of the full chain.
    let mut again = Vec::new();
    export(&chain, chain.head(), first(), &mut again).unwrap();
    let mut other = Vec::new();
    export(&twin.chain, twin.chain.head(), first(), &mut other).unwrap();
    assert_eq!(again, other);
    drop(chain);
    // A snapshot cannot be imported over an existing chain.
    let refused = import(&file, &folder, head).unwrap_err();
    assert!(matches!(refused, SnapshotError::Store(_)), "{refused}");
    assert_eq!(open(&folder).unwrap().head().hash, twin.chain.head().hash);
}

#[test]
fn snapshot_of_another_block_or_chain_is_rejected() {
    let work = tempdir().unwrap();
    let (twin, file) = taken(&work.path().join("whole"));
    let head = twin.chain.head().hash;
    let folder = |name: &str| work.path().join(name);
    let refused = import(&file, &folder("a"), twin.chain.head().header.parent_hash).unwrap_err();
    assert!(matches!(refused, SnapshotError::OtherBlock { number: 6, .. }), "{refused}");
    let other = Snapshot::open(&file[..]).unwrap();
    let refused = other.import(&folder("b"), &genesis(), B256::ZERO, &config(), head).unwrap_err();
    assert!(matches!(refused, SnapshotError::OtherChain { .. }), "{refused}");
    assert!(!folder("a").exists() && !folder("b").exists());
    import(&file, &folder("c"), head).unwrap();
}

/// Recomputes the checksums, like an attacker.
fn resealed(mut file: Vec<u8>) -> Vec<u8> {
    let at = file.len() - 4;
    let sum = crc32fast::hash(&file[..at]).to_be_bytes();
    file[at..].copy_from_slice(&sum);
    file
}

/// Returns the offsets and lengths of the records.
fn records(file: &[u8]) -> Vec<(usize, usize)> {
    let word = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 12 + word(8) + 4;
    let mut found = Vec::new();
    while word(at) != u32::MAX as usize {
        found.push((at + 4, word(at)));
        at += 4 + word(at);
    }
    found
}

#[test]
fn forged_nodes_and_codes_are_rejected() {
    let work = tempdir().unwrap();
    let (twin, file) = taken(&work.path().join("whole"));
    let head = twin.chain.head().hash;
    let code = keccak256(twin.chain.code(CONTRACT).unwrap());
    let mut forged_code = false;
    for (index, (at, length)) in records(&file).into_iter().enumerate() {
        let is_code = keccak256(&file[at..at + length]) == code;
        if index % 9 != 0 && !is_code {
            continue;
        }
        let mut forged = file.clone();
        forged[at + usize::try_from(random(index as u64)).unwrap_or(0) % length] ^= 1;
        let folder = work.path().join(format!("forged{index}"));
        let refused = import(&resealed(forged), &folder, head).unwrap_err();
        let SnapshotError::Hash { what, expected, .. } = refused else { panic!("{refused}") };
        assert_eq!(what == "code", is_code || what == "code");
        forged_code |= expected == code && what == "code";
        // The incomplete import is not a chain.
        fs::remove_dir_all(folder).unwrap();
    }
    assert!(forged_code);
    // One record more or fewer.
    let (at, length) = records(&file)[5];
    let without = [&file[..at - 4], &file[at + length..]].concat();
    let refused = import(&resealed(without), &work.path().join("less"), head).unwrap_err();
    assert!(matches!(refused, SnapshotError::Hash { .. }), "{refused}");
    let (at, length) = *records(&file).last().unwrap();
    let twice = [&file[..at + length], &file[at - 4..]].concat();
    let refused = import(&resealed(twice), &work.path().join("more"), head).unwrap_err();
    assert!(matches!(refused, SnapshotError::Superfluous(_)), "{refused}");
    import(&resealed(file), &work.path().join("right"), head).unwrap();
}

#[test]
fn damaged_or_truncated_snapshot_is_rejected() {
    let work = tempdir().unwrap();
    let (twin, file) = taken(&work.path().join("whole"));
    let head = twin.chain.head().hash;
    let folder = work.path().join("damaged");
    let refuse = |bytes: &[u8], what: &str| {
        assert!(import(bytes, &folder, head).is_err(), "{what}");
        drop(fs::remove_dir_all(&folder));
    };
    for part in 0..40 {
        let at = file.len() * part / 40;
        refuse(&file[..at], &format!("cut at {at}"));
        let mut flipped = file.clone();
        let seed = usize::try_from(random(part as u64) >> 8).unwrap();
        flipped[seed % file.len()] ^= 1 << (part % 8);
        refuse(&flipped, &format!("flipped at {}", seed % file.len()));
    }
    refuse(&[&file[..], &[0]].concat(), "a byte more");
    assert!(matches!(Snapshot::open(&file[..10]), Err(SnapshotError::Truncated(_))));
    let other = [b"ENSHSNP\x02", &file[8..]].concat();
    assert!(matches!(Snapshot::open(&other[..]), Err(SnapshotError::NotASnapshot(_))));
    // A forged length does not cause an allocation.
    let long = [&file[..8], &[0xff; 4], &file[12..]].concat();
    assert!(matches!(Snapshot::open(&long[..]), Err(SnapshotError::TooLong { .. })));
    import(&file, &folder, head).unwrap();
}

#[test]
fn damaged_snapshot_state_is_not_rebuilt_from_log() {
    let work = tempdir().unwrap();
    let (twin, file) = taken(&work.path().join("whole"));
    let folder = work.path().join("fresh");
    import(&file, &folder, twin.chain.head().hash).unwrap();
    for path in files(&folder.join("state")) {
        fs::remove_file(path).unwrap();
    }
    let refused = open(&folder).unwrap_err();
    let ChainError::Store(fault) = &refused else { panic!("{refused}") };
    let fault = fault.fault().downcast_ref::<DiskError>().unwrap();
    assert!(matches!(fault, DiskError::FromSnapshot { .. }), "{refused}");
}
