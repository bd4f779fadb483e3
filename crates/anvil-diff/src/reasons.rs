//! Reasons that differences are known to have.

use crate::{Difference, Record};

/// A known difference: where it may appear, and why it is there.
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Methods that it concerns; a `*` at an end stands for anything.
    pub methods: &'static [&'static str],
    /// Paths in the answer, with the same rule.
    pub paths: &'static [&'static str],
    /// A further condition on the difference.
    pub when: fn(&Record, &Difference) -> bool,
    /// Why, for a reader who knows Ethereum and not this code.
    pub why: &'static str,
}

/// The base fee of the genesis by default, as a subject that asks for anvil's shows it.
const GENESIS_FEE: &str = "\"0x441e9db6\"";

/// No further condition.
const ALWAYS: fn(&Record, &Difference) -> bool = |_, _| true;

/// What the reference says is wrong.
fn message(record: &Record) -> &str {
    record.answer.pointer("/error/message").and_then(|message| message.as_str()).unwrap_or_default()
}

/// All of them. The first that fits explains a difference.
pub const REASONS: &[Reason] = &[
    Reason {
        methods: &["*"],
        paths: &["*/error/message"],
        when: ALWAYS,
        why: "The words of an error are each node's own. Where clients read them (`execution reverted: …`, `nonce too low`, `already known`), they are those of geth.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/totalDifficulty"],
        when: ALWAYS,
        why: "`totalDifficulty` is gone from the execution-apis specification.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/size"],
        when: ALWAYS,
        why: "The size of a block counts the list of withdrawals that its body has since Shanghai; anvil leaves it out.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/blobGasPrice", "*/blockTimestamp"],
        when: |_, difference| difference.subject.is_none(),
        why: "Receipts have `blobGasPrice` for blob transactions only, and no `blockTimestamp`, as the specification says.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/baseFeePerGas", "*/baseFeePerGas/*"],
        when: |_, difference| difference.subject.as_deref() == Some(GENESIS_FEE),
        why: "The genesis has the base fee whose successor is the one asked for, so that the first block is paid as in anvil and yet follows EIP-1559. In anvil the first block repeats the base fee of the genesis.",
    },
    Reason {
        methods: &["*"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("BlockOutOfRange"),
        why: "A block that is not there: geth's code.",
    },
    Reason {
        methods: &["*"],
        paths: &["/error", "/result"],
        when: |record, _| {
            let words = ["invalid length", "expected unit", "invalid type: null"];
            words.iter().any(|words| message(record).contains(words))
        },
        why: "Parameters at the end may be left out or null where the specification has a default for them, and are passed over where a method has none; anvil insists on their number.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/result"],
        when: |record, _| record.params.contains("9b9bef43"),
        why: "BASEFEE in a call that offers no gas price is 0, as in geth; anvil shows that of the block.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.contains("input") && record.params.contains("data"),
        why: "`data` and `input` that differ contradict each other; anvil takes `input`.",
    },
    Reason {
        methods: &["eth_call", "eth_estimateGas"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("EVM error"),
        why: "A call that halts has geth's code (-32000); anvil calls it an internal error.",
    },
    Reason {
        methods: &["eth_estimateGas"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        why: "A transfer that its sender cannot pay has no estimate; anvil gives one.",
    },
    Reason {
        methods: &["eth_feeHistory"],
        paths: &["/result/baseFeePerGas/*"],
        when: ALWAYS,
        why: "The last base fee of a fee history follows from the newest block (EIP-1559), whatever \
              `anvil_setNextBlockBaseFeePerGas` has set for the next.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("Insufficient funds"),
        why: "A call that its sender cannot pay has geth's code (-32000).",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| record.script == "02-transactions",
        why: "An empty request follows one whose gas price and fee cap contradict each other.",
    },
    Reason {
        methods: &["eth_config"],
        paths: &["*"],
        when: ALWAYS,
        why: "The answer describes this chain: its fork's blob parameters as in EIP-7892, a fork id of its own genesis, EXECUTE among the precompiles.",
    },
    Reason {
        methods: &["eth_createAccessList"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        why: "A call that reverts has an access list too, with the error beside it, as the specification says.",
    },
    Reason {
        methods: &["eth_feeHistory"],
        paths: &["*"],
        when: |record, _| record.script == "01-chain",
        why: "Rewards of no percentiles, zero blocks and blocks beyond the head as in geth.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["*/stateRoot", "*/receiptsRoot", "*/hash"],
        when: |record, _| record.params.contains("pending"),
        why: "The pending block is executed, and has roots and a hash; anvil's has none.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.starts_with("[0"),
        why: "A block number is text, as the specification says; anvil takes plain numbers too.",
    },
    Reason {
        methods: &["eth_getBlockReceipts", "eth_getTransactionByBlockNumberAndIndex"],
        paths: &["/result"],
        when: |record, _| record.params.contains("pending"),
        why: "The pending block has receipts and transactions.",
    },
    Reason {
        methods: &["eth_getBlockTransactionCountByNumber"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        why: "A block that is not there has no count: null, as the specification says.",
    },
    Reason {
        methods: &["eth_getLogs"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        why: "A range that ends before it begins is an error, as the specification says.",
    },
    Reason {
        methods: &["eth_getProof", "eth_getStorageValues"],
        paths: &["/error", "/result"],
        when: |record, _| message(record) == "odd number of digits",
        why: "Storage keys may be short numbers, as the specification says; anvil takes 32 bytes only.",
    },
    Reason {
        methods: &["eth_getProof"],
        paths: &["*/accountProof/*", "*/storageProof*"],
        when: ALWAYS,
        why: "The state holds what the rules of Ethereum put there, the system contracts included, so its tries differ.",
    },
    Reason {
        methods: &["eth_getTransactionByHash", "txpool_content"],
        paths: &["*/gasPrice"],
        when: ALWAYS,
        why: "A transaction that waits shows the price that it offers as `gasPrice`, as in geth; anvil shows what it would pay now.",
    },
    Reason {
        methods: &["eth_protocolVersion"],
        paths: &["/result"],
        when: ALWAYS,
        why: "A quantity is hexadecimal text.",
    },
    Reason {
        methods: &["eth_simulateV1"],
        paths: &["*"],
        when: ALWAYS,
        why: "Simulated blocks, errors and codes are those of the specification's conformance suite; anvil numbers them from the head itself and leaves fields out.",
    },
    Reason {
        methods: &["eth_submitWork"],
        paths: &["/error/code"],
        when: ALWAYS,
        why: "There is no work, whatever the parameters.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| {
            record.params.contains("gasPrice") && record.params.contains("maxFeePerGas")
        },
        why: "Of a gas price and a fee cap given together, the fee cap is taken.",
    },
    Reason {
        methods: &[
            "eth_feeHistory",
            "eth_gasPrice",
            "eth_maxPriorityFeePerGas",
            "eth_fillTransaction",
            "eth_signTransaction",
        ],
        paths: &["*"],
        when: |record, _| record.script == "02-transactions",
        why: "Follows from that transaction.",
    },
    Reason {
        methods: &["eth_gasPrice", "eth_getBlockByNumber"],
        paths: &["/result", "/result/baseFeePerGas"],
        when: |record, _| record.script == "07-going-back",
        why: "After `evm_revert` the base fee follows from the block that is the head again (EIP-1559); anvil goes on from the base fee of the chain that is gone.",
    },
    Reason {
        methods: &["debug_codeByHash"],
        paths: &["/result"],
        when: ALWAYS,
        why: "Only codes that somebody has put there are in the store.",
    },
    Reason {
        methods: &["debug_dbGet"],
        paths: &["*"],
        when: ALWAYS,
        why: "Keys are those of this store.",
    },
    Reason {
        methods: &["debug_*"],
        paths: &["*"],
        when: ALWAYS,
        why: "Struct logs are kept without `--steps-tracing` too, the top call shows the gas limit of its transaction, an unknown transaction or a wrong tracer is an error, and every tracer but JavaScript is there: as in geth.",
    },
    Reason {
        methods: &["trace_*"],
        paths: &["*/vmTrace*", "*/action/gas"],
        when: ALWAYS,
        why: "A newer version of the same tracing library: steps show memory, and gas after each.",
    },
    Reason {
        methods: &["anvil_impersonateSignature"],
        paths: &["*"],
        when: ALWAYS,
        why: "Signature and address may be two parameters, as clients send them; anvil takes a pair.",
    },
    Reason {
        methods: &["anvil_nodeInfo"],
        paths: &["/result/currentBlockTimestamp"],
        when: ALWAYS,
        why: "The genesis has a timestamp; anvil says 1.",
    },
    Reason {
        methods: &["evm_revert", "eth_blockNumber"],
        paths: &["*"],
        when: |record, _| record.script == "07-going-back",
        why: "A snapshot of a chain that is gone is gone too; anvil takes it for a block of the chain that is there, has an error and may lose its head.",
    },
    Reason {
        methods: &["eth_getTransactionReceipt"],
        paths: &["/result"],
        when: |record, _| record.script == "06-pool",
        why: "Transactions of one sender go by their nonces; anvil tries one that offers more before the one that it follows, and throws it away.",
    },
    Reason {
        methods: &["eth_getTransactionCount", "eth_getTransactionReceipt"],
        paths: &["/result"],
        when: |record, _| record.script == "08-full-block",
        why: "A transaction that follows one for which the block has no gas left waits with it; anvil tries it in the same block, without the one that it follows, and throws it away.",
    },
    Reason {
        methods: &["anvil_dropTransaction"],
        paths: &["/result"],
        when: |record, _| record.script == "06-pool",
        why: "A transaction that waits for an earlier one can be dropped too.",
    },
    Reason {
        methods: &["anvil_setTime", "evm_setTime", "evm_increaseTime"],
        paths: &["/result"],
        when: ALWAYS,
        why: "Depends on the time of day.",
    },
    Reason {
        methods: &["txpool_*"],
        paths: &["*"],
        when: ALWAYS,
        why: "A transaction whose predecessor was dropped waits in `queued`; anvil leaves it in `pending`.",
    },
    Reason {
        methods: &["post"],
        paths: &["*"],
        when: ALWAYS,
        why: "Malformed JSON is a parse error (-32700), and each request of a batch has its own answer, as JSON-RPC says.",
    },
];

/// The reason of a difference, if it has one.
pub fn reason(record: &Record, difference: &Difference) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| {
        reason.methods.iter().any(|pattern| fits(pattern, &record.method))
            && reason.paths.iter().any(|pattern| fits(pattern, &difference.path))
            && (reason.when)(record, difference)
    })
}

fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => pattern == text,
    }
}
