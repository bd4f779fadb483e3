//! Inputs split between calldata and blobs: every tail is restored, and only canonical blobs are
//! accepted.

use enshrine_codec::blob_tail::{
    BLOB_CAPACITY, BLOB_LEN, BlobTailError, MAGIC, MIN_HEAD, Trailer, blobs_for, to_blobs,
};
use proptest::prelude::*;

fn head() -> Vec<u8> {
    (0..MIN_HEAD).map(|at| at.to_le_bytes()[0]).collect()
}

fn calldata(trailer: Trailer) -> Vec<u8> {
    [head(), trailer.encode().to_vec()].concat()
}

fn joined(calldata: &[u8], blobs: &[Vec<u8>]) -> Result<Vec<u8>, BlobTailError> {
    let (head, trailer) = Trailer::split(calldata)?;
    trailer.pieces(head)?.join(blobs)
}

#[test]
fn trailer_has_documented_layout() {
    let trailer = Trailer::new(BLOB_CAPACITY + 1, 3).unwrap();
    assert_eq!(trailer.encode(), [0x00, 0x01, 0xf0, 0x01, 3, 2, 0xb1, 0x0b]);
    assert_eq!(trailer.blobs(), 3..5);
    assert_eq!(MAGIC, [0xb1, 0x0b]);
    assert_eq!((MIN_HEAD, BLOB_LEN, BLOB_CAPACITY), (602, 131_072, 126_976));
    // The longest tail that fits in the six blobs of a transaction.
    assert_eq!(blobs_for(761_856), 6);
    assert_eq!(blobs_for(761_857), 7);
    assert_eq!(Trailer::new(255 * BLOB_CAPACITY, 0).map(|trailer| trailer.blobs()), Some(0..255));
    assert_eq!(Trailer::new(255 * BLOB_CAPACITY + 1, 0), None);
}

#[test]
fn field_element_holds_31_bytes_after_zero() {
    let blobs = to_blobs(&[0xff; 40]);
    let mut expected = vec![0; BLOB_LEN];
    expected[1..32].fill(0xff);
    expected[33..42].fill(0xff);
    assert_eq!(blobs, [expected]);
    assert!(to_blobs(&[]).is_empty());
}

#[test]
fn tails_around_blob_boundaries_are_restored() {
    for length in [0, 1, 30, 31, 32, BLOB_CAPACITY - 1, BLOB_CAPACITY, BLOB_CAPACITY + 1] {
        let tail: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0] | 1).collect();
        let calldata = calldata(Trailer::new(length, 0).unwrap());
        let input = joined(&calldata, &to_blobs(&tail));
        assert_eq!(input, Ok([head(), tail].concat()), "{length}");
    }
}

#[test]
fn non_canonical_trailer_is_rejected() {
    let good = calldata(Trailer::new(100, 2).unwrap());
    assert!(Trailer::split(&good).is_ok());
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[MIN_HEAD + at] = byte;
        Trailer::split(&bad).map(|_| ()).unwrap_err()
    };
    // The shortest valid calldata has one byte more.
    let (got, expected) = (MIN_HEAD + 7, MIN_HEAD + 8);
    assert_eq!(Trailer::split(&good[1..]), Err(BlobTailError::TooShort { got, expected }));
    assert_eq!(
        Trailer::split(&good[good.len() - 8..]).unwrap_err(),
        BlobTailError::TooShort { got: 8, expected }
    );
    assert_eq!(Trailer::split(&[]), Err(BlobTailError::TooShort { got: 0, expected }));
    assert_eq!(with(6, 0xb0), BlobTailError::Magic { got: [0xb0, 0x0b] });
    assert_eq!(with(7, 0x0c), BlobTailError::Magic { got: [0xb1, 0x0c] });
    // More blobs than the tail needs, and fewer.
    assert_eq!(with(5, 2), BlobTailError::Count { tail: 100, got: 2, expected: 1 });
    assert_eq!(with(5, 0), BlobTailError::Count { tail: 100, got: 0, expected: 1 });
    assert_eq!(with(3, 0), BlobTailError::Count { tail: 0, got: 1, expected: 0 });
    let tail = 0xff00_0064;
    assert_eq!(
        with(0, 0xff),
        BlobTailError::Count { tail, got: 1, expected: blobs_for(0xff00_0064) }
    );
    // A trailer without a tail has one encoding.
    let none = calldata(Trailer::new(0, 9).unwrap());
    assert!(Trailer::split(&none).is_ok());
    let mut bad = none;
    bad[MIN_HEAD + 4] = 1;
    assert_eq!(Trailer::split(&bad).unwrap_err(), BlobTailError::First { got: 1 });
}

#[test]
fn non_canonical_blobs_are_rejected() {
    let length = BLOB_CAPACITY + 45;
    let tail = vec![7; length];
    let calldata = calldata(Trailer::new(length, 0).unwrap());
    let good = to_blobs(&tail);
    assert!(joined(&calldata, &good).is_ok());
    let with = |blob: usize, at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[blob][at] = byte;
        joined(&calldata, &bad)
    };
    // A field element with a nonzero first byte can be below the modulus and is still refused.
    let large = |blob, element| Err(BlobTailError::Element { blob, element, got: 0x73 });
    assert_eq!(with(0, 0, 0x73), large(0, 0));
    assert_eq!(with(1, 32 * 4_095, 0x73), large(1, 4_095));
    // The tail ends at the 14th byte of the second element's data.
    assert!(with(1, 32 + 14, 1).is_ok());
    let padding = Err(BlobTailError::Padding { tail: u32::try_from(length).unwrap() });
    assert_eq!(with(1, 32 + 15, 1), padding);
    assert_eq!(with(1, BLOB_LEN - 1, 1), padding);
    // A blob of the wrong length, and a wrong number of blobs.
    let mut short = good.clone();
    short[1].pop();
    let got = BLOB_LEN - 1;
    assert_eq!(joined(&calldata, &short), Err(BlobTailError::BlobLength { blob: 1, got }));
    let tail = u32::try_from(length).unwrap();
    let count = |got| Err(BlobTailError::Count { tail, got, expected: 2 });
    assert_eq!(joined(&calldata, &good[..1]), count(1));
    assert_eq!(joined(&calldata, &[good.clone(), good.clone()].concat()), count(4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn split_input_is_restored(tail in prop::collection::vec(any::<u8>(), 0..2_000), first in 0..9_u8) {
        let calldata = calldata(Trailer::new(tail.len(), first).unwrap());
        prop_assert_eq!(joined(&calldata, &to_blobs(&tail)).unwrap(), [head(), tail].concat());
    }

    /// Each input has a single encoding as calldata and blobs.
    #[test]
    fn accepted_calldata_and_blobs_are_canonical(
        tail in prop::collection::vec(any::<u8>(), 1..200),
        at in 0..500_usize,
        byte: u8,
        trailer in prop::option::of((0..8_usize, any::<u8>())),
    ) {
        let mut calldata = calldata(Trailer::new(tail.len(), 0).unwrap());
        let mut blobs = to_blobs(&tail);
        match trailer {
            Some((at, byte)) => calldata[MIN_HEAD + at] = byte,
            None => blobs[0][at] = byte,
        }
        if let Ok(input) = joined(&calldata, &blobs) {
            let tail = &input[MIN_HEAD..];
            prop_assert_eq!(to_blobs(tail), blobs);
            let (_, trailer) = Trailer::split(&calldata).unwrap();
            let first = u8::try_from(trailer.blobs().start).unwrap();
            prop_assert_eq!(Trailer::new(tail.len(), first), Some(trailer));
        }
    }
}
