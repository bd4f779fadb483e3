//! The L1 block on which a promise depends.

use crate::l1::L1View;
use alloy_primitives::{B256, U256};
use chain::{ChainError, State};
use contracts::L1_ANCHOR;

/// Depth below L1's head from which a newer L1 block is named instead. L1 stores the hashes of the
/// last 8,191 blocks, so evidence about a block above this depth can be submitted for hours.
const MAX_DEPTH: u64 = 4_096;
/// Depth of the block that is named instead, which implies all its ancestors.
const NAMED_DEPTH: u64 = 64;

/// L1 block without which a promise is void; zero for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct L1Condition {
    pub(crate) number: u64,
    pub(crate) hash: B256,
}

/// Returns the number of the L1 block of the anchor in this state; zero if there is none.
pub(crate) fn anchor_number(state: &State) -> Result<u64, ChainError> {
    Ok(state.storage(L1_ANCHOR, U256::ZERO)?.as_limbs()[0])
}

/// Returns the condition of a block with an anchor at this L1 block.
///
/// An L1 reorganization makes the block invalid if it removes the L1 block of the anchor, and
/// removes its parent if another account has posted the parent. The condition names the later one
/// of both, unless it is final. `is_own` returns `true` for the blocks that this node has signed,
/// since it would post these again. `minimum` is the lowest number that may be named.
///
/// Returns `None` if L1 has not been read up to `minimum`.
pub(crate) fn condition(
    view: &L1View,
    anchor: u64,
    minimum: u64,
    is_own: impl Fn(u64, B256) -> bool,
) -> Option<L1Condition> {
    let head = view.head()?;
    let posted = posted_by_others(view, is_own).unwrap_or_default();
    let latest = anchor.max(posted).max(minimum);
    if latest > head.number {
        return None;
    }
    // A promise that replaces another one must always name a block.
    if minimum == 0 && latest <= view.finalized() {
        return Some(L1Condition::default());
    }
    let is_deep = head.number - latest > MAX_DEPTH || view.header(latest).is_none();
    let number = if is_deep { head.number.saturating_sub(NAMED_DEPTH).max(latest) } else { latest };
    view.header(number).map(|named| L1Condition { number, hash: named.hash })
}

/// Returns the number of the L1 block that contains the newest L2 block of another account, if the
/// L1 block is not final.
fn posted_by_others(view: &L1View, is_own: impl Fn(u64, B256) -> bool) -> Option<u64> {
    let safe = view.advanced_head()?.number;
    let posted = (0..=safe).rev().map_while(|number| view.posted(number));
    let recent = posted.take_while(|block| block.l1_block > view.finalized());
    recent.filter(|block| !is_own(block.number, block.hash)).map(|block| block.l1_block).next()
}

/// Returns `true` if L1's chain has another block at this number. A block that has not been read,
/// or is no longer remembered, counts as unchanged.
pub(crate) fn is_replaced(view: &L1View, number: u64, hash: B256) -> bool {
    view.header(number).is_some_and(|header| header.hash != hash)
}
