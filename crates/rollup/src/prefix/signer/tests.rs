use super::*;
use crate::prefix::journal::tests::prefix;
use derive::{Events, L1Header};
use testkit::bare_deployment;

fn open(path: &Path) -> PrefixSigner {
    let key = Signer::new("key", B256::repeat_byte(7)).unwrap();
    let rollup = Address::repeat_byte(0xa0);
    let domain = Domain { l1_chain_id: 1, contract: rollup };
    let rules = RollupRules {
        max_lag: 3_600,
        open_after: 0,
        relay_deadline: 0,
        forced_delay: 0,
        forced_grace: 0,
        forced_expiry: 0,
    };
    PrefixSigner::open(path, rollup, domain, key, &rules, false).unwrap()
}

fn view() -> L1View {
    L1View::new(bare_deployment(Address::repeat_byte(0xa0), Address::ZERO))
}

/// Signed and unsigned blocks are rejected, also after a restart.
#[test]
fn conflicting_prefix_is_refused_and_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let view = view();
    let mut signer = open(&path);
    signer.sign(prefix(1, 2, false), &view).unwrap();
    for mut signer in [signer, open(&path)] {
        let refused = signer.sign(prefix(1, 1, false), &view);
        assert!(matches!(refused, Err(PrefixError::Conflict(_))), "{refused:?}");
        assert!(signer.check_unsigned(&prefix(1, 1, true).promised, &view).is_err());
        assert!(signer.check_unsigned(&prefix(1, 3, true).promised, &view).is_ok());
    }
    let mut signer = open(&path);
    signer.sign(prefix(1, 3, true), &view).unwrap();
    let recorded = Journal::open(&path, Address::repeat_byte(0xa0), signer.key.address());
    let recorded = recorded.unwrap().records;
    let lengths = recorded.iter().map(|record| record.prefix.transactions.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [2, 3]);
}

/// The L1 transaction of the unsigned block may be in flight, also after a restart.
#[test]
fn unsigned_block_lets_no_shorter_one_be_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let mut signer = open(&path);
    signer.record_sealed(prefix(1, 2, true), true, &view()).unwrap();
    for mut signer in [signer, open(&path)] {
        let refused = signer.sign(prefix(1, 1, true), &view());
        assert!(matches!(refused, Err(PrefixError::Conflict(_))), "{refused:?}");
    }
    let mut signer = open(&path);
    for prefix_ in [prefix(1, 1, false), prefix(1, 2, true)] {
        signer.sign(prefix_, &view()).unwrap();
    }
}

/// The node may have stopped between the last signature and storing the block.
#[test]
fn sealed_prefix_may_be_unfinished_too() {
    for is_sealed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preconfirmations");
        let last = prefix(1, 2, is_sealed);
        open(&path).journal.record(&last, true).unwrap();
        let parent = last.promised.header.parent;
        let unfinished =
            |parent, time| open(&path).unfinished_on(BlockNumHash::new(0, parent), time, &view());
        let got = unfinished(parent, 3_611).map(|record| record.prefix.promised);
        assert_eq!(got, Some(last.promised));
        assert!(unfinished(parent, 3_612).is_none(), "no longer in force");
        assert!(unfinished(B256::repeat_byte(1), 0).is_none(), "the block is stored");
    }
}

/// Returns a view with this hash of L1 block 9.
fn view_with(l1_hash: B256) -> L1View {
    let mut view = view();
    let header = L1Header {
        number: 9,
        hash: l1_hash,
        parent: B256::repeat_byte(8),
        timestamp: 0,
        base_fee: 7,
    };
    view.apply(header, Events::default());
    view
}

/// The record is of a leader that stopped after an L1 reorg, and L1 has returned to the old chain.
/// The record must not block sealing until the first promise ends.
#[test]
fn unsigned_record_yields_to_promise_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let (first, mut second) = (prefix(1, 2, true), prefix(1, 1, true));
    (second.promised.message.l1_block, second.promised.message.l1_hash) = (0, B256::ZERO);
    second.promised.anchor = (9, B256::repeat_byte(10));
    let (own, other) = (view_with(B256::repeat_byte(9)), view_with(B256::repeat_byte(10)));
    let parent = first.promised.header.parent;
    signer.sign(first.clone(), &own).unwrap();
    let recorded = Recorded { prefix: second.clone(), is_signed: false };
    signer.unfinished.insert(parent, recorded);
    let parent = BlockNumHash::new(0, parent);
    for (view, expected) in [(&own, &first), (&other, &second), (&own, &first)] {
        let got = signer.unfinished_on(parent, 0, view).unwrap();
        assert_eq!(got.prefix.promised, expected.promised);
        // The block can be sealed.
        signer.check_unsigned(&got.prefix.promised, view).unwrap();
    }
}

/// A view contains only the newest 1,024 L1 blocks.
#[test]
fn forgotten_conditions_revert_no_promised_block() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let (mut first, mut second) = (prefix(1, 2, true), prefix(1, 1, true));
    second.promised.message.l1_hash = B256::repeat_byte(10);
    for prefix in [&mut first, &mut second] {
        prefix.promised.anchor = (9, prefix.promised.message.l1_hash);
    }
    let (own, other) = (view_with(B256::repeat_byte(9)), view_with(B256::repeat_byte(10)));
    signer.sign(first.clone(), &own).unwrap();
    signer.sign(second.clone(), &other).unwrap();
    let may_break = |block: &Prefix, view: &L1View| {
        let header = &block.promised.header;
        signer.may_break(header.number, header.parent, header.hash, view)
    };
    for block in [&first, &second] {
        assert!(!may_break(block, &view()), "forgotten");
    }
    assert!(may_break(&second, &own) && !may_break(&first, &own));
    assert!(may_break(&first, &other) && !may_break(&second, &other));
    assert!(may_break(&prefix(1, 3, true), &view()), "not promised");
}

#[test]
fn transactions_of_ended_promises_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    signer.sign(prefix(1, 2, true), &view()).unwrap();
    for (time, expected) in [(3_611, 1), (3_612, 0)] {
        signer.forget_up_to(0, 0, time);
        assert_eq!(signer.signed.len(), expected);
    }
}

/// A standby that lacks the parent of a promised block must not lead. One whose head is on another
/// branch reverts to the common ancestor.
#[test]
fn promise_on_another_branch_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let recorded = |number, parent, is_signed| {
        let mut prefix = prefix(number, 1, true);
        prefix.promised.header.parent = parent;
        Recorded { prefix, is_signed }
    };
    let hash = |record: &Recorded| record.prefix.promised.header.hash;
    let [genesis, a, b] = [0, 1, 2].map(B256::repeat_byte);
    // The first block is unsigned, and another block in its place is recorded later.
    let first = recorded(2, a, false);
    let promised = recorded(3, hash(&first), true);
    let mut other = recorded(2, a, false);
    other.prefix.promised.header.hash = b;
    let records = [first.clone(), promised.clone(), other];
    let mut branch = |records: &[Recorded], own: &[B256]| {
        let is_own = |block: BlockNumHash| own.get(block.number as usize) == Some(&block.hash);
        let head = BlockNumHash::new(own.len() as u64 - 1, own[own.len() - 1]);
        let root = signer.promised_branch(records, head, &view(), is_own);
        let unfinished: Vec<_> = signer.unfinished.values().map(hash).collect();
        signer.unfinished.clear();
        (
            root.map(|root| root.map(|block| block.number)).map_err(|error| error.to_string()),
            unfinished,
        )
    };
    let (root, mut unfinished) = branch(&records, &[genesis, a, b]);
    assert_eq!(root, Ok(Some(1)), "both branches begin there");
    unfinished.sort_unstable();
    let mut expected = [hash(&first), hash(&promised)];
    expected.sort_unstable();
    assert_eq!(unfinished, expected);
    assert_eq!(branch(&records, &[genesis, a]).0, Ok(None), "at its end");
    assert_eq!(branch(&records, &[genesis, a, hash(&first)]), (Ok(None), vec![hash(&promised)]));
    let own = [genesis, a, hash(&first), hash(&promised), b];
    assert_eq!(branch(&records, &own).0, Ok(None), "the promise is kept");
    let behind =
        "head of this node is block 0, but earlier leaders have promised block 3".to_owned();
    assert_eq!(branch(&records, &[genesis]).0, Err(behind));
    let unsigned = Recorded { is_signed: false, ..promised };
    assert_eq!(branch(&[first, unsigned], &[genesis, a, b]).0, Ok(None), "nothing promised");
}

/// The promise is in force, but its parent is too old for L1 to include the branch.
#[test]
fn branch_that_ended_is_not_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let [genesis, a, b] = [0, 1, 2].map(B256::repeat_byte);
    let mut first = prefix(2, 1, true);
    first.promised.header.parent = a;
    let mut promised = prefix(3, 1, true);
    promised.promised.header.parent = first.promised.header.hash;
    promised.promised.header.timestamp = 3_000;
    let is_own =
        |block: BlockNumHash| [genesis, a, b].get(block.number as usize) == Some(&block.hash);
    for (time, expected) in [(3_588, Some(1)), (3_589, None)] {
        let mut view = view();
        let header = L1Header {
            number: 20,
            hash: B256::repeat_byte(20),
            parent: B256::ZERO,
            timestamp: time,
            base_fee: 7,
        };
        view.apply(header, Events::default());
        let records = [first.clone(), promised.clone()];
        let records = records.map(|prefix| Recorded { prefix, is_signed: true });
        let head = BlockNumHash::new(2, b);
        let root = signer.promised_branch(&records, head, &view, is_own).unwrap();
        assert_eq!(root.map(|root| root.number), expected, "{time}");
    }
}

/// If the first block of a signer that may lack records is reverted, its replacement counts.
#[test]
fn reverted_first_block_completes_journal_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    signer.mark_incomplete();
    let hashes = [1, 2, 3].map(B256::repeat_byte);
    for (number, hash) in [5, 5, 6].into_iter().zip(hashes) {
        signer.on_sealed(number, hash);
    }
    assert_eq!(signer.incomplete, Some(Incomplete::Sealed { number: 5, hash: hashes[1] }));
}

/// Only etcd contains the signatures of other nodes.
#[test]
fn journal_alone_is_incomplete_after_lease() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    assert!(open(&path).incomplete.is_none());
    let mut shared = open(&path).with_shared_journal();
    shared.mark_complete();
    assert!(shared.incomplete.is_none(), "complete while it holds the lease");
    assert!(open(&path).incomplete.is_some());
}
