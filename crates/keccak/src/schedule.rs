//! Assignment of messages to lanes.
//!
//! Every lane absorbs its own message. A lane whose message ends takes the next one at once, so
//! messages of different lengths keep all lanes busy until there are none left to take.

use crate::order::Order;
use crate::permutation::{Block, RATE, STATE_WORDS, digest, pad};
use crate::prefetch::prefetch;
use alloy_primitives::B256;

/// The states of `LANES` sponges, word by word.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct States<const LANES: usize>(pub(crate) [[u64; LANES]; STATE_WORDS]);

impl<const LANES: usize> States<LANES> {
    /// The digest of the message that `lane` has absorbed to its end.
    fn digest(&self, lane: usize) -> B256 {
        let [a, b, c, d, ..] = &self.0;
        digest([a[lane], b[lane], c[lane], d[lane]])
    }
}

/// A permutation of several states at a time.
pub(crate) trait Lanes<const LANES: usize>: Copy {
    /// Absorbs the first `count` blocks of every lane. The lanes whose bit is set in `fresh` start
    /// from the zero state.
    ///
    /// # Panics
    ///
    /// If a lane has fewer than `count` blocks.
    fn absorb(self, states: &mut States<LANES>, fresh: u8, blocks: [&[Block]; LANES], count: usize);
}

/// Hashes `get(i)` to `digests[i]` for every index of `digests`.
pub(crate) fn run<'a, const LANES: usize>(
    permutation: impl Lanes<LANES>,
    get: impl Fn(usize) -> &'a [u8],
    digests: &mut [B256],
) {
    let mut order = Order::new(&get, digests);
    let mut states = States([[0; LANES]; STATE_WORDS]);
    let mut last_blocks = [[0; RATE]; LANES];

    // Remaining bytes of each lane's message, and the position of its digest.
    let mut blocks: [&[Block]; LANES] = [&[]; LANES];
    let mut tails: [&[u8]; LANES] = [&[]; LANES];
    let mut indices = [0; LANES];

    // Sets of lanes, as bits: whether a message ends in this step is hard to predict, so lanes are
    // picked from a set and not asked one by one.
    let all = u8::MAX >> (8 - LANES);
    let mut live = all;
    let mut ended = all;
    loop {
        let mut fresh = 0;
        for lane in lanes(ended & live) {
            if let Some(index) = order.next(&get, digests) {
                (blocks[lane], tails[lane]) = get(index).as_chunks();
                indices[lane] = index;
                fresh |= 1 << lane;
                // The message that some lane takes at about the time at which this message ends.
                if index + LANES < digests.len() {
                    prefetch(get(index + LANES));
                }
            } else {
                live &= !(1 << lane);
            }
        }
        if live != all {
            // The idle lanes repeat the work of one that is not.
            let Some(busy) = lanes(live).next() else { return };
            for idle in lanes(all & !live) {
                (blocks[idle], tails[idle]) = (blocks[busy], tails[busy]);
            }
        }

        // Whole blocks, as long as no message is down to its last, padded one.
        let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
        if count > 0 {
            permutation.absorb(&mut states, fresh, blocks, count);
            fresh = 0;
            for blocks in &mut blocks {
                *blocks = &blocks[count..];
            }
        }

        ended = 0;
        for (lane, blocks) in blocks.iter().enumerate() {
            ended |= u8::from(blocks.is_empty()) << lane;
        }
        for lane in lanes(ended) {
            pad(tails[lane], &mut last_blocks[lane]);
        }
        let mut step = blocks;
        for lane in lanes(ended) {
            step[lane] = core::slice::from_ref(&last_blocks[lane]);
        }
        permutation.absorb(&mut states, fresh, step, 1);
        for blocks in &mut blocks {
            *blocks = &blocks[usize::from(!blocks.is_empty())..];
        }
        for lane in lanes(ended & live) {
            digests[indices[lane]] = states.digest(lane);
        }
    }
}

/// The lanes of a set.
fn lanes(mut set: u8) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lane = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lane)
    })
}
