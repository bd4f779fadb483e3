//! Ether transfers as logs, in execution order.

use alloy_primitives::{B256, Log, LogData, U256};
use revm::{
    Inspector,
    bytecode::opcode,
    context::{ContextTr, JournalTr},
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter,
        interpreter_types::{InputsTr, Jumps},
    },
};
use revm_inspectors::transfer::{TRANSFER_EVENT_TOPIC, TRANSFER_LOG_EMITTER, TransferInspector};

/// Emits a log for each ether transfer, for `eth_simulateV1`: calls and creations with value, and
/// SELFDESTRUCTs of contracts with a balance.
#[derive(Debug)]
pub(crate) struct Transfers(Option<TransferInspector>);

impl Transfers {
    /// Creates an inspector that emits logs only if `is_enabled`.
    pub(crate) fn new(is_enabled: bool) -> Self {
        Self(is_enabled.then(|| TransferInspector::new(false).with_logs(true)))
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Transfers {
    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.0.as_mut()?.call(context, inputs)
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.0.as_mut()?.create(context, inputs)
    }

    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        if self.0.is_none() || interpreter.bytecode.opcode() != opcode::SELFDESTRUCT {
            return;
        }
        // If the instruction fails, its frame fails too and drops the log.
        let from = interpreter.input.target_address();
        let Some(to) = interpreter.stack.data().last().copied() else { return };
        let journal = context.journal_mut();
        let Ok(balance) = journal.load_account(from).map(|account| account.data.info.balance)
        else {
            return;
        };
        if balance.is_zero() {
            return;
        }
        let to = to & (U256::MAX >> 96);
        journal.log(Log {
            address: TRANSFER_LOG_EMITTER,
            data: LogData::new_unchecked(
                vec![TRANSFER_EVENT_TOPIC, from.into_word(), B256::from(to)],
                B256::from(balance).into(),
            ),
        });
    }
}
