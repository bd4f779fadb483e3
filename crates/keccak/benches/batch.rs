//! Time of batches, as a ratio to hashing the same inputs one by one with `alloy_primitives`.
//!
//! `cargo bench -p enshrine-keccak`. All figures of a run come from interleaved rounds, and each is
//! the minimum over its rounds, so that they can be compared.

use alloy_primitives::B256;
use enshrine_keccak::{Backend, keccak256_batch_with};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUNDS: usize = 200;

fn main() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let nodes = random.inputs(5000, |random| match random.below(10) {
        0..6 => 532,
        _ => 32 + random.below(269),
    });
    let codes = random.inputs(100, |random| 3_000 + random.below(21_577));
    let mixed: Vec<_> = nodes.iter().chain(&codes).cloned().collect();

    compare("5000 trie nodes", &nodes);
    compare("100 codes", &codes);
    compare("5000 trie nodes, then 100 codes", &mixed);
    compare("5000 words of 32 bytes", &random.inputs(5000, |_| 32));
    for count in [1, 2, 3, 4, 8, 16] {
        compare(&format!("{count} nodes of 532 bytes"), &random.inputs(count, |_| 532));
    }
}

/// Prints a table of all ways to hash `inputs`.
fn compare(name: &str, inputs: &[Vec<u8>]) {
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let permutations: usize = inputs.iter().map(|input| input.len() / 136 + 1).sum();
    let mut digests = vec![B256::ZERO; inputs.len()];

    type Way = (String, Box<dyn Fn(&[&[u8]], &mut [B256])>);
    let mut ways: Vec<Way> = vec![(
        "alloy_primitives".into(),
        Box::new(|inputs, digests| {
            for (input, digest) in inputs.iter().zip(digests) {
                let mut hasher = alloy_primitives::Keccak256::new();
                hasher.update(input);
                *digest = hasher.finalize();
            }
        }),
    )];
    for backend in Backend::available() {
        ways.push((
            format!("{backend:?}"),
            Box::new(move |inputs, digests| keccak256_batch_with(backend, inputs, digests)),
        ));
    }

    let mut best = vec![Duration::MAX; ways.len()];
    for _ in 0..ROUNDS {
        for ((_, way), best) in ways.iter().zip(&mut best) {
            let start = Instant::now();
            way(black_box(&inputs), &mut digests);
            *best = start.elapsed().min(*best);
            black_box(&digests);
        }
    }

    println!("{name}: {permutations} permutations");
    for ((way, _), time) in ways.iter().zip(&best) {
        let nanos = time.as_nanos() as f64;
        println!(
            "  {way:<18} {:>9.1} us  {:>6.1} ns per permutation  {:>6.2}x",
            nanos / 1e3,
            nanos / permutations as f64,
            best[0].as_nanos() as f64 / nanos,
        );
    }
}

/// A xorshift generator, so that inputs are equal in every run.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> usize {
        usize::try_from((self.next() >> 11) % bound).expect("bounds are small")
    }

    fn inputs(&mut self, count: usize, length: fn(&mut Self) -> usize) -> Vec<Vec<u8>> {
        let input = |_| (0..length(self)).map(|_| self.next().to_le_bytes()[7]).collect();
        (0..count).map(input).collect()
    }
}
