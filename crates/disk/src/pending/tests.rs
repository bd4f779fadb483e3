use super::*;
use crate::canonical::Moves;
use alloy_consensus::Header;
use chain::store::Changes;

const NODE: B256 = B256::repeat_byte(1);
const TRANSACTION: B256 = B256::repeat_byte(2);

/// A commit that writes the same items as every other one, with values that depend on `mark`.
fn commit(mark: u8) -> Commit {
    let block = Arc::new(Block::from_header(Header::default()));
    let location = TransactionLocation { block: B256::repeat_byte(mark), index: 0 };
    let code = Bytecode::new_legacy(vec![mark].into());
    let position = Position { segment: 0, offset: u64::from(mark) };
    Commit {
        changes: Changes {
            nodes: vec![(NODE, vec![mark].into())],
            codes: vec![(NODE, code)],
            blocks: vec![Arc::clone(&block)],
            ..Changes::default()
        },
        blocks: [(block.hash, block)].into_iter().collect(),
        moves: Moves {
            numbers: [(7, Some(B256::repeat_byte(mark)))].into(),
            transactions: [(TRANSACTION, Some(location))].into_iter().collect(),
            range: Some(0..u64::from(mark)),
        },
        record: Some((position, position)),
        has_witness: true,
        ..Commit::default()
    }
}

/// Returns, for each item, the mark of the commit whose value is found.
fn marks(pending: &Pending) -> [Option<u8>; 6] {
    let found = pending.contents();
    let block = Block::from_header(Header::default()).hash;
    assert_eq!(found.block(&block).is_some(), found.node(&NODE).is_some());
    [
        found.node(&NODE).map(|node| node[0]),
        found.code(&NODE).map(|code| code.original_bytes()[0]),
        found.record(&block).map(|position| u8::try_from(position.offset).unwrap()),
        found.canonical_hash(7).map(|hash| hash.unwrap()[0]),
        found.transaction(&TRANSACTION).map(|location| location.unwrap().block[0]),
        found.range().map(|range| u8::try_from(range.end).unwrap()),
    ]
}

#[test]
fn items_stay_until_their_last_commit_is_done() {
    let pending = Pending::new(3);
    assert_eq!(marks(&pending), [None; 6]);
    for mark in [1, 2] {
        pending.push(commit(mark));
        assert_eq!(marks(&pending), [Some(mark); 6]);
    }
    let first = pending.next().unwrap();
    pending.done(&first);
    assert_eq!(marks(&pending), [Some(2); 6]);
    pending.push(commit(3));
    assert_eq!(marks(&pending), [Some(3); 6]);
    for left in [1, 0] {
        let oldest = pending.next().unwrap();
        pending.done(&oldest);
        assert_eq!(pending.len(), left);
        assert_eq!(marks(&pending), [(left > 0).then_some(3); 6]);
    }
    pending.close();
    assert!(pending.next().is_none());
}

#[test]
fn waiters_are_notified_of_broken_store() {
    let pending = Pending::new(1);
    pending.push(commit(1));
    let unusable = |result: Result<(), DiskError>| {
        assert!(
            matches!(result, Err(DiskError::Unusable(reason)) if reason.contains("is waiting for"))
        );
    };
    std::thread::scope(|scope| {
        let waits = [scope.spawn(|| pending.wait_for_capacity()), scope.spawn(|| pending.settle())];
        pending.fail_writes(&DiskError::NotBehind);
        for waits in waits {
            unusable(waits.join().unwrap());
        }
    });
    unusable(pending.check());
    // The first reason is kept.
    pending.fail_writes(&DiskError::Behind { blocks: 3 });
    unusable(pending.check());
    assert!(pending.next().is_none());
    assert_eq!(marks(&pending), [Some(1); 6]);
}

#[test]
fn panicked_writer_releases_waiters() {
    let pending = Pending::new(1);
    pending.push(commit(1));
    // A guard dropped without a panic changes nothing.
    drop(pending.writer_guard());
    pending.check().unwrap();
    std::thread::scope(|scope| {
        let takes = scope.spawn(|| {
            let _guard = pending.writer_guard();
            panic!("as if a table could not be read");
        });
        let waits = scope.spawn(|| pending.wait_for_capacity());
        assert!(takes.join().is_err());
        let refused = waits.join().unwrap();
        assert!(matches!(refused, Err(DiskError::Unusable(reason)) if reason.contains("panicked")));
    });
}
