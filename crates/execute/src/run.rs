//! One call, from calldata to result.

use crate::{DeclaredGas, GasSchedule, RuleViolation, Rules, rules::sum_of_gas_limits};
use alloy_primitives::Address;
use core::num::NonZeroUsize;
use stateless::{
    BlockError, ChainSpec, EvmOverrides, InternalError, Invalid, Options, Stage, SystemCode,
    UncheckedBlock, Verdict,
};
use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use wire::{DecodeError, ProtocolFork, RootConvention, SchemaId, StatelessInput, StatelessResult};

/// EXECUTE as one L1 has it.
#[derive(Debug, Clone)]
pub struct Execute {
    /// What a call costs.
    pub gas: GasSchedule,
    /// What a block may hold.
    pub rules: Rules,
    /// Forks whose schema ids are accepted.
    pub forks: Vec<ProtocolFork>,
    /// What may stand at the system addresses of the pre-state. Anything but the canonical code is
    /// for tests alone: it makes work that nobody pays for.
    pub system_code: SystemCode,
    /// Which rules hold on the chain that an input names.
    pub networks: Networks,
    /// Threads per call, the calling one included. The verdict does not depend on it.
    pub threads: NonZeroUsize,
}

impl Default for Execute {
    fn default() -> Self {
        Self {
            gas: GasSchedule::DEFAULT,
            rules: Rules::default(),
            forks: ProtocolFork::ALL
                .into_iter()
                .filter(|fork| *fork >= ProtocolFork::Cancun)
                .collect(),
            system_code: SystemCode::Canonical,
            networks: Networks::ById,
            threads: NonZeroUsize::MIN,
        }
    }
}

/// Where the rules of a chain come from.
#[derive(Debug, Clone, Default)]
pub enum Networks {
    /// Those of the public network, if the chain id is one's; for any other id, those of the schema
    /// id's fork, from genesis.
    #[default]
    ById,
    /// One chain's alone: inputs of others are refused.
    Only(Arc<ChainSpec>),
}

/// What a node knows of a block that it has made itself. The precompile knows nothing of it.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// How the EVM of the block's chain differs from that of its fork.
    pub evm: &'c dyn EvmOverrides,
    /// The senders, which the node has recovered from the signatures itself; empty if it has not.
    pub senders: &'c [Address],
}

impl Default for Circumstances<'_> {
    fn default() -> Self {
        Self { evm: &(), senders: &[] }
    }
}

/// A call that succeeded.
#[derive(Debug, Clone)]
pub struct Executed {
    /// What the call returns.
    pub result: StatelessResult,
    /// What it is charged.
    pub gas: u64,
    /// What is known of the block.
    pub verdict: Verdict,
}

/// Why a call failed. The EVM never sees the reason: it is for logs, tests and tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The call was not given enough gas.
    #[error("out of gas: the call holds {got}, the reserve is {reserve}")]
    OutOfGas {
        /// Gas given to the call.
        got: u64,
        /// Gas that it must hold before any work.
        reserve: u64,
    },
    /// The calldata is not a stateless input.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The schema id is one that this L1 does not accept.
    #[error("schema id {0} is not accepted here")]
    Schema(SchemaId),
    /// The block is none for an L2.
    #[error(transparent)]
    Rules(#[from] RuleViolation),
    /// The block is not valid, or not shown to be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A library asserted against the input. The call fails like any other.
    #[error("assertion in a library: {0}")]
    Panic(String),
    /// Verification itself broke: a fault of ours, and no verdict. The EVM around the call stops.
    #[error("internal error: {0}")]
    Internal(#[from] InternalError),
}

impl From<BlockError> for ExecuteError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Invalid(reason) => Self::Invalid(reason),
            BlockError::Internal(error) => Self::Internal(error),
        }
    }
}

impl Execute {
    /// EXECUTE for blocks of L1: no L2 rules.
    pub fn l1() -> Self {
        Self { rules: Rules::L1, ..Self::default() }
    }

    /// Runs a call that was given `gas`.
    pub fn run(&self, calldata: &[u8], gas: u64) -> Result<Executed, ExecuteError> {
        self.run_observed(calldata, gas, |_| {})
    }

    /// As [`Self::run`]; `enter` is told each stage of verification as it begins.
    pub fn run_observed(
        &self,
        calldata: &[u8],
        gas: u64,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        self.run_under(calldata, gas, Circumstances::default(), enter)
    }

    /// As [`Self::run_observed`], for whoever has made the block and so knows more than a call says.
    pub fn run_under(
        &self,
        calldata: &[u8],
        gas: u64,
        circumstances: Circumstances<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        // Whatever a library may assert against: one bad block must not take a node down, nor make
        // it disagree with others about more than that block.
        let run = || self.run_unguarded(calldata, gas, circumstances, enter);
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic without a message");
            Err(ExecuteError::Panic(message.to_owned()))
        })
    }

    fn run_unguarded(
        &self,
        calldata: &[u8],
        gas: u64,
        circumstances: Circumstances<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        let holds = |reserve| {
            (gas >= reserve).then_some(()).ok_or(ExecuteError::OutOfGas { got: gas, reserve })
        };
        // Decoding is paid by the byte, execution by the gas limits that decoding reveals.
        holds(self.gas.bytes(calldata.len() as u64))?;
        let input = StatelessInput::decode(calldata)?;
        if !self.forks.contains(&input.fork) {
            return Err(ExecuteError::Schema(input.schema()));
        }
        let block = UncheckedBlock::decode(&input)?;
        let declared = DeclaredGas {
            calldata: calldata.len() as u64,
            gas_limit: input.request.payload.gas_limit,
            transactions: sum_of_gas_limits(block.transactions()),
        };
        holds(self.gas.reserve(&declared))?;
        self.rules.check(&input, &block)?;

        let spec = match &self.networks {
            Networks::ById => Cow::Owned(ChainSpec::for_input(input.chain_id, input.fork)),
            Networks::Only(spec) => Cow::Borrowed(&**spec),
        };
        let Circumstances { evm, senders } = circumstances;
        let options =
            Options { threads: self.threads, system_code: self.system_code, evm, senders };
        let verdict = block.verify(&spec, options, enter)?;
        let result = StatelessResult {
            request_root: input.request.hash_tree_root(input.fork, RootConvention::ExecutionSpecs),
            valid: true,
            chain_id: input.chain_id,
            schema: input.schema(),
        };
        let gas = self.gas.charge(&declared, verdict.header.gas_used);
        Ok(Executed { result, gas, verdict })
    }
}
