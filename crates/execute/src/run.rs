//! A call from calldata to result.

use crate::{
    Answer, CallCost, CallObserver, Dialect, ExecuteError, Executed, ExecutionSpecs, ForkRule,
    Items, PrecompileCall, Pricing, Refused, Rules,
    deferred_gas::{DeferredGas, Metered},
    dialects::batch,
};
use alloc::{borrow::Cow, sync::Arc, vec::Vec};
use alloy_primitives::Address;
use core::num::NonZeroUsize;
use stateless::{ChainSpec, Cryptography, EvmOverrides, Stage, SystemCode, VerifyOptions, beside};
use wire::{Input, ProtocolFork, StatelessResult};

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
    /// Code that is allowed at the system addresses of the pre-state. Values other than canonical
    /// code are for tests only: system calls are not paid for, so other code could do work for
    /// free.
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
    /// schema id's fork, from genesis.
    #[default]
    ById,
    /// The rules of one chain; inputs of other chains are rejected.
    Only(Arc<ChainSpec>),
}

/// Trusted data about a block that the node has built itself. Never used by the precompile.
#[derive(Debug, Clone, Copy)]
pub struct TrustedContext<'c> {
    /// Overrides of the EVM on the block's chain.
    pub evm: &'c dyn EvmOverrides,
    /// Senders of all blocks in order, if the node has already recovered them from the signatures;
    /// otherwise empty.
    pub senders: &'c [Address],
}

impl Execute {
    /// Creates EXECUTE for blocks of any L1 at any time, for tools and tests: no L2 rules, and all
    /// forks since Cancun, at any timestamp.
    pub fn l1() -> Self {
        Self { rules: Rules::L1, forks: ForkRule::every(), ..Self::default() }
    }

    /// Runs a call in the execution-specs dialect with `gas`.
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

    /// Runs a call with trusted data about a block that the node has built.
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

    /// Runs a call in a dialect and returns its return data and gas charge.
    pub fn answer<'c>(
        &self,
        dialect: &dyn Dialect,
        call: impl Into<PrecompileCall<'c>>,
        gas: u64,
    ) -> Result<Answer, ExecuteError> {
        self.answer_counted(dialect, call.into(), gas).0
    }

    /// Runs a call like [`Self::answer`]. Also returns the gas to deduct: the charge of a
    /// successful call, or the gas that a failed call is known to have.
    pub fn answer_counted(
        &self,
        dialect: &dyn Dialect,
        call: PrecompileCall<'_>,
        gas: u64,
    ) -> (Result<Answer, ExecuteError>, u64) {
        let ran = self.run_as(dialect, call, gas, |_| {});
        let held = match &ran {
            Ok(executed) => executed.reserve,
            Err(refused) => refused.gas,
        };
        let answer = match ran {
            Err(Refused { reason, .. }) if reason.ends_call() => Err(reason),
            outcome => dialect.answer(call.calldata, outcome),
        };
        let deducted = answer.as_ref().map_or(held, |answer| answer.gas);
        (answer, deducted)
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
        // A dependency may panic on an input. One bad block must neither stop the node nor split it
        // from other nodes over any other block.
        let run = || self.run_unguarded(dialect, call, &mut budget, context, enter);
        catch_panic(run).map_err(|reason| Refused { reason, gas: budget.held() })
    }

    /// Runs a call. Each step is paid for before it is done.
    fn run_unguarded(
        &self,
        dialect: &dyn Dialect,
        call: PrecompileCall<'_>,
        budget: &mut CallBudget,
        context: TrustedContext<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        // The price per byte pays for locating the parts of the input.
        budget.hold(self.gas.bytes(call.calldata.len() as u64))?;
        // Bytes that the call passes by reference, such as blobs, are paid for before they are
        // fetched.
        let length = dialect.bytes(&call)?;
        budget.hold(self.gas.bytes(length as u64))?;
        let input = dialect.input(&call)?;
        let input = Input::decode(&input)?;
        // If batches are disabled, their schema ids are rejected like unknown ones.
        if input.is_batch() && !self.batches {
            return Err(ExecuteError::Schema(input.schema()));
        }
        // Checked before the transactions are decoded: the fork determines their types and minimum
        // cost.
        self.check_fork(&input)?;
        // The price per transaction pays for decoding them.
        let declared = batch::declared(&input, length);
        budget.hold(self.gas.input(&declared))?;
        let declared = batch::with_gas_limits(&input, declared)?;

        // The full reserve, which follows from the decoded transactions, pays for storing, hashing,
        // recovering and executing them.
        let reserve = self.gas.reserve(&declared);
        budget.hold(reserve)?;
        let blocks = batch::blocks(&input)?;
        // The rules do not depend on the state, so a block that violates them is rejected before it
        // is executed.
        for (index, (request, transactions)) in blocks.iter().enumerate() {
            let checked = self.rules.check(request, transactions);
            checked.map_err(|broken| batch::in_block(&input, index, broken.into()))?;
        }
        let spec = match &self.networks {
            Networks::ById => Cow::Owned(ChainSpec::for_input(input.chain_id(), input.fork())),
            Networks::Only(spec) => Cow::Borrowed(&**spec),
        };
        let TrustedContext { evm, senders } = context;
        // Gas beyond the reserve pays for underpriced work that the gas of the blocks does not
        // cover.
        let bound = declared.gas_bound().saturating_sub(batch::own_gas(&input));
        let deferred = Arc::new(DeferredGas::new(&self.gas, bound, budget.gas - reserve));
        budget.deferred = Some(Arc::clone(&deferred));
        let (chain, cryptography) = (evm, self.cryptography);
        let evm = &Metered { chain, cryptography, deferred: Arc::clone(&deferred) };
        let options =
            VerifyOptions { threads: self.threads, system_code: self.system_code, evm, senders };
        // Bytes below which hashing takes less time than starting a thread.
        const WORTH_A_THREAD: usize = 32 * 1024;
        let shared =
            self.threads > NonZeroUsize::MIN && batch::request_bytes(&input) > WORTH_A_THREAD;
        let (verified, request_root) =
            beside(shared, || input.request_root(), || blocks.verify(&spec, options, enter));
        // Checked before the verdict: the meter stops a block with an internal error, which must
        // not stop the EVM.
        if deferred.is_short() {
            return Err(budget.short_of(reserve.saturating_add(deferred.owed())));
        }
        let mut earlier = verified.map_err(|refused| batch::refused(&input, refused))?;
        let verdict = earlier.pop().unwrap_or_else(|| unreachable!("there is at least one block"));
        let result = StatelessResult {
            request_root: request_root(),
            valid: true,
            chain_id: input.chain_id(),
            schema: input.schema(),
        };

        let used = earlier.iter().chain([&verdict]).map(|verdict| verdict.header.gas_used);
        let (used, work) = (batch::gas_used(&input, used), deferred.work());
        let cost = CallCost::new(&*self.gas, &declared, batch::own_gas(&input), used, work);
        let CallCost { charge: gas, reserve } = cost;
        Ok(Executed { result, gas, reserve, work, verdict, earlier })
    }

    /// Refuses an input whose schema id the [fork rule](Self::forks) does not accept. It reads only
    /// timestamps, which decoding has already paid for.
    fn check_fork(&self, input: &Input<'_>) -> Result<(), ExecuteError> {
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
        for (index, request) in input.requests().iter().enumerate() {
            self.forks
                .check(input.schema(), input.fork(), request.payload.timestamp)
                .map_err(|refused| batch::in_block(input, index, refused))?;
        }
        Ok(())
    }
}

/// Runs a call and converts a panic into a failure of the call. Without the standard library, a
/// panic aborts the program.
fn catch_panic<T>(run: impl FnOnce() -> Result<T, ExecuteError>) -> Result<T, ExecuteError> {
    #[cfg(feature = "std")]
    return std::panic::catch_unwind(core::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<std::string::String>()
            .map(std::string::String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        Err(ExecuteError::Panic(message.into()))
    });
    #[cfg(not(feature = "std"))]
    run()
}

/// Gas of a call, and the part of it that is known to be available.
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
        // Updated only on success, since the previous amount has paid for the work up to the
        // failing step.
        self.held = reserve;
        Ok(())
    }

    const fn short_of(&self, reserve: u64) -> ExecuteError {
        ExecuteError::OutOfGas { got: self.gas, reserve }
    }

    /// Returns the gas that is known to be available, including gas for underpriced work.
    fn held(&self) -> u64 {
        let owed = self.deferred.as_ref().map_or(0, |deferred| deferred.owed());
        self.held.saturating_add(owed).min(self.gas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_hold_keeps_last_held_amount() {
        let mut budget = CallBudget::new(5);
        assert_eq!(budget.hold(3), Ok(()));
        assert_eq!(budget.hold(6), Err(ExecuteError::OutOfGas { got: 5, reserve: 6 }));
        assert_eq!(budget.held(), 3);
        assert_eq!(budget.hold(5), Ok(()));
        assert_eq!(budget.held(), 5);
    }
}
