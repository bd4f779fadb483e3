//! From a block to the input of EXECUTE.

use alloy_eips::{eip4895::Withdrawal as RlpWithdrawal, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::Bytes;
use executor::{
    BlockError, BlockState, ChainSpec, Environment, Invalid, decode_transaction, execute_block,
    recover_sender,
};
use stateless::Witness;
use wire::{ByteLists, OwnedWitness, ProtocolFork, Withdrawal, convert::RawBlock};

/// Encodes the stateless input of a block.
///
/// A block commits to its execution requests and its access list by hash alone, and a request must
/// spell them out; so where there are any this executes the block from its witness. The result is
/// not thereby verified.
pub fn to_stateless_input(
    block: &RawBlock,
    witness: &OwnedWitness,
    spec: &ChainSpec,
) -> Result<Vec<u8>, BlockError> {
    let timestamp = block.header.timestamp;
    let fork = spec.fork_at(timestamp).unwrap_or(ProtocolFork::Paris);
    if fork < ProtocolFork::Cancun {
        return Err(Invalid::UnsupportedFork(fork).into());
    }
    let header = &block.header;
    let spelled_out = header.block_access_list_hash.is_none()
        && header.requests_hash.is_none_or(|hash| hash == EMPTY_REQUESTS_HASH);
    if spelled_out {
        return Ok(block
            .to_input(fork, spec.chain_id(), witness, &[], &[])
            .map_err(Invalid::from)?);
    }
    let hashed = Witness::new(&witness.view(), block.header.parent_hash)?;
    let source = hashed.link();
    let mut state = BlockState::new(&source, hashed.state_root());
    if fork >= ProtocolFork::Amsterdam {
        state = state.with_access_list();
    }
    let withdrawals: Vec<_> = block.withdrawals.iter().flatten().map(rlp_withdrawal).collect();
    let environment = Environment { header, ommers: &[], withdrawals: &withdrawals, spec };
    let transactions = ByteLists::from(&block.transactions)
        .iter()
        .enumerate()
        .map(|(index, bytes)| {
            decode_transaction(bytes)
                .map_err(|reason| Invalid::MalformedTransaction { index, reason })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sender =
        |index: usize| recover_sender(&transactions[index]).ok_or(Invalid::Signature { index });
    let executed =
        execute_block(&mut state, environment, &(), &transactions, sender, |_, _| Ok(()))?;
    let requests: Vec<Bytes> = executed.requests.into_iter().flatten().collect();
    let access_list = executed.block_access_list.unwrap_or_default();
    let input = block.to_input(fork, spec.chain_id(), witness, &requests, &access_list);
    Ok(input.map_err(Invalid::from)?)
}

fn rlp_withdrawal(record: &[u8; Withdrawal::LEN]) -> RlpWithdrawal {
    let Withdrawal { index, validator_index, address, amount } = Withdrawal::from_record(record);
    RlpWithdrawal { index, validator_index, address, amount }
}
