//! Verification of blocks.

use crate::{
    Ancestors, RlpSize, Stage, VerifyOptions,
    block::{header_of, withdrawals_of},
    header::validate_header,
    input::{BlockRejection, UncheckedBlocks},
    process::process_block,
    senders::Senders,
    threads::with_help,
    transactions::check_versioned_hashes,
    witness::{AnalysedCodes, HashedList, WitnessDb},
};
use alloc::vec::Vec;
use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use core::num::NonZeroUsize;
use executor::{
    BlockError, ChainSpec, Environment, EvmOverrides, ExecutionOutcome, Invalid, Transaction,
    check_transactions, execute_block,
};
use keccak::keccak256;
use trie::NewNode;
use wire::{ExecutionWitness, NewPayloadRequest, ProtocolFork, StatelessBatch, StatelessInput};

/// The result for a valid block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// EIP-155 id of its chain.
    pub chain_id: u64,
    /// Block hash.
    pub block_hash: B256,
    /// Its header.
    pub header: Header,
    /// Root of the state before the block.
    pub pre_state_root: B256,
    /// Result of execution.
    pub executed: ExecutionOutcome,
}

/// Verifies an input as a block of the chain `spec`, on the calling thread only and with canonical
/// system contracts.
pub fn verify(input: &StatelessInput<'_>, spec: &ChainSpec) -> Result<Verdict, BlockError> {
    let mut verdicts =
        UncheckedBlocks::decode(input)?.verify(spec, VerifyOptions::default(), |_| {})?;
    Ok(verdicts.swap_remove(0))
}

/// Verifies a batch as blocks of the chain `spec`, like [`verify`]. Returns a verdict for each
/// block, or the error of the first invalid one.
///
/// The verdicts equal those of [`verify`] on each block with its own witness.
pub fn verify_batch(
    batch: &StatelessBatch<'_>,
    spec: &ChainSpec,
) -> Result<Vec<Verdict>, BlockRejection> {
    UncheckedBlocks::decode_batch(batch)?.verify(spec, VerifyOptions::default(), |_| {})
}

impl<'a> UncheckedBlocks<'_, 'a> {
    /// Verifies the blocks in order and calls `enter` at each stage.
    ///
    /// Checks that need no state come first, for all blocks. Then each block is executed on the
    /// post-state of the previous one; nothing else carries over from one block to the next.
    pub fn verify(
        &self,
        spec: &ChainSpec,
        options: VerifyOptions<'_>,
        mut enter: impl FnMut(Stage),
    ) -> Result<Vec<Verdict>, BlockRejection> {
        enter(Stage::Header);
        let (headers, ancestors) = self.check_headers(spec, options.evm)?;
        let work = SharedWork::new(&self.witness, &self.transactions, &options);
        let helpers = if work.is_worth_sharing() { options.threads.get() - 1 } else { 0 };
        with_help(
            helpers,
            || work.help(),
            || {
                enter(Stage::Link);
                let meter = options.evm.meter();
                let compact = self.compact.as_ref();
                let mut witness =
                    WitnessDb::new(&work.nodes, compact, &work.codes, ancestors, meter).map_err(
                        |reason| BlockRejection { block: 0, reason: Invalid::from(reason).into() },
                    )?;
                enter(Stage::Senders);
                // With a single thread, all senders are recovered in one stage before execution.
                if options.threads == NonZeroUsize::MIN {
                    work.senders.work(usize::MAX);
                }

                let mut verdicts = Vec::with_capacity(headers.len());
                for (index, ((request, transactions), header)) in
                    self.iter().zip(headers).enumerate()
                {
                    let (payload, first) = (&request.payload, self.start(index));
                    // The state root comes from a verified header: the parent in the witness, or
                    // the previous block.
                    let pre_state_root = witness.parent().state_root;
                    let withdrawals = withdrawals_of(payload);
                    let (ommers, withdrawals) = (&[][..], &withdrawals[..]);
                    let environment = Environment { header: &header, ommers, withdrawals, spec };
                    let sender =
                        |index| work.senders.get(first + index).ok_or(Invalid::Signature { index });
                    // No later block reads the nodes of the last block, so they are not stored.
                    let is_followed = index + 1 < self.len();
                    let mut nodes = Vec::new();
                    let keep = |(hash, node): NewNode<'_>| {
                        if is_followed {
                            nodes.push((hash, node.into()));
                        }
                    };
                    let source = witness.state();
                    let evm = options.evm;
                    let (executed, post) = process_block(
                        &source,
                        environment,
                        pre_state_root,
                        &options,
                        |state, block, after| {
                            execute_block(state, block, evm, transactions, sender, after)
                        },
                        &mut enter,
                        keep,
                    )
                    .map_err(|reason| BlockRejection { block: index, reason })?;
                    let (chain_id, block_hash) = (self.chain_id, payload.block_hash);
                    if is_followed {
                        // The block is valid at this point, so the next one may use its nodes and
                        // codes.
                        witness.advance(header.clone(), block_hash, nodes, post.codes);
                    }
                    let verdict =
                        Verdict { chain_id, block_hash, header, pre_state_root, executed };
                    verdicts.push(verdict);
                }
                enter(Stage::Done);
                Ok(verdicts)
            },
        )
    }

    /// Makes all checks that need no state: of each header, and that each block is the child of the
    /// previous one. Returns the headers, and the ancestors of the first block.
    fn check_headers(
        &self,
        spec: &ChainSpec,
        evm: &dyn EvmOverrides,
    ) -> Result<(Vec<Header>, Ancestors), BlockRejection> {
        let mut headers = Vec::<Header>::with_capacity(self.len());
        let mut ancestors = None;
        for (index, block) in self.iter().enumerate() {
            let header = self
                .check_header(index, block, &headers, &mut ancestors, spec, evm)
                .map_err(|reason| BlockRejection { block: index, reason: reason.into() })?;
            headers.push(header);
        }
        let ancestors = ancestors.unwrap_or_else(|| unreachable!("there is a first block"));
        Ok((headers, ancestors))
    }

    /// Checks that the input is for this chain and for the active fork.
    fn check_chain(&self, timestamp: u64, spec: &ChainSpec) -> Result<(), Invalid> {
        let Self { fork, chain_id, .. } = *self;
        if chain_id != spec.chain_id() {
            return Err(Invalid::ChainId { got: chain_id, expected: spec.chain_id() });
        }
        let expected = spec.fork_at(timestamp).unwrap_or(ProtocolFork::Paris);
        if fork != expected {
            return Err(Invalid::Fork { got: fork, expected, timestamp });
        }
        if fork < ProtocolFork::Cancun {
            return Err(Invalid::UnsupportedFork(fork));
        }
        Ok(())
    }

    /// Checks the block that follows the blocks with `headers`.
    fn check_header(
        &self,
        index: usize,
        (request, transactions): (&NewPayloadRequest<'a>, &[Transaction]),
        headers: &[Header],
        ancestors: &mut Option<Ancestors>,
        spec: &ChainSpec,
        evm: &dyn EvmOverrides,
    ) -> Result<Header, Invalid> {
        let (fork, payload) = (self.fork, &request.payload);
        self.check_chain(payload.timestamp, spec)?;
        let header = sealed_header(request, fork, evm)?;
        let parent = match (headers.last(), &*ancestors) {
            (Some(parent), Some(_)) => {
                let got = self.requests[index - 1].payload.block_hash;
                let expected = payload.parent_hash;
                // The hash in the payload was checked against its own header, so comparing hashes
                // links the blocks.
                if got != expected {
                    // Index of the header if the headers of the blocks followed those of the
                    // witness.
                    let index = self.witness.headers.len() + index - 1;
                    return Err(Invalid::BrokenAncestry { index, got, expected });
                }
                parent
            }
            _ => ancestors
                .insert(Ancestors::verify(self.witness.headers, payload.parent_hash, evm)?)
                .parent(),
        };
        validate_header(&header, parent, fork, spec)?;
        check_versioned_hashes(request, transactions)?;
        // Checked before any signature is recovered, because the gas limit must pay for that work.
        check_transactions(transactions, payload.gas_limit, fork)?;
        Ok(header)
    }
}

/// Work that is shared between threads. Threads claim it in pieces, so the result does not depend
/// on how many threads there are or when they start.
struct SharedWork<'t> {
    nodes: HashedList<'t>,
    codes: AnalysedCodes<'t>,
    senders: Senders<'t>,
}

impl<'t> SharedWork<'t> {
    fn new(
        witness: &ExecutionWitness<'t>,
        transactions: &'t [Transaction],
        options: &VerifyOptions<'t>,
    ) -> Self {
        let cryptography = options.evm.cryptography();
        Self {
            nodes: HashedList::new(witness.state),
            codes: AnalysedCodes::new(witness.codes, cryptography),
            senders: Senders::new(transactions, options.senders, cryptography),
        }
    }

    /// Returns `true` if the work takes longer than starting a thread.
    fn is_worth_sharing(&self) -> bool {
        // Approximate nanoseconds: to recover a signature, and to start a thread. A byte takes 0.2
        // ns to hash, and one of many codes 1 ns to analyse.
        const SENDER: usize = 27_000;
        const THREAD: usize = 100_000;
        let codes = self.codes.total_bytes() / if self.codes.are_many() { 1 } else { 5 };
        self.senders.left() * SENDER + self.nodes.total_bytes() / 5 + codes > THREAD
    }

    /// Does the work of a helper thread, in the order in which the main thread needs the results.
    fn help(&self) {
        self.nodes.work();
        self.codes.hash();
        self.senders.work(usize::MAX);
        self.codes.analyse_long();
    }
}

/// Builds the header of a request, and checks the payload's block hash and the size of the block.
fn sealed_header(
    request: &NewPayloadRequest<'_>,
    fork: ProtocolFork,
    evm: &dyn EvmOverrides,
) -> Result<Header, Invalid> {
    let payload = &request.payload;
    let header = header_of(request, fork).ok_or(Invalid::HeaderRange {
        field: "base fee",
        got: payload.base_fee_per_gas,
        min: U256::ZERO,
        max: U256::from(u64::MAX),
    })?;
    let encoded = evm.encode_header(&header);
    let expected = keccak256(&encoded);
    if payload.block_hash != expected {
        return Err(Invalid::BlockHash { got: payload.block_hash, expected });
    }
    RlpSize::check(encoded.len(), payload.transactions.iter(), &withdrawals_of(payload), fork)?;
    Ok(header)
}

#[cfg(test)]
mod tests;
