//! The verdict.

use crate::{
    Ancestors, RlpSize,
    block::{header_of, withdrawals_of},
    header::validate_header,
    process::{UnprovenBlock, process_block},
    senders::Senders,
    transactions::{check_versioned_hashes, decode_transactions},
    witness::{AnalysedCodes, HashedList, WitnessState},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};
use core::num::NonZeroUsize;
use executor::{
    BlockError, ChainSpec, EvmOverrides, ExecutionOutcome, Invalid, SystemCode, Transaction,
    check_transactions,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};
use wire::{ExecutionWitness, ProtocolFork, StatelessInput};

/// What is known of a block that verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// EIP-155 id of its chain.
    pub chain_id: u64,
    /// Hash of the block.
    pub block_hash: B256,
    /// Its header.
    pub header: Header,
    /// Root of the state before the block.
    pub pre_state_root: B256,
    /// What execution produced.
    pub executed: ExecutionOutcome,
}

/// Where verification is, for those who measure it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Header and ancestors are being checked.
    Header,
    /// Nodes and codes are being hashed and indexed.
    Link,
    /// Senders are being recovered. With several threads this goes on beside linking.
    Senders,
    /// Transactions are being executed.
    Execution,
    /// Post-state and receipts roots are being computed.
    Roots,
    /// All is done.
    Done,
}

/// How to verify. The verdict on a valid block does not depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Options<'o> {
    /// Threads to use, the calling one included.
    pub threads: NonZeroUsize,
    /// What may stand at the system addresses.
    pub system_code: SystemCode,
    /// How the EVM of the chain differs from that of its fork.
    pub evm: &'o dyn EvmOverrides,
    /// Senders of the transactions, if the caller has recovered all of them from the same signatures
    /// before: they are believed. Empty if not.
    pub senders: &'o [Address],
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            threads: NonZeroUsize::MIN,
            system_code: SystemCode::Canonical,
            evm: &(),
            senders: &[],
        }
    }
}

/// Verifies an input as a block of the chain `spec`: on the calling thread alone, with canonical
/// system contracts.
pub fn verify(input: &StatelessInput<'_>, spec: &ChainSpec) -> Result<Verdict, BlockError> {
    UncheckedBlock::decode(input)?.verify(spec, Options::default(), |_| {})
}

/// A block whose transactions have been decoded, and of which nothing else is known.
///
/// Decoding apart from verifying lets a caller look at the transactions, at what they may cost and
/// at what kind they are, before any work is done for them.
#[derive(Debug)]
pub struct UncheckedBlock<'i, 'a> {
    input: &'i StatelessInput<'a>,
    transactions: Vec<Transaction>,
}

impl<'i, 'a> UncheckedBlock<'i, 'a> {
    /// Decodes the transactions of an input.
    pub fn decode(input: &'i StatelessInput<'a>) -> Result<Self, Invalid> {
        Ok(Self { input, transactions: decode_transactions(&input.request)? })
    }

    /// The transactions in order.
    pub fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Verifies the block; `enter` is told each stage as it begins.
    pub fn verify(
        &self,
        spec: &ChainSpec,
        options: Options<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Verdict, BlockError> {
        verify_block(self.input, &self.transactions, spec, options, enter)
    }
}

fn verify_block(
    input: &StatelessInput<'_>,
    transactions: &[Transaction],
    spec: &ChainSpec,
    options: Options<'_>,
    mut enter: impl FnMut(Stage),
) -> Result<Verdict, BlockError> {
    enter(Stage::Header);
    let fork = input.fork;
    let payload = &input.request.payload;
    check_chain(input, spec)?;
    let (header, ancestors) = check_header(input, spec)?;
    let pre_state_root = ancestors.parent().state_root;
    check_versioned_hashes(&input.request, transactions)?;
    check_transactions(transactions, payload.gas_limit, fork)?;

    let work = SharedWork::new(&input.witness, transactions, options.senders);
    thread::scope(|scope| {
        if work.is_worth_sharing() {
            for _ in 1..options.threads.get() {
                // A thread that cannot start and one that panics are no reason to say anything of
                // the block: what they would have done is done here.
                let help = || drop(catch_unwind(AssertUnwindSafe(|| work.help())));
                if thread::Builder::new().spawn_scoped(scope, help).is_err() {
                    break;
                }
            }
        }
        enter(Stage::Link);
        let witness = WitnessState::new(&work.nodes, &work.codes, ancestors, options.evm.meter());
        enter(Stage::Senders);
        if options.threads == NonZeroUsize::MIN {
            work.senders.work();
        }

        let block = UnprovenBlock {
            header: &header,
            transactions,
            ommers: &[],
            withdrawals: &withdrawals_of(payload),
            pre_state_root,
        };
        let sender = |index| work.senders.get(index);
        let (executed, _) =
            process_block(&witness, block, spec, &options, sender, &mut enter, |_| {})?;
        enter(Stage::Done);
        Ok(Verdict {
            chain_id: input.chain_id,
            block_hash: payload.block_hash,
            header,
            pre_state_root,
            executed,
        })
    })
}

/// Work that threads share. Each kind is claimed piece by piece, so that it does not matter how
/// many threads there are or when they start.
struct SharedWork<'a, 't> {
    nodes: HashedList<'a>,
    codes: AnalysedCodes<'a>,
    senders: Senders<'t>,
}

impl<'a, 't> SharedWork<'a, 't> {
    fn new(
        witness: &ExecutionWitness<'a>,
        transactions: &'t [Transaction],
        known: &[Address],
    ) -> Self {
        Self {
            nodes: HashedList::new(witness.state),
            codes: AnalysedCodes::new(witness.codes),
            senders: Senders::new(transactions, known),
        }
    }

    /// Whether there is more to do than starting a thread costs.
    fn is_worth_sharing(&self) -> bool {
        // Nanoseconds, roughly: a signature, a byte hashed, a byte of code analysed.
        const SENDER: usize = 27_000;
        const THREAD: usize = 100_000;
        let work =
            self.senders.left() * SENDER + self.nodes.total_bytes() / 5 + self.codes.total_bytes();
        work > THREAD
    }

    /// What a helping thread does, in the order in which the main thread needs it.
    fn help(&self) {
        self.nodes.work();
        self.codes.hash();
        self.senders.work();
        self.codes.analyse_all();
    }
}

/// The input is one for this chain, in the fork that is in force.
fn check_chain(input: &StatelessInput<'_>, spec: &ChainSpec) -> Result<(), Invalid> {
    if input.chain_id != spec.chain_id() {
        return Err(Invalid::ChainId { got: input.chain_id, expected: spec.chain_id() });
    }
    let timestamp = input.request.payload.timestamp;
    let expected = spec.fork_at(timestamp).unwrap_or(ProtocolFork::Paris);
    if input.fork != expected {
        return Err(Invalid::Fork { got: input.fork, expected, timestamp });
    }
    if input.fork < ProtocolFork::Cancun {
        return Err(Invalid::UnsupportedFork(input.fork));
    }
    Ok(())
}

/// The fields of the payload hash to its block hash, the witness leads to its parent, and the header
/// is one that may follow the parent's.
fn check_header(
    input: &StatelessInput<'_>,
    spec: &ChainSpec,
) -> Result<(Header, Ancestors), Invalid> {
    let (fork, payload) = (input.fork, &input.request.payload);
    let header = header_of(&input.request, fork).ok_or(Invalid::HeaderRange {
        field: "base fee",
        got: payload.base_fee_per_gas,
        min: U256::ZERO,
        max: U256::from(u64::MAX),
    })?;
    let expected = header.hash_slow();
    if payload.block_hash != expected {
        return Err(Invalid::BlockHash { got: payload.block_hash, expected });
    }
    RlpSize::check(&header, payload.transactions.iter(), &withdrawals_of(payload), fork)?;
    let ancestors = Ancestors::verify(input.witness.headers, payload.parent_hash)?;
    validate_header(&header, ancestors.parent(), fork, spec)?;
    Ok((header, ancestors))
}
