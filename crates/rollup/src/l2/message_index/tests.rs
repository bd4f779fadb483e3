use super::*;
use alloy_consensus::{Header, TxType};
use alloy_genesis::Genesis;
use alloy_primitives::{Address, Bytes, Log};
use chain::{Chain, ChainConfig, store::Changes};
use executor::{ChainSpec, ExecutionOutcome, Receipt};
use std::{fs, sync::Arc};
use wire::ProtocolFork;

/// Number of blocks of a chain: three records of the file, and some unsaved blocks.
const LENGTH: u64 = 3 * BLOCKS + 10;
/// Block up to which its file has records.
const SAVED: u64 = 3 * BLOCKS - 1;

fn chain_of(timestamp: u64) -> Chain {
    let genesis = Genesis { timestamp, ..Genesis::default() };
    let spec = ChainSpec::constant(1, ProtocolFork::Shanghai);
    Chain::new(&genesis, ChainConfig::new(spec)).unwrap()
}

/// Logs of a block. The number of messages up to a block is the same in each branch.
fn logs(number: u64, branch: u8) -> Vec<Log> {
    let mut data = Vec::new();
    if number.is_multiple_of(3) {
        let to = Address::repeat_byte(number as u8);
        let sent = MessageSent {
            index: number / 3 - 1,
            sender: Address::repeat_byte(branch),
            to,
            refundTo: to,
            value: 1,
            fee: 0,
            gasLimit: 0,
            data: Bytes::new(),
        };
        data.push(sent.encode_log_data());
    }
    if number.is_multiple_of(4) {
        let index = number / 8;
        let reason = Bytes::from([branch]);
        let failed = MessageFailed { index, messageHash: B256::ZERO, reason };
        data.push(failed.encode_log_data());
        if branch == 1 || number.is_multiple_of(16) {
            data.push(MessageDelivered { index }.encode_log_data());
        }
    }
    data.into_iter().map(|data| Log { address: L2_MESSENGER, data }).collect()
}

/// Extends a chain to this length.
fn grow(chain: &mut Chain, length: u64, branch: u8) {
    let mut parent = Arc::clone(chain.head());
    let mut blocks = Vec::new();
    while parent.header.number < length {
        let number = parent.header.number + 1;
        let receipt = Receipt {
            tx_type: TxType::Eip1559,
            success: true,
            cumulative_gas_used: 21_000,
            logs: logs(number, branch),
        };
        let executed = ExecutionOutcome { receipts: vec![receipt], ..Default::default() };
        let header = Header {
            parent_hash: parent.hash,
            number,
            timestamp: parent.header.timestamp + 1,
            logs_bloom: executed.receipts_root_and_bloom().1,
            extra_data: Bytes::from([branch]),
            ..parent.header.clone()
        };
        parent = Arc::new(Block::sealed(header, vec![], vec![], vec![], executed));
        blocks.push(Arc::clone(&parent));
    }
    chain.store().commit(Changes { blocks, ..Changes::default() }).unwrap();
    chain.set_head(&parent.hash).unwrap();
}

/// Replaces the blocks after this one by others of another branch.
fn reorg(chain: &mut Chain, common: u64, length: u64, branch: u8) {
    let common = chain.canonical_hash(common).unwrap().unwrap();
    chain.set_head(&common).unwrap();
    grow(chain, length, branch);
}

fn whole(mut index: MessageIndex, chain: &Chain) -> MessageIndex {
    assert!(index.catch_up(chain.reader(), Duration::MAX).unwrap());
    index
}

/// Compares an index with one that has read all blocks.
fn check(index: &MessageIndex, chain: &Chain) {
    let expected = whole(MessageIndex::default(), chain);
    assert_eq!(index.head(), Some(chain.head().header.number));
    assert_eq!(index.sent_len(), expected.sent_len());
    assert_eq!(index.first_sent(), expected.first_sent());
    for message in 0..=expected.sent_len().max(expected.handlings.messages() as u64) {
        assert_eq!(index.sent(message), expected.sent(message), "{message}");
        assert_eq!(index.handled(message), expected.handled(message), "{message}");
    }
}

fn open(path: &Path, chain: &Chain) -> MessageIndex {
    whole(MessageIndex::open(path, chain.reader()), chain)
}

#[test]
fn restart_reads_only_newest_blocks_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages");
    let mut chain = chain_of(1);
    grow(&mut chain, LENGTH, 1);
    let index = open(&path, &chain);
    check(&index, &chain);
    assert_eq!(
        index.handled(2).map(|handled| (handled.how, handled.block)),
        Some((Handling::Delivered, 20))
    );
    drop(index);
    let index = MessageIndex::open(&path, chain.reader());
    assert_eq!(index.head(), Some(SAVED));
    check(&whole(index, &chain), &chain);
    // Blocks are saved as the chain grows.
    let mut index = open(&path, &chain);
    for _ in 0..BLOCKS {
        let next = chain.head().header.number + 1;
        grow(&mut chain, next, 1);
        assert!(index.catch_up(chain.reader(), Duration::MAX).unwrap());
    }
    check(&index, &chain);
    assert_eq!(MessageIndex::open(&path, chain.reader()).head(), Some(SAVED + BLOCKS));
    // A request that ends early loses nothing.
    let mut index = MessageIndex::default();
    assert!(!index.catch_up(chain.reader(), Duration::ZERO).unwrap());
    check(&whole(index, &chain), &chain);
}

/// A kill during a write leaves a shorter file.
#[test]
fn killed_or_damaged_index_equals_fresh_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages");
    let mut chain = chain_of(1);
    grow(&mut chain, LENGTH, 1);
    drop(open(&path, &chain));
    let content = fs::read(&path).unwrap();
    let check_with = |bytes: Option<&[u8]>| {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        check(&open(&path, &chain), &chain);
        assert!(fs::read(&path).unwrap() == content, "the file is complete again");
    };
    check_with(None);
    for length in (0..content.len()).step_by(content.len() / 100) {
        check_with(Some(&content[..length]));
    }
    for at in (0..content.len()).step_by(content.len() / 200) {
        let mut damaged = content.clone();
        damaged[at] ^= 1 << (at % 8);
        check_with(Some(&damaged));
        // Lost pages of the file.
        let end = (at + 4_096).min(damaged.len());
        damaged[at..end].fill(0);
        check_with(Some(&damaged));
    }
    check_with(Some(&[&content[..], &[0xff; 100]].concat()));
}

#[test]
fn reorgs_are_followed_while_running_or_stopped() {
    for (common, length) in [
        (LENGTH - 1, LENGTH),
        (SAVED, LENGTH + 9),
        (SAVED - 1, SAVED + 1),
        (BLOCKS, LENGTH),
        (BLOCKS - 1, BLOCKS - 1),
        (1, LENGTH + BLOCKS),
        (0, 2),
    ] {
        for is_running in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("messages");
            let mut chain = chain_of(1);
            grow(&mut chain, LENGTH, 1);
            let first = chain.head().hash;
            let mut index = open(&path, &chain);
            let mut follow = |chain: &Chain| {
                if is_running {
                    assert!(index.catch_up(chain.reader(), Duration::MAX).unwrap());
                } else {
                    index = open(&path, chain);
                }
                check(&index, chain);
            };
            reorg(&mut chain, common, length, 2);
            follow(&chain);
            // Reorg back to the first branch.
            chain.set_head(&first).unwrap();
            follow(&chain);
            reorg(&mut chain, common, length, 3);
            follow(&chain);
            drop(index);
            let reopened = MessageIndex::open(&path, chain.reader());
            let saved = reopened.head().map_or(0, |head| head + 1);
            assert!(saved + 2 * BLOCKS > chain.head().header.number, "{saved}");
            check(&whole(reopened, &chain), &chain);
        }
    }
}

fn scan(chain: &Chain, end: u64) -> Scan {
    let mut scan = Scan::of(0, end, chain.reader()).unwrap().unwrap();
    while !scan.advance(chain.reader()).unwrap() {}
    scan
}

#[test]
fn scanned_index_equals_one_that_read_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = ChainConfig::new(ChainSpec::constant(1, ProtocolFork::Shanghai));
    let genesis = Genesis::default();
    let mut chain: Chain = disk::open_chain(&path("chain"), &genesis, config).unwrap();
    grow(&mut chain, BLOCKS + 9, 1);
    let mut begun = open(&path("begun"), &chain);
    // Blocks of the first branch stay in the store.
    grow(&mut chain, LENGTH, 1);
    reorg(&mut chain, BLOCKS + 50, LENGTH, 2);
    let expected = open(&path("expected"), &chain);
    assert!(Scan::begin(&MessageIndex::default(), chain.reader()).unwrap().is_none(), "too few");

    for end in [SAVED, SAVED + 5] {
        let name = format!("scanned to {end}");
        let mut scanned = MessageIndex::open(&path(&name), chain.reader());
        scanned.adopt(scan(&chain, end), chain.reader()).unwrap();
        assert_eq!(scanned.head(), Some(SAVED));
        let scanned = whole(scanned, &chain);
        check(&scanned, &chain);
        assert_eq!(scanned.handlings.len(), expected.handlings.len());
        assert!(fs::read(path(&name)).unwrap() == fs::read(path("expected")).unwrap());
    }
    // Requests may index some of the blocks during the scan.
    begun.adopt(scan(&chain, SAVED), chain.reader()).unwrap();
    assert_eq!(begun.head(), Some(SAVED));
    check(&whole(begun, &chain), &chain);
    // A scan of blocks that a reorg has removed meanwhile changes nothing.
    let removed = scan(&chain, SAVED);
    reorg(&mut chain, SAVED - 3, LENGTH, 3);
    let mut index = MessageIndex::default();
    index.adopt(removed, chain.reader()).unwrap();
    assert_eq!(index.head(), None);
    index.adopt(scan(&chain, SAVED), chain.reader()).unwrap();
    assert_eq!(index.head(), Some(SAVED));
    check(&whole(index, &chain), &chain);
    // A chain in memory is read block by block.
    let mut in_memory = chain_of(1);
    grow(&mut in_memory, LENGTH, 1);
    assert!(Scan::of(0, SAVED, in_memory.reader()).unwrap().is_none());
}

#[test]
fn compacted_file_has_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages");
    let mut chain = chain_of(1);
    grow(&mut chain, LENGTH, 1);
    let mut index = open(&path, &chain);
    let before = fs::read(&path).unwrap();
    index.compact();
    index.rewrite();
    assert!(fs::read(&path).unwrap() == before, "it has nothing to drop");
    index.forget_beyond(7);
    index.rewrite();
    assert!(fs::read(&path).unwrap().len() < before.len() / 2);
    let (last, first) = (index.sent_len() - 1, index.first_sent());
    let expected = index.sent(last);
    // The compacted file can be extended and truncated.
    grow(&mut chain, LENGTH + BLOCKS, 1);
    drop(whole(index, &chain));
    let index = open(&path, &chain);
    assert_eq!((index.sent(last), index.first_sent()), (expected, first));
    drop(index);
    reorg(&mut chain, SAVED, LENGTH, 2);
    let index = MessageIndex::open(&path, chain.reader());
    assert_eq!(index.head(), Some(SAVED));
    assert_eq!(whole(index, &chain).sent(last - 4).map(|message| message.block), Some(SAVED - 2));
}

#[test]
fn file_is_wasteful_only_with_dropped_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages");
    let mut file = IndexFile::open(&path, B256::ZERO, |_| Ok(())).unwrap();
    let parties = Parties::new(Address::ZERO, Address::ZERO, Address::ZERO);
    let sent = SentToL1 { block: 1, transaction: 0, parties };
    let events = Events {
        after: B256::ZERO,
        end: BlockNumHash::new(1, B256::with_last_byte(1)),
        first: 0,
        sent: vec![sent; 1 << 19],
        handled: Vec::new(),
    };
    file.append(&events).unwrap();
    assert!(!file.is_wasteful(1 << 19) && file.is_wasteful(1_000));
    file.replace(&[Events { sent: vec![sent; 1_000], ..events }]).unwrap();
    assert!(!file.is_wasteful(1_000));
}

#[test]
fn record_that_does_not_follow_is_dropped() {
    let end = |number: u64| BlockNumHash::new(number, B256::with_last_byte(number as u8));
    let record = |after: Option<u64>, last: u64| Events {
        after: after.map_or(B256::ZERO, |number| end(number).hash),
        end: end(last),
        first: 0,
        sent: Vec::new(),
        handled: Vec::new(),
    };
    for (records, expected) in [
        ([record(None, 5), record(Some(5), 9)], Some(9)),
        ([record(None, 5), record(Some(4), 9)], Some(5)),
        ([record(None, 5), record(None, 9)], Some(5)),
        ([record(None, 5), record(Some(5), 5)], Some(5)),
        ([record(Some(4), 5), record(Some(5), 9)], None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages");
        let mut file = IndexFile::open(&path, B256::ZERO, |_| Ok(())).unwrap();
        records.iter().for_each(|record| file.append(record).unwrap());
        let file = IndexFile::open(&path, B256::ZERO, |_| Ok(())).unwrap();
        assert_eq!(file.end().map(|end| end.number), expected);
    }
}

#[test]
fn unusable_or_foreign_file_has_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages");
    let (mut chain, mut other) = (chain_of(1), chain_of(2));
    grow(&mut chain, LENGTH, 1);
    grow(&mut other, LENGTH, 2);
    drop(open(&path, &other));
    let index = MessageIndex::open(&path, chain.reader());
    assert_eq!(index.head(), None);
    check(&whole(index, &chain), &chain);
    assert_eq!(MessageIndex::open(&path, chain.reader()).head(), Some(SAVED));
    check(&open(folder.path(), &chain), &chain);
}

/// The number of these events is limited by the reserve.
#[test]
fn reorg_lets_older_events_be_found() {
    let limited = |limit| MessageIndex { limit, ..MessageIndex::default() };
    for limit in [20, 24, 1_000] {
        let mut chain = chain_of(1);
        grow(&mut chain, LENGTH, 1);
        let mut index = whole(limited(limit), &chain);
        assert_eq!(index.sent.len(), with_reserve(limit).min(LENGTH as usize / 3));
        for (common, length) in [(LENGTH - 8, LENGTH - 8), (LENGTH - 8, LENGTH + 9)] {
            reorg(&mut chain, common, length, 2);
            index = whole(index, &chain);
            let expected = whole(limited(limit), &chain);
            assert_eq!(index.first_sent(), expected.first_sent());
            for message in 0..=expected.sent_len() {
                assert_eq!(index.sent(message), expected.sent(message), "{message}");
                assert_eq!(index.handled(message), expected.handled(message), "{message}");
            }
        }
    }
}

#[test]
fn oldest_events_are_dropped_beyond_limit() {
    let mut index = MessageIndex { first: 7, ..MessageIndex::default() };
    for block in 0..10 {
        let parties = Parties::new(Address::ZERO, Address::repeat_byte(2), Address::ZERO);
        let sent = SentToL1 { block, transaction: 0, parties };
        index.sent.push_back(sent);
        index.handlings.push(block / 2, Handled { how: Handling::Failed, block, transaction: 0 });
        index.blocks.push_back(BlockNumHash::new(block, B256::with_last_byte(block as u8)));
    }
    index.forget_beyond(3);
    assert_eq!((index.first_sent(), index.sent_len()), (14, 17));
    assert_eq!(index.sent(13), None);
    assert_eq!(index.sent(14).map(|message| message.block), Some(7));
    assert_eq!(index.handled(2), None);
    assert_eq!(index.handled(3).map(|handled| handled.block), Some(7));
    // A reorg removes the remaining events of its blocks.
    index.undo();
    assert_eq!(index.handled(4).map(|handled| handled.block), Some(8));
    for _ in 0..2 {
        index.undo();
    }
    assert_eq!((index.sent_len(), index.handled(4), index.handled(3)), (14, None, None));
}
