//! The L1 as a process of its own: `enshrine devnet`, built and started here, spoken to over
//! JSON-RPC, gone when the story ends.

use alloy_genesis::Genesis;
use alloy_primitives::{B256, Bytes, hex, keccak256};
use chain::{Call, CallOutcome};
use contracts::L1Node;
use eyre::{Result, WrapErr, bail, ensure, eyre};
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long the node may take until it answers.
const START: Duration = Duration::from_secs(30);

/// A devnet that runs.
#[derive(Debug)]
pub(crate) struct Devnet {
    process: Child,
    url: String,
    agent: ureq::Agent,
    _files: tempfile::TempDir,
}

impl Devnet {
    /// Builds the `enshrine` binary as this one was built, and starts it at a genesis on a free
    /// port.
    pub(crate) fn start(genesis: &Genesis) -> Result<Self> {
        let program = build()?;
        let files = tempfile::tempdir()?;
        let path = files.path().join("genesis.json");
        fs::write(&path, serde_json::to_vec(genesis)?)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(&program)
            .args(["devnet", "--silent", "--verify-blocks", "--accounts", "0"])
            .args(["--port", &port.to_string()])
            .arg("--init")
            .arg(&path)
            .stdin(Stdio::null())
            .spawn()
            .wrap_err_with(|| format!("cannot start {}", program.display()))?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let url = format!("http://127.0.0.1:{port}");
        let mut devnet = Self { process, url, agent, _files: files };
        let begun = Instant::now();
        while devnet.ask("eth_chainId", &json!([])).is_err() {
            if let Some(status) = devnet.process.try_wait()? {
                bail!("the devnet ended before it answered: {status}");
            }
            ensure!(begun.elapsed() < START, "the devnet does not answer");
            sleep(Duration::from_millis(20));
        }
        Ok(devnet)
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Hash of its genesis.
    pub(crate) fn genesis_hash(&self) -> Result<B256> {
        let block = self.ask("eth_getBlockByNumber", &json!(["0x0", false]))?;
        Ok(serde_json::from_value(block["hash"].clone())?)
    }

    /// The answer to a request, or its error.
    fn answer(&self, method: &str, params: &Value) -> Result<Result<Value, Value>> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer: Value = self
            .agent
            .post(&self.url)
            .send_json(&request)?
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_json()?;
        Ok(match answer.get_mut("error").map(Value::take) {
            Some(error) => Err(error),
            None => Ok(answer["result"].take()),
        })
    }

    fn ask(&self, method: &str, params: &Value) -> Result<Value> {
        self.answer(method, params)?.map_err(|error| eyre!("{method}: {error}"))
    }

    fn send_and_fetch(&self, transaction: &Bytes, timestamp: u64) -> Result<Bytes> {
        self.ask("evm_setNextBlockTimestamp", &json!([timestamp]))?;
        self.ask("eth_sendRawTransaction", &json!([transaction]))?;
        let hash = keccak256(transaction);
        let receipt = self.ask("eth_getTransactionReceipt", &json!([hash]))?;
        ensure!(!receipt.is_null(), "{hash} has no receipt");
        let block = self.ask("debug_getRawBlock", &json!([receipt["blockNumber"]]))?;
        Ok(serde_json::from_value(block)?)
    }

    fn call_after_head(&self, call: &Call, timestamp: u64) -> Result<CallOutcome> {
        let number = self.ask("eth_blockNumber", &json!([]))?;
        let number =
            u64::from_str_radix(number.as_str().unwrap_or("0x0").trim_start_matches("0x"), 16)?;
        let transaction = json!({
            "from": call.from,
            "to": call.to,
            "input": call.data,
            "value": format!("{:#x}", call.value),
            "gas": call.gas.map(|gas| format!("{gas:#x}")),
        });
        let block = json!({
            "number": format!("{:#x}", number + 1),
            "time": format!("{timestamp:#x}"),
        });
        let params = json!([transaction, "latest", {}, block]);
        match self.answer("eth_call", &params)? {
            Ok(output) => {
                let output = serde_json::from_value(output)?;
                Ok(CallOutcome { success: true, output, gas_used: 0 })
            }
            // What a revert returns; anything else that ends a call returns nothing.
            Err(error) => {
                let data = error["data"].as_str().unwrap_or("0x");
                let output = Bytes::from(hex::decode(data)?);
                Ok(CallOutcome { success: false, output, gas_used: 0 })
            }
        }
    }
}

impl L1Node for Devnet {
    fn send(&self, transaction: Bytes, timestamp: u64) -> Result<Bytes, String> {
        self.send_and_fetch(&transaction, timestamp).map_err(|error| format!("{error:#}"))
    }

    fn call(&self, call: &Call, timestamp: u64) -> Result<CallOutcome, String> {
        self.call_after_head(call, timestamp).map_err(|error| format!("{error:#}"))
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // It is ours and holds nothing of worth; that it may be gone already is no failure.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds the binary beside this one; where it is.
fn build() -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or_else(|| eyre!("a program lies in a folder"))?;
    let root = toolchain::find_root()?;
    let release = folder.file_name().is_some_and(|name| name == "release");
    eprintln!("building the enshrine binary");
    // The whole workspace is chosen, as it is when this program is built by name: every crate then
    // has the same features, and nothing is built twice.
    let built = toolchain::cargo()
        .args(["build", "--quiet", "--workspace", "--bin", "enshrine"])
        .args(release.then_some("--release"))
        .current_dir(root)
        .status()
        .wrap_err("cannot run cargo")?;
    ensure!(built.success(), "the enshrine binary does not build: {built}");
    let program: &Path = &folder.join("enshrine");
    ensure!(program.is_file(), "{} is not there", program.display());
    Ok(program.to_owned())
}
