//! Reasons for EXECUTE's refusals, in traces and by a method of their own.

use crate::{
    Api, Args, CallRequest, ExecuteCall, Note, Registry, RpcError, error::transaction_error,
    precompile_events,
};
use alloy_evm::Evm as _;
use alloy_primitives::B256;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::{
    geth::{CallFrame, GethTrace},
    parity::{Action, TransactionTrace},
};
use chain::{ChainConfig, Replay};
use execute::ExecuteError;
use revm::inspector::NoOpInspector;
use revm_inspectors::tracing::TracingInspector;
use rpc_types::{ExplainedCall, Verdict, methods::EXPLAIN_EXECUTE};
use serde::Deserialize;
use variants::ExecuteExtension;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.execute(EXPLAIN_EXECUTE, explain);
}

/// What to explain: a transaction or a call.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Subject {
    Transaction(B256),
    Call(Box<TransactionRequest>),
}

/// Returns the outcome of each EXECUTE call in a transaction of the chain, or in a call that is
/// simulated on the state of a block.
fn explain(api: &Api, args: &mut Args) -> Result<Vec<ExplainedCall>, RpcError> {
    let notes = match args.required()? {
        Subject::Transaction(hash) => replayed(api, hash)?,
        Subject::Call(transaction) => called(
            api,
            &CallRequest {
                transaction: *transaction,
                block: args.or_default()?,
                state: args.or_default()?,
                block_overrides: args.or_default()?,
            },
        )?,
    };
    if api.chain().config().extension::<ExecuteExtension>().is_none() {
        return Err(RpcError::server("this chain has no EXECUTE"));
    }
    let calls = notes.iter().filter_map(|note| match note {
        Note::Execute(call) => Some(explained_call(call)),
        Note::Console(_) => None,
    });
    Ok(calls.collect())
}

fn called(api: &Api, request: &CallRequest) -> Result<Vec<Note>, RpcError> {
    let call = request.prepare(api)?;
    let mut state = call.source.open();
    let mut evm = call.timed_evm(&mut state, api.call_deadline())?;
    let (done, notes) = precompile_events::watch(|| evm.transact_raw(call.transaction.clone()));
    evm.inspector_mut().check()?;
    done.map_err(transaction_error)?;
    Ok(notes)
}

fn replayed(api: &Api, hash: B256) -> Result<Vec<Note>, RpcError> {
    let chain = api.chain();
    let (block, index) =
        chain.transaction(&hash)?.ok_or_else(|| RpcError::server("transaction not found"))?;
    let parent = chain
        .state_before(&block)?
        .ok_or_else(|| RpcError::server("the genesis block executes nothing"))?;
    let mut state = parent.open();
    let mut replay = Replay::new(&parent, &mut state, &block, NoOpInspector)?;
    precompile_events::watch_again(|| replay.run_to(index)).0?;
    let (done, notes) =
        precompile_events::watch_again(|| replay.inspect(|_, _, _, _| Ok::<_, RpcError>(())));
    done?;
    Ok(notes)
}

fn explained_call(call: &ExecuteCall) -> ExplainedCall {
    let (verdict, gas_used, output, reason, kind) = match &call.outcome {
        Ok((gas, output)) => (Verdict::Valid, *gas, Some(output.clone()), None, None),
        Err(error) => {
            let verdict = match error {
                ExecuteError::OutOfGas { .. } => Verdict::OutOfGas,
                ExecuteError::Internal(_) => Verdict::Internal,
                _ => Verdict::Refused,
            };
            (verdict, call.gas, None, Some(error.to_string()), Some(error.kind().into()))
        }
    };
    ExplainedCall {
        verdict,
        reason,
        kind,
        dialect: call.dialect.into(),
        address: call.address,
        calldata_bytes: call.bytes as u64,
        gas: call.gas,
        gas_used,
        output,
        microseconds: u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX),
    }
}

/// Inserts EXECUTE calls into the frames of a tracer that omits precompiles.
pub fn show_execute(tracer: &mut TracingInspector, config: &ChainConfig) {
    let Some(extension) = config.extension::<ExecuteExtension>() else { return };
    let dialects = &extension.execute.dialects;
    let is_execute = |at| dialects.iter().any(|dialect| dialect.address() == at);
    let nodes = tracer.traces_mut().nodes_mut();
    for index in 0..nodes.len() {
        let node = &mut nodes[index];
        if !node.is_precompile() || !is_execute(node.trace.address) {
            continue;
        }
        node.trace.maybe_precompile = None;
        if let Some(parent) = node.parent {
            let children = &mut nodes[parent].children;
            // Child nodes are sorted by call order.
            children.insert(children.partition_point(|child| *child < index), index);
        }
    }
}

/// Sets the error of each refused EXECUTE frame to its reason, in every trace type with frames.
pub(crate) fn refused_frames(trace: &mut GethTrace, notes: &[Note]) {
    match trace {
        GethTrace::CallTracer(frame) => {
            explain_frame(frame, &mut precompile_events::refused(notes));
        }
        GethTrace::FlatCallTracer(traces) => {
            refused_traces(traces.iter_mut().map(|localized| &mut localized.trace), notes);
        }
        GethTrace::MuxTracer(traces) => {
            traces.0.values_mut().for_each(|trace| refused_frames(trace, notes));
        }
        _ => {}
    }
}

/// Sets the error of each refused EXECUTE call in Parity-style traces of a transaction to its
/// reason.
pub fn refused_traces<'t>(traces: impl Iterator<Item = &'t mut TransactionTrace>, notes: &[Note]) {
    let mut refused = precompile_events::refused(notes);
    let mut next = refused.next();
    // A precompile makes no calls itself, so such calls begin in the order in which they end.
    for trace in traces.filter(|trace| trace.error.is_some()) {
        if let (Action::Call(action), Some((call, reason))) = (&trace.action, next)
            && action.to == call.address
            && action.input.len() == call.bytes
        {
            trace.error = Some(format!("EXECUTE refused: {reason}"));
            next = refused.next();
        }
    }
}

/// Frames and notes are both in the order in which their calls ended. A call that did not reach the
/// precompile, because its caller lacked the value, has no note.
fn explain_frame<'n>(
    frame: &mut CallFrame,
    refused: &mut (impl Iterator<Item = (&'n ExecuteCall, &'n ExecuteError)> + Clone),
) {
    for inner in &mut frame.calls {
        explain_frame(inner, refused);
    }
    if frame.error.is_none() {
        return;
    }
    let mut ahead = refused.clone();
    if let Some((call, reason)) = ahead.next()
        && frame.to == Some(call.address)
        && frame.input.len() == call.bytes
    {
        frame.error = Some(format!("EXECUTE refused: {reason}"));
        *refused = ahead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, Bytes};
    use std::time::Duration;

    const EXECUTE: Address = execute::EXECUTE_ADDRESS;

    fn note(bytes: usize, gas: u64) -> Note {
        Note::Execute(ExecuteCall {
            dialect: "x",
            address: EXECUTE,
            bytes,
            gas,
            took: Duration::ZERO,
            outcome: Err(ExecuteError::OutOfGas { got: gas, reserve: 100 }),
        })
    }

    fn frame(to: Address, bytes: usize, calls: Vec<CallFrame>) -> CallFrame {
        let input = Bytes::from(vec![0; bytes]);
        CallFrame { to: Some(to), input, error: Some("failed".into()), calls, ..Default::default() }
    }

    #[test]
    fn refused_calls_show_their_own_reasons() {
        let other = Address::repeat_byte(1);
        let inner = vec![
            frame(EXECUTE, 3, vec![]),
            frame(other, 3, vec![frame(EXECUTE, 9, vec![]), frame(EXECUTE, 4, vec![])]),
        ];
        let mut trace = GethTrace::CallTracer(frame(other, 0, inner));
        refused_frames(&mut trace, &[note(3, 1), note(4, 2)]);
        let GethTrace::CallTracer(root) = trace else { panic!("it is another trace now") };
        let errors = |frame: &CallFrame| frame.error.clone().unwrap();
        assert_eq!(errors(&root), "failed");
        assert!(errors(&root.calls[0]).contains("got 1,"), "{root:?}");
        assert_eq!(errors(&root.calls[1]), "failed");
        assert_eq!(
            errors(&root.calls[1].calls[0]),
            "failed",
            "the call did not reach the precompile"
        );
        assert!(errors(&root.calls[1].calls[1]).contains("got 2,"), "{root:?}");
    }
}
