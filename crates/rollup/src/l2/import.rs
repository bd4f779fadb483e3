//! Import of L2 blocks from EXECUTE inputs, from L1 or from a sequencer.

use crate::L2Error;
use alloy_primitives::B256;
use chain::{Chain, ExecutedBlock, block_of};
use codec::OwnedWitness;
use execute::{ExecuteError, Rules};
use wire::{Input, StatelessInput};

/// Returns the witness of an input with one block, if it is complete, i.e. contains the parent. A
/// batch has one witness for all its blocks, and the witness of an input may be empty.
fn own_witness(input: &Input<'_>) -> Option<OwnedWitness> {
    match input {
        Input::Block(StatelessInput { witness, .. }) if !witness.headers.is_empty() => {
            Some(OwnedWitness::of(witness))
        }
        Input::Block(_) | Input::Batch(_) => None,
    }
}

/// Executes the block with this hash from an input, on a chain that has its parent, and checks it
/// against its header. The witness of an input with one block is reused instead of recorded again.
///
/// # Errors
///
/// [`L2Error::Input`] if the input cannot be decoded, [`L2Error::Diverged`] if it does not
/// contain the block, and [`L2Error::Chain`] if the block is invalid.
pub fn import(chain: &Chain, bytes: &[u8], hash: B256) -> Result<ExecutedBlock, L2Error> {
    let malformed = |source| L2Error::Input { number: 0, source };
    let decoded = Input::decode(bytes).map_err(malformed)?;
    let request = decoded.requests().iter().find(|request| request.payload.block_hash == hash);
    let other = |got, number| L2Error::Diverged { number, what: "the hash", got, expected: hash };
    let request = request.ok_or_else(|| other(B256::ZERO, 0))?;
    let raw = block_of(request, decoded.fork()).map_err(chain::ChainError::from)?;
    let Some(witness) = own_witness(&decoded) else { return Ok(chain.import(&raw)?) };
    let executed = chain.import_with_ommers(&raw, &[])?;
    Ok(ExecutedBlock { witness, ..executed })
}

/// Executes an unsafe block once, on a chain that has its parent, and checks it against its header
/// and the rules of EXECUTE.
///
/// EXECUTE is not called, because it would execute the block a second time only to repeat what the
/// import has verified: that the header follows from the parent's state. The sequencer's witness is
/// not used, since it may lack nodes or contain extra ones. The import records the witness that
/// this node stores and serves, so a false witness does not propagate. If L1 later rejects the
/// sequencer's input, the block never becomes safe, like any block that is not posted.
///
/// # Errors
///
/// [`L2Error::Refused`] if the rules of an L2 forbid the block, and [`L2Error::Chain`] if
/// it is invalid.
pub(crate) fn import_unsafe(
    chain: &Chain,
    input: &StatelessInput<'_>,
) -> Result<ExecutedBlock, L2Error> {
    let (request, hash) = (&input.request, input.request.payload.block_hash);
    let raw = block_of(request, input.fork).map_err(chain::ChainError::from)?;
    let new = chain.import(&raw)?;
    // `None` only for a block with transactions of non-Ethereum types, which an L2 never imports.
    let transactions = new.block.ethereum_transactions().unwrap_or_default();
    let refused = |reason| L2Error::Refused { hash, reason: ExecuteError::Rules(reason) };
    Rules::default().check(request, &transactions).map_err(refused)?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::TxEip1559;
    use alloy_eips::eip4895::Withdrawal;
    use alloy_primitives::{Address, U256};
    use chain::{BlockAttributes, ChainConfig, ChainError};
    use execute::RuleViolation;
    use executor::ChainSpec;
    use testkit::{CHAIN_ID, ETHER, Key, eip1559, rich_genesis};
    use wire::ProtocolFork;

    const FORK: ProtocolFork = ProtocolFork::Osaka;

    /// A chain, and a block on its genesis with a transfer and these withdrawals.
    fn chain_and_block(withdrawals: Vec<Withdrawal>) -> (Chain, ExecutedBlock) {
        let spec = ChainSpec::scheduled(CHAIN_ID, FORK, &[]);
        let genesis = rich_genesis(FORK, ["alice"], ETHER);
        let chain = Chain::new(&genesis, ChainConfig::new(spec)).unwrap();
        let timestamp = chain.head().header.timestamp + 1;
        let attributes = BlockAttributes { timestamp, withdrawals, ..BlockAttributes::default() };
        let transfer = Key::named("alice").sign(TxEip1559 {
            value: U256::from(1),
            ..eip1559(0, Address::repeat_byte(0xb0), 21_000)
        });
        let (new, rejected) = chain.build(&attributes, vec![transfer]).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        (chain, new)
    }

    /// The import stores the witness that it records, not that of the input.
    #[test]
    fn unsafe_block_is_imported_without_its_witness() {
        let (chain, new) = chain_and_block(Vec::new());
        // The input has no witness, so EXECUTE could not have run on it.
        let bare = new.input_with(&OwnedWitness::default()).unwrap();
        assert!(execute::Execute::on(FORK).run(&bare, u64::MAX).is_err());
        for bytes in [bare, new.input().unwrap()] {
            let input = StatelessInput::decode(&bytes).unwrap();
            let imported = import_unsafe(&chain, &input).unwrap();
            assert_eq!(imported.block.hash, new.block.hash);
            assert_eq!(imported.input().unwrap(), new.input().unwrap());
        }
    }

    #[test]
    fn import_records_a_witness_that_the_input_lacks() {
        let (chain, new) = chain_and_block(Vec::new());
        let whole = new.input().unwrap();
        let bare = codec::with_empty_witness(codec::prefix(&whole).unwrap()).unwrap();
        for bytes in [&whole, &bare] {
            let imported = import(&chain, bytes, new.block.hash).unwrap();
            assert_eq!(imported.input().unwrap(), whole);
        }
    }

    #[test]
    fn unsafe_block_with_wrong_header_is_refused() {
        let (chain, new) = chain_and_block(Vec::new());
        let refused = |change: &dyn Fn(&mut chain::Block)| {
            let mut other = new.clone();
            change(&mut other.block);
            other.block.hash = other.block.header.hash_slow();
            let bytes = other.input().unwrap();
            import_unsafe(&chain, &StatelessInput::decode(&bytes).unwrap()).map(drop)
        };
        assert!(refused(&|_| {}).is_ok());
        let wrong_state = refused(&|block| block.header.state_root = B256::repeat_byte(1));
        assert!(
            matches!(wrong_state, Err(L2Error::Chain(ChainError::Invalid(_)))),
            "{wrong_state:?}"
        );
        let blobs = refused(&|block| block.header.blob_gas_used = Some(131_072));
        assert!(blobs.is_err());
    }

    /// Ethereum allows blocks with withdrawals; the rules of an L2 do not.
    #[test]
    fn unsafe_block_that_l2_rules_forbid_is_refused() {
        let withdrawal = Withdrawal { amount: 1, ..Withdrawal::default() };
        for (withdrawals, is_allowed) in [(vec![], true), (vec![withdrawal], false)] {
            let (chain, new) = chain_and_block(withdrawals);
            let bytes = new.input().unwrap();
            let input = StatelessInput::decode(&bytes).unwrap();
            let raw = block_of(&input.request, input.fork).unwrap();
            assert!(chain.import(&raw).is_ok(), "Ethereum allows both");
            match import_unsafe(&chain, &input) {
                Ok(_) => assert!(is_allowed),
                Err(L2Error::Refused { reason: ExecuteError::Rules(reason), .. }) => {
                    assert_eq!((reason, is_allowed), (RuleViolation::Withdrawals(1), false));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
