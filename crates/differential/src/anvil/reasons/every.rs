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
        why: "Before London clearing a slot gives back 15,000 gas, up to half of what was used, as the rules of then have it; anvil gives back what London does.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/status", "*/root"],
        when: |record, _| record.script.contains("frontier"),
        impact: Impact::Value,
        why: "Before Byzantium a receipt has the root of the state and no status, as the rules of then have it; anvil's have a status.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/error/message"],
        when: |record, _| !is_of_evm(message(record)),
        impact: Impact::Error,
        why: "The words of an error are each node's own, but for executions that fail: those of anvil (`execution reverted: …`, `EVM error …`), without a difference. Where clients read others (`nonce too low`, `already known`), they are those of geth.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/totalDifficulty"],
        when: |_, difference| difference.subject.is_none(),
        impact: Impact::Value,
        why: "`totalDifficulty` is gone from the execution-apis specification.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/size"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The size of a block counts the list of withdrawals that its body has since Shanghai; anvil leaves it out.",
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
        why: "The genesis has the base fee whose successor is the one asked for, so that the first block is paid as in anvil and yet follows EIP-1559. In anvil the first block repeats the base fee of the genesis.",
    },
    Reason {
        methods: &["*"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("BlockOutOfRange"),
        impact: Impact::Error,
        why: "A block that is not there: geth's code.",
    },
    Reason {
        methods: &["*"],
        paths: &["/error", "/result"],
        when: |record, _| {
            let words = ["invalid length", "expected unit", "invalid type: null"];
            words.iter().any(|words| message(record).contains(words))
        },
        impact: Impact::More,
        why: "Parameters at the end may be left out or null where the specification has a default for them, and are passed over where a method has none; anvil insists on their number.",
    },
];
