//! The permutation Keccak-f[1600], written once for words of any width.
//!
//! A backend provides a word type (one 64-bit lane of one or more states) and five operations;
//! [`keccak_f`] defines the permutation with them. It is a macro instead of a generic function
//! because the features of a `#[target_feature]` function apply to the code written inside it, but
//! not to a trait method that it calls. In this way the arithmetic of all backends is safe code.

use alloy_primitives::B256;

/// Bytes that one permutation absorbs: 1600 bits less twice the 256 bits of the digest.
pub(crate) const RATE: usize = 136;

/// 64-bit words that one permutation absorbs.
pub(crate) const RATE_WORDS: usize = RATE / 8;

/// 64-bit words of one state.
pub(crate) const STATE_WORDS: usize = 25;

/// Block of words that one permutation absorbs.
pub(crate) type Block = [u8; RATE];

/// The constants of the 24 rounds (step iota).
pub(crate) static ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Pads `tail`, the end of a message that is shorter than a block, to the last block.
#[inline]
pub(crate) fn pad(tail: &[u8], block: &mut Block) {
    let (start, padding) = block.split_at_mut(tail.len());
    start.copy_from_slice(tail);
    padding.fill(0);
    padding[0] = 0x01;
    block[RATE - 1] |= 0x80;
}

/// Returns the digest, given the first words of a state that has absorbed the padded block.
#[inline]
pub(crate) fn digest(words: [u64; 4]) -> B256 {
    let mut digest = B256::ZERO;
    for (bytes, word) in digest.0.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    digest
}

/// Defines `fn keccak_f(&mut [$word; 25])` with the given attributes.
///
/// The following must be in scope: `xor(a, b)`, `xor3(a, b, c)`, `chi(a, b, c) = a ^ (!b & c)`,
/// `rol::<N, { 64 - N }>(a)` and `splat(u64)`.
macro_rules! keccak_f {
    ($(#[$attribute:meta])* $word:ty) => {
        $(#[$attribute])*
        fn keccak_f(a: &mut [$word; $crate::permutation::STATE_WORDS]) {
            for constant in &$crate::permutation::ROUND_CONSTANTS {
                $crate::permutation::keccak_f!(@round a constant);
            }
        }
    };
    (@round $a:ident $constant:ident) => {{
        // This order of operations keeps the inputs alive without register copies, each of which
        // costs as much as an operation if `xor3` overwrites an operand.
        let c = [
            xor(xor3(xor($a[0], $a[5]), $a[10], $a[15]), $a[20]),
            xor(xor3(xor($a[1], $a[6]), $a[11], $a[16]), $a[21]),
            xor(xor3(xor($a[2], $a[7]), $a[12], $a[17]), $a[22]),
            xor(xor3(xor($a[3], $a[8]), $a[13], $a[18]), $a[23]),
            xor(xor3(xor($a[4], $a[9]), $a[14], $a[19]), $a[24]),
        ];
        let d = [
            xor(c[4], rol::<1, 63>(c[1])),
            xor(c[0], rol::<1, 63>(c[2])),
            xor(c[1], rol::<1, 63>(c[3])),
            xor(c[2], rol::<1, 63>(c[4])),
            xor(c[3], rol::<1, 63>(c[0])),
        ];
        let first = xor($a[0], d[0]);
        let rows = [
            $crate::permutation::keccak_f!(@row $a d first, (6 44), (12 43), (18 21), (24 14)),
            $crate::permutation::keccak_f!(@row $a d (3 28), (9 20), (10 3), (16 45), (22 61)),
            $crate::permutation::keccak_f!(@row $a d (1 1), (7 6), (13 25), (19 8), (20 18)),
            $crate::permutation::keccak_f!(@row $a d (4 27), (5 36), (11 10), (17 15), (23 56)),
            $crate::permutation::keccak_f!(@row $a d (2 62), (8 55), (14 39), (15 41), (21 2)),
        ];
        $a.copy_from_slice(rows.as_flattened());
        $a[0] = xor($a[0], splat(*$constant));
    }};
    // One row after chi, from the words that pi moves there, after theta and rho.
    (@row $a:ident $d:ident $($word:tt),*) => {{
        let b = [$($crate::permutation::keccak_f!(@word $a $d $word)),*];
        [
            chi(b[0], b[1], b[2]),
            chi(b[1], b[2], b[3]),
            chi(b[2], b[3], b[4]),
            chi(b[3], b[4], b[0]),
            chi(b[4], b[0], b[1]),
        ]
    }};
    (@word $a:ident $d:ident ($from:literal $by:literal)) => {
        rol::<$by, { 64 - $by }>(xor($a[$from], $d[$from % 5]))
    };
    (@word $a:ident $d:ident $first:ident) => { $first };
}
pub(crate) use keccak_f;
