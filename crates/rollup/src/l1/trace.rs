//! Traces of L1 transactions with calls of any depth that the EVM allows.

use alloy_rpc_types_trace::geth::CallFrame;
use serde::Deserialize as _;
use std::{io, thread};

/// Maximum depth of calls: that of the EVM, and a margin. JSON libraries stop at some sixty, and
/// the sender of an L1 transaction determines the depth, so their limit would let anyone hide the
/// inputs of a block from all nodes.
const MAX_DEPTH: usize = 1_024 + 8;
/// Stack of the thread that reads a trace; a level of an unoptimised build takes some 50 kB.
const STACK: usize = 256 << 20;

/// Reason for which a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The calls are nested deeper than the EVM allows.
    #[error("calls are nested {got} deep, expected at most {MAX_DEPTH}")]
    TooDeep {
        /// Depth of the calls.
        got: usize,
    },
    /// The trace is not one of `callTracer`.
    #[error(transparent)]
    Malformed(#[from] serde_json::Error),
    /// The thread that reads the trace could not be started, or has panicked.
    #[error("cannot read the trace: {0}")]
    Thread(io::Error),
}

/// Reads the response of `callTracer`.
///
/// # Errors
///
/// See [`TraceError`].
pub(crate) fn call_frame(json: &str) -> Result<CallFrame, TraceError> {
    let got = depth(json);
    if got > MAX_DEPTH {
        return Err(TraceError::TooDeep { got });
    }
    thread::scope(|scope| {
        let read = || {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            // The depth is bounded above, and the stack is large enough for it.
            deserializer.disable_recursion_limit();
            CallFrame::deserialize(&mut deserializer)
        };
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        let read = thread.map_err(TraceError::Thread)?.join();
        Ok(read.map_err(|_| TraceError::Thread(io::Error::other("a panic")))??)
    })
}

/// Returns the depth of calls in a trace, each of which is an object in a list.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;

    /// Returns a trace of calls that are nested this deep.
    fn nested(depth: usize) -> String {
        let head = format!(
            r#"{{"type":"CALL","from":"{}","gas":"0x0","gasUsed":"0x0","input":"0x","error":"\"[{{""#,
            Address::ZERO
        );
        let open = format!("{head},\"calls\":[").repeat(depth - 1);
        format!("{open}{head}}}{}", "]}".repeat(depth - 1))
    }

    #[test]
    fn traces_are_read_to_depth_of_evm() {
        for depth in [1, 2, 64, 1_024, MAX_DEPTH] {
            let mut frame = call_frame(&nested(depth)).unwrap();
            for _ in 1..depth {
                frame = frame.calls.remove(0);
            }
            assert!(frame.calls.is_empty());
        }
        let deeper = call_frame(&nested(MAX_DEPTH + 1));
        assert!(matches!(deeper, Err(TraceError::TooDeep { got }) if got == MAX_DEPTH + 1));
        // Not a call, in fields that are not read.
        let hostile = ["[".repeat(1 << 20), "]".repeat(1 << 20)].concat();
        assert!(matches!(call_frame(&hostile), Err(TraceError::TooDeep { .. })));
        assert!(matches!(call_frame("{}"), Err(TraceError::Malformed(_))));
    }
}
