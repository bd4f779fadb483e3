//! Differences in debug, anvil and pool methods, and below JSON-RPC.

use super::{ALWAYS, Impact, Reason, message, refusal};
use serde_json::Value;

/// The hash of empty code.
const NO_CODE: &str = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";

/// The first match explains a difference.
pub(super) const REASONS: &[Reason] = &[
    Reason {
        methods: &["trace_filter"],
        paths: &["/error", "/result"],
        when: |record, _| message(record).starts_with("block range too large"),
        impact: Impact::More,
        why: "One request may filter 100,000 blocks; with anvil 300.",
    },
    Reason {
        methods: &["anvil_reorg"],
        paths: &["/error", "/result"],
        when: |record, _| message(record).starts_with("invalid type: map"),
        impact: Impact::More,
        why: "The options may be an object, as in anvil's documentation; anvil accepts a list.",
    },
    Reason {
        methods: &["debug_codeByHash"],
        paths: &["/result"],
        when: |record, _| record.params.contains(NO_CODE),
        impact: Impact::Value,
        why: "The store has only codes of deployed contracts.",
    },
    Reason {
        methods: &["debug_trace*"],
        paths: &["*/structLogs"],
        when: |_, difference| difference.reference.as_deref() == Some("[]"),
        impact: Impact::More,
        why: "Struct logs are kept without `--steps-tracing` too, as in geth.",
    },
    Reason {
        methods: &["debug_trace*"],
        paths: &["/result/gas", "/result/*/result/gas"],
        when: |record, _| record.params.contains("callTracer"),
        impact: Impact::Value,
        why: "The top call shows the gas limit of the transaction, as in geth; anvil shows the gas left for the call.",
    },
    Reason {
        methods: &["debug_traceTransaction"],
        paths: &["/error", "/result"],
        when: |record, _| refusal(record).contains("unexpected config for tracer"),
        impact: Impact::Effect,
        why: "Options for a tracer of a `muxTracer` that has none are rejected; anvil returns an empty result.",
    },
    Reason {
        methods: &["debug_traceTransaction"],
        paths: &["/result"],
        when: |record, difference| {
            let is_empty = difference.reference.as_deref() == Some("{}");
            is_empty && record.params.contains("flatCallTracer")
        },
        impact: Impact::More,
        why: "All of geth's tracers are supported, except those in JavaScript.",
    },
    Reason {
        methods: &["debug_traceTransaction"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("failed to evaluate JS code"),
        impact: Impact::Error,
        why: "An unknown tracer is an invalid parameter (-32602); anvil runs it as JavaScript, which is an internal error.",
    },
    Reason {
        methods: &["trace_*"],
        paths: &["*/result/address", "*/result/code", "*/result/output"],
        when: |record, _| {
            // All three differ together if nothing was created.
            let differs = |part: &str| record.differences.iter().any(|d| d.path.ends_with(part));
            ["/result/address", "/result/code", "/result/output"]
                .iter()
                .all(|pointer| differs(pointer))
        },
        impact: Impact::Value,
        why: "A reverted creation has an output, no address and no code; anvil shows the output as code.",
    },
    Reason {
        methods: &["trace_replay*"],
        paths: &["*/vmTrace/ops/*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "A newer version of the tracing library: steps show memory, and gas after each.",
    },
    Reason {
        methods: &["anvil_impersonateSignature"],
        paths: &["/error", "/result"],
        when: |record, _| message(record).contains("expected a tuple"),
        impact: Impact::More,
        why: "Signature and address may be two parameters, as clients send them; anvil accepts a pair.",
    },
    Reason {
        methods: &["anvil_nodeInfo"],
        paths: &["/result/currentBlockTimestamp"],
        when: |_, difference| difference.reference.as_deref() == Some("1"),
        impact: Impact::Value,
        why: "The genesis has a timestamp; anvil returns 1.",
    },
    Reason {
        methods: &["evm_revert", "eth_blockNumber"],
        paths: &["*"],
        when: |record, _| record.script == "07-going-back",
        impact: Impact::Effect,
        why: "Snapshots of a replaced chain are dropped; anvil takes them for blocks of the new chain, fails, and may lose its head.",
    },
    Reason {
        methods: &["anvil_dropTransaction"],
        paths: &["/result"],
        when: |record, _| record.script == "06-pool",
        impact: Impact::More,
        why: "A queued transaction can be dropped too.",
    },
    Reason {
        methods: &["anvil_setTime", "evm_setTime", "anvil_increaseTime", "evm_increaseTime"],
        paths: &["/result"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Depends on the time of day.",
    },
    Reason {
        methods: &["txpool_*"],
        paths: &["/result/pending*", "/result/queued*"],
        when: |record, _| {
            // A member that is missing in one part is in the other.
            let differs = |part: &str| record.differences.iter().any(|d| d.path.starts_with(part));
            differs("/result/pending") && differs("/result/queued")
        },
        impact: Impact::Value,
        why: "A transaction whose predecessor was dropped waits in `queued`; anvil leaves it in `pending`.",
    },
    Reason {
        methods: &["post"],
        paths: &[""],
        when: |record, _| record.params.starts_with('['),
        impact: Impact::More,
        why: "Each request of a batch has its own response, as in JSON-RPC; anvil rejects the whole batch for one.",
    },
    Reason {
        methods: &["post"],
        paths: &["/error/code"],
        when: |record, _| serde_json::from_str::<Value>(&record.params).is_err(),
        impact: Impact::Error,
        why: "Malformed JSON and an empty object are parse errors (-32700).",
    },
    Reason {
        methods: &["post"],
        paths: &["/error/code"],
        when: |record, _| record.params == "{}",
        impact: Impact::Error,
        why: "Malformed JSON and an empty object are parse errors (-32700).",
    },
];
