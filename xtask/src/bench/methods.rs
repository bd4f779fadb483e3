//! Time of each method with the devnet and with stock anvil, measured in turn.

use super::{
    Nodes, build,
    client::{Client, Running, start},
    latency::median,
};
use eyre::{OptionExt as _, Result, bail};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use toolchain::{Toolchain, find_root, progress_to_stderr};

/// Number of timed requests of each method to each node, and of untimed ones before them.
const REQUESTS: usize = 200;
const WARM_UP: usize = 5;
/// Number of blocks with one transaction each before methods are timed.
const BLOCKS: usize = 60;
/// Number of transactions in the pool while the last methods are timed.
const WAITING: usize = 500;
/// Timeout for a receipt on a node with instant mining.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Ratio of medians above which a method is marked as slower with the devnet.
const NOTABLE: f64 = 1.3;

const FROM: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const TO: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";

/// Methods and their parameters. FROM and TO are accounts; the transaction TX called CONTRACT in
/// BLOCK.
const METHODS: &[(&str, &str)] = &[
    ("web3_clientVersion", "[]"),
    ("eth_chainId", "[]"),
    ("eth_blockNumber", "[]"),
    ("eth_accounts", "[]"),
    ("eth_gasPrice", "[]"),
    ("eth_feeHistory", r#"["0xa","latest",[25,50,75]]"#),
    ("eth_getBalance", r#"["FROM","latest"]"#),
    ("eth_getBalance", r#"["FROM","pending"]"#),
    ("eth_getBalance", r#"["FROM","0x14"]"#),
    ("eth_getTransactionCount", r#"["FROM","latest"]"#),
    ("eth_getTransactionCount", r#"["FROM","pending"]"#),
    ("eth_getCode", r#"["CONTRACT","latest"]"#),
    ("eth_getStorageAt", r#"["CONTRACT","0x0","latest"]"#),
    ("eth_getProof", r#"["CONTRACT",[],"latest"]"#),
    ("eth_getBlockByNumber", r#"["latest",true]"#),
    ("eth_getBlockByNumber", r#"["pending",false]"#),
    ("eth_getBlockByHash", r#"["BLOCK",true]"#),
    ("eth_getBlockReceipts", r#"["0x14"]"#),
    ("eth_getTransactionByHash", r#"["TX"]"#),
    ("eth_getTransactionReceipt", r#"["TX"]"#),
    ("eth_getLogs", r#"[{"blockHash":"BLOCK"}]"#),
    ("eth_getLogs", r#"[{"fromBlock":"0x0","address":"CONTRACT"}]"#),
    ("eth_newFilter", r#"[{"address":"CONTRACT"}]"#),
    ("eth_newBlockFilter", "[]"),
    ("eth_call", r#"[{"to":"CONTRACT","data":"0x3fa4f245"},"latest"]"#),
    ("eth_call", r#"[{"to":"CONTRACT","data":"0x3fa4f245"},"0x14"]"#),
    (
        "eth_call",
        r#"[{"to":"TO","data":"0x"},"latest",{"TO":{"code":"0x60005460005260206000f3"}}]"#,
    ),
    ("eth_call", r#"[{"to":"CONTRACT","data":"0x12345678"},"latest"]"#),
    ("eth_estimateGas", r#"[{"from":"FROM","to":"TO","value":"0x1"}]"#),
    ("eth_estimateGas", r#"[{"from":"FROM","to":"CONTRACT","data":"SET"}]"#),
    ("eth_createAccessList", r#"[{"from":"FROM","to":"CONTRACT","data":"SET"}]"#),
    (
        "eth_simulateV1",
        r#"[{"blockStateCalls":[{"calls":[{"from":"FROM","to":"CONTRACT","data":"SET"}]}]},"latest"]"#,
    ),
    ("eth_fillTransaction", r#"[{"from":"FROM","to":"TO","value":"0x1"}]"#),
    ("eth_sign", r#"["FROM","0x68656c6c6f"]"#),
    ("debug_traceTransaction", r#"["TX"]"#),
    ("debug_traceTransaction", r#"["TX",{"tracer":"callTracer"}]"#),
    (
        "debug_traceCall",
        r#"[{"from":"FROM","to":"CONTRACT","data":"SET"},"latest",{"tracer":"callTracer"}]"#,
    ),
    ("trace_transaction", r#"["TX"]"#),
    ("trace_block", r#"["0x14"]"#),
    ("trace_filter", r#"[{"fromBlock":"0x1","toBlock":"0x20"}]"#),
    ("txpool_status", "[]"),
    ("txpool_content", "[]"),
    ("ots_getBlockDetails", r#"["0x14"]"#),
    ("ots_getTransactionError", r#"["TX"]"#),
    ("anvil_nodeInfo", "[]"),
    ("anvil_metadata", "[]"),
    ("anvil_dumpState", "[]"),
    ("anvil_setBalance", r#"["TO","0x21e19e0c9bab2400000"]"#),
    ("anvil_setNonce", r#"["0x1212121212121212121212121212121212121212","0x5"]"#),
    ("anvil_setCode", r#"["0x1313131313131313131313131313131313131313","0x6001"]"#),
    ("anvil_impersonateAccount", r#"["TO"]"#),
    ("evm_increaseTime", "[1]"),
    ("evm_setIntervalMining", "[0]"),
    ("evm_setAutomine", "[true]"),
    ("evm_snapshot", "[]"),
    ("evm_mine", "[]"),
    ("eth_sendTransaction", r#"[{"from":"FROM","to":"TO","value":"0x1"}]"#),
    ("eth_sendTransaction", r#"[{"from":"FROM","to":"CONTRACT","data":"SET","gas":"0x30d40"}]"#),
    ("eth_nothing", "[]"),
];

/// Methods that are timed while the pool has transactions.
const BESIDE_WAITING: &[(&str, &str)] = &[
    ("txpool_status", "[]"),
    ("txpool_inspect", "[]"),
    ("eth_getTransactionCount", r#"["FROM","pending"]"#),
    ("eth_getBlockByNumber", r#"["pending",false]"#),
    ("eth_estimateGas", r#"[{"from":"FROM","to":"TO","value":"0x1"}]"#),
];

/// A running node, and the placeholders of [`METHODS`] with the values of its chain.
struct Node {
    /// Ends the process when dropped.
    _process: Running,
    client: Client,
    words: Vec<(&'static str, String)>,
}

impl Node {
    /// Starts a node, and builds the chain that the methods read.
    fn start(program: &Path, arguments: &[&str], probe: &str) -> Result<Self> {
        let (process, _) = start(program, arguments)?;
        let mut client = Client::connect(process.port)?;
        client.ask("evm_setAutomine", &json!([true]))?;
        let set = format!("0x60fe47b1{:064x}", 7);
        let created =
            sent(&mut client, &json!({ "from": FROM, "data": probe, "gas": "0x4c4b40" }))?;
        let contract = created["contractAddress"].as_str().ok_or_eyre("no contract")?.to_owned();
        let call = json!({ "from": FROM, "to": contract, "data": set, "gas": "0x30d40" });
        let mut receipt = Value::Null;
        for _ in 0..BLOCKS {
            receipt = sent(&mut client, &call)?;
        }
        let of = |name: &str| receipt[name].as_str().unwrap_or_default().to_owned();
        let words = vec![
            ("FROM", FROM.to_owned()),
            ("TO", TO.to_owned()),
            ("BLOCK", of("blockHash")),
            ("TX", of("transactionHash")),
            ("CONTRACT", contract),
            ("SET", set),
        ];
        Ok(Self { _process: process, client, words })
    }

    /// Replaces the placeholders in parameters.
    fn params(&self, params: &str) -> Result<Value> {
        let quoted = |word: &str| format!("\"{word}\"");
        let replace = |text: String, (word, value): &(&str, String)| {
            text.replace(&quoted(word), &quoted(value))
        };
        Ok(serde_json::from_str(&self.words.iter().fold(params.to_owned(), replace))?)
    }
}

/// Sends a transaction and returns its receipt.
fn sent(client: &mut Client, transaction: &Value) -> Result<Value> {
    let hash = client.ask("eth_sendTransaction", &json!([transaction]))?;
    let begun = Instant::now();
    while begun.elapsed() < RECEIPT_TIMEOUT {
        let receipt = client.ask("eth_getTransactionReceipt", &json!([hash]))?;
        if !receipt.is_null() {
            return Ok(receipt);
        }
    }
    bail!("no receipt of {hash}")
}

/// Prints the median time of each method with both nodes.
pub(crate) fn methods() -> Result<()> {
    let tools = Toolchain::ensure(&progress_to_stderr)?;
    let enshrine = build()?;
    let nodes: Nodes<'_> = [(&enshrine, &["devnet"]), (tools.anvil(), &[])];
    let probe = find_root()?.join("crates/differential/anvil/contracts/Probe.hex");
    let probe = fs::read_to_string(probe)?;
    let [ours, theirs] =
        nodes.map(|(program, arguments)| Node::start(program, arguments, probe.trim()));
    let mut nodes = [ours?, theirs?];
    println!("| method | devnet, ms | anvil, ms | ratio |\n|---|---|---|---|");
    table(&mut nodes, METHODS)?;
    for Node { client, .. } in &mut nodes {
        client.ask("evm_setAutomine", &json!([false]))?;
        for _ in 0..WAITING {
            let transfer = json!({ "from": FROM, "to": TO, "value": "0x1", "gas": "0x5208" });
            client.ask("eth_sendTransaction", &json!([transfer]))?;
        }
    }
    println!("| **beside {WAITING} transactions that wait** | | | |");
    table(&mut nodes, BESIDE_WAITING)
}

/// Prints a row for each method.
fn table(nodes: &mut [Node; 2], methods: &[(&str, &str)]) -> Result<()> {
    for (method, params) in methods {
        let asked = [nodes[0].params(params)?, nodes[1].params(params)?];
        let mut times = [const { Vec::new() }; 2];
        for turn in 0..WARM_UP + REQUESTS {
            for index in [turn % 2, (turn + 1) % 2] {
                let begun = Instant::now();
                // Error responses count as well.
                drop(nodes[index].client.ask(method, &asked[index]));
                if turn >= WARM_UP {
                    times[index].push(begun.elapsed());
                }
            }
        }
        let [ours, theirs] = times.map(median).map(|seconds| seconds * 1e3);
        let ratio = ours / theirs;
        let mark = if ratio > NOTABLE { "**" } else { "" };
        println!("| `{method}` `{params}` | {ours:.3} | {theirs:.3} | {mark}{ratio:.2}{mark} |");
    }
    Ok(())
}
