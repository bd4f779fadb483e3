//! Reasons that differences are known to have.

use crate::{Difference, Record};

/// What a difference means to somebody whose suite has run with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impact {
    /// Something that is taken there is refused, or has another effect: a suite may fail.
    Effect,
    /// A value is another: a suite may fail that compares it.
    Value,
    /// An error has another code or other words: a suite may fail that compares those.
    Error,
    /// There is an answer where there is an error or nothing: no suite fails.
    More,
}

impl Impact {
    /// What the report says above the differences of this kind.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Effect => "What may break a suite",
            Self::Value => "Values that differ",
            Self::Error => "Errors with other codes and words",
            Self::More => "Answers where anvil has none",
        }
    }
}

/// A known difference: where it may appear, and why it is there.
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Methods that it concerns; a `*` at an end stands for anything.
    pub methods: &'static [&'static str],
    /// Paths in the answer, with the same rule.
    pub paths: &'static [&'static str],
    /// A further condition on the difference.
    pub when: fn(&Record, &Difference) -> bool,
    /// What it means to a user.
    pub impact: Impact,
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

/// Whether it was asked under a fork from before the merge.
fn is_early(record: &Record) -> bool {
    ["london", "berlin", "frontier"].iter().any(|fork| record.script.contains(fork))
}

/// All of them. The first that fits explains a difference.
pub const REASONS: &[Reason] = &[
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.contains("0x1312d00"),
        impact: Impact::Effect,
        why: "A transaction may use 16,777,216 gas at most from Osaka on (EIP-7825), as on L1; the error names the flag that lifts the cap, `--no-tx-gas-cap`.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| record.params.contains("60006000fd"),
        impact: Impact::Value,
        why: "A transaction that is estimated to fail is sent with all the gas that one may use, which is less than a block has, so its hash is another.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["/result/timestamp"],
        when: |record, _| record.script == "09-habits",
        impact: Impact::Effect,
        why: "Timestamps rise by a second at least from block to block, as the rules want it; with `--loose-timestamps` blocks get what the clock shows, as with anvil.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.contains("blobVersionedHashes"),
        impact: Impact::Effect,
        why: "A call has no more blobs than a transaction may have, as in geth.",
    },
    Reason {
        methods: &["eth_simulateV1"],
        paths: &["*/logsBloom"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Transfers that are told as logs (`traceTransfers`) are no logs of the block, so its bloom leaves them out: the specification's conformance suite wants it so.",
    },
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
        why: "The options of a reorganisation may be an object, as anvil's documentation has them; anvil takes a list.",
    },
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
        methods: &["eth_blobBaseFee", "eth_feeHistory"],
        paths: &["/result", "/result/baseFeePerBlobGas/*"],
        when: |record, _| is_early(record),
        impact: Impact::Value,
        why: "Before Cancun nothing is paid for blobs.",
    },
    Reason {
        methods: &["eth_sendRawTransaction"],
        paths: &["/error/code"],
        when: |record, _| message(record).contains("not supported by the current hardfork"),
        impact: Impact::Error,
        why: "A signed transaction of a type that the fork does not have is refused with geth's words (`transaction type not supported`) and the code of other refusals.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/status", "*/root"],
        when: |record, _| record.script.contains("frontier"),
        impact: Impact::Value,
        why: "Before Byzantium a receipt has the root of the state and no status, as the rules of then have it; anvil's have a status.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/error", "/result"],
        when: |record, _| is_early(record) && message(record).starts_with("EIP-1559"),
        impact: Impact::More,
        why: "Before London a request without a price gets the one that is suggested; anvil fills in fees of EIP-1559, and refuses them.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/error/message"],
        when: ALWAYS,
        impact: Impact::Error,
        why: "The words of an error are each node's own. Where clients read them (`execution reverted: …`, `nonce too low`, `already known`), they are those of geth.",
    },
    Reason {
        methods: &["*"],
        paths: &["*/totalDifficulty"],
        when: ALWAYS,
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
    Reason {
        methods: &["eth_call"],
        paths: &["/result"],
        when: |record, _| record.params.contains("9b9bef43"),
        impact: Impact::Value,
        why: "BASEFEE in a call that offers no gas price is 0, as in geth; anvil shows that of the block.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.contains("input") && record.params.contains("data"),
        impact: Impact::Effect,
        why: "`data` and `input` that differ contradict each other; anvil takes `input`.",
    },
    Reason {
        methods: &["eth_call", "eth_estimateGas"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("EVM error"),
        impact: Impact::Error,
        why: "A call that halts has geth's code (-32000); anvil calls it an internal error.",
    },
    Reason {
        methods: &["eth_estimateGas"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        impact: Impact::Effect,
        why: "A transfer that its sender cannot pay has no estimate; anvil gives one.",
    },
    Reason {
        methods: &["eth_feeHistory"],
        paths: &["/result/baseFeePerGas/*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The last base fee of a fee history follows from the newest block (EIP-1559), whatever \
              `anvil_setNextBlockBaseFeePerGas` has set for the next.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("Insufficient funds"),
        impact: Impact::Error,
        why: "A call that its sender cannot pay has geth's code (-32000).",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| record.script == "02-transactions",
        impact: Impact::Value,
        why: "An empty request follows one whose gas price and fee cap contradict each other.",
    },
    Reason {
        methods: &["eth_config"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The answer describes this chain: its fork's blob parameters as in EIP-7892, a fork id of its own genesis, EXECUTE among the precompiles.",
    },
    Reason {
        methods: &["eth_createAccessList"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        impact: Impact::More,
        why: "A call that reverts has an access list too, with the error beside it, as the specification says.",
    },
    Reason {
        methods: &["eth_feeHistory"],
        paths: &["*"],
        when: |record, _| record.script == "01-chain",
        impact: Impact::Effect,
        why: "Rewards of no percentiles, zero blocks and blocks beyond the head as in geth.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["*/stateRoot", "*/receiptsRoot", "*/hash"],
        when: |record, _| record.params.contains("pending"),
        impact: Impact::More,
        why: "The pending block is executed, and has roots and a hash; anvil's has none.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.starts_with("[0"),
        impact: Impact::Effect,
        why: "A block number is text, as the specification says; anvil takes plain numbers too.",
    },
    Reason {
        methods: &["eth_getBlockReceipts", "eth_getTransactionByBlockNumberAndIndex"],
        paths: &["/result"],
        when: |record, _| record.params.contains("pending"),
        impact: Impact::More,
        why: "The pending block has receipts and transactions.",
    },
    Reason {
        methods: &["eth_getBlockTransactionCountByNumber"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        impact: Impact::More,
        why: "A block that is not there has no count: null, as the specification says.",
    },
    Reason {
        methods: &["eth_getLogs"],
        paths: &["/error", "/result"],
        when: ALWAYS,
        impact: Impact::Effect,
        why: "A range that ends before it begins is an error, as the specification says.",
    },
    Reason {
        methods: &["eth_getProof", "eth_getStorageValues"],
        paths: &["/error", "/result"],
        when: |record, _| message(record) == "odd number of digits",
        impact: Impact::More,
        why: "Storage keys may be short numbers, as the specification says; anvil takes 32 bytes only.",
    },
    Reason {
        methods: &["eth_getProof"],
        paths: &["*/accountProof/*", "*/storageProof*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The state holds what the rules of Ethereum put there, the system contracts included, so its tries differ.",
    },
    Reason {
        methods: &["eth_getTransactionByHash", "txpool_content"],
        paths: &["*/gasPrice"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "A transaction that waits shows the price that it offers as `gasPrice`, as in geth; anvil shows what it would pay now.",
    },
    Reason {
        methods: &["eth_protocolVersion"],
        paths: &["/result"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "A quantity is hexadecimal text.",
    },
    Reason {
        methods: &["eth_simulateV1"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Simulated blocks, errors and codes are those of the specification's conformance suite; anvil numbers them from the head itself and leaves fields out.",
    },
    Reason {
        methods: &["eth_submitWork"],
        paths: &["/error/code"],
        when: ALWAYS,
        impact: Impact::Error,
        why: "There is no work, whatever the parameters.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| {
            record.params.contains("gasPrice") && record.params.contains("maxFeePerGas")
        },
        impact: Impact::Value,
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
        impact: Impact::Value,
        why: "Follows from that transaction.",
    },
    Reason {
        methods: &["eth_gasPrice", "eth_getBlockByNumber"],
        paths: &["/result", "/result/baseFeePerGas"],
        when: |record, _| record.script == "07-going-back",
        impact: Impact::Effect,
        why: "After `evm_revert` the base fee follows from the block that is the head again (EIP-1559); anvil goes on from the base fee of the chain that is gone.",
    },
    Reason {
        methods: &["debug_codeByHash"],
        paths: &["/result"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Only codes that somebody has put there are in the store.",
    },
    Reason {
        methods: &["debug_dbGet"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Keys are those of this store.",
    },
    Reason {
        methods: &["debug_*"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::More,
        why: "Struct logs are kept without `--steps-tracing` too, the top call shows the gas limit of its transaction, an unknown transaction or a wrong tracer is an error, and every tracer but JavaScript is there: as in geth.",
    },
    Reason {
        methods: &["trace_*"],
        paths: &["*/vmTrace*", "*/action/gas"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "A newer version of the same tracing library: steps show memory, and gas after each.",
    },
    Reason {
        methods: &["anvil_impersonateSignature"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::More,
        why: "Signature and address may be two parameters, as clients send them; anvil takes a pair.",
    },
    Reason {
        methods: &["anvil_nodeInfo"],
        paths: &["/result/currentBlockTimestamp"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The genesis has a timestamp; anvil says 1.",
    },
    Reason {
        methods: &["evm_revert", "eth_blockNumber"],
        paths: &["*"],
        when: |record, _| record.script == "07-going-back",
        impact: Impact::Effect,
        why: "A snapshot of a chain that is gone is gone too; anvil takes it for a block of the chain that is there, has an error and may lose its head.",
    },
    Reason {
        methods: &["eth_getTransactionReceipt"],
        paths: &["/result"],
        when: |record, _| record.script == "06-pool",
        impact: Impact::Effect,
        why: "Transactions of one sender go by their nonces; anvil tries one that offers more before the one that it follows, and throws it away.",
    },
    Reason {
        methods: &["eth_getTransactionCount", "eth_getTransactionReceipt"],
        paths: &["/result"],
        when: |record, _| record.script == "08-full-block",
        impact: Impact::Effect,
        why: "A transaction that follows one for which the block has no gas left waits with it; anvil tries it in the same block, without the one that it follows, and throws it away.",
    },
    Reason {
        methods: &["anvil_dropTransaction"],
        paths: &["/result"],
        when: |record, _| record.script == "06-pool",
        impact: Impact::More,
        why: "A transaction that waits for an earlier one can be dropped too.",
    },
    Reason {
        methods: &["anvil_setTime", "evm_setTime", "evm_increaseTime"],
        paths: &["/result"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Depends on the time of day.",
    },
    Reason {
        methods: &["txpool_*"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "A transaction whose predecessor was dropped waits in `queued`; anvil leaves it in `pending`.",
    },
    Reason {
        methods: &["post"],
        paths: &["*"],
        when: ALWAYS,
        impact: Impact::Error,
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
