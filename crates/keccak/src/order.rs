//! Order in which messages start: long messages first, in descending classes of length.
//!
//! A long message that starts last would keep one lane busy while the others are idle. Sorting
//! needs memory for every message, for which the digests are used: the slot of a message that has
//! not started contains the link to the next message of its class.

use crate::permutation::RATE;
use alloy_primitives::B256;

/// Range of lengths in bytes that count as equal. Below it the order does not matter.
const CLASS_SIZE: usize = 8 * RATE;

/// Number of classes. The last one contains all lengths from `(CLASSES - 1) * CLASS_SIZE` on, which
/// is more than 64 kB.
const CLASSES: usize = 64;

/// Yields the index of every message once.
#[derive(Debug)]
pub(crate) struct Order {
    /// The first message of each class, as its index plus one; 0 if none is left. Class 0 is not
    /// linked.
    heads: [usize; CLASSES],
    /// Class of the next message.
    class: usize,
    /// First message that has not been checked for class 0.
    short: usize,
}

impl Order {
    /// Sorts the messages `get(i)`, for every index of `digests`.
    pub(crate) fn new<'a>(get: impl Fn(usize) -> &'a [u8], digests: &mut [B256]) -> Self {
        let mut order = Self { heads: [0; CLASSES], class: 0, short: 0 };
        for index in (0..digests.len()).rev() {
            let class = class(get(index));
            if class > 0 {
                *link(&mut digests[index]) = order.heads[class].to_ne_bytes();
                order.heads[class] = index + 1;
                order.class = order.class.max(class);
            }
        }
        order
    }

    /// Returns the message to start next. `get` and `digests` must be those passed to
    /// [`Self::new`]. Once an index has been returned, its digest may be written.
    #[inline]
    pub(crate) fn next<'a>(
        &mut self,
        get: impl Fn(usize) -> &'a [u8],
        digests: &mut [B256],
    ) -> Option<usize> {
        while self.class > 0 {
            if let Some(index) = self.heads[self.class].checked_sub(1) {
                self.heads[self.class] = usize::from_ne_bytes(*link(&mut digests[index]));
                return Some(index);
            }
            self.class -= 1;
        }
        while self.short < digests.len() {
            let index = self.short;
            self.short += 1;
            if class(get(index)) == 0 {
                return Some(index);
            }
        }
        None
    }
}

#[inline]
fn class(message: &[u8]) -> usize {
    (message.len() / CLASS_SIZE).min(CLASSES - 1)
}

/// Returns the part of an unstarted message's slot that links to the next message of its class.
#[inline]
fn link(slot: &mut B256) -> &mut [u8; size_of::<usize>()] {
    &mut slot.0.as_chunks_mut().0[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lengths: &[usize]) -> Vec<usize> {
        let bytes = vec![0; lengths.iter().copied().max().unwrap_or(0)];
        let get = |i: usize| &bytes[..lengths[i]];
        let mut digests = vec![B256::repeat_byte(0xff); lengths.len()];
        let mut order = Order::new(get, &mut digests);
        let mut indices = Vec::new();
        while let Some(index) = order.next(get, &mut digests) {
            digests[index] = B256::repeat_byte(0xff);
            indices.push(index);
        }
        indices
    }

    #[test]
    fn order_yields_long_messages_first_and_each_once() {
        let giant = CLASSES * CLASS_SIZE;
        let lengths = [
            0,
            CLASS_SIZE,
            CLASS_SIZE - 1,
            3 * CLASS_SIZE,
            10 * giant,
            1,
            giant,
            2 * CLASS_SIZE - 1,
            3 * CLASS_SIZE + 5,
        ];
        assert_eq!(order(&lengths), [4, 6, 3, 8, 1, 7, 0, 2, 5]);
    }

    #[test]
    fn last_class_has_no_upper_bound() {
        let last = (CLASSES - 1) * CLASS_SIZE;
        assert_eq!(order(&[last - 1, last]), [1, 0]);
        assert_eq!(order(&[last, 2 * last]), [0, 1]);
    }

    #[test]
    fn short_messages_keep_their_order() {
        assert_eq!(order(&[532, 0, 32, CLASS_SIZE - 1]), [0, 1, 2, 3]);
        assert_eq!(order(&[]), []);
    }
}
