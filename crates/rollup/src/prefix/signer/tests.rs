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
    signer.sign(prefix(1, 2, false), 9, &view).unwrap();
    for mut signer in [signer, open(&path)] {
        let refused = signer.sign(prefix(1, 1, false), 9, &view);
        assert!(matches!(refused, Err(PrefixError::Conflict(_))), "{refused:?}");
        assert!(signer.check_unsigned(&prefix(1, 1, true), 9, &view).is_err());
        assert!(signer.check_unsigned(&prefix(1, 3, true), 9, &view).is_ok());
    }
    let mut signer = open(&path);
    signer.sign(prefix(1, 3, true), 9, &view).unwrap();
    let recorded = Journal::open(&path, Address::repeat_byte(0xa0), signer.key.address());
    let recorded = recorded.unwrap().prefixes;
    assert_eq!(recorded.iter().map(|it| it.transactions.len()).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn replaced_block_lets_no_shorter_one_be_signed() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    signer.add_replaced(prefix(1, 2, true).promised);
    let refused = signer.sign(prefix(1, 1, true), 9, &view());
    assert!(matches!(refused, Err(PrefixError::Conflict(_))), "{refused:?}");
    for kept in [prefix(1, 1, false), prefix(1, 2, true)] {
        signer.sign(kept, 9, &view()).unwrap();
    }
}

/// The node may have stopped between the last signature and storing the block.
#[test]
fn sealed_prefix_may_be_unfinished_too() {
    for is_sealed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preconfirmations");
        let last = prefix(1, 2, is_sealed);
        open(&path).journal.record(&last).unwrap();
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
    let (own, other) = (view_with(B256::repeat_byte(9)), view_with(B256::repeat_byte(10)));
    let parent = first.promised.header.parent;
    signer.sign(first.clone(), 9, &own).unwrap();
    let recorded = Recorded { prefix: second.clone(), is_signed: false };
    signer.unfinished.insert(parent, recorded);
    let parent = BlockNumHash::new(0, parent);
    for (view, expected) in [(&own, &first), (&other, &second), (&own, &first)] {
        let got = signer.unfinished_on(parent, 0, view).unwrap();
        assert_eq!(got.prefix.promised, expected.promised);
        // The block can be sealed.
        signer.check_unsigned(&got.prefix, 9, view).unwrap();
    }
}

/// The view has the newest 1,024 L1 blocks.
#[test]
fn forgotten_conditions_revert_no_promised_block() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let (first, mut second) = (prefix(1, 2, true), prefix(1, 1, true));
    second.promised.message.l1_hash = B256::repeat_byte(10);
    let (own, other) = (view_with(B256::repeat_byte(9)), view_with(B256::repeat_byte(10)));
    signer.sign(first.clone(), 9, &own).unwrap();
    signer.sign(second.clone(), 9, &other).unwrap();
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
    signer.sign(prefix(1, 2, true), 9, &view()).unwrap();
    for (time, expected) in [(3_611, 1), (3_612, 0)] {
        signer.forget_up_to(0, 0, time);
        assert_eq!(signer.signed.len(), expected);
    }
}

/// A standby that lacks the parent of a promised block must not lead.
#[test]
fn promise_out_of_reach_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut signer = open(&folder.path().join("preconfirmations"));
    let prefix = prefix(2, 1, true);
    let parent = prefix.promised.header.parent;
    let [own, other] = [parent, B256::repeat_byte(1)].map(|hash| BlockNumHash { number: 1, hash });
    for (is_signed, expected) in [(true, Some(2)), (false, None)] {
        let recorded = Recorded { prefix: prefix.clone(), is_signed };
        signer.unfinished.insert(parent, recorded);
        assert_eq!(signer.first_out_of_reach(other, 0, &view()), expected);
        assert_eq!(signer.first_out_of_reach(own, 0, &view()), None);
        assert_eq!(signer.first_out_of_reach(other, 3_612, &view()), None, "it has ended");
    }
}
