//! The number of threads changes neither a verdict nor the reason of a refusal.

use super::support::{Case, all, generated, input_of, items, verdict_on};
use core::num::NonZeroUsize;
use enshrine_stateless::{ChainSpec, Invalid, UncheckedBlocks, Verdict, VerifyOptions};
use testkit::Random;
use wire::{ByteLists, StatelessInput};

fn with_threads(
    input: &StatelessInput<'_>,
    spec: &ChainSpec,
    threads: usize,
) -> Result<Verdict, Invalid> {
    let threads = NonZeroUsize::new(threads).expect("at least one");
    let options = VerifyOptions { threads, ..Default::default() };
    let verify = || Ok(UncheckedBlocks::decode(input)?.verify(spec, options, |_| {})?.remove(0));
    verdict_on(verify())
}

#[test]
fn verdicts_do_not_depend_on_thread_count() {
    for case in all() {
        let input = case.input();
        for threads in [1, 2, 4] {
            let verdict = with_threads(&input, &case.spec, threads);
            assert_eq!(verdict.as_ref(), Ok(&case.verdict), "{} on {threads}", case.name);
        }
    }
}

#[test]
fn incomplete_witness_errors_are_independent_of_threads() {
    let blocks = testkit::vectors::blocks("negative", "threads on too small witnesses");
    for block in blocks.expect("the vectors can be read") {
        let (spec, bytes) = input_of(&block);
        let input = StatelessInput::decode(&bytes).expect("decodes");
        let alone = with_threads(&input, &spec, 1).expect_err("is refused");
        assert!(matches!(alone, Invalid::State(_)), "{}: {alone}", block.name);
        for threads in [2, 4] {
            assert_eq!(with_threads(&input, &spec, threads), Err(alone.clone()), "{}", block.name);
        }
    }
}

#[test]
fn corrupted_block_errors_are_independent_of_threads() {
    let mut random = Random::new(14);
    for case in all().filter(|case| case.is_small()) {
        for _ in 0..10 {
            refused_alike(case, &mut random);
        }
    }
}

/// Removes two nodes and corrupts a signature. Of several possible reasons, the same one must
/// always be given.
fn refused_alike(case: &Case, random: &mut Random) {
    let mut input = case.input();
    let mut nodes = items(input.witness.state);
    nodes.remove(random.index(nodes.len()));
    nodes.remove(random.index(nodes.len()));
    input.witness.state = ByteLists::from(&nodes[..]);
    let mut transactions = items(input.request.payload.transactions);
    let mut changed = transactions.last().map_or(Vec::new(), |last| last.to_vec());
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    if let Some(last) = transactions.last_mut() {
        *last = &changed;
    }
    input.request.payload.transactions = ByteLists::from(&transactions[..]);
    super::support::rehash(&mut input);
    let alone = with_threads(&input, &case.spec, 1);
    for threads in [2, 4] {
        assert_eq!(with_threads(&input, &case.spec, threads), alone, "{}", case.name);
    }
    assert!(case.minimal <= alone.is_err(), "{}", case.name);
}

/// Set in a process in which no thread can be started.
const WITHOUT_THREADS: &str = "ENSHRINE_TEST_WITHOUT_THREADS";

#[test]
fn verdicts_are_unchanged_without_thread_support() {
    if std::env::var_os(WITHOUT_THREADS).is_some() {
        assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "no thread can be started");
        for case in generated() {
            let verdict = with_threads(&case.input(), &case.spec, 4);
            assert_eq!(verdict.as_ref(), Ok(&case.verdict), "{}", case.name);
        }
        return;
    }
    // Runs only this test, in a process whose threads would each have a stack beyond the address
    // space.
    let this = std::env::current_exe().expect("has a path");
    let name = "mutations::threads::verdicts_are_unchanged_without_thread_support";
    let done = std::process::Command::new(this)
        .args([name, "--exact", "--test-threads=1"])
        .env(WITHOUT_THREADS, "1")
        .env("RUST_MIN_STACK", (1_u64 << 50).to_string())
        .output()
        .expect("starts");
    let output = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && output.contains("1 passed"), "{output}");
}
