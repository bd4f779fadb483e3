use super::*;
use alloy_consensus::Header;
use alloy_primitives::FixedBytes;
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use preconf::{Domain, Preconfirmation};
use std::{fs, path::Path};
use wire::SchemaId;

mod capacity;

pub(in crate::watch) const ROLLUP: Address = Address::repeat_byte(0xa0);
pub(in crate::watch) const DOMAIN: Domain =
    Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };
const NUMBER: u64 = 7;
const PARENT: B256 = B256::repeat_byte(1);

fn transactions(letters: &str) -> Vec<Bytes> {
    letters.bytes().map(|letter| vec![letter; 40].into()).collect()
}

/// Returns an update of a prefix with these transactions, which contains those from `first` on.
fn update(parent: B256, letters: &str, first: usize, is_sealed: bool) -> PrefixUpdate {
    update_of(NUMBER, parent, &transactions(letters), first, is_sealed)
}

pub(in crate::watch) fn update_of(
    number: u64,
    parent: B256,
    list: &[Bytes],
    first: usize,
    is_sealed: bool,
) -> PrefixUpdate {
    let put = |raw: &Bytes, out: &mut Vec<u8>| out.extend_from_slice(raw);
    let header = Header {
        parent_hash: parent,
        number,
        transactions_root: ordered_trie_root_with_encoder(list, put),
        base_fee_per_gas: Some(7),
        withdrawals_root: Some(B256::ZERO),
        ..Header::default()
    };
    let message = Preconfirmation {
        rollup: ROLLUP,
        block_hash: header.hash_slow(),
        schema: SchemaId::OSAKA,
        is_sealed,
        l1_block: 0,
        l1_hash: B256::ZERO,
    };
    PrefixUpdate {
        message,
        signature: signature(&message),
        header: alloy_rlp::encode(&header).into(),
        first: first as u32,
        transactions: list[first..].to_vec(),
        tip: 0,
        floor: 0,
    }
}

/// Of the blocks on which promises of the tests depend, L1's chain has only this one.
fn is_on_l1(number: u64, hash: B256) -> bool {
    (number, hash) == (1, B256::repeat_byte(1))
}

/// Returns the update with a promise that depends on an L1 block.
fn on_condition(update: PrefixUpdate, l1_block: u64, l1_hash: B256) -> PrefixUpdate {
    let message = Preconfirmation { l1_block, l1_hash, ..update.message };
    PrefixUpdate { message, signature: signature(&message), ..update }
}

fn signature(message: &Preconfirmation) -> FixedBytes<65> {
    let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    key.sign_hash_sync(&message.digest(&DOMAIN)).unwrap().as_bytes().into()
}

/// Returns a message about a sealed block.
pub(in crate::watch) fn watched() -> Arc<Watched> {
    let mut book = Book::default();
    keep(&mut book, &update(PARENT, "a", 0, true)).unwrap();
    Arc::clone(&book.parents[&(NUMBER, PARENT)].all[0])
}

impl Book {
    pub(in crate::watch) fn unchecked_len(&self) -> usize {
        self.unchecked.len()
    }
}

fn keep(book: &mut Book, update: &PrefixUpdate) -> Result<bool, NotStored> {
    let header = HeaderSummary::read(&update.header).unwrap();
    let signer = update.message.signer(&DOMAIN, update.signature.as_slice()).unwrap();
    book.keep(update, header, signer, header.parent == PARENT, &is_on_l1)
}

/// Returns the lengths of the stored blocks.
fn lengths(book: &Book) -> Vec<usize> {
    let all = book.parents.values().flat_map(|parent| &parent.all);
    let length = |watched: &Arc<Watched>| match &watched.body {
        Body::Own(all) => all.len(),
        Body::InBlock { count, .. } => *count,
    };
    all.map(length).collect()
}

#[test]
fn longest_prefix_and_sealed_block_are_kept() {
    let mut book = Book::default();
    for (letters, first) in [("", 0), ("a", 0), ("abc", 1)] {
        assert_eq!(keep(&mut book, &update(PARENT, letters, first, false)), Ok(true));
    }
    assert_eq!(keep(&mut book, &update(PARENT, "abc", 3, false)), Ok(false), "known");
    assert_eq!(keep(&mut book, &update(PARENT, "abcd", 3, true)), Ok(true));
    assert_eq!(lengths(&book), [3, 4]);
    assert!(book.conflicting().is_empty());
    // Once L1 includes the block, its prefix adds no evidence, and the chain has the transactions.
    let hash = update(PARENT, "abcd", 0, true).message.block_hash;
    let before = book.bytes();
    book.on_checked(&(NUMBER, PARENT), hash);
    assert_eq!(lengths(&book), [4]);
    assert!(book.bytes() < before / 2);
    assert!(book.to_check(NUMBER, |_| Some(hash)).is_empty());
    assert_eq!(book.to_check(NUMBER, |_| Some(PARENT)).len(), 1, "after an L1 reorg");
}

#[test]
fn conflicting_messages_are_found() {
    for (other, is_sealed) in [("b", false), ("a", true), ("ac", false), ("abcd", true)] {
        let mut book = Book::default();
        keep(&mut book, &update(PARENT, "ab", 0, false)).unwrap();
        keep(&mut book, &update(PARENT, "abc", 2, true)).unwrap();
        assert!(book.conflicting().is_empty());
        keep(&mut book, &update(PARENT, other, 0, is_sealed)).unwrap();
        assert_eq!(book.conflicting().len(), 1, "{other}");
    }
}

#[test]
fn dropped_places_never_hide_later_conflicts() {
    let mut book = Book::default();
    let place = (NUMBER, PARENT);
    for _ in 0..2 {
        for letters in ["a", "b"] {
            keep(&mut book, &update(PARENT, letters, 0, true)).unwrap();
        }
        assert_eq!(book.conflicting().len(), 1);
        book.settle_conflict(&place, true);
        book.forget_before(NUMBER + 1);
        book.recheck_doubtful();
        assert!(book.conflicts.is_empty(), "nothing would settle it");
    }
    // Even if there are more of them than are checked at once.
    let missing = (0..=MAX_CHECKED as u64).map(|number| (number, B256::ZERO));
    book.conflicts.extend(missing.filter(|key| key.0 != NUMBER));
    for letters in ["a", "b"] {
        keep(&mut book, &update(B256::repeat_byte(9), letters, 0, true)).unwrap();
    }
    assert_eq!(book.conflicting().len(), 1);
}

#[test]
fn evidence_that_is_not_held_is_reopened() {
    let mut book = Book::default();
    let signed = update(PARENT, "a", 0, true);
    let hash = signed.message.block_hash;
    keep(&mut book, &signed).unwrap();
    keep(&mut book, &update(PARENT, "b", 0, true)).unwrap();
    book.unchecked.clear();
    book.settle_conflict(&(NUMBER, PARENT), false);
    book.on_checked(&(NUMBER, PARENT), hash);
    let is_open = |book: &mut Book| {
        book.recheck_doubtful();
        let is_broken = !book.to_check(NUMBER, |_| Some(hash)).is_empty();
        (!book.conflicting().is_empty(), is_broken, !book.unchecked.is_empty())
    };
    assert_eq!(is_open(&mut book), (false, false, false));
    for (fault, expected) in [
        (Fault::Late, (false, false, false)),
        (Fault::Equivocation, (true, false, false)),
        (Fault::Broken, (true, true, false)),
        (Fault::Lie, (true, true, true)),
    ] {
        book.reopen(fault, NUMBER, hash);
        assert_eq!(is_open(&mut book), expected);
    }
}

#[test]
fn registered_signer_is_checked_again() {
    let mut book = Book::default();
    let hash = update(PARENT, "a", 0, true).message.block_hash;
    for letters in ["a", "b"] {
        keep(&mut book, &update(PARENT, letters, 0, true)).unwrap();
    }
    book.settle_conflict(&(NUMBER, PARENT), false);
    book.on_checked(&(NUMBER, PARENT), hash);
    assert!(book.conflicting().is_empty());
    assert!(book.to_check(NUMBER, |_| Some(hash)).is_empty());
    book.recheck_all();
    assert_eq!(book.conflicting().len(), 1);
    assert_eq!(book.to_check(NUMBER, |_| Some(hash)).len(), 1);
}

#[test]
fn updates_need_their_transactions() {
    let mut book = Book::default();
    let gap = keep(&mut book, &update(PARENT, "ab", 1, false));
    assert_eq!(gap, Err(NotStored::Gap { first: 1, known: 0 }));
    keep(&mut book, &update(PARENT, "a", 0, false)).unwrap();
    assert_eq!(keep(&mut book, &update(PARENT, "ab", 1, false)), Ok(true));
    let mut other = update(PARENT, "abc", 0, false);
    other.transactions.pop();
    assert_eq!(keep(&mut book, &other), Err(NotStored::Garbage));
    // None of these parents is in the chain, so the number of them is limited.
    let foreign = |index: u8| update(B256::repeat_byte(index), "a", 0, false);
    for index in 2..20 {
        let expected = if index < 9 { Ok(true) } else { Err(NotStored::Garbage) };
        assert_eq!(keep(&mut book, &foreign(index)), expected, "{index}");
    }
}

fn open(path: &Path) -> Book {
    let (file, all) = WatchFile::open(path, ROLLUP, &DOMAIN).unwrap();
    Book::restored(file, all)
}

#[test]
fn void_copies_never_displace_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watched");
    let sealed = update(PARENT, "ab", 0, true);
    let on_l1 = on_condition(update(PARENT, "a", 0, true), 1, B256::repeat_byte(1));
    let mut book = open(&path);
    keep(&mut book, &sealed).unwrap();
    keep(&mut book, &on_l1).unwrap();
    for index in 0..40 {
        let void = on_condition(sealed.clone(), 2 + index, B256::repeat_byte(2));
        keep(&mut book, &void).unwrap();
    }
    let require_both = |book: &Book, count| {
        let all: Vec<_> = book.parents[&(NUMBER, PARENT)].all.iter().collect();
        assert_eq!(all.len(), count);
        for update in [&sealed, &on_l1] {
            assert!(all.iter().any(|watched| watched.signed.message == update.message), "{count}");
        }
    };
    require_both(&book, MAX_FOR_PARENT);
    drop(book);
    let mut book = open(&path);
    book.trim(&is_on_l1);
    require_both(&book, MAX_FOR_PARENT);
}

#[test]
fn foreign_parents_never_displace_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watched");
    let mut book = open(&path);
    let lie = update(PARENT, "a", 0, true);
    keep(&mut book, &lie).unwrap();
    let foreign = |number: u64, byte: u8, len: usize| {
        update_of(number, B256::repeat_byte(byte), &[vec![7; len].into()], 0, true)
    };
    // More than are checked at once, and larger than the limit.
    for number in 0..MAX_UNCHECKED as u64 / 4 {
        for byte in 2..8 {
            let len = if number < 8 { MAX_BLOCK_BYTES / 2 } else { 1 };
            keep(&mut book, &foreign(NUMBER + 1 + number, byte, len)).unwrap();
        }
    }
    let is_foreign = |(place, _): &(&Place, &Parent)| place.1 != PARENT;
    let bytes = |book: &Book| -> usize {
        book.parents.iter().filter(is_foreign).map(|(_, parent)| parent.bytes()).sum()
    };
    assert!((1..=MAX_ORPHAN_BYTES).contains(&bytes(&book)), "{}", bytes(&book));
    assert!(book.parents.contains_key(&(NUMBER, PARENT)));
    assert!(book.unchecked.iter().any(|entry| entry.watched.signed.message == lie.message));
    assert_eq!(book.unchecked.len(), MAX_UNCHECKED);
    drop(book);
    let mut book = open(&path);
    book.check_unknown(|hash| *hash == PARENT);
    assert!((1..=MAX_ORPHAN_BYTES).contains(&bytes(&book)), "{}", bytes(&book));
    assert!(book.parents.contains_key(&(NUMBER, PARENT)));
    // Blocks in the chain are not limited.
    book.find_parents(|_| true);
    assert!(book.parents.values().all(|parent| !parent.is_orphan));
    // Even if its parent cannot be found later.
    let (place, number) = book.parents.keys().map(|place| (*place, place.0)).next_back().unwrap();
    let more = update_of(number, place.1, &transactions("z"), 0, true);
    assert_eq!(keep(&mut book, &more), Ok(true));
    assert!(!book.parents[&place].is_orphan);
}

#[test]
fn blocks_longer_than_blobs_are_refused() {
    let mut book = Book::default();
    let long = |len: usize| update_of(NUMBER, PARENT, &[vec![7; len].into()], 0, true);
    assert_eq!(keep(&mut book, &long(MAX_BLOCK_BYTES + 1)), Err(NotStored::Garbage));
    assert_eq!(keep(&mut book, &long(MAX_BLOCK_BYTES)), Ok(true));
}

#[test]
fn messages_survive_restarts_and_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watched");
    let mut book = open(&path);
    let all = [("a", 0, false), ("abc", 1, false), ("abcd", 3, true), ("x", 0, false)];
    for (letters, first, is_sealed) in all {
        keep(&mut book, &update(PARENT, letters, first, is_sealed)).unwrap();
    }
    drop(book);
    let mut book = open(&path);
    assert_eq!((lengths(&book), book.conflicting().len()), (vec![3, 4, 1], 1));
    // The rewritten file only has the stored messages.
    let file = book.file.as_mut().unwrap();
    file.rewrite(book.parents.values().flat_map(|parent| &parent.all));
    drop(book);
    let whole = fs::read(&path).unwrap();
    assert_eq!(lengths(&open(&path)), [3, 4, 1]);
    for at in (0..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x40;
        fs::write(&path, &flipped).unwrap();
        let stored = lengths(&open(&path));
        assert!([3, 4, 1].starts_with(&stored), "{at}: {stored:?}");
    }
}
