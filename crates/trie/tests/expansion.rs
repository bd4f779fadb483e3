//! An expansion holds no more bytes of nodes than declared.

use enshrine_trie::{Expansion, ExpansionTooLong};

const HASH: [u8; 32] = [7; 32];

/// Two leaves below a branch below an extension, in so many bytes at most: the branch, the extension and the
/// leaf that is not embedded stand on their own.
fn expanded(bytes: usize) -> Result<Vec<usize>, ExpansionTooLong> {
    let mut expansion = Expansion::within(4, bytes)?;
    expansion.extension(2, &[0x12], None);
    expansion.branch(0b11, 0b100, std::slice::from_ref(&HASH));
    expansion.leaf(1, &[0x03], &[9; 60]);
    expansion.leaf(1, &[0x04], &[1]);
    let nodes = expansion.finish()?;
    Ok((0..nodes.len()).map(|at| nodes.get(at).map_or(0, <[u8]>::len)).collect())
}

#[test]
fn nodes_have_as_many_bytes_as_there_is_room_for_and_no_more() {
    let lengths = expanded(1_000).expect("there is room");
    assert_eq!(lengths.len(), 3);
    let all: usize = lengths.iter().sum();
    assert_eq!(expanded(all).as_ref(), Ok(&lengths));
    for limit in 0..all {
        let refused = expanded(limit).expect_err("there is none");
        assert_eq!(refused.limit, limit);
        assert!((limit + 1..=all).contains(&refused.got), "{refused}");
    }
    // The error names the first node beyond the limit, even if later ones would fit.
    assert_eq!(expanded(lengths[0] - 1).expect_err("no room").got, lengths[0]);
}

#[test]
fn no_budget_has_room_for_4_gib() {
    let got = Expansion::MAX_LEN + 1;
    let refused = Expansion::within(1, got).expect_err("too long");
    assert_eq!(refused, ExpansionTooLong { got, limit: Expansion::MAX_LEN });
    assert!(Expansion::within(1, 64).is_ok());
}
