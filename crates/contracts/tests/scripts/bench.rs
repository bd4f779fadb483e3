//! What the tests of scripts share: a node, files, an L2, and forge and cast on them.

use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, Log, U256, address, bytes, hex};
use alloy_sol_types::{SolCall, SolEvent as _};
use enshrine_contracts::{
    Anchor, Artifacts, L2, Message,
    bindings::{
        IL1MessageQueue::{MessageSent, checkpointCall},
        INativeRollup::{AnchorUpdate, advanceCall},
    },
    l2_genesis,
};
use eyre::{Context, OptionExt, Result, bail, ensure};
use keys::Key;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    str::FromStr,
};
use toolchain::Toolchain;
use wire::ProtocolFork;

pub(crate) const RUN: &str = "run(string)";
pub(crate) const VERIFY: &str = "verify(string)";
pub(crate) const WITHOUT_EXECUTE: &str = "This chain has no EXECUTE precompile";

pub(crate) const L2_CHAIN: u64 = 8_079;
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;

/// The first of anvil's accounts, and its key, which everybody knows.
pub(crate) const DEPLOYER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
pub(crate) const DEPLOYER_KEY: &str =
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The second.
pub(crate) const STRANGER: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
pub(crate) const STRANGER_KEY: &str =
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/// The CREATE2 proxy, which is at this address on most chains, and its code.
pub(crate) const PROXY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
pub(crate) const PROXY_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780358282\
     34f58015156039578182fd5b8082525050506014600cf3"
);

/// A node, files for one test, and an L2 on which nothing has happened.
pub(crate) struct Bench {
    pub(crate) tools: Toolchain,
    node: Child,
    pub(crate) url: String,
    /// Relative to the top of the checkout.
    folder: PathBuf,
    pub(crate) l2: L2,
    /// Hash of the first block, and RLP of its header as hexadecimal text.
    pub(crate) genesis: (B256, String),
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.node.kill();
        let _ = self.node.wait();
        let _ = fs::remove_dir_all(self.tools.root().join(&self.folder));
    }
}

impl Bench {
    /// With stock anvil.
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Result<Self> {
        let tools = Toolchain::ensure(&toolchain::progress_to_stderr)?;
        let mut anvil = Command::new(tools.anvil());
        anvil.args(["--hardfork", "osaka"]).args(arguments);
        Self::with_node(name, tools, anvil)
    }

    pub(crate) fn with_node(name: &str, tools: Toolchain, mut node: Command) -> Result<Self> {
        let mut node = node.args(["--port", "0"]).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(node.stdout.take().ok_or_eyre("piped")?);
        let mut lines = lines.lines();
        let url = loop {
            let line = lines.next().ok_or_eyre("the node has ended")??;
            if let Some((_, at)) = line.split_once("Listening on ") {
                break format!("http://{}", at.trim());
            }
        };
        // Whoever writes to a pipe that nobody empties stops.
        std::thread::spawn(move || lines.for_each(drop));
        let folder = PathBuf::from(format!("cache/scripts-{name}-{}", std::process::id()));
        fs::create_dir_all(tools.root().join(&folder))?;

        let artifacts = Artifacts::load(&toolchain::progress_to_stderr)?;
        let mut genesis = l2_genesis(artifacts, ProtocolFork::Osaka, 10_000_000, 1_700_000_000)?;
        let rich = GenesisAccount { balance: U256::from(10 * ETHER), ..Default::default() };
        genesis.alloc.insert(Key::named("alice").address(), rich);
        let proxy = GenesisAccount { code: Some(PROXY_CODE), ..Default::default() };
        genesis.alloc.insert(PROXY, proxy);
        let l2 = L2::new(L2_CHAIN, ProtocolFork::Osaka, &genesis);
        let head = l2.chain().head();
        let genesis = (head.hash, hex::encode_prefixed(alloy_rlp::encode(&head.header)));
        Ok(Self { tools, node, url, folder, l2, genesis })
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<String> {
        fs::write(self.tools.root().join(&self.folder).join(name), text)?;
        Ok(self.file(name))
    }

    /// The example, with this L2 and some lines changed.
    pub(crate) fn configure(&self, name: &str, changes: &[(&str, &str)]) -> Result<String> {
        let example = self.tools.root().join("script/rollup.example.toml");
        let mut text = fs::read_to_string(example)?;
        let own = [
            ("deployments/my-rollup.json", self.file("deployment.json")),
            ("0xc0", self.genesis.1.clone()),
        ];
        let own = own.iter().map(|(from, to)| (*from, to.as_str()));
        for (from, to) in own.chain(changes.iter().copied()) {
            ensure!(text.contains(from), "the example has no {from:?}");
            text = text.replacen(from, to, 1);
        }
        self.write(name, &text)
    }

    pub(crate) fn forge(
        &self,
        script: &str,
        signature: &str,
        arguments: &[&str],
        more: &[&str],
    ) -> Result<Output> {
        let mut command = self.tools.forge_command();
        command
            .args(["script", &format!("script/{script}.s.sol"), "--sig", signature])
            .args(arguments)
            .args(["--rpc-url", &self.url])
            .args(more)
            .env("FOUNDRY_BROADCAST", self.tools.root().join(&self.folder).join("broadcast"))
            .env("FOUNDRY_DENY", "never");
        command.output().wrap_err("cannot run forge")
    }

    /// Runs a script that must succeed; what it says.
    pub(crate) fn run(&self, script: &str, signature: &str, arguments: &[&str]) -> Result<String> {
        self.run_as(DEPLOYER_KEY, script, signature, arguments)
    }

    pub(crate) fn run_as(
        &self,
        key: &str,
        script: &str,
        signature: &str,
        arguments: &[&str],
    ) -> Result<String> {
        let output = self.forge(
            script,
            signature,
            arguments,
            &["--broadcast", "--slow", "--private-key", key],
        )?;
        let said = said(&output);
        ensure!(output.status.success(), "{signature} failed: {said}");
        Ok(said)
    }

    /// Runs a script that must fail; what it says.
    pub(crate) fn refuse(
        &self,
        script: &str,
        signature: &str,
        arguments: &[&str],
    ) -> Result<String> {
        let more = ["--broadcast", "--slow", "--private-key", DEPLOYER_KEY];
        let output = self.forge(script, signature, arguments, &more)?;
        ensure!(!output.status.success(), "{signature} was expected to fail");
        Ok(said(&output))
    }

    pub(crate) fn cast(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(self.tools.cast())
            .args(arguments)
            .args(["--rpc-url", &self.url])
            .output()?;
        if !output.status.success() {
            bail!("cast {arguments:?}: {}", said(&output));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Sends a transaction of the deployer.
    pub(crate) fn send(&self, to: Address, call: &[&str]) -> Result<String> {
        let to = to.to_string();
        self.cast(&[&["send", &to], call, &["--private-key", DEPLOYER_KEY]].concat())
    }

    /// Makes a contract of the tests without constructor arguments.
    pub(crate) fn create(&self, contract: &str) -> Result<Address> {
        let mut command = self.tools.forge_command();
        command
            .args(["create", contract, "--rpc-url", &self.url])
            .args(["--private-key", DEPLOYER_KEY, "--broadcast"])
            .env("FOUNDRY_DENY", "never");
        let output = command.output().wrap_err("cannot run forge")?;
        let said = said(&output);
        let line = said.lines().find_map(|line| line.strip_prefix("Deployed to: "));
        Ok(Address::from_str(line.ok_or_else(|| eyre::eyre!("{said}"))?.trim())?)
    }

    /// The messages that were sent to the L2.
    pub(crate) fn messages(&self, inbox: Address) -> Result<Vec<Message>> {
        let logs =
            self.cast(&["logs", "--address", &inbox.to_string(), "--from-block", "0", "--json"])?;
        let logs: Vec<serde_json::Value> = serde_json::from_str(&logs)?;
        let mut messages = Vec::new();
        for log in logs {
            let topics = serde_json::from_value(log["topics"].clone())?;
            let data = serde_json::from_value(log["data"].clone())?;
            let event = MessageSent::decode_log(&Log::new_unchecked(inbox, topics, data))?;
            messages
                .push(Message::from_event(&event).ok_or_eyre("a message that fits its format")?);
        }
        Ok(messages)
    }

    /// An anchor of the latest block of L1, for the input with this index.
    pub(crate) fn anchor(&self, inbox: Address, index: u64) -> Result<(Anchor, AnchorUpdate)> {
        let number: u64 = self.cast(&["block-number"])?.parse()?;
        let hash = self.cast(&["block", &number.to_string(), "--field", "hash"])?;
        let answer = self.call(inbox, &["checkpoint()"])?;
        let checkpoint = checkpointCall::abi_decode_returns(&hex::decode(answer)?)?;
        let anchor = Anchor {
            l1_block_number: number,
            l1_block_hash: B256::from_str(&hash)?,
            message_count: checkpoint.count,
            message_root: checkpoint.root,
        };
        let update = AnchorUpdate {
            index,
            l1BlockNumber: number,
            messageCount: checkpoint.count,
            messageRoot: checkpoint.root,
            checkpointId: checkpoint.id,
            checkpointBlock: checkpoint.l1Block,
            checkpointTimestamp: checkpoint.timestamp,
        };
        Ok((anchor, update))
    }

    /// Timestamp of the latest block of L1.
    pub(crate) fn now(&self) -> Result<u64> {
        let now = self.cast(&["block", "latest", "--field", "timestamp"])?;
        Ok(now.split_whitespace().next().ok_or_eyre("a timestamp")?.parse()?)
    }

    /// Advances by the script.
    pub(crate) fn advance(&self, file: &str, call: &advanceCall) -> Result<()> {
        let written = self.write("block.hex", &hex::encode_prefixed(call.abi_encode()))?;
        let more = ["--broadcast", "--slow", "--skip-simulation", "--private-key", DEPLOYER_KEY];
        let output = self.forge("Operate", "advance(string,string)", &[file, &written], &more)?;
        ensure!(output.status.success(), "{}", said(&output));
        Ok(())
    }

    pub(crate) fn call(&self, to: Address, call: &[&str]) -> Result<String> {
        let to = to.to_string();
        self.cast(&[&["call", &to], call].concat())
    }

    /// Transactions that an account has sent.
    pub(crate) fn nonce(&self, account: Address) -> Result<u64> {
        Ok(self.cast(&["nonce", &account.to_string()])?.parse()?)
    }

    /// An address in the file that `Deploy` wrote.
    pub(crate) fn deployed(&self, key: &str) -> Result<Address> {
        let text = fs::read_to_string(self.tools.root().join(self.file("deployment.json")))?;
        let line = text.lines().find(|line| line.contains(&format!("\"{key}\"")));
        let value = line.and_then(|line| line.split('"').nth(3)).ok_or_eyre("no such key")?;
        Ok(Address::from_str(value)?)
    }
}

pub(crate) fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}
