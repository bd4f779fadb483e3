//! Runs each property on the committed corpus and on seeded mutations of it: a short, deterministic
//! fuzzing run on stable.

use enshrine_fuzzing::{Outcome, PROPERTIES};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};
use testkit::Random;

/// Maximum length of a mutated input, in bytes.
const MAX_LENGTH: usize = 16 * 1_024;
/// Maximum length of a committed file, in bytes.
const MAX_SEED: usize = 5 * 1_024;
/// Maximum total length of the committed files, in bytes.
const MAX_CORPUS: usize = 60 * 1_024;

/// Returns the number of mutations of the corpus: `ENSHRINE_MUTATED`, or 10,000 by default.
fn mutated() -> u64 {
    env::var("ENSHRINE_MUTATED").map_or(10_000, |count| count.parse().expect("a number"))
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

/// Returns the committed inputs of a property.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(folder("corpus").join(name))
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        // libFuzzer adds its own files to the folder.
        .filter(|path| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"seed-"))
        })
        .collect();
    files.sort();
    files.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Returns a mutation of inputs from the corpus.
fn mutation(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(corpus).clone();
    for _ in 0..=random.index(4) {
        let at = random.index(bytes.len());
        match random.index(6) {
            0 | 1 => random.flip(&mut bytes),
            2 => {
                let new = random.byte();
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = new);
            }
            3 => {
                let length = random.index(16);
                bytes.splice(at..at, random.bytes(length));
            }
            4 => {
                let end = bytes.len().min(at + random.index(16));
                bytes.drain(at..end);
            }
            // Joins the beginning of one input and the end of another.
            _ => {
                let other = random.pick(corpus);
                let from = random.index(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes.truncate(MAX_LENGTH);
    bytes
}

/// Runs a property on the corpus, which must have an accepted input, and on mutations, which must
/// have inputs that are not accepted.
fn run(name: &str) {
    let (_, property) = PROPERTIES.iter().find(|(other, _)| *other == name).expect("a property");
    let corpus = seeds(name);
    let accepted = corpus.iter().filter(|seed| property(seed) == Outcome::Accepted).count();
    assert!(accepted > 0, "no seed of {name} is accepted");
    let mut random = Random::new(0x5eed);
    let mut counts = [0_u64; 3];
    for number in 0..mutated() {
        let bytes = mutation(&corpus, &mut random);
        let outcome = std::panic::catch_unwind(|| property(&bytes));
        let outcome = outcome.unwrap_or_else(|_| panic!("{name}, mutation {number}: {bytes:02x?}"));
        counts[outcome as usize] += 1;
    }
    let [unreadable, refused, accepted] = counts;
    println!("{name}: {accepted} accepted, {refused} refused, {unreadable} unreadable");
    assert!(accepted > 0 && refused + unreadable > 0, "{name}");
}

#[test]
fn decoded_bytes_have_one_encoding() {
    run("wire");
}

#[test]
fn trie_root_matches_alloy_trie() {
    run("trie");
}

#[test]
fn block_verdict_is_independent_of_form() {
    run("inputs");
}

#[test]
fn dialects_agree_on_their_inner_input() {
    run("dialects");
}

#[test]
fn blob_tail_verdict_matches_whole_input() {
    run("blob_tails");
}

#[test]
fn updates_of_prefixes_have_one_encoding() {
    run("updates");
}

#[test]
fn every_property_has_target_and_corpus() {
    let names: BTreeSet<_> = PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let in_folder = |name: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder(name)).expect("a folder of the repository");
        let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
        entries.map(|entry| stem(entry.expect("an entry").path())).collect()
    };
    assert_eq!(in_folder("fuzz_targets"), names);
    assert_eq!(in_folder("corpus"), names);
    let manifest = fs::read_to_string(folder("Cargo.toml")).expect("the manifest of the targets");
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    let lengths: Vec<_> =
        names.iter().flat_map(|name| seeds(name)).map(|seed| seed.len()).collect();
    assert!(lengths.iter().all(|length| *length <= MAX_SEED), "{lengths:?}");
    assert!(lengths.iter().sum::<usize>() <= MAX_CORPUS, "{lengths:?}");
}
