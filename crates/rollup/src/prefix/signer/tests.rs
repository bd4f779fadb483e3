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

/// Neither by a signature nor by a block without one, also after a restart.
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
    let lengths = recorded.iter().map(|it| it.prefix.transactions.len());
    assert_eq!(lengths.collect::<Vec<_>>(), [2, 3]);
}

/// Its L1 transaction may be in flight, also after a restart.
#[test]
fn unsigned_block_lets_no_shorter_one_be_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("preconfirmations");
    let mut signer = open(&path);
    signer.record_sealed(prefix(1, 2, true)).unwrap();
    for mut signer in [signer, open(&path)] {
        let refused = signer.sign(prefix(1, 1, true), &view());
        assert!(matches!(refused, Err(PrefixError::Conflict(_))), "{refused:?}");
    }
    let mut signer = open(&path);
    for kept in [prefix(1, 1, false), prefix(1, 2, true)] {
        signer.sign(kept, &view()).unwrap();
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
        let got = unfinished(parent, 3_611).map(|it| it.prefix.promised);
        assert_eq!(got, Some(last.promised));
        assert!(unfinished(parent, 3_612).is_none(), "it binds no longer");
        assert!(unfinished(B256::repeat_byte(1), 0).is_none(), "the block is stored");
    }
}

/// A view with this hash of L1 block 9.
fn view_with(l1_hash: B256) -> L1View {
    let mut view = view();
    let header = L1Header {
        number: 9,
        hash: l1_hash,
        parent: B256::repeat_byte(8),
        timestamp: 0,
        base_fee: 7,
    };
    view.take(header, Events::default());
    view
}

/// A leader that stopped after an L1 reorg has left the record, and L1 is back. The record must
/// not stop the sealing until the end of the first promise.
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

/// The view has the newest 1,024 L1 blocks.
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
/// branch reverts to the parent.
#[test]
fn promise_out_of_reach_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let last = prefix(3, 1, true);
    let parent = last.promised.header.parent;
    let of = |hashes: [B256; 3]| {
        move |it: BlockNumHash| hashes.get(it.number as usize) == Some(&it.hash)
    };
    let [a, b, c] = [1, 2, 3].map(B256::repeat_byte);
    let (with_parent, without) = (of([a, b, parent]), of([a, b, c]));
    assert_eq!(signer.first_out_of_reach(0, &view(), without), None, "only recorded");
    keep(&mut signer.signed, last);
    assert_eq!(signer.first_out_of_reach(0, &view(), with_parent), None);
    assert_eq!(signer.first_out_of_reach(0, &view(), without), Some(3));
    assert_eq!(signer.first_out_of_reach(3_612, &view(), without), None, "it has ended");
    // The parent itself is recorded, as a child of a block that the node has.
    let mut before = prefix(2, 1, true);
    (before.promised.header.parent, before.promised.header.hash) = (b, parent);
    let recorded = Recorded { prefix: before, is_signed: false };
    signer.unfinished.insert(b, recorded);
    assert_eq!(signer.first_out_of_reach(0, &view(), without), None);
    let other = of([a, c, c]);
    assert_eq!(signer.first_out_of_reach(0, &view(), other), Some(3));
}
