//! One call, from calldata to result.

use crate::{
    Answer, Call, CallCost, Dialect, ExecutionSpecs, ForkRule, GasSchedule, Observer, Pricing,
    RuleViolation, Rules,
    dialects::Input,
    market::Room,
    tab::{Metered, Tab},
};
use alloy_primitives::{Address, B256};
use core::num::NonZeroUsize;
use stateless::{
    BlockError, ChainSpec, EvmOverrides, InternalError, Invalid, Options, Stage, SystemCode,
    Verdict,
};
use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};
use wire::{
    DecodeError, ProtocolFork, SchemaId, StatelessResult,
    blob_tail::{BlobTailError, Trailer},
};

/// EXECUTE as one L1 has it.
#[derive(Debug, Clone)]
pub struct Execute {
    /// What a call costs.
    pub gas: Arc<dyn Pricing>,
    /// How it can be called.
    pub dialects: Vec<Arc<dyn Dialect>>,
    /// What a block may hold.
    pub rules: Rules,
    /// Forks whose schema ids are accepted.
    pub forks: ForkRule,
    /// Whether its gas is sold on [a market](crate::market), which the chain closes behind each block.
    pub market: bool,
    /// Whether a call may bring a batch of blocks, under the schema ids that batches of these forks have.
    pub batches: bool,
    /// What may stand at the system addresses of the pre-state. Anything but the canonical code is
    /// for tests alone: it makes work that nobody pays for.
    pub system_code: SystemCode,
    /// Which rules hold on the chain that an input names.
    pub networks: Networks,
    /// Threads per call, the calling one included; if there is more than one, another hashes a long request
    /// beside them. The verdict does not depend on it.
    pub threads: NonZeroUsize,
    /// Who is told of the calls that the EVM makes.
    pub observer: Arc<dyn Observer>,
}

impl Default for Execute {
    /// EXECUTE [on](Self::on) Osaka.
    fn default() -> Self {
        Self::on(ProtocolFork::Osaka)
    }
}

impl Execute {
    /// EXECUTE of an L1 that runs `fork` at all times: it accepts the schema id of that
    /// fork, and of those before it that differ from it in blob parameters alone.
    pub fn on(fork: ProtocolFork) -> Self {
        Self::following(ChainSpec::constant(0, fork))
    }

    /// EXECUTE of an L1 with this fork schedule: it accepts the schema ids that
    /// [the schedule](ForkRule::Scheduled) allows at the block's timestamp.
    pub fn following(l1: ChainSpec) -> Self {
        Self {
            gas: GasSchedule::DEFAULT.into(),
            dialects: vec![Arc::new(ExecutionSpecs)],
            rules: Rules::default(),
            forks: ForkRule::Scheduled(l1.into()),
            market: false,
            batches: true,
            system_code: SystemCode::Canonical,
            networks: Networks::ById,
            threads: NonZeroUsize::MIN,
            observer: Arc::new(()),
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
    /// The senders, of all blocks one after another, which the node has recovered from the signatures
    /// itself; empty if it has not.
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
    /// What it had to hold: before any work, and for dear work as it came.
    pub reserve: u64,
    /// Price of all underpriced work of the blocks, in gas; a part of it is covered by the gas that they used.
    pub work: u64,
    /// What is known of the block; of a batch, of its last.
    pub verdict: Verdict,
    /// What is known of the blocks of a batch before its last.
    pub earlier: Vec<Verdict>,
}

impl Executed {
    /// What is known of all blocks, in order.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.earlier.iter().chain([&self.verdict])
    }

    /// Root of the state before the first block.
    pub fn pre_state_root(&self) -> B256 {
        self.earlier.first().unwrap_or(&self.verdict).pre_state_root
    }

    /// Gas that all blocks have used.
    pub fn gas_used(&self) -> u64 {
        self.verdicts().fold(0, |sum, verdict| sum.saturating_add(verdict.header.gas_used))
    }
}

/// A call that was refused, and how far it was paid for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// Why.
    #[source]
    pub reason: ExecuteError,
    /// Gas that the call had been shown to hold until then: what pays for the work on it.
    pub held: u64,
}

/// Why a call failed. The EVM never sees the reason: it is for logs, tests and tools.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "camelCase")]
pub enum ExecuteError {
    /// The call was not given enough gas.
    #[error("out of gas: the call holds {got}, the reserve is {reserve}")]
    OutOfGas {
        /// Gas given to the call.
        got: u64,
        /// Gas that it must hold before any work.
        reserve: u64,
    },
    /// The market has no more for this block.
    #[error(
        "beyond the block's limit of EXECUTE gas: with this call the block takes {got}, the limit is {limit}"
    )]
    BeyondLimit {
        /// EXECUTE gas that the block would have taken with what the call asks for.
        got: u64,
        /// What the calls of a block may take together.
        limit: u64,
    },
    /// The calldata is not as its dialect encodes a call.
    #[error("calldata of {dialect} is not canonical: {what}")]
    Calldata {
        /// The dialect.
        dialect: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The input cannot be put together from calldata and blobs.
    #[error("input that ends in blobs: {0}")]
    BlobTail(#[source] BlobTailError),
    /// The call names a blob that the transaction around it does not have.
    #[error("the input ends in blob {asked} of its transaction, which has {has}")]
    NoSuchBlob {
        /// How many blobs there must be.
        asked: usize,
        /// How many there are.
        has: usize,
    },
    /// The input is not a stateless input.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The schema id is one that this L1 does not accept.
    #[error("schema id {0}{fork} is not accepted here", fork = fork_of(*.0))]
    Schema(SchemaId),
    /// The schema id has other rules than L1 had at the block's timestamp.
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
    /// The block is not valid, or not shown to be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// A block of a batch is not one that a call may bring, for a reason for which it could not come by
    /// itself.
    #[error("block {block} of the batch: {reason}")]
    InBatch {
        /// Its position in the batch.
        block: usize,
        /// What is wrong with it.
        #[source]
        reason: Box<Self>,
    },
    /// A library asserted against the input. The call fails like any other.
    #[error("assertion in a library: {0}")]
    Panic(String),
    /// Verification itself broke: a fault of ours, and no verdict. The EVM around the call stops.
    #[error("internal error: {0}")]
    Internal(#[from] InternalError),
}

/// The fork that a schema id stands for, as an aside.
fn fork_of(schema: SchemaId) -> String {
    let fork = schema.fork().or_else(|| schema.batch_fork());
    fork.map_or_else(String::new, |fork| format!(" ({fork})"))
}

/// The fork that L1 had, with the schema id that it accepts.
fn l1_fork(fork: Option<ProtocolFork>) -> String {
    fork.map_or_else(
        || "no fork that EXECUTE verifies".to_owned(),
        |fork| format!("{fork}: expected {} or {}", fork.schema(), fork.batch_schema()),
    )
}

impl ExecuteError {
    /// Why, in one word for programs: the name of the variant that says most, such as `outOfGas`,
    /// `withdrawals` or `commitment`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rules(violation) => violation.into(),
            Self::Invalid(invalid) => invalid.kind(),
            Self::InBatch { reason, .. } => reason.kind(),
            error => error.into(),
        }
    }

    /// Whether the call is over in every dialect: it could not pay, the block had no room, or we are at
    /// fault.
    const fn ends_call(&self) -> bool {
        matches!(self, Self::OutOfGas { .. } | Self::BeyondLimit { .. } | Self::Internal(_))
    }

    /// Whether the witness lacks what a verdict on a block needs: of the block itself nothing is known
    /// then.
    pub fn lacks_witness(&self) -> bool {
        match self {
            Self::Invalid(reason) => reason.lacks_witness(),
            Self::InBatch { reason, .. } => reason.lacks_witness(),
            _ => false,
        }
    }

    /// Returns `true` if the call brings no input that could be looked at: another format, or another
    /// fork. A batch counts as unreadable if one of its blocks is.
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
    /// EXECUTE for blocks of any L1 of any time, for tools and tests: no L2 rules, and all forks from
    /// Cancun on, at any timestamp.
    pub fn l1() -> Self {
        Self { rules: Rules::L1, forks: ForkRule::every(), ..Self::default() }
    }

    /// Runs a call in the form of the execution-specs that was given `gas`.
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
        self.run_as(&ExecutionSpecs, calldata, gas, enter).map_err(|refused| refused.reason)
    }

    /// As [`Self::run_observed`], for whoever has made the block and so knows more than a call says.
    pub fn run_under(
        &self,
        calldata: &[u8],
        gas: u64,
        circumstances: Circumstances<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        self.run_guarded(
            &ExecutionSpecs,
            calldata.into(),
            Purse::new(gas, Room::UNLIMITED),
            circumstances,
            enter,
        )
        .map_err(|refused| refused.reason)
    }

    /// What a call in some dialect returns and costs.
    pub fn answer<'c>(
        &self,
        dialect: &dyn Dialect,
        call: impl Into<Call<'c>>,
        gas: u64,
    ) -> Result<Answer, ExecuteError> {
        let call = call.into();
        self.answer_within(dialect, call, gas, Room::UNLIMITED).0
    }

    /// As [`Self::answer`], where the block has so much room for it; also, what the call takes of that.
    pub(crate) fn answer_within(
        &self,
        dialect: &dyn Dialect,
        call: Call<'_>,
        gas: u64,
        room: Room,
    ) -> (Result<Answer, ExecuteError>, u64) {
        let purse = Purse::new(gas, room);
        let ran = self.run_guarded(dialect, call, purse, Circumstances::default(), |_| {});
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

    /// What the bytes cost that a call whose input ends in blobs has more than one with the same input.
    pub fn trailer_charge(&self) -> u64 {
        self.gas.bytes(Trailer::LEN as u64).saturating_sub(self.gas.bytes(0))
    }

    /// Runs a call in some dialect that was given `gas`.
    pub fn run_as<'c>(
        &self,
        dialect: &dyn Dialect,
        call: impl Into<Call<'c>>,
        gas: u64,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, Refused> {
        let purse = Purse::new(gas, Room::UNLIMITED);
        self.run_guarded(dialect, call.into(), purse, Circumstances::default(), enter)
    }

    fn run_guarded(
        &self,
        dialect: &dyn Dialect,
        call: Call<'_>,
        mut purse: Purse,
        circumstances: Circumstances<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, Refused> {
        // Whatever a library may assert against: one bad block must not take a node down, nor make
        // it disagree with others about more than that block.
        let run = || self.run_unguarded(dialect, call, &mut purse, circumstances, enter);
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|panic| {
                let message = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("panic without a message");
                Err(ExecuteError::Panic(message.to_owned()))
            })
            .map_err(|reason| Refused { reason, held: purse.held() })
    }

    /// Gas before work: nothing is done that is not held before.
    fn run_unguarded(
        &self,
        dialect: &dyn Dialect,
        call: Call<'_>,
        purse: &mut Purse,
        circumstances: Circumstances<'_>,
        enter: impl FnMut(Stage),
    ) -> Result<Executed, ExecuteError> {
        // Finding the parts is paid by the byte.
        purse.hold(self.gas.bytes(call.calldata.len() as u64))?;
        let length = dialect.bytes(&call)?;
        purse.hold(self.gas.bytes(length as u64))?;
        let input = dialect.input(&call)?;
        let input = Input::decode(&input)?;
        if input.is_batch() && !self.batches {
            return Err(ExecuteError::Schema(input.schema()));
        }
        self.check_fork(&input)?;
        // Decoding the transactions is paid by how many there are.
        let declared = input.declared(length);
        purse.hold(self.gas.input(&declared))?;
        let declared = input.with_gas_limits(declared)?;

        // Keeping them, hashing, recovering and executing are paid by what decoding has shown.
        let reserve = self.gas.reserve(&declared);
        purse.hold(reserve)?;
        let blocks = input.blocks()?;
        for (index, block) in blocks.iter().enumerate() {
            self.rules.check(&block).map_err(|broken| input.in_block(index, broken.into()))?;
        }
        let spec = match &self.networks {
            Networks::ById => Cow::Owned(ChainSpec::for_input(input.chain_id(), input.fork())),
            Networks::Only(spec) => Cow::Borrowed(&**spec),
        };
        let Circumstances { evm, senders } = circumstances;
        // Dear work is paid by what the call holds beyond the reserve, as far as the gas of the blocks
        // does not cover it.
        let bound = declared.gas_bound().saturating_sub(input.own_gas());
        let tab = Arc::new(Tab::new(&self.gas, bound, purse.most() - reserve));
        purse.tab = Some(Arc::clone(&tab));
        let evm = &Metered { chain: evm, tab: Arc::clone(&tab) };
        let options =
            Options { threads: self.threads, system_code: self.system_code, evm, senders };
        let (verified, request_root) =
            self.beside_root(&input, || blocks.verify(&spec, options, enter));
        if tab.is_short() {
            return Err(purse.short_of(reserve.saturating_add(tab.owed())));
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
        let (used, work) = (input.gas_used(used), tab.spent());
        let cost = CallCost::new(&*self.gas, &declared, input.own_gas(), used, work);
        let CallCost { charge: gas, reserve } = cost;
        Ok(Executed { result, gas, reserve, work, verdict, earlier })
    }

    /// Refuses an input whose schema id the [fork rule](Self::forks) does not accept. Nothing but
    /// timestamps is read, so that the check costs nothing beyond decoding.
    fn check_fork(&self, input: &Input<'_>) -> Result<(), ExecuteError> {
        let is_public =
            matches!(self.networks, Networks::ById) && ChainSpec::known(input.chain_id()).is_some();
        if is_public {
            // The network's own schedule decides, later on; here the rules must be some that L1 has.
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

    /// Does `work`, and finds the root of the input's requests beside it if there is a thread for that
    /// and enough to hash. The root is had by calling what is returned with the outcome.
    fn beside_root<'i, T>(
        &self,
        input: &'i Input<'_>,
        work: impl FnOnce() -> T,
    ) -> (T, impl FnOnce() -> B256 + 'i) {
        /// Fewer bytes are hashed sooner than a thread starts.
        const WORTH_A_THREAD: usize = 32 * 1024;
        let is_shared = self.threads > NonZeroUsize::MIN && input.request_bytes() > WORTH_A_THREAD;
        let (done, root) = thread::scope(|scope| {
            let helper = is_shared
                .then(|| thread::Builder::new().spawn_scoped(scope, || input.request_root()).ok());
            let done = work();
            (done, helper.flatten().and_then(|helper| helper.join().ok()))
        });
        // A helper that could not start, or broke, decides nothing: its work is done here.
        (done, move || root.unwrap_or_else(|| input.request_root()))
    }
}

/// The gas that a call was given, what its block has left, and how much of both must be there.
struct Purse {
    gas: u64,
    room: Room,
    held: u64,
    tab: Option<Arc<Tab>>,
}

impl Purse {
    const fn new(gas: u64, room: Room) -> Self {
        Self { gas, room, held: 0, tab: None }
    }

    /// The most that the call may take.
    fn most(&self) -> u64 {
        self.gas.min(self.room.left())
    }

    /// Goes on only if the call holds `reserve` in all, and the block has room for it.
    fn hold(&mut self, reserve: u64) -> Result<(), ExecuteError> {
        if self.most() < reserve {
            return Err(self.short_of(reserve));
        }
        self.held = reserve;
        Ok(())
    }

    /// Why the call may not take so much: who cannot pay is told that, whatever the block has left.
    const fn short_of(&self, reserve: u64) -> ExecuteError {
        let Room { used, limit } = self.room;
        if self.gas < reserve {
            ExecuteError::OutOfGas { got: self.gas, reserve }
        } else {
            ExecuteError::BeyondLimit { got: used.saturating_add(reserve), limit }
        }
    }

    /// What the call was shown to hold, dear work included.
    fn held(&self) -> u64 {
        let owed = self.tab.as_ref().map_or(0, |tab| tab.owed());
        self.held.saturating_add(owed).min(self.most())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProtocolFork::{Cancun, Osaka, Paris, Prague};

    #[test]
    fn a_purse_holds_what_both_the_call_and_its_block_have_and_says_which_of_them_has_not() {
        let purse = |gas, used| Purse::new(gas, Room { used, limit: 100 });
        let held = |mut purse: Purse, reserve| purse.hold(reserve).map(|()| purse.held());
        assert_eq!(held(purse(5, 95), 5), Ok(5));
        assert_eq!(held(purse(6, 95), 5), Ok(5));
        let beyond = ExecuteError::BeyondLimit { got: 101, limit: 100 };
        assert_eq!(held(purse(5, 96), 5), Err(beyond.clone()));
        assert_eq!(held(purse(9, 96), 5), Err(beyond));
        // Who cannot pay is told that, whatever the block has left.
        let short = ExecuteError::OutOfGas { got: 4, reserve: 5 };
        assert_eq!(held(purse(4, 95), 5), Err(short.clone()));
        assert_eq!(held(purse(4, 96), 5), Err(short));
        // What was held before a step that fails stays held.
        let mut both = purse(5, 95);
        assert_eq!(both.hold(3), Ok(()));
        assert!(both.hold(6).is_err());
        assert_eq!(both.held(), 3);
        // A block that has taken more than it may, by whatever fault, has nothing left.
        assert_eq!(purse(5, 101).most(), 0);
    }

    #[test]
    fn a_refused_schema_is_named_with_the_fork_it_stands_for() {
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
    fn a_batch_is_unreadable_if_one_of_its_blocks_is() {
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
