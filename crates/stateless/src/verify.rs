//! The verdict.

use crate::{
    Ancestors, BlockState, ChainSpec, ExecutedBlock, Invalid, RlpSize, SystemCode,
    block::{header_of, withdrawals_of},
    execution::BlockExecution,
    header::validate_header,
    senders::Senders,
    system::check_system_code,
    transactions::{
        Transaction, check_intrinsic_gas, check_types, check_versioned_hashes, decode_transactions,
    },
    witness::{AnalysedCodes, HashedList, WitnessState},
};
use alloy_consensus::Header;
use alloy_eips::eip7928::ITEM_COST;
use alloy_primitives::{B256, U256};
use core::num::NonZeroUsize;
use std::thread;
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
    pub executed: ExecutedBlock,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Threads to use, the calling one included.
    pub threads: NonZeroUsize,
    /// What may stand at the system addresses.
    pub system_code: SystemCode,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN, system_code: SystemCode::Canonical }
    }
}

/// Verifies an input as a block of the chain `spec`: on the calling thread alone, with canonical
/// system contracts.
pub fn verify(input: &StatelessInput<'_>, spec: &ChainSpec) -> Result<Verdict, Invalid> {
    Candidate::decode(input)?.verify(spec, Options::default(), |_| {})
}

/// A block whose transactions have been decoded, and of which nothing else is known.
///
/// Decoding apart from verifying lets a caller look at the transactions, at what they may cost and
/// at what kind they are, before any work is done for them.
#[derive(Debug)]
pub struct Candidate<'i, 'a> {
    input: &'i StatelessInput<'a>,
    transactions: Vec<Transaction>,
}

impl<'i, 'a> Candidate<'i, 'a> {
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
        options: Options,
        enter: impl FnMut(Stage),
    ) -> Result<Verdict, Invalid> {
        verify_block(self.input, &self.transactions, spec, options, enter)
    }
}

fn verify_block(
    input: &StatelessInput<'_>,
    transactions: &[Transaction],
    spec: &ChainSpec,
    options: Options,
    mut enter: impl FnMut(Stage),
) -> Result<Verdict, Invalid> {
    enter(Stage::Header);
    let fork = input.fork;
    let payload = &input.request.payload;
    check_chain(input, spec)?;
    let (header, ancestors) = check_header(input, spec)?;
    let pre_state_root = ancestors.parent().state_root;
    check_versioned_hashes(&input.request, transactions)?;
    check_types(transactions, fork)?;
    check_intrinsic_gas(transactions, payload.gas_limit, fork)?;

    let work = SharedWork::new(&input.witness, transactions);
    thread::scope(|scope| {
        for _ in 1..options.threads.get() {
            scope.spawn(|| work.help());
        }
        enter(Stage::Link);
        let witness = WitnessState::new(&work.nodes, &work.codes, ancestors);
        enter(Stage::Senders);
        if options.threads == NonZeroUsize::MIN {
            work.senders.work();
        }

        enter(Stage::Execution);
        let mut state = BlockState::new(&witness, pre_state_root);
        if fork >= ProtocolFork::Amsterdam {
            state = state.with_access_list();
        }
        check_system_code(&mut state, fork, options.system_code)?;
        let withdrawals = withdrawals_of(payload);
        let mut execution =
            BlockExecution::begin(&mut state, &header, &withdrawals, fork, spec, |_| {})?;
        for (index, transaction) in transactions.iter().enumerate() {
            execution.transact(transaction, work.senders.get(index)?)?;
            let got = execution.gas_used();
            if got > header.gas_used {
                let expected = header.gas_used;
                return Err(Invalid::GasBeyondClaim { index, got, expected });
            }
        }
        let executed = execution.finish()?;

        enter(Stage::Roots);
        check_executed(&header, &executed, input)?;
        let post = state.into_post_state(|_| {})?;
        commitment("state root", header.state_root, post.root)?;
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
    fn new(witness: &ExecutionWitness<'a>, transactions: &'t [Transaction]) -> Self {
        Self {
            nodes: HashedList::new(witness.state),
            codes: AnalysedCodes::new(witness.codes),
            senders: Senders::new(transactions),
        }
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
    if fork >= ProtocolFork::Osaka {
        let got = RlpSize::of(&header, payload);
        if got > RlpSize::LIMIT {
            return Err(Invalid::BlockSize { got, limit: RlpSize::LIMIT });
        }
    }
    let ancestors = Ancestors::verify(input.witness.headers, payload.parent_hash)?;
    validate_header(&header, ancestors.parent(), fork, spec)?;
    Ok((header, ancestors))
}

/// Holds what the header claims against what execution produced, except for the state root.
fn check_executed(
    header: &Header,
    executed: &ExecutedBlock,
    input: &StatelessInput<'_>,
) -> Result<(), Invalid> {
    let amount = |what, got: u64, expected: u64| {
        (got == expected).then_some(()).ok_or(Invalid::Amount { what, got, expected })
    };
    amount("gas used", header.gas_used, executed.gas_used)?;
    amount("blob gas used", header.blob_gas_used.unwrap_or_default(), executed.blob_gas_used)?;
    if let Some(requests) = &executed.requests {
        let claimed = header.requests_hash.unwrap_or_default();
        commitment("requests hash", claimed, requests.requests_hash())?;
    }
    if let Some(access_list) = &executed.block_access_list {
        let claimed = header.block_access_list_hash.unwrap_or_default();
        commitment("block access list hash", claimed, keccak::keccak256(access_list))?;
        let limit = header.gas_limit / ITEM_COST as u64;
        let items = executed.access_list_items;
        if items > limit {
            return Err(Invalid::AccessListSize { items, limit });
        }
    }
    let (receipts_root, bloom) = executed.receipts_root_and_bloom();
    commitment("receipts root", input.request.payload.receipts_root, receipts_root)?;
    if bloom != header.logs_bloom {
        return Err(Invalid::LogsBloom);
    }
    Ok(())
}

fn commitment(what: &'static str, got: B256, expected: B256) -> Result<(), Invalid> {
    (got == expected).then_some(()).ok_or(Invalid::Commitment { what, got, expected })
}
