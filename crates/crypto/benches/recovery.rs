//! CPU time per signature, compared with libsecp256k1.
//!
//! `cargo bench -p enshrine-crypto`. The two libraries alternate, and each figure is the minimum
//! over all rounds.

use enshrine_crypto::recovery::{Signature, recover};
use secp256k1::{
    Message, SECP256K1, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUNDS: usize = 300;

fn main() {
    let signatures: Vec<_> = (0..128).map(signature).collect();
    println!("signatures  libsecp256k1  batch (µs each)  ratio");
    for count in [1, 2, 3, 4, 8, 16, 24, 32, 64, 128] {
        let signatures = &signatures[..count];
        let (mut one_by_one, mut batch) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let keys =
                || signatures.iter().map(|signature| reference(black_box(signature))).collect();
            one_by_one = one_by_one.min(time(keys));
            batch = batch.min(time(|| recover(black_box(signatures))));
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        let [one_by_one, batch] = [each(one_by_one), each(batch)];
        println!("{count:>10}  {one_by_one:>12.2}  {batch:>15.2}  {:.2}", one_by_one / batch);
    }
}

fn time(work: impl FnOnce() -> Vec<Option<[u8; 64]>>) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn signature(i: u8) -> Signature {
    let (mut key, mut digest) = ([0x5a; 32], [0xc3; 32]);
    (key[0], digest[0]) = (i, i);
    let key = SecretKey::from_slice(&key).unwrap();
    let (id, bytes) =
        SECP256K1.sign_ecdsa_recoverable(&Message::from_digest(digest), &key).serialize_compact();
    let (halves, _) = bytes.as_chunks();
    Signature { digest, r: halves[0], s: halves[1], is_odd: id == RecoveryId::One }
}

fn reference(signature: &Signature) -> Option<[u8; 64]> {
    let bytes: Vec<_> = signature.r.into_iter().chain(signature.s).collect();
    let id = RecoveryId::try_from(i32::from(signature.is_odd)).ok()?;
    let recoverable = RecoverableSignature::from_compact(&bytes, id).ok()?;
    let key =
        SECP256K1.recover_ecdsa(&Message::from_digest(signature.digest), &recoverable).ok()?;
    key.serialize_uncompressed()[1..].try_into().ok()
}
