//! Agreement of EXECUTE with a chain that imports the same blocks.

use crate::{cached_execute::is_in_sample, forked_chain::ForkedChain};
use alloy_primitives::B256;
use chain::Chain;
use codec::RawBlock;
use testkit::CHAIN_ID;
use wire::Input;

/// Compares the verdict on calldata with that of a chain, which executes the same blocks on the
/// states in a store. Returns `true` if EXECUTE accepts the calldata by the L1 rules.
///
/// If EXECUTE accepts an input, the chain imports its blocks in order. If the chain imports them
/// and EXECUTE rejects the input, the witness must be the reason: with the witness of the chain,
/// EXECUTE accepts the blocks.
pub(crate) fn agree_with_chain(forked: &ForkedChain, calldata: &[u8]) -> bool {
    let open = &*forked.open.verdict(calldata);
    // EXECUTE by the rules of the fork's L1 is stricter, but never returns a different result.
    if is_in_sample(calldata)
        && let Ok(strict) = &*forked.strict.verdict(calldata)
    {
        let open = open.as_ref().expect("the rules of L1 allow more");
        assert_eq!((strict.result, strict.gas), (open.result, open.gas));
        assert_eq!(strict.verdict, open.verdict);
    }
    let Ok(input) = Input::decode(calldata) else { return open.is_ok() };
    let first = &input.requests()[0].payload;
    let is_known = matches!(forked.chain.find_block(&first.parent_hash), Ok(Some(_)));
    // The chain cannot check blocks of other chains and on forged parents.
    if !is_known || input.chain_id() != CHAIN_ID || input.fork() != forked.fork {
        return open.is_ok();
    }
    let mut chain = forked.chain.detached();
    let replayed = replay(&mut chain, &input);
    match (open, &replayed) {
        (Ok(executed), Ok(hashes)) => {
            let got: Vec<_> = executed.verdicts().map(|one| one.block_hash).collect();
            assert_eq!(got, *hashes);
        }
        (Ok(_), Err(reason)) => panic!("accepted, but no block of the chain: {reason}"),
        (Err(reason), Ok(hashes)) => {
            let blocks = hashes.iter().map(|hash| chain.block(hash).expect("just appended"));
            let again = chain.batch(blocks.collect()).expect("each is a child of the one before");
            let proven = forked.open.verdict(&again.input().expect("its witness"));
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
        let raw: RawBlock =
            chain::block_of(request, input.fork()).map_err(|error| error.to_string())?;
        let parent = hashes.last().copied();
        if parent.is_some_and(|parent| parent != raw.header.parent_hash) {
            return Err("a block is not a child of the one before".to_owned());
        }
        let new = chain.import(&raw).map_err(|error| error.to_string())?;
        hashes.push(new.block.hash);
        chain.insert(new).map_err(|error| error.to_string())?;
    }
    Ok(hashes)
}
