use super::*;
use crate::l1::{L1Cost, SentMessage};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, Bloom, Bytes, keccak256};
use contracts::Message;
use disk::RecordFile;
use parking_lot::Mutex;
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;
use testkit::bare_deployment;

const FIRST: u64 = 100;
const BLOCKS: u64 = 5_000;
const MESSAGES: u64 = 20;

fn deployment() -> Deployment {
    let (rollup, forced) = (Address::repeat_byte(1), Address::repeat_byte(2));
    Deployment { l1_block: FIRST, ..bare_deployment(rollup, forced) }
}

fn reader(path: &Path) -> L1Reader {
    reader_knowing(path, &|_| true)
}

fn reader_knowing(path: &Path, is_known: &dyn Fn(&B256) -> bool) -> L1Reader {
    let client = L1Client::new(&["http://127.0.0.1:1"], Duration::from_secs(1)).unwrap();
    L1Reader::new(client, deployment()).with_log(path, is_known).unwrap()
}

fn hash(number: u64, branch: u8) -> B256 {
    keccak256([&number.to_be_bytes()[..], &[branch]].concat())
}

/// Returns the next block, with messages, and an L2 block in every tenth.
fn block(view: &L1View, branch: u8) -> (L1Header, Events) {
    let number = view.head().map_or(FIRST, |head| head.number + 1);
    let parent = view.head().map_or(B256::ZERO, |head| head.hash);
    let timestamp = 12 * number;
    let header =
        L1Header { number, hash: hash(number, branch), parent, timestamp, base_fee: 1_000 };
    let first = view.messages().len();
    let messages = (first..first + MESSAGES).map(|index| SentMessage {
        message: Message {
            sender: Address::ZERO,
            to: Address::repeat_byte(9),
            refund_to: Address::ZERO,
            value: 1,
            fee: 1,
            gas_limit: 100_000,
            index,
            data: vec![branch; 40].into(),
        },
        l1_block: number,
        l1_timestamp: timestamp,
        l1_transaction: hash(number, branch),
    });
    let advanced = number.is_multiple_of(10).then(|| PostedBlock {
        number: number / 10 - FIRST / 10 + 1,
        hash: hash(number, 0xaa),
        input: None,
        l1_block: number,
        transaction: hash(number, 0xbb),
        first: number / 10 - FIRST / 10 + 1,
        last: (number / 10 - FIRST / 10 + 1, hash(number, 0xaa)).into(),
        cost: L1Cost { gas: number, gas_price: 7, ..L1Cost::default() },
    });
    let events = Events {
        messages: messages.collect(),
        advanced: advanced.into_iter().collect(),
        ..Events::default()
    };
    (header, events)
}

fn grow(reader: &mut L1Reader, blocks: u64, branch: u8) {
    for _ in 0..blocks {
        let (header, events) = block(&reader.view, branch);
        reader.accept(header, events).unwrap();
    }
}

/// Drops the messages up to the oldest remembered header, like the poller. One in a hundred has
/// failed.
fn settle(reader: &mut L1Reader) -> u64 {
    let oldest = reader.view.oldest().unwrap().number;
    let relayed = (oldest - FIRST) * MESSAGES;
    let failed: Vec<_> = {
        let settled = reader.view.messages().settled(relayed, usize::MAX);
        settled
            .filter(|message| message.index % 100 == 0)
            .map(|message| (message.index, message.hash()))
            .collect()
    };
    reader.forget_messages(relayed, failed);
    relayed
}

/// The log of a reader that has read all blocks, in a new folder.
fn grown() -> (TempDir, PathBuf, L1Reader) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l1.log");
    let mut running = reader(&path);
    grow(&mut running, BLOCKS, 0);
    (folder, path, running)
}

#[test]
fn memory_and_file_are_bounded_by_open_messages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l1.log");
    let mut running = reader(&path);
    let open = MAX_HEADERS as u64 * MESSAGES;
    let (mut most_held, mut longest) = (0, 0);
    for _ in 0..BLOCKS / 100 {
        grow(&mut running, 100, 0);
        settle(&mut running);
        running.take_update();
        most_held = most_held.max(running.view.entries() as u64);
        longest = longest.max(fs::metadata(&path).unwrap().len());
    }
    let total = BLOCKS * MESSAGES;
    assert_eq!(running.view.messages().len(), total);
    // Messages and queue states of the blocks that may be reorganised, and hashes of failed
    // messages.
    let bound = open + 100 * MESSAGES + 3 * MAX_HEADERS as u64 + total / 100;
    assert!(most_held <= bound, "{most_held} entries, expected at most {bound} of {total}");
    let needed = running.log.as_ref().unwrap().needed();
    let bound_of_file = 4 * needed + (1 << 20);
    assert!(longest <= bound_of_file, "{longest} bytes, {needed} needed");
    println!(
        "{total} messages: {most_held} entries held, file up to {longest} bytes, {needed} needed"
    );

    // A restart needs no more memory, and reaches the same state.
    let mut restarted = reader(&path);
    let entries = restarted.view.entries() as u64;
    assert!(entries <= 4 * bound, "{entries} entries after a restart, {bound} while running");
    assert!(restarted.view.remembered() < 2 * MAX_HEADERS);
    assert!(restarted.take_update().advanced.len() <= 2 * MAX_HEADERS);
    restarted.forget_old_headers();
    settle(&mut restarted);
    assert_eq!(format!("{:?}", restarted.view), format!("{:?}", running.view));
}

#[test]
fn dropped_l2_blocks_are_in_posted_file() {
    let (_folder, path, running) = grown();
    let view_before = running.view.clone();
    drop(running);
    for restarted in [false, true] {
        let reader = reader(&path);
        let view = if restarted { &reader.view } else { &view_before };
        let posted = reader.posted().unwrap();
        let mut from_file = 0;
        for number in 1..=BLOCKS / 10 {
            let found = view.posted(number).cloned().or_else(|| {
                from_file += 1;
                posted.get(number)
            });
            let found = found.unwrap_or_else(|| panic!("L2 block {number} is forgotten"));
            let l1_block = FIRST + 10 * (number - 1);
            assert_eq!(
                (found.number, found.l1_block, found.cost.gas),
                (number, l1_block, l1_block)
            );
            assert_eq!(found.hash, hash(l1_block, 0xaa));
        }
        assert!(from_file > 0);
        assert_eq!(posted.get(BLOCKS / 10 + 1), None);
    }
}

#[test]
fn deepest_reorg_is_followed_after_restart_from_checkpoint() {
    let (folder, path, running) = grown();
    let head = running.view.head().unwrap().number;
    drop(running);
    let mut kinds = Vec::new();
    let subject = L1Log::subject(&deployment());
    let read = RecordFile::open(&path, subject, |_, record| {
        kinds.push(record[0]);
        Ok(())
    });
    drop(read.unwrap());
    assert!(kinds[0] == 0x84 && (kinds.len() as u64) < BLOCKS, "no checkpoint was made");
    for depth in [1, 700, MAX_HEADERS as u64 - 1] {
        let copy = folder.path().join(format!("copy{depth}"));
        fs::copy(&path, &copy).unwrap();
        let mut one = reader(&copy);
        one.forget_old_headers();
        one.revert_to(Some(head - depth)).unwrap();
        assert_eq!(one.view.head().unwrap().number, head - depth);
        assert_eq!(one.view.messages().len(), (head - depth - FIRST + 1) * MESSAGES);
        grow(&mut one, depth, 1);
        let view = format!("{:?}", one.view);
        drop(one);
        let mut again = reader(&copy);
        again.forget_old_headers();
        assert_eq!(format!("{:?}", again.view), view);
        assert_eq!(again.view.head().unwrap().hash, hash(head, 1));
    }
}

/// L1 is read again from the deployment on if they are before the file's checkpoint.
#[test]
fn l1_is_read_again_from_missing_l2_blocks() {
    let (folder, path, running) = grown();
    let head = running.view.head().unwrap().number;
    drop(running);
    let checkpoint = MAX_HEADERS as u64;
    // Only the L1 block of the first missing L2 block and those after it are read again.
    for l1_block in [head / 10 * 10, head / 10 * 10 - 10, (head - checkpoint / 2) / 10 * 10] {
        let copy = folder.path().join("copy");
        fs::copy(&path, &copy).unwrap();
        let missing: Vec<_> =
            (l1_block..=head).step_by(10).map(|number| hash(number, 0xaa)).collect();
        let some = reader_knowing(&copy, &|hash| !missing.contains(hash));
        assert_eq!(some.view.head().unwrap().number, l1_block - 1);
    }
    let none = reader_knowing(&path, &|_| false);
    assert_eq!((none.view.head(), none.view.messages().len()), (None, 0));
    assert!(fs::metadata(&path).unwrap().len() < 100);
}

#[test]
fn corrupt_checkpoint_is_never_loaded() {
    let (_folder, path, mut running) = grown();
    settle(&mut running);
    drop(running);
    let expected = format!("{:?}", reader(&path).view);
    let whole = fs::read(&path).unwrap();
    // The checkpoint is the first record.
    for at in (44..4_000).step_by(131) {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        fs::write(&path, &flipped).unwrap();
        assert!(reader(&path).view.head().is_none(), "byte {at}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(format!("{:?}", reader(&path).view), expected);
}

/// These are messages after the checkpoint.
#[test]
fn lost_or_damaged_messages_are_read_again() {
    let (folder, path, mut running) = grown();
    settle(&mut running);
    drop(running);
    let (log, messages) = (fs::read(&path).unwrap(), folder.path().join("messages.l1"));
    let whole = fs::read(&messages).unwrap();
    let expected = format!("{:?}", reader(&path).view);
    let mut flipped = whole.clone();
    flipped[1_000_000] ^= 4;
    for damaged in [&flipped[..], &whole[..1_000_000], &[]] {
        fs::write(&path, &log).unwrap();
        fs::write(&messages, damaged).unwrap();
        let mut again = reader(&path);
        assert!(again.view.head().is_none());
        grow(&mut again, BLOCKS, 0);
        settle(&mut again);
        again.take_update();
        assert_eq!(again.view.bridge().sent_len(), BLOCKS * MESSAGES);
        assert_eq!(
            again.view.bridge().sent(9).unwrap().map(|message| message.l1_block),
            Some(FIRST)
        );
    }
    fs::write(&path, &log).unwrap();
    fs::write(&messages, &whole).unwrap();
    assert_eq!(format!("{:?}", reader(&path).view), expected);
}

/// An in-memory L1 without logs.
#[derive(Debug, Default)]
struct MemoryL1 {
    headers: Mutex<Vec<L1Header>>,
    /// `true` if other nodes lack its headers.
    is_alone: Mutex<bool>,
}

impl MemoryL1 {
    /// Replaces the blocks from this number on by those of a branch, up to `head`.
    fn extend(&self, from: u64, head: u64, branch: u8) {
        let mut headers = self.headers.lock();
        headers.truncate((from - FIRST) as usize);
        for number in from..=head {
            let parent = headers.last().map_or(B256::ZERO, |parent| parent.hash);
            let (hash, timestamp) = (hash(number, branch), 12 * number);
            headers.push(L1Header { number, hash, parent, timestamp, base_fee: 1_000 });
        }
    }

    fn at(&self, number: u64) -> Option<ReadHeader> {
        let header = self.headers.lock().get(number.checked_sub(FIRST)? as usize)?.clone();
        let (transactions_root, receipts_root) = (B256::ZERO, B256::ZERO);
        Some(ReadHeader { header, transactions_root, receipts_root, bloom: Bloom::ZERO })
    }
}

impl L1Provider for MemoryL1 {
    fn newest(&self) -> Result<(Option<ReadHeader>, Option<ReadHeader>), L1Error> {
        let head = FIRST + self.headers.lock().len() as u64 - 1;
        Ok((self.at(head), self.at(head - 2)))
    }

    fn header(&self, tag: BlockNumberOrTag) -> Result<Option<ReadHeader>, L1Error> {
        Ok(tag.as_number().and_then(|number| self.at(number)))
    }

    fn headers(&self, from: u64, count: usize) -> Result<Vec<ReadHeader>, L1Error> {
        Ok((from..).take(count).map_while(|number| self.at(number)).collect())
    }

    fn is_agreed(&self, _: &L1Header) -> Result<bool, L1Error> {
        Ok(!*self.is_alone.lock())
    }

    fn transactions_of(
        &self,
        headers: &[ReadHeader],
        _: &[Address],
    ) -> Vec<Result<Vec<L1Transaction>, L1Error>> {
        headers.iter().map(|_| Ok(Vec::new())).collect()
    }

    fn code(&self, _: Address) -> Result<Bytes, L1Error> {
        Ok(Bytes::new())
    }

    fn leave_node(&self) -> bool {
        false
    }
}

#[test]
fn reader_follows_reorgs_of_any_provider() {
    let l1 = MemoryL1::default();
    l1.extend(FIRST, FIRST + 9, 0);
    let mut reader = L1Reader::new(l1, deployment());
    let head = |reader: &L1Reader<_>| reader.view().head().map(|head| head.hash);
    let update = reader.poll(&|_| true).unwrap();
    assert_eq!((update.reverted_to, update.more), (None, false));
    assert_eq!(head(&reader), Some(hash(FIRST + 9, 0)));
    assert_eq!(reader.view().finalized(), FIRST + 7);
    // A branch that only one node reports is not followed.
    reader.client().extend(FIRST + 6, FIRST + 11, 1);
    *reader.client().is_alone.lock() = true;
    assert_eq!(reader.poll(&|_| true).unwrap().reverted_to, None);
    assert_eq!(head(&reader), Some(hash(FIRST + 9, 0)));
    *reader.client().is_alone.lock() = false;
    assert_eq!(reader.poll(&|_| true).unwrap().reverted_to, Some(FIRST + 5));
    assert_eq!(head(&reader), Some(hash(FIRST + 11, 1)));
}
