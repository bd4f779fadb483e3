//! Verdicts on inputs, each reached in two ways.

use crate::scene::Scene;
use alloy_primitives::B256;
use chain::Chain;
use codec::RawBlock;
use core::num::NonZeroUsize;
use execute::{Execute, ExecuteError, Executed};
use testkit::CHAIN_ID;
use wire::Input;

/// Returns the verdict of an EXECUTE on a call with all gas, which is the same on one thread and on two.
///
/// # Panics
///
/// If the call is a fault of ours, or if the number of threads matters.
pub(crate) fn verdict(execute: &Execute, calldata: &[u8]) -> Result<Executed, ExecuteError> {
    let alone = execute.run(calldata, u64::MAX);
    assert_no_fault(&alone);
    let threads = NonZeroUsize::new(2).expect("two");
    let shared = Execute { threads, ..execute.clone() }.run(calldata, u64::MAX);
    let seen = |outcome: &Result<Executed, ExecuteError>| {
        let parts = |it: &Executed| (it.result, it.gas, it.reserve, it.work, it.verdict.clone());
        outcome.as_ref().map(parts).map_err(Clone::clone)
    };
    assert_eq!(seen(&alone), seen(&shared), "one thread and two");
    alone
}

/// Panics if an outcome is a fault of this program and no verdict.
pub(crate) fn assert_no_fault<T>(outcome: &Result<T, ExecuteError>) {
    if let Err(fault @ (ExecuteError::Panic(_) | ExecuteError::Internal(_))) = outcome {
        panic!("a fault of ours: {fault}");
    }
}

/// Compares the verdict on calldata with that of a chain, which executes the same blocks on the states of a store.
/// Returns `true` if EXECUTE accepts the calldata by the rules of L1.
///
/// An accepted input is one whose blocks the chain imports, one on the other. If the chain imports them and EXECUTE
/// refuses the input, then only for its witness: with the witness of the chain it accepts the blocks.
pub(crate) fn agree_with_chain(scene: &Scene, calldata: &[u8]) -> bool {
    let open = verdict(&scene.open(), calldata);
    // EXECUTE of the fork's L1 demands more, and never comes to another result.
    if let Ok(strict) = verdict(&scene.execute(), calldata) {
        let open = open.as_ref().expect("the rules of L1 allow more");
        assert_eq!((strict.result, strict.gas), (open.result, open.gas));
        assert_eq!(strict.verdict, open.verdict);
    }
    let Ok(input) = Input::decode(calldata) else { return open.is_ok() };
    let first = &input.requests()[0].payload;
    let is_known = matches!(scene.chain.find_block(&first.parent_hash), Ok(Some(_)));
    // The chain has neither the rules of other chains nor forged parents.
    if !is_known || input.chain_id() != CHAIN_ID || input.fork() != scene.fork {
        return open.is_ok();
    }
    let mut chain = scene.chain.detached();
    let replayed = replay(&mut chain, &input);
    match (&open, &replayed) {
        (Ok(executed), Ok(hashes)) => {
            let got: Vec<_> = executed.verdicts().map(|one| one.block_hash).collect();
            assert_eq!(got, *hashes);
        }
        (Ok(_), Err(reason)) => panic!("accepted, but no block of the chain: {reason}"),
        (Err(reason), Ok(hashes)) => {
            let blocks = hashes.iter().map(|hash| chain.block(hash).expect("just appended"));
            let again = chain.batch(blocks.collect()).expect("they follow one another");
            let proven = verdict(&scene.open(), &again.input().expect("its witness"));
            assert!(proven.is_ok(), "{proven:?} with the chain's witness, {reason} with its own");
        }
        (Err(_), Err(_)) => {}
    }
    open.is_ok()
}

/// Imports the blocks of an input one after another, and returns their hashes.
fn replay(chain: &mut Chain, input: &Input<'_>) -> Result<Vec<B256>, String> {
    let mut hashes = Vec::new();
    for request in input.requests() {
        let raw: RawBlock = chain::block_of(request, input.fork()).map_err(|it| it.to_string())?;
        let parent = hashes.last().copied();
        if parent.is_some_and(|parent| parent != raw.header.parent_hash) {
            return Err("a block does not follow the one before".to_owned());
        }
        let new = chain.import(&raw).map_err(|it| it.to_string())?;
        hashes.push(new.block.hash);
        chain.insert(new).map_err(|it| it.to_string())?;
    }
    Ok(hashes)
}
