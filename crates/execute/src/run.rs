//! A call from calldata to result.

use crate::{
    Answer, CallCost, CallObserver, Dialect, ExecutionSpecs, ForkRule, Items, PrecompileCall,
    Pricing, RuleViolation, Rules, WorkGas,
    deferred_gas::{DeferredGas, Metered},
    dialects::CallInput,
};
use alloc::{borrow::Cow, boxed::Box, string::String, sync::Arc, vec::Vec};
use alloy_primitives::{Address, B256};
use core::num::NonZeroUsize;
use stateless::{
    BlockError, ChainSpec, Cryptography, EvmOverrides, InternalError, Invalid, Stage, SystemCode,
    Verdict, VerifyOptions, beside,
};
use wire::{DecodeError, ProtocolFork, SchemaId, StatelessResult};

/// EXECUTE with the parameters of an L1.
#[derive(Debug, Clone)]
pub struct Execute {
    /// Price of a call.
    pub gas: Arc<dyn Pricing>,
    /// Calling conventions.
    pub dialects: Vec<Arc<dyn Dialect>>,
    /// Contents of blocks.
    pub rules: Rules,
    /// Forks whose schema ids are accepted.
    pub forks: ForkRule,
    /// `true` if a call may contain a batch of blocks, under the batch schema ids of the accepted
    /// forks.
    pub batches: bool,
    /// Code that is allowed at the system addresses of the pre-state. Any value except the
    /// canonical code is for tests only: it allows work that no gas pays for.
    pub system_code: SystemCode,
    /// Source of the chain rules for the chain id of an input.
    pub networks: Networks,
    /// Threads per call, including the calling one. With more than one, another thread hashes a
    /// long request. The verdict does not depend on the number.
    pub threads: NonZeroUsize,
    /// Cryptography for the blocks. The verdict does not depend on it.
    pub cryptography: &'static dyn Cryptography,
    /// Observer of the calls that the EVM makes.
    pub observer: Arc<dyn CallObserver>,
}

impl Default for Execute {
    /// Returns EXECUTE [on](Self::on) Osaka.
    fn default() -> Self {
        Self::on(ProtocolFork::Osaka)
    }
}

impl Execute {
    /// Creates EXECUTE for an L1 that always runs `fork`: it accepts the schema ids of that fork
    /// and of earlier ones that differ from it only in blob parameters.
    pub fn on(fork: ProtocolFork) -> Self {
        Self::following(ChainSpec::constant(0, fork))
    }

    /// Creates EXECUTE for an L1 with this fork schedule: it accepts the schema ids that [the
    /// schedule](ForkRule::Scheduled) allows at the block's timestamp.
    pub fn following(l1: ChainSpec) -> Self {
        Self {
            gas: Arc::new(Items::DEFAULT),
            dialects: vec![Arc::new(ExecutionSpecs)],
            rules: Rules::default(),
            forks: ForkRule::Scheduled(l1.into()),
            batches: true,
            system_code: SystemCode::Canonical,
            networks: Networks::ById,
            threads: NonZeroUsize::MIN,
            cryptography: &(),
            observer: Arc::new(()),
        }
    }
}

/// Source of the rules of a chain.
#[derive(Debug, Clone, Default)]
pub enum Networks {
    /// The rules of the public network with the chain id, if there is one; otherwise those of the
    /// schema id's fork, from genesis on.
    #[default]
    ById,
    /// The rules of one chain; inputs of other chains are refused.
    Only(Arc<ChainSpec>),
}

/// What a node knows about a block that it has built itself. The precompile has no such knowledge.
#[derive(Debug, Clone, Copy)]
pub struct TrustedContext<'c> {
    /// Overrides of the EVM on the block's chain.
    pub evm: &'c dyn EvmOverrides,
    /// Senders of all blocks in order, if the node has already recovered them from the signatures;
    /// otherwise empty.
    pub senders: &'c [Address],
}

/// A call that succeeded.
#[derive(Debug, Clone)]
pub struct Executed {
    /// Result that the call returns.
    pub result: StatelessResult,
    /// Gas that the call is charged.
    pub gas: u64,
    /// Gas that the call had to hold: the reserve, and the gas owed for underpriced work.
    pub reserve: u64,
    /// Price of all underpriced work of the blocks, in gas. The gas that they used covers a part of
    /// it.
    pub work: WorkGas,
    /// Verdict on the block; for a batch, on its last block.
    pub verdict: Verdict,
    /// Verdicts on the blocks of a batch before the last.
    pub earlier: Vec<Verdict>,
}

impl Executed {
    /// Returns the verdicts on all blocks, in order.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.earlier.iter().chain([&self.verdict])
    }

    /// Returns the root of the state before the first block.
    pub fn pre_state_root(&self) -> B256 {
        self.earlier.first().unwrap_or(&self.verdict).pre_state_root
    }

    /// Returns the gas that all blocks have used.
    pub fn gas_used(&self) -> u64 {
        self.verdicts().fold(0, |sum, verdict| sum.saturating_add(verdict.header.gas_used))
    }
}

/// A refused call, and the gas that pays for the work done on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Reason of the refusal.
    #[source]
    pub reason: ExecuteError,
    /// Gas that the call was shown to hold, which pays for the work done on the call.
    pub held: u64,
}

/// Reasons why a call fails. They are for logs, tests and tools; the EVM never sees them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum ExecuteError {
    /// The call was not given enough gas.
    #[error("out of gas: the call holds {got}, the reserve is {reserve}")]
    OutOfGas {
        /// Gas given to the call.
        got: u64,
        /// Minimum gas that the call must hold.
        reserve: u64,
    },
    /// The calldata is not a canonical encoding of its dialect.
    #[error("calldata of {dialect} is not canonical: {what}")]
    Calldata {
        /// The dialect.
        dialect: &'static str,
        /// The violation.
        what: &'static str,
    },
    /// A dialect, or the terms on which a chain sells calls, refuses the call for another reason.
    #[error("{reason}")]
    Variant {
        /// Kind of the reason in one word, for programs.
        kind: &'static str,
        /// The reason.
        reason: String,
    },
    /// The input is not a stateless input.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The schema id is not accepted by this L1.
    #[error("schema id {0}{fork} is not accepted here", fork = fork_of(*.0))]
    Schema(SchemaId),
    /// The rules of the schema id differ from those of L1 at the block's timestamp.
    #[error(
        "schema id {got}{of_got} of a block with timestamp {timestamp}, at which L1 had {}",
        l1_fork(*.expected), of_got = fork_of(*.got)
    )]
    ForkAt {
        /// Schema id of the input.
        got: SchemaId,
        /// The fork that L1 had; `None` for a fork that EXECUTE does not verify.
        expected: Option<ProtocolFork>,
        /// Timestamp of the block.
        timestamp: u64,
    },
    /// The block breaks the rules for blocks of an L2.
    #[error(transparent)]
    Rules(#[from] RuleViolation),
    /// The block is invalid, or the witness does not prove its validity.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A block of a batch is refused, for a reason that would also refuse it as a single block.
    #[error("block {block} of the batch: {reason}")]
    InBatch {
        /// Its position in the batch.
        block: usize,
        /// The violation.
        #[source]
        reason: Box<Self>,
    },
    /// A library panicked on the input. The call fails like any other.
    #[error("assertion in a library: {0}")]
    Panic(String),
    /// Verification itself failed: a local fault, not a verdict. It stops the surrounding EVM.
    #[error("internal error: {0}")]
    Internal(#[from] InternalError),
}

/// Formats the fork of a schema id for a message.
fn fork_of(schema: SchemaId) -> String {
    let fork = schema.fork().or_else(|| schema.batch_fork());
    fork.map_or_else(String::new, |fork| format!(" ({fork})"))
}

/// Formats the fork of L1 with the schema ids that it accepts.
fn l1_fork(fork: Option<ProtocolFork>) -> String {
    fork.map_or_else(
        || "no fork that EXECUTE verifies".into(),
        |fork| format!("{fork}: expected {} or {}", fork.schema(), fork.batch_schema()),
    )
}

impl ExecuteError {
    /// Returns the kind of the error in one word, for programs: the name of the most specific
    /// variant, such as `outOfGas`, `withdrawals` or `commitment`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rules(violation) => violation.into(),
            Self::Invalid(invalid) => invalid.kind(),
            Self::InBatch { reason, .. } => reason.kind(),
            Self::Variant { kind, .. } => kind,
            error => error.into(),
        }
    }

    /// Returns `true` if the call ends in every dialect: it could not pay, or this node failed.
    const fn ends_call(&self) -> bool {
        matches!(self, Self::OutOfGas { .. } | Self::Internal(_))
    }

    /// Returns `true` if the witness lacks a part that the verdict needs. The block itself may then
    /// be valid.
    pub fn lacks_witness(&self) -> bool {
        match self {
            Self::Invalid(reason) => reason.lacks_witness(),
            Self::InBatch { reason, .. } => reason.lacks_witness(),
            _ => false,
        }
    }

    /// Returns `true` if the call contains no input that can be examined: it has another format, or
    /// another fork. A batch is unreadable if any of its blocks is.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Calldata { .. } | Self::Decode(_) | Self::Schema(_) | Self::ForkAt { .. } => true,
            Self::Invalid(reason) => reason.is_unreadable(),
            Self::InBatch { reason, .. } => reason.is_unreadable(),
            _ => false,
        }
    }
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
    /// Creates EXECUTE for blocks of any L1 at any time, for tools and tests: no L2 rules, and all
    /// forks from Cancun on, at any timestamp.
    pub fn l1() -> Self {
        Self { rules: Rules::L1, forks: ForkRule::every(), ..Self::default() }
    }

    /// Runs a call in the dialect of the execution-specs with `gas`.
    pub fn run(&self, calldata: &[u8], gas: u64) -> Result<Executed, ExecuteError> {
        self.run_observed(calldata, gas, |_| {})
    }

    /// Runs a call and passes each stage of verification to `enter` as it begins.
    pub fn run_observed(
        &self,
        calldata: &[u8],
        gas: u64,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        self.run_as(&ExecutionSpecs, calldata, gas, enter).map_err(|refused| refused.reason)
    }

    /// Runs a call with what the node knows about a block that it has built.
    pub fn run_under(
        &self,
        calldata: &[u8],
        gas: u64,
        context: TrustedContext<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        self.run_guarded(&ExecutionSpecs, calldata.into(), CallBudget::new(gas), context, enter)
            .map_err(|refused| refused.reason)
    }

    /// Returns the answer and the charge of a call in a dialect.
    pub fn answer<'c>(
        &self,
        dialect: &dyn Dialect,
        call: impl Into<PrecompileCall<'c>>,
        gas: u64,
    ) -> Result<Answer, ExecuteError> {
        self.answer_counted(dialect, call.into(), gas).0
    }

    /// Returns the answer of a call, and the gas that it takes: its charge, or if it fails, the gas
    /// that it was shown to hold.
    pub fn answer_counted(
        &self,
        dialect: &dyn Dialect,
        call: PrecompileCall<'_>,
        gas: u64,
    ) -> (Result<Answer, ExecuteError>, u64) {
        let ran = self.run_as(dialect, call, gas, |_| {});
        let held = match &ran {
            Ok(executed) => executed.reserve,
            Err(refused) => refused.held,
        };
        let answer = match ran {
            Err(Refused { reason, .. }) if reason.ends_call() => Err(reason),
            outcome => dialect.answer(call.calldata, outcome),
        };
        let taken = answer.as_ref().map_or(held, |answer| answer.gas);
        (answer, taken)
    }

    /// Runs a call in a dialect with `gas`.
    pub fn run_as<'c>(
        &self,
        dialect: &dyn Dialect,
        call: impl Into<PrecompileCall<'c>>,
        gas: u64,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, Refused> {
        let call = call.into();
        let evm = dialect.evm(&call);
        let context = TrustedContext { evm: &*evm, senders: &[] };
        self.run_guarded(dialect, call, CallBudget::new(gas), context, enter)
    }

    fn run_guarded(
        &self,
        dialect: &dyn Dialect,
        call: PrecompileCall<'_>,
        mut budget: CallBudget,
        context: TrustedContext<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, Refused> {
        // A library may panic on an input. A single bad block must not stop a node, nor make it
        // disagree with other nodes about anything but that block.
        let run = || self.run_unguarded(dialect, call, &mut budget, context, enter);
        guarded(run).map_err(|reason| Refused { reason, held: budget.held() })
    }

    /// Runs a call. No step is taken before the call is known to hold the gas for it.
    fn run_unguarded(
        &self,
        dialect: &dyn Dialect,
        call: PrecompileCall<'_>,
        budget: &mut CallBudget,
        context: TrustedContext<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        // The price per byte pays for finding the parts.
        budget.hold(self.gas.bytes(call.calldata.len() as u64))?;
        // Bytes that the call only refers to are paid for before they are fetched.
        let length = dialect.bytes(&call)?;
        budget.hold(self.gas.bytes(length as u64))?;
        let input = dialect.input(&call)?;
        let input = CallInput::decode(&input)?;
        // Without batches, their schema ids are refused like any unknown one.
        if input.is_batch() && !self.batches {
            return Err(ExecuteError::Schema(input.schema()));
        }
        // Checked before the transactions are decoded: the fork determines their types and minimum
        // cost.
        self.check_fork(&input)?;
        // The price per transaction pays for decoding them.
        let declared = input.declared(length);
        budget.hold(self.gas.input(&declared))?;
        let declared = input.with_gas_limits(declared)?;

        // The full reserve, which follows from the decoded transactions, pays for storing, hashing,
        // recovering and executing them.
        let reserve = self.gas.reserve(&declared);
        budget.hold(reserve)?;
        let blocks = input.blocks()?;
        // The rules need no state, so a block that breaks them costs no execution.
        for (index, block) in blocks.iter().enumerate() {
            self.rules.check(&block).map_err(|broken| input.in_block(index, broken.into()))?;
        }
        let spec = match &self.networks {
            Networks::ById => Cow::Owned(ChainSpec::for_input(input.chain_id(), input.fork())),
            Networks::Only(spec) => Cow::Borrowed(&**spec),
        };
        let TrustedContext { evm, senders } = context;
        // Gas beyond the reserve pays for underpriced work that the gas of the blocks does not
        // cover.
        let bound = declared.gas_bound().saturating_sub(input.own_gas());
        let deferred = Arc::new(DeferredGas::new(&self.gas, bound, budget.gas - reserve));
        budget.deferred = Some(Arc::clone(&deferred));
        let (chain, cryptography) = (evm, self.cryptography);
        let evm = &Metered { chain, cryptography, deferred: Arc::clone(&deferred) };
        let options =
            VerifyOptions { threads: self.threads, system_code: self.system_code, evm, senders };
        // Bytes below which hashing takes less time than starting a thread.
        const WORTH_A_THREAD: usize = 32 * 1024;
        let shared = self.threads > NonZeroUsize::MIN && input.request_bytes() > WORTH_A_THREAD;
        let (verified, request_root) =
            beside(shared, || input.request_root(), || blocks.verify(&spec, options, enter));
        // Checked before the verdict: a block that the meter stopped has an internal error, which
        // must not stop the EVM.
        if deferred.is_short() {
            return Err(budget.short_of(reserve.saturating_add(deferred.owed())));
        }
        let mut earlier = verified.map_err(|refused| input.refused(refused))?;
        let verdict = earlier.pop().unwrap_or_else(|| unreachable!("there is at least one block"));
        let result = StatelessResult {
            request_root: request_root(),
            valid: true,
            chain_id: input.chain_id(),
            schema: input.schema(),
        };

        let used = earlier.iter().chain([&verdict]).map(|verdict| verdict.header.gas_used);
        let (used, work) = (input.gas_used(used), deferred.work());
        let cost = CallCost::new(&*self.gas, &declared, input.own_gas(), used, work);
        let CallCost { charge: gas, reserve } = cost;
        Ok(Executed { result, gas, reserve, work, verdict, earlier })
    }

    /// Refuses an input whose schema id the [fork rule](Self::forks) does not accept. It reads only
    /// timestamps, so it costs nothing beyond decoding.
    fn check_fork(&self, input: &CallInput<'_>) -> Result<(), ExecuteError> {
        let is_public =
            matches!(self.networks, Networks::ById) && ChainSpec::known(input.chain_id()).is_some();
        if is_public {
            // The network's own schedule is checked later. Here it is enough that L1 has these
            // rules at some time.
            return match self.forks.accepts_at_some_time(input.fork()) {
                true => Ok(()),
                false => Err(ExecuteError::Schema(input.schema())),
            };
        }
        for (index, timestamp) in input.timestamps().enumerate() {
            self.forks
                .check(input.schema(), input.fork(), timestamp)
                .map_err(|refused| input.in_block(index, refused))?;
        }
        Ok(())
    }
}

/// Runs a call and turns a panic of a library into its failure. Without the standard library a
/// panic ends the program, which then has no verdict.
fn guarded<T>(run: impl FnOnce() -> Result<T, ExecuteError>) -> Result<T, ExecuteError> {
    #[cfg(feature = "std")]
    return std::panic::catch_unwind(core::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        Err(ExecuteError::Panic(message.into()))
    });
    #[cfg(not(feature = "std"))]
    run()
}

/// Gas of a call, and the amount that it has been shown to hold.
struct CallBudget {
    gas: u64,
    held: u64,
    deferred: Option<Arc<DeferredGas>>,
}

impl CallBudget {
    const fn new(gas: u64) -> Self {
        Self { gas, held: 0, deferred: None }
    }

    /// Returns an error unless the call holds `reserve` gas in total.
    const fn hold(&mut self, reserve: u64) -> Result<(), ExecuteError> {
        if self.gas < reserve {
            return Err(self.short_of(reserve));
        }
        // Updated only on success: the gas held before a failing step has paid for the work so far.
        self.held = reserve;
        Ok(())
    }

    const fn short_of(&self, reserve: u64) -> ExecuteError {
        ExecuteError::OutOfGas { got: self.gas, reserve }
    }

    /// Returns the gas that the call was shown to hold, including gas for underpriced work.
    fn held(&self) -> u64 {
        let owed = self.deferred.as_ref().map_or(0, |deferred| deferred.owed());
        self.held.saturating_add(owed).min(self.gas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolFork::{Cancun, Osaka, Paris, Prague};

    #[test]
    fn failed_hold_keeps_last_held_amount() {
        let mut budget = CallBudget::new(5);
        assert_eq!(budget.hold(3), Ok(()));
        assert_eq!(budget.hold(6), Err(ExecuteError::OutOfGas { got: 5, reserve: 6 }));
        assert_eq!(budget.held(), 3);
        assert_eq!(budget.hold(5), Ok(()));
        assert_eq!(budget.held(), 5);
    }

    #[test]
    fn refused_schema_error_names_its_fork() {
        let words = |schema| ExecuteError::Schema(schema).to_string();
        assert_eq!(words(Cancun.schema()), "schema id 0x1001 (cancun) is not accepted here");
        assert_eq!(words(Osaka.batch_schema()), "schema id 0x12ba (osaka) is not accepted here");
        assert_eq!(words(SchemaId::new(0x1202)), "schema id 0x1202 is not accepted here");
        let at = |expected| ExecuteError::ForkAt { got: Osaka.schema(), expected, timestamp: 12 };
        assert_eq!(
            at(Some(Prague)).to_string(),
            "schema id 0x1201 (osaka) of a block with timestamp 12, at which L1 had prague: expected \
             0x1101 or 0x11ba"
        );
        assert_eq!(
            at(None).to_string(),
            "schema id 0x1201 (osaka) of a block with timestamp 12, at which L1 had no fork that \
             EXECUTE verifies"
        );
    }

    #[test]
    fn batch_is_unreadable_if_any_block_is() {
        let in_batch = |reason| ExecuteError::InBatch { block: 1, reason: Box::new(reason) };
        let malformed = DecodeError::Empty { what: "requests" };
        for (reason, expected) in [
            (ExecuteError::Invalid(Invalid::UnsupportedFork(Paris)), true),
            (ExecuteError::Decode(malformed), true),
            (ExecuteError::Invalid(Invalid::NoParent), false),
            (ExecuteError::Rules(RuleViolation::Requests), false),
        ] {
            assert_eq!(reason.is_unreadable(), expected, "{reason}");
            assert_eq!(in_batch(reason.clone()).is_unreadable(), expected, "{reason} in a batch");
        }
    }
}
