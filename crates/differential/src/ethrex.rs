//! ethrex as a stateless verifier.
//!
//! ethrex makes all decisions: decoding of blocks and witnesses, tries, sender recovery, block
//! validation, EVM, roots. This module combines the parts like ethrex's own verifier, which is not
//! published. ethrex also decodes Amsterdam inputs. It has no wire format for earlier forks, so
//! `wire` decodes those inputs, and they are converted field by field.

mod input;
mod networks;

pub use input::{encode_again, fork_of, request_root};
pub use networks::{constant, network, scheduled};

use alloy_primitives::Bytes;
use ethrex_common::{
    H256, InvalidBlockError,
    types::{
        Block, ChainConfig, ELASTICITY_MULTIPLIER, Fork, GLOBAL_SIGNER_CACHE,
        block_execution_witness::{ExecutionWitness, GuestProgramState, GuestProgramStateError},
    },
    validate_block_access_list_hash, validate_block_pre_execution, validate_gas_used,
    validate_receipts_root_and_logs_bloom, validate_requests_hash,
};
use ethrex_crypto::NativeCrypto;
use ethrex_vm::{Evm, EvmError, GuestProgramStateWrapper};
use input::Input;
use std::sync::{Arc, PoisonError};
use wire::DecodeError;

/// Reason why ethrex rejects an input.
#[derive(Debug, thiserror::Error)]
pub enum EthrexError {
    /// This project's decoder rejects the input; only for forks before Amsterdam.
    #[error(transparent)]
    Wire(#[from] DecodeError),
    /// ethrex's decoder rejects a part of the input.
    #[error("{what}: {reason}")]
    Malformed {
        /// The part.
        what: &'static str,
        /// The decoder's reason.
        reason: String,
    },
    /// The input is for another chain.
    #[error("chain id {got}, expected {expected}")]
    ChainId {
        /// Chain id of the input.
        got: u64,
        /// Chain id of the chain for which the block is verified.
        expected: u64,
    },
    /// The fork of the schema id is not the active one.
    #[error("schema of {claimed:?}, but {active:?} is in force")]
    Fork {
        /// Fork of the schema id.
        claimed: Fork,
        /// Fork that is active at the block timestamp.
        active: Fork,
    },
    /// A claim of the request differs from the value that ethrex computes.
    #[error("{what}: claimed {claimed:#x}, computed {computed:#x}")]
    Claim {
        /// The value that was compared.
        what: &'static str,
        /// Claimed value.
        claimed: H256,
        /// Computed value.
        computed: H256,
    },
    /// The blob hashes of the transactions are not those of the request.
    #[error("versioned hashes are not those of the transactions")]
    VersionedHashes,
    /// The witness lacks a required part.
    #[error("witness: {0}")]
    Witness(#[from] GuestProgramStateError),
    /// The block is invalid.
    #[error("block: {0}")]
    Block(#[from] InvalidBlockError),
    /// The block cannot be executed.
    #[error("execution: {0}")]
    Execution(#[from] EvmError),
}

/// Verifies an input by the rules of the public network with its chain id, or, if there is none, by
/// those of its schema's fork.
pub fn verify(calldata: &Bytes) -> Result<(), EthrexError> {
    let input = Input::decode(calldata)?;
    let chain_id = input.chain_id();
    let config = network(chain_id).unwrap_or_else(|| constant(chain_id, input.fork()));
    verify_input(input, &config)
}

/// Verifies an input as a block of one chain.
pub fn verify_on(calldata: &Bytes, config: &ChainConfig) -> Result<(), EthrexError> {
    let input = Input::decode(calldata)?;
    let (got, expected) = (input.chain_id(), config.chain_id);
    if got != expected {
        return Err(EthrexError::ChainId { got, expected });
    }
    verify_input(input, config)
}

fn verify_input(input: Input<'_>, config: &ChainConfig) -> Result<(), EthrexError> {
    // ethrex caches senders by transaction hash in a global. The cache is cleared, so that verdicts
    // are independent, and measurements include sender recovery.
    GLOBAL_SIGNER_CACHE.lock().unwrap_or_else(PoisonError::into_inner).clear();

    let block = input.block(config)?;
    execute(&block, input.into_witness(*config)?, config)
}

/// Executes a block over its witness, and compares the claims of its header with the result.
fn execute(
    block: &Block,
    witness: ExecutionWitness,
    config: &ChainConfig,
) -> Result<(), EthrexError> {
    let header = &block.header;
    let state = GuestProgramState::from_witness(witness, &NativeCrypto)?;
    let mut state = GuestProgramStateWrapper::new(state, Arc::new(NativeCrypto));
    state.initialize_block_header_hashes(std::slice::from_ref(block))?;
    let parent = state.get_block_parent_header(header.number)?;
    equal("pre-state root", parent.state_root, state.state_trie_root()?)?;
    if state.get_first_invalid_block_hash()?.is_some() {
        return Err(GuestProgramStateError::NoncontiguousBlockHeaders.into());
    }
    validate_block_pre_execution(block, &parent, config, ELASTICITY_MULTIPLIER)?;

    let mut evm = Evm::new_for_l1(state.clone(), Arc::new(NativeCrypto));
    let (executed, access_list) = evm.execute_block(block)?;
    validate_gas_used(executed.block_gas_used, header)?;
    validate_receipts_root_and_logs_bloom(header, &executed.receipts, &NativeCrypto)?;
    validate_requests_hash(header, config, &executed.requests)?;
    if let Some(access_list) = access_list {
        let transactions = block.body.transactions.len();
        validate_block_access_list_hash(header, config, &access_list, transactions, &NativeCrypto)?;
    }
    state.apply_account_updates(&evm.get_state_transitions()?)?;
    equal("post-state root", header.state_root, state.state_trie_root()?)
}

fn equal(what: &'static str, claimed: H256, computed: H256) -> Result<(), EthrexError> {
    if claimed == computed { Ok(()) } else { Err(EthrexError::Claim { what, claimed, computed }) }
}
