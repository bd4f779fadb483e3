//! Tests of the memory use of the message indexes in both directions.

use super::*;
use crate::l1::{
    ClaimedMessage, Events as L1Events, ForcedEntry, L1Header, SentMessage,
    bridge_log::{BridgeFiles, BridgeLog},
};
use alloy_primitives::{Address, U256, keccak256};
use contracts::{Message, bindings::IForcedInbox::ForcedTransaction};
use testkit::CountingHeap;

const MESSAGES: u64 = 100_000;
/// Number of messages, and of claims, in an L1 block.
const PER_BLOCK: u64 = 4;
/// Number of L1 blocks that a reorg may replace.
const OPEN: u64 = 1_024;
const LIMIT: isize = 20_000_000;
const LIMIT_WITHOUT_FILES: isize = 300_000_000;

fn account(number: u64, role: u8) -> Address {
    Address::from_word(keccak256([&number.to_be_bytes()[..], &[role]].concat()))
}

/// Returns the records of L1, with claims of all messages to L1 in another order, and without files
/// also as many forced transactions.
fn filled_l1(messages: u64, files: Option<&BridgeFiles>) -> BridgeLog {
    let mut log = BridgeLog::default();
    if let Some(files) = files {
        log.attach(files).unwrap();
    }
    for number in 0..messages / PER_BLOCK {
        let (hash, parent) = (B256::ZERO, B256::ZERO);
        let header = L1Header { number, hash, parent, timestamp: 12 * number, base_fee: 1 };
        let indexes = || PER_BLOCK * number..PER_BLOCK * (number + 1);
        let message = |index| SentMessage {
            message: Message {
                sender: account(index, 1),
                to: account(index, 2),
                refund_to: account(index, 3),
                value: u128::MAX,
                fee: u128::MAX,
                gas_limit: u32::MAX,
                index,
                data: vec![7; 100].into(),
            },
            l1_block: number,
            l1_timestamp: 12 * number,
            l1_transaction: U256::from(index).into(),
        };
        let claim = |index: u64| ClaimedMessage {
            index: index * 7_919 % messages,
            is_refunded: false,
            l1_block: number,
            l1_transaction: U256::from(index).into(),
        };
        let forced = |index| ForcedEntry {
            index,
            transaction: ForcedTransaction {
                hash: U256::from(index).into(),
                sender: account(index, 7),
                nonce: index,
                gasLimit: u64::MAX,
                maxFee: 1,
                cost: U256::MAX,
                submittedAt: number,
                bounded: false,
                to: account(index, 8),
                footprint: 0,
                priced: true,
            },
            raw: vec![7; 100].into(),
            l1_block: number,
            l1_transaction: U256::from(index).into(),
        };
        let events = L1Events {
            messages: indexes().map(message).collect(),
            forced: indexes().filter(|_| files.is_none()).map(forced).collect(),
            claimed: indexes().map(claim).collect(),
            ..L1Events::default()
        };
        log.apply(&header, &events);
        log.settle(number.saturating_sub(OPEN));
    }
    log
}

/// Returns the index of an L2 with one message in each direction per block.
fn filled_l2(messages: u64) -> MessageIndex {
    let mut index = MessageIndex::default();
    for block in 0..messages {
        let parties = Parties::new(account(block, 4), account(block, 5), account(block, 6));
        let sent = SentToL1 { block, transaction: 1, parties };
        let handled = Handled { how: Handling::Delivered, block, transaction: 0 };
        for event in [Event::Sent(sent), Event::Handled(handled)] {
            index.add(Found { index: block, event });
        }
        index.extend_to(BlockNumHash::new(block, B256::ZERO));
    }
    index
}

#[test]
fn indexes_of_100k_messages_take_20_mb() {
    let folder = tempfile::tempdir().unwrap();
    let files = BridgeFiles::open_next_to(&folder.path().join("l1.log"), B256::ZERO).unwrap();
    let (l1, of_l1) = CountingHeap::growth(|| filled_l1(MESSAGES, Some(&files)));
    let (l2, of_l2) = CountingHeap::growth(|| filled_l2(MESSAGES));
    let last = MESSAGES - 1;
    assert_eq!((l1.sent_len(), l2.sent_len()), (MESSAGES, MESSAGES));
    for index in [0, MESSAGES / 2, last] {
        assert_eq!(l1.sent(index).unwrap().map(|message| message.sender), Some(account(index, 1)));
        assert!(l1.claim(index).unwrap().is_some_and(|claim| claim.index == index));
        assert_eq!(l2.handled(index).map(|handled| handled.block), Some(index));
    }
    println!("L1: {of_l1} bytes, L2: {of_l2} bytes for {MESSAGES} messages each way");
    assert!(of_l1 + of_l2 <= LIMIT, "{of_l1} + {of_l2} bytes, expected at most {LIMIT}");
}

/// Anyone can send messages, so the memory of a node without files must be bounded.
#[test]
fn indexes_without_files_have_bounded_memory() {
    let peaks = [400_000, 440_000].map(|messages| {
        let (l1, of_l1) = CountingHeap::growth(|| filled_l1(messages, None));
        let (l2, of_l2) = CountingHeap::growth(|| filled_l2(messages));
        assert_eq!((l1.sent_len(), l2.sent_len()), (messages, messages));
        let first = messages - (1 << 18);
        assert_eq!((l1.first_sent(), l1.first_forced(), l2.first_sent()), (first, first, first));
        println!("L1: {of_l1} bytes, L2: {of_l2} bytes for {messages} messages each way");
        of_l1 + of_l2
    });
    assert!(peaks[1] <= LIMIT_WITHOUT_FILES, "{peaks:?} bytes");
    // The nodes of the maps differ a little.
    assert!(peaks[1] - peaks[0] < peaks[0] / 50, "{peaks:?} bytes");
}
