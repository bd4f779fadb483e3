//! Differences in the standard methods.

use super::{ALWAYS, Impact, Reason, is_early, message, refusal};
use serde_json::Value;

/// The first match explains a difference.
pub(super) const REASONS: &[Reason] = &[
    Reason {
        methods: &["eth_sendRawTransaction"],
        paths: &["/error", "/result"],
        when: |record, _| refusal(record).contains("invalid chain id for signer"),
        impact: Impact::Effect,
        why: "A transaction without EIP-1559 fees that is signed for another chain is rejected (EIP-155); anvil mines it.",
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
        when: |record, _| record.params.contains("traceTransfers"),
        impact: Impact::Value,
        why: "The block's bloom omits the logs of `traceTransfers`, as in the specification's conformance suite.",
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
        why: "A transaction type that the fork lacks is rejected with geth's message (`transaction type not supported`) and the code of other rejections.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/error", "/result"],
        when: |record, _| is_early(record) && message(record).starts_with("EIP-1559"),
        impact: Impact::More,
        why: "Before London a request without a price gets the suggested one; anvil fills in EIP-1559 fees, and rejects them.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/result"],
        when: |record, _| record.params.contains("9b9bef43"),
        impact: Impact::Value,
        why: "A call on the newest block has its coinbase and base fee; in anvil those that cheats have set for the next block.",
    },
    Reason {
        methods: &["eth_call"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.contains("input") && record.params.contains("data"),
        impact: Impact::Effect,
        why: "Different `data` and `input` are rejected; anvil uses `input`.",
    },
    Reason {
        methods: &["eth_estimateGas"],
        paths: &["/result"],
        when: |record, difference| {
            let is_transfer = difference.subject.as_deref() == Some("\"0x5208\"");
            is_transfer && record.params.contains("blobVersionedHashes")
        },
        impact: Impact::Value,
        why: "The estimate of a transfer with blobs is 21,000 gas; anvil's is one more.",
    },
    Reason {
        methods: &["eth_estimateGas"],
        paths: &["/result"],
        when: |record, _| record.script.contains("frontier") && !record.params.contains("\"to\""),
        impact: Impact::Value,
        why: "Before Homestead a creation has the intrinsic gas of a call; anvil estimates at least 53,000.",
    },
    Reason {
        methods: &["eth_feeHistory"],
        paths: &["/result/baseFeePerGas/*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The last base fee follows from the newest block (EIP-1559), even after `anvil_setNextBlockBaseFeePerGas`.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| record.script == "02-transactions",
        impact: Impact::Value,
        why: "Follows from a request with both `gasPrice` and `maxFeePerGas`, of which the devnet uses the latter.",
    },
    Reason {
        methods: &["eth_config"],
        paths: &[
            "*/blobSchedule/*",
            "*/forkId",
            "*/precompiles/EXECUTE",
            "*/systemContracts/DEPOSIT_CONTRACT_ADDRESS",
        ],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The answer describes this chain: blob parameters (EIP-7892) and fork id of its own, EXECUTE, no deposit contract.",
    },
    Reason {
        methods: &["eth_createAccessList"],
        paths: &["/error", "/result"],
        when: |record, _| message(record).starts_with("execution reverted"),
        impact: Impact::More,
        why: "A call that reverts has an access list beside its error, as the specification says.",
    },
    Reason {
        methods: &["eth_feeHistory"],
        paths: &["*"],
        when: |record, _| record.script == "01-chain",
        impact: Impact::Effect,
        why: "Without percentiles, for zero blocks and beyond the head, the response is geth's.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["*/stateRoot", "*/receiptsRoot", "*/hash"],
        when: |record, _| record.params.contains("pending"),
        impact: Impact::More,
        why: "The pending block has roots and a hash; anvil's has none.",
    },
    Reason {
        methods: &["eth_getBlockByNumber"],
        paths: &["/error", "/result"],
        when: |record, _| record.params.starts_with("[0"),
        impact: Impact::Effect,
        why: "A block number is a string, as the specification says; anvil accepts numbers too.",
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
        when: |record, _| message(record).starts_with("BlockOutOfRange"),
        impact: Impact::More,
        why: "The count of an unknown block is null, as the specification says.",
    },
    Reason {
        methods: &["eth_getLogs"],
        paths: &["/error", "/result"],
        when: |record, _| refusal(record).contains("from is above to"),
        impact: Impact::Effect,
        why: "A range that ends before it begins, or above the head, is an error, as the specification says.",
    },
    Reason {
        methods: &["eth_getLogs"],
        paths: &["/error", "/result"],
        when: |record, _| refusal(record).contains("extends beyond current head block"),
        impact: Impact::Effect,
        why: "A range that ends before it begins, or above the head, is an error, as the specification says.",
    },
    Reason {
        methods: &["eth_getProof", "eth_getStorageValues"],
        paths: &["/error", "/result"],
        when: |record, _| message(record) == "odd number of digits",
        impact: Impact::More,
        why: "Storage keys may be short numbers, as the specification says; anvil accepts only 32 bytes.",
    },
    Reason {
        methods: &["eth_getProof"],
        paths: &["*/accountProof/*"],
        when: ALWAYS,
        impact: Impact::Value,
        why: "The state has the system contracts, so its tries differ.",
    },
    Reason {
        methods: &["eth_getTransactionByHash", "txpool_content"],
        paths: &["*/gasPrice"],
        when: |record, _| {
            let block = record.answer.pointer("/result/blockNumber");
            record.method == "txpool_content" || block.is_none_or(Value::is_null)
        },
        impact: Impact::Value,
        why: "The `gasPrice` of a pending transaction is its fee cap, as in geth; in anvil the price that it would pay now.",
    },
    Reason {
        methods: &["eth_protocolVersion"],
        paths: &["/result"],
        when: |_, difference| difference.reference.as_deref() == Some("1"),
        impact: Impact::Value,
        why: "Quantities are hexadecimal.",
    },
    Reason {
        methods: &["eth_simulateV1"],
        paths: &["/error", "/result"],
        when: |record, _| refusal(record).contains("empty input"),
        impact: Impact::Effect,
        why: "A simulation of no blocks is an error, as in the specification's conformance suite.",
    },
    Reason {
        methods: &["eth_simulateV1"],
        paths: &["/result"],
        when: |record, _| record.params.contains("\"blockOverrides\":{\"number\""),
        impact: Impact::Value,
        why: "Skipped block numbers yield empty blocks, as in the specification's conformance suite; in anvil none.",
    },
    Reason {
        methods: &["eth_simulateV1"],
        paths: &[
            "/result/*/number",
            "/result/*/timestamp",
            "/result/*/baseFeePerGas",
            "/result/*/blobGasUsed",
            "/result/*/excessBlobGas",
            "/result/*/parentBeaconBlockRoot",
            "/result/*/requestsHash",
            "/result/*/stateRoot",
            "/result/*/transactions/*",
            "/result/*/transactionsRoot",
            "/result/*/withdrawals",
            "/result/*/withdrawalsRoot",
            "*/calls/*/maxUsedGas",
            "*/calls/*/returnData",
            "*/calls/*/error/code",
            "*/calls/*/error/data",
            "*/calls/*/logs/*/blockNumber",
            "*/calls/*/logs/*/blockTimestamp",
            "*/calls/*/logs/*/transactionHash",
        ],
        when: ALWAYS,
        impact: Impact::Value,
        why: "Simulated blocks and errors are those of the specification's conformance suite; anvil numbers blocks from the head itself and omits fields.",
    },
    Reason {
        methods: &["eth_submitWork"],
        paths: &["/error/code"],
        when: |record, _| message(record).starts_with("invalid character"),
        impact: Impact::Error,
        why: "There is no proof of work, for any parameters.",
    },
    Reason {
        methods: &["eth_sendTransaction"],
        paths: &["/result"],
        when: |record, _| {
            record.params.contains("gasPrice") && record.params.contains("maxFeePerGas")
        },
        impact: Impact::Value,
        why: "If both a gas price and a fee cap are given, the fee cap is used.",
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
        why: "Follows from a request with both `gasPrice` and `maxFeePerGas`, of which the devnet uses the latter.",
    },
    Reason {
        methods: &["eth_gasPrice", "eth_getBlockByNumber"],
        paths: &["/result", "/result/baseFeePerGas"],
        when: |record, _| record.script == "07-going-back",
        impact: Impact::Effect,
        why: "After `evm_revert` the base fee follows from the new head (EIP-1559); anvil continues from the reverted one.",
    },
    Reason {
        methods: &["eth_getBlockByNumber", "eth_getLogs"],
        paths: &["/result/timestamp", "*blockTimestamp"],
        when: |record, difference| {
            let seconds = |text: &Option<String>| {
                let text = text.as_deref()?.trim_matches('"').strip_prefix("0x")?;
                u64::from_str_radix(text, 16).ok()
            };
            let (theirs, ours) = (seconds(&difference.reference), seconds(&difference.subject));
            // A walk increases the time before a snapshot that it reverts to.
            record.script.starts_with("random") && theirs < ours
        },
        impact: Impact::Effect,
        why: "`evm_revert` restores the clock of the snapshot, as in anvil 1.8; anvil 1.7.1 continues from the head's time.",
    },
    Reason {
        methods: &["eth_getTransactionReceipt"],
        paths: &["/result"],
        when: |record, _| record.script == "06-pool",
        impact: Impact::Effect,
        why: "Transactions of one sender are ordered by nonce; anvil tries one with a higher fee before its predecessor, and drops it.",
    },
    Reason {
        methods: &["eth_getTransactionCount", "eth_getTransactionReceipt"],
        paths: &["/result"],
        when: |record, _| record.script == "08-full-block",
        impact: Impact::Effect,
        why: "A transaction whose predecessor does not fit into the block waits with it; anvil tries it without, and drops it.",
    },
];
