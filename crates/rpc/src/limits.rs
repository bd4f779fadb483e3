//! Limits of one request: its time, and the bytes that it holds until the response is sent.

use crate::RpcError;
use alloy_primitives::Log;
use revm::{
    Inspector,
    bytecode::opcode::{self, OpCode, SLOAD, SSTORE},
    handler::FrameResult,
    inspector::NoOpInspector,
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, FrameInput, InstructionResult,
        Interpreter,
        interpreter_types::{Jumps as _, ReturnData as _},
    },
    primitives::{Address, U256},
};
use std::{
    collections::{HashMap, HashSet},
    mem,
    time::{Duration, Instant},
};

/// Gas limit up to which a call runs without a deadline check, because its gas already bounds its
/// time. Checking the clock slows down every step.
pub const UNTIMED_GAS: u64 = 60_000_000;
/// Number of steps between two deadline checks.
const STEPS_PER_CHECK: u64 = 256;
/// JSON bytes of a recorded step without its stack, memory and returndata.
const STEP_BYTES: u64 = 200;
/// JSON bytes of a word: 64 digits, a prefix, quotes and a comma.
const WORD_BYTES: u64 = 69;
/// JSON bytes of a call frame or a log without input, output, topics and data.
pub(crate) const FRAME_BYTES: u64 = 500;

/// Limits of each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLimits {
    /// Maximum size of all traces or outputs of calls in a response, of logs, and of the past logs
    /// that all filters keep until their first poll, in bytes of JSON.
    pub trace_bytes: u64,
    /// Maximum time for a call, an estimate, a simulation or a log search.
    pub call_time: Duration,
    /// Maximum time for a request that traces.
    pub trace_time: Duration,
    /// Maximum and default timeout of `eth_sendRawTransactionSync`.
    pub sync_time: Duration,
    /// Maximum number of subscriptions, over all connections.
    pub subscriptions: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            trace_bytes: 256 << 20,
            call_time: Duration::from_secs(60),
            trace_time: Duration::from_secs(60),
            sync_time: Duration::from_secs(30),
            subscriptions: 16_384,
        }
    }
}

/// Deadline of a request.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    begun: Instant,
    limit: Duration,
}

impl Deadline {
    /// Creates a deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    /// Checks the deadline.
    ///
    /// # Errors
    ///
    /// [`RpcError`] with the elapsed and the allowed milliseconds, once the deadline has passed.
    pub fn check(&self) -> Result<(), RpcError> {
        let taken = self.begun.elapsed();
        if taken < self.limit {
            return Ok(());
        }
        Err(RpcError::exceeded(
            "the request took too long (milliseconds)",
            taken.as_millis(),
            self.limit.as_millis(),
            "request less data",
        ))
    }
}

/// Parts of a step that a tracer records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The step itself, without the parts below.
    pub steps: bool,
    /// The whole stack.
    pub stack: bool,
    /// The whole memory.
    pub memory: bool,
    /// The returndata of the last call.
    pub return_data: bool,
    /// All slots of the contract accessed so far, at each storage access.
    pub storage: bool,
    /// The code of each frame, and the words that each step pushes and the memory that it writes.
    pub vm: bool,
    /// Maximum number of recorded steps of a transaction, if it is limited.
    pub max_steps: Option<u64>,
}

/// Inspector with bounded records. It halts the execution once the records exceed the limit in
/// bytes of JSON, or once the deadline has passed; [`Self::check`] then returns the error.
#[derive(Debug)]
pub struct BoundedInspector<I> {
    /// The inspector that records.
    pub inner: I,
    recorded: Recorded,
    limit: u64,
    bytes: u64,
    /// Number of steps of the transaction.
    steps: u64,
    /// Length of the memory range of the current step, in bytes.
    written: u64,
    deadline: Deadline,
    exceeded: Option<RpcError>,
    /// Accessed slots by contract.
    slots: HashMap<Address, HashSet<U256>>,
}

/// Inspector that records nothing, and halts the execution once the deadline has passed.
pub type DeadlineInspector = BoundedInspector<NoOpInspector>;

impl DeadlineInspector {
    /// Creates an inspector that halts the execution at the deadline.
    pub fn until(deadline: Deadline) -> Self {
        Self::new(NoOpInspector, Recorded::default(), u64::MAX, deadline)
    }
}

impl<I> BoundedInspector<I> {
    /// Creates an inspector that records at most `limit` bytes until the deadline.
    pub fn new(inner: I, recorded: Recorded, limit: u64, deadline: Deadline) -> Self {
        let (bytes, steps, written) = (0, 0, 0);
        let (exceeded, slots) = (None, HashMap::new());
        Self { inner, recorded, limit, bytes, steps, written, deadline, exceeded, slots }
    }

    /// Counts the bytes of earlier records of the same response.
    #[must_use]
    pub fn after(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Begins the next transaction, for which the inner inspector was reset. The number of recorded
    /// steps is limited per transaction, and their bytes over all transactions.
    pub fn next_transaction(&mut self) {
        self.steps = 0;
        self.slots.clear();
    }

    /// Checks that no limit halted the execution.
    ///
    /// # Errors
    ///
    /// [`RpcError`] with the exceeded limit.
    pub fn check(&self) -> Result<(), RpcError> {
        self.exceeded.clone().map_or(Ok(()), Err)
    }

    /// Returns the size of the records so far, in bytes of JSON.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts bytes before they are recorded; returns `true` if they fit.
    pub fn take(&mut self, bytes: u64) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.exceeded.is_none() && self.bytes > self.limit {
            self.exceeded = Some(RpcError::exceeded(
                "the trace is too large (bytes)",
                self.bytes,
                self.limit,
                "leave memory and stack out, or use a tracer of calls",
            ));
        }
        self.exceeded.is_none()
    }

    fn check_deadline(&mut self) {
        if self.exceeded.is_none() {
            self.exceeded = self.deadline.check().err();
        }
    }

    /// Returns `true` if the next step may run and be recorded.
    fn take_step(&mut self, interpreter: &Interpreter) -> bool {
        self.steps += 1;
        if self.steps % STEPS_PER_CHECK == 1 {
            self.check_deadline();
        }
        let Recorded { steps, stack, memory, return_data, storage, vm, max_steps } = self.recorded;
        if max_steps.is_some_and(|most| self.steps > most) {
            return self.exceeded.is_none();
        }
        let mut bytes = if steps { STEP_BYTES } else { 0 };
        if storage && matches!(interpreter.bytecode.opcode(), SLOAD | SSTORE) {
            let slots = self.slots.entry(interpreter.input.target_address).or_default();
            slots.extend(interpreter.stack.peek(0));
            bytes += 2 * WORD_BYTES * slots.len() as u64;
        }
        if stack {
            bytes += WORD_BYTES * interpreter.stack.len() as u64;
        }
        if memory {
            bytes += WORD_BYTES * (interpreter.memory.len() as u64).div_ceil(32);
        }
        if return_data {
            bytes += 2 * interpreter.return_data.buffer().len() as u64;
        }
        if vm {
            let pushed =
                OpCode::new(interpreter.bytecode.opcode()).map_or(0, |opcode| opcode.outputs());
            bytes += WORD_BYTES * u64::from(pushed);
            self.written = written(interpreter);
        }
        self.take(bytes)
    }
}

impl<CTX, I: Inspector<CTX>> Inspector<CTX> for BoundedInspector<I> {
    fn initialize_interp(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        // The result has the code once for each frame.
        let code = if self.recorded.vm { interpreter.bytecode.len() as u64 } else { 0 };
        if self.take(2 * code) {
            self.inner.initialize_interp(interpreter, context);
        }
    }

    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        if self.take_step(interpreter) {
            self.inner.step(interpreter, context);
        } else {
            // This frame halts, and each of its callers halts at its next step.
            interpreter.halt(InstructionResult::OutOfGas);
        }
    }

    fn step_end(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        // A step that ran out of gas has not extended the memory.
        let written = mem::take(&mut self.written).min(interpreter.memory.len() as u64);
        if self.take(2 * written) {
            self.inner.step_end(interpreter, context);
        }
    }

    fn log(&mut self, context: &mut CTX, log: Log) {
        if self.take(log_bytes(&log)) {
            self.inner.log(context, log);
        }
    }

    fn log_full(&mut self, interpreter: &mut Interpreter, context: &mut CTX, log: Log) {
        if self.take(log_bytes(&log)) {
            self.inner.log_full(interpreter, context, log);
        }
    }

    fn frame_start(&mut self, context: &mut CTX, input: &mut FrameInput) -> Option<FrameResult> {
        self.exceeded.is_none().then(|| self.inner.frame_start(context, input)).flatten()
    }

    fn frame_end(&mut self, context: &mut CTX, input: &FrameInput, result: &mut FrameResult) {
        if self.exceeded.is_none() {
            self.inner.frame_end(context, input, result);
        }
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        // A precompile can take as long as millions of steps.
        self.check_deadline();
        if self.take(FRAME_BYTES + 2 * inputs.input.len() as u64) {
            return self.inner.call(context, inputs);
        }
        let (gas, offset) = (inputs.gas_limit, inputs.return_memory_offset.clone());
        Some(CallOutcome::new_oog(gas, offset, inputs.reservoir))
    }

    fn call_end(&mut self, context: &mut CTX, inputs: &CallInputs, outcome: &mut CallOutcome) {
        if self.take(2 * outcome.result.output.len() as u64) {
            self.inner.call_end(context, inputs, outcome);
        }
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let bytes = 2 * inputs.init_code().len() as u64;
        self.take(FRAME_BYTES + bytes).then(|| self.inner.create(context, inputs)).flatten()
    }

    fn create_end(
        &mut self,
        context: &mut CTX,
        inputs: &CreateInputs,
        outcome: &mut CreateOutcome,
    ) {
        if self.take(2 * outcome.result.output.len() as u64) {
            self.inner.create_end(context, inputs, outcome);
        }
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        if self.take(FRAME_BYTES) {
            <I as Inspector<CTX>>::selfdestruct(&mut self.inner, contract, target, value);
        }
    }
}

/// Returns the length of the memory range that an instruction writes or loads, in bytes.
fn written(interpreter: &Interpreter) -> u64 {
    let length = |index| interpreter.stack.peek(index).map_or(0, |length| length.saturating_to());
    match interpreter.bytecode.opcode() {
        opcode::MLOAD | opcode::MSTORE => 32,
        opcode::MSTORE8 => 1,
        opcode::CALLDATACOPY | opcode::CODECOPY | opcode::RETURNDATACOPY | opcode::MCOPY => {
            length(2)
        }
        opcode::EXTCODECOPY => length(3),
        opcode::DELEGATECALL | opcode::STATICCALL => length(5),
        opcode::CALL | opcode::CALLCODE => length(6),
        _ => 0,
    }
}

/// Bytes of a log as JSON.
pub(crate) fn log_bytes(log: &Log) -> u64 {
    let topics = WORD_BYTES * log.topics().len() as u64;
    FRAME_BYTES + topics + 2 * log.data.data.len() as u64
}
