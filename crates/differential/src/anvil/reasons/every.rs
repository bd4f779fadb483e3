//! Differences that are independent of the method.

use super::{ALWAYS, Impact, Reason, is_early, is_of_evm, message};

/// Default base fee of the genesis of a subject that uses anvil's default for the first block.
const GENESIS_FEE: &str = "\"0x441e9db6\"";

/// The first match explains a difference.
pub(super) const REASONS: &[Reason] = &[
    Reason {
        methods: &["*"],
        paths: &["*/blobGasUsed", "*/excessBlobGas"],
        when: |record, difference| is_early(record) && difference.subject.is_none(),
        impact: Impact::Value,
        why: "Before Cancun blocks have no blob gas; in anvil the genesis has.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/gasUsed", "*/cumulativeGasUsed", "*/gasUsedRatio/*"],
        when: |record, _| record.script.contains("berlin"),
        impact: Impact::Value,
        why: "Before London clearing a slot refunds 15,000 gas, up to half of the gas used; anvil refunds as London does.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/status", "*/root"],
        when: |record, _| record.script.contains("frontier"),
        impact: Impact::Value,
        why: "Before Byzantium a receipt has a state root and no status; anvil's has a status.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/error/message"],
        when: |record, _| !is_of_evm(message(record)),
        impact: Impact::Error,
        why: "Messages are each node's own, except for failed executions (anvil's) and where clients parse them (geth's).",
    },
    Reason {
        methods: &["*"],
        paths: &["*/totalDifficulty"],
        when: |_, difference| difference.subject.is_none(),
        impact: Impact::Value,
        why: "The specification no longer has `totalDifficulty`.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/size"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The size of a block includes the list of withdrawals; anvil omits it.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/blobGasPrice", "*/blockTimestamp"],
        when: |_, difference| difference.subject.is_none(),
        impact: Impact::Value,
        why: "Receipts have `blobGasPrice` for blob transactions only, and no `blockTimestamp`, as the specification says.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/baseFeePerGas", "*/baseFeePerGas/*"],
        when: |_, difference| difference.subject.as_deref() == Some(GENESIS_FEE),
        impact: Impact::Value,
        why: "The genesis has the base fee after which EIP-1559 gives the first block the requested one; in anvil both have the requested one.",
    },
    Reason {
        methods: &["*"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("BlockOutOfRange"),
        impact: Impact::Error,
        why: "The error for an unknown block has geth's code.",
    },
    Reason {
        methods: &["*"],
        paths: &["/error", "/result"],
        when: |record, _| {
            let words = ["invalid length", "expected unit", "invalid type: null"];
            words.iter().any(|words| message(record).contains(words))
        },
        impact: Impact::More,
        why: "Trailing parameters with a default may be missing or null, and a method without parameters ignores them; anvil requires the exact number.",
    },
];
