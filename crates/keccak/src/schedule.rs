//! Assignment of messages to lanes.
//!
//! Every lane absorbs its own message. A lane whose message ends takes the next one immediately, so
//! messages of different lengths keep all lanes busy until none are left.

use crate::order::Order;
use crate::permutation::{Block, RATE, STATE_WORDS, digest, pad};
use crate::prefetch::prefetch;
use alloy_primitives::B256;

/// The states of `LANES` sponges, word by word.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct States<const LANES: usize>(pub(crate) [[u64; LANES]; STATE_WORDS]);

impl<const LANES: usize> States<LANES> {
    /// Returns the digest of the message that `lane` has absorbed completely.
    fn digest(&self, lane: usize) -> B256 {
        let [a, b, c, d, ..] = &self.0;
        digest([a[lane], b[lane], c[lane], d[lane]])
    }
}

/// A permutation of multiple states at a time.
pub(crate) trait Lanes<const LANES: usize>: Copy {
    /// Absorbs the first `count` blocks of every lane. The lanes whose bits are set in `fresh`
    /// start from the zero state.
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

    // Remaining blocks of each lane's message, and the index of its digest.
    let mut blocks: [&[Block]; LANES] = [&[]; LANES];
    let mut tails: [&[u8]; LANES] = [&[]; LANES];
    let mut indices = [0; LANES];

    // Sets of lanes, as bits: whether a message ends in this step is hard to predict, so lanes are
    // picked from a set instead of being tested one by one.
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
                // Prefetches the message that some lane will start when this one ends,
                // approximately.
                if index + LANES < digests.len() {
                    prefetch(get(index + LANES));
                }
            } else {
                live &= !(1 << lane);
            }
        }
        if live != all {
            // Idle lanes repeat the work of a busy one.
            let Some(busy) = lanes(live).next() else { return };
            for idle in lanes(all & !live) {
                (blocks[idle], tails[idle]) = (blocks[busy], tails[busy]);
            }
        }

        // Whole blocks, as long as no message has reached its last, padded block.
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

/// Returns the lanes of a set.
fn lanes(mut set: u8) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lane = (set != 0).then_some(set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lane)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Mixes a block into a state, depending on the order of blocks.
    fn mix(state: &mut [u64; STATE_WORDS], block: &Block) {
        for (word, bytes) in state.iter_mut().zip(block.as_chunks().0) {
            *word = word.rotate_left(7).wrapping_mul(5) ^ u64::from_le_bytes(*bytes);
        }
    }

    fn expected(message: &[u8]) -> B256 {
        let (blocks, tail) = message.as_chunks();
        let (mut state, mut last) = ([0; STATE_WORDS], [0; RATE]);
        pad(tail, &mut last);
        blocks.iter().chain([&last]).for_each(|block| mix(&mut state, block));
        digest([state[0], state[1], state[2], state[3]])
    }

    /// Mixes on any CPU, and counts calls and permutations.
    #[derive(Clone, Copy)]
    struct Counted<'c> {
        calls: &'c Cell<usize>,
        permutations: &'c Cell<usize>,
    }

    impl<const LANES: usize> Lanes<LANES> for Counted<'_> {
        fn absorb(self, all: &mut States<LANES>, fresh: u8, of: [&[Block]; LANES], count: usize) {
            self.calls.set(self.calls.get() + 1);
            self.permutations.set(self.permutations.get() + count);
            for lane in 0..LANES {
                let is_fresh = fresh >> lane & 1 == 1;
                let mut state = all.0.map(|words| if is_fresh { 0 } else { words[lane] });
                of[lane][..count].iter().for_each(|block| mix(&mut state, block));
                for (words, word) in all.0.iter_mut().zip(state) {
                    words[lane] = word;
                }
            }
        }
    }

    /// Returns the number of calls and permutations for messages of these lengths.
    fn counted<const LANES: usize>(lengths: &[usize]) -> (usize, usize) {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(10_000).collect();
        let get = |i: usize| &bytes[i..i + lengths[i]];
        let mut digests = vec![B256::ZERO; lengths.len()];
        let (calls, permutations) = (Cell::new(0), Cell::new(0));
        let counted = Counted { calls: &calls, permutations: &permutations };
        run::<LANES>(counted, get, &mut digests);
        for (i, digest) in digests.into_iter().enumerate() {
            assert_eq!(digest, expected(get(i)), "message {i} of {LANES} lanes");
        }
        (calls.get(), permutations.get())
    }

    #[test]
    fn lanes_stay_busy_while_messages_remain() {
        assert_eq!(counted::<4>(&[3; 12]).1, 3);
        assert_eq!(counted::<4>(&[3; 13]).1, 4);
        assert_eq!(counted::<8>(&[3; 16]).1, 2);
        assert_eq!(counted::<8>(&[3; 17]).1, 3);
    }

    #[test]
    fn finished_lane_starts_next_message() {
        // One lane with four blocks, next to three that take four messages of one block each.
        let mut lengths = [9; 13];
        lengths[0] = 3 * RATE;
        assert_eq!(counted::<4>(&lengths).1, 4);
    }

    #[test]
    fn whole_blocks_are_absorbed_in_one_call() {
        // Seven whole blocks, and the padded one.
        assert_eq!(counted::<4>(&[7 * RATE; 4]), (2, 8));
        // One whole block, which is the maximum here.
        assert_eq!(counted::<4>(&[RATE; 4]), (2, 2));
        // Idle lanes do not slow down a busy one.
        assert_eq!(counted::<4>(&[9, 9, 9, 9, 7 * RATE]), (3, 9));
    }
}
