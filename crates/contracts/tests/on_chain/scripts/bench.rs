//! Utilities for tests of scripts: a node, files, an L2, and calls of forge and cast.

use alloy_eips::BlockNumberOrTag;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, address, bytes, hex};
use alloy_provider::Provider as _;
use alloy_rpc_types_eth::Header;
use alloy_sol_types::SolCall;
use enshrine_contracts::{
    Anchor, Message, Predeploys,
    bindings::{
        IL1MessageQueue,
        INativeRollup::{AnchorUpdate, advanceCall},
    },
    l2_genesis,
};
use eyre::{Context, OptionExt, Result, bail, ensure};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    str::FromStr,
};
use testkit::{Key, L2, NodeProcess, rich};
use toolchain::Toolchain;
use wire::ProtocolFork;

pub(crate) const RUN: &str = "run(string)";
pub(crate) const VERIFY: &str = "verify(string)";
pub(crate) const WITHOUT_EXECUTE: &str = "This chain has no EXECUTE precompile";

pub(crate) const L2_CHAIN: u64 = 8_079;
pub(crate) use testkit::ETHER;

/// The first of anvil's accounts, and its publicly known key.
pub(crate) const DEPLOYER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
pub(crate) const DEPLOYER_KEY: &str =
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The second of anvil's accounts.
pub(crate) const STRANGER: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
pub(crate) const STRANGER_KEY: &str =
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/// The CREATE2 proxy, which is at this address on most chains, and its code.
pub(crate) const PROXY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
pub(crate) const PROXY_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780358282\
     34f58015156039578182fd5b8082525050506014600cf3"
);

/// The policy section of the example configuration, with a placeholder as the sequencer.
const EXAMPLE_POLICY: &str = "policy = \"permissioned\"\ntimeout = 6300\n\
    sequencer = \"0x0000000000000000000000000000000000000000\"\n\
    fee_recipient = \"0x0000000000000000000000000000000000000000\"";

/// A node, files for one test, and an L2 without blocks.
pub(crate) struct Bench {
    pub(crate) tools: Toolchain,
    node: NodeProcess,
    /// URL of the node for the scripts.
    pub(crate) url: String,
    /// Path of the files, relative to the repository root.
    folder: PathBuf,
    pub(crate) l2: L2,
    /// Hash of the first block, and RLP of its header in hexadecimal.
    pub(crate) genesis: (B256, String),
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.tools.root().join(&self.folder));
    }
}

impl Bench {
    /// Creates a bench with stock anvil.
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Result<Self> {
        let tools = Toolchain::ensure(&toolchain::progress_to_stderr)?;
        let mut anvil = Command::new(tools.anvil());
        anvil.args(["--hardfork", "osaka"]).args(arguments);
        Self::with_node(name, tools, anvil)
    }

    pub(crate) fn with_node(name: &str, tools: Toolchain, mut node: Command) -> Result<Self> {
        let node = NodeProcess::start(&mut node)?;
        let folder = PathBuf::from(format!("cache/scripts-{name}-{}", std::process::id()));
        fs::create_dir_all(tools.root().join(&folder))?;

        let mut genesis =
            l2_genesis(&Predeploys::built_in(), ProtocolFork::Osaka, 10_000_000, 1_700_000_000);
        genesis.alloc.insert(Key::named("alice").address(), rich(10 * ETHER));
        let proxy = GenesisAccount { code: Some(PROXY_CODE), ..Default::default() };
        genesis.alloc.insert(PROXY, proxy);
        let l2 = L2::new(L2_CHAIN, ProtocolFork::Osaka, &genesis)?;
        let head = l2.chain().head();
        let genesis = (head.hash, hex::encode_prefixed(alloy_rlp::encode(&head.header)));
        let url = node.client().url().to_owned();
        Ok(Self { tools, node, url, folder, l2, genesis })
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<String> {
        fs::write(self.tools.root().join(&self.folder).join(name), text)?;
        Ok(self.file(name))
    }

    /// Writes the example configuration with this L2, without a sequencer and with these lines
    /// changed.
    pub(crate) fn configure(&self, name: &str, changes: &[(&str, &str)]) -> Result<String> {
        let example = self.tools.root().join("script/rollup.example.toml");
        let mut text = fs::read_to_string(example)?;
        let own = [
            ("deployments/my-rollup.json", self.file("deployment.json")),
            ("0xc0", self.genesis.1.clone()),
            (EXAMPLE_POLICY, "policy = \"none\"".to_owned()),
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
        let file = format!("script/{script}.s.sol");
        let mut command = self.tools.forge_beside_others(&file, &self.folder)?;
        command
            .args(["script", &file, "--sig", signature])
            .args(arguments)
            .args(["--rpc-url", &self.url])
            .args(more);
        command.output().wrap_err("cannot run forge")
    }

    /// Runs a script that must succeed, and returns its output.
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

    /// Runs a script that must fail, and returns its output.
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

    /// Sends a transaction from the deployer.
    pub(crate) fn send(&self, to: Address, call: &[&str]) -> Result<String> {
        let to = to.to_string();
        self.cast(&[&["send", &to], call, &["--private-key", DEPLOYER_KEY]].concat())
    }

    /// Deploys a contract of the Solidity tests that has no constructor arguments.
    pub(crate) fn create(&self, contract: &str) -> Result<Address> {
        let (file, _) = contract.split_once(':').ok_or_eyre("a contract without a file")?;
        let mut command = self.tools.forge_beside_others(file, &self.folder)?;
        command.args(["create", contract, "--rpc-url", &self.url]).args([
            "--private-key",
            DEPLOYER_KEY,
            "--broadcast",
        ]);
        let output = command.output().wrap_err("cannot run forge")?;
        let said = said(&output);
        let line = said.lines().find_map(|line| line.strip_prefix("Deployed to: "));
        Ok(Address::from_str(line.ok_or_else(|| eyre::eyre!("{said}"))?.trim())?)
    }

    /// Returns the messages sent to the L2.
    pub(crate) fn messages(&self, message_queue: Address) -> Result<Vec<Message>> {
        let client = self.node.client();
        let queue = IL1MessageQueue::new(message_queue, client.provider().clone());
        let sent = client.wait(async move {
            queue.MessageSent_filter().from_block(BlockNumberOrTag::Earliest).query().await
        })?;
        let message = |event| Message::from_event(event).ok_or_eyre("it fits its format");
        sent.iter().map(|(event, _)| message(event)).collect()
    }

    /// Returns an anchor for the latest L1 block, for the input with this index.
    pub(crate) fn anchor(
        &self,
        message_queue: Address,
        index: u64,
    ) -> Result<(Anchor, AnchorUpdate)> {
        let client = self.node.client();
        let queue = IL1MessageQueue::new(message_queue, client.provider().clone());
        let checkpoint = client.wait(async move { queue.checkpoint().call().await })?;
        let head = self.head()?;
        let anchor = Anchor {
            l1_block_number: head.number,
            l1_block_hash: head.hash,
            message_count: checkpoint.count,
            message_root: checkpoint.root,
        };
        let update = AnchorUpdate {
            index,
            l1BlockNumber: head.number,
            messageCount: checkpoint.count,
            messageRoot: checkpoint.root,
            checkpointId: checkpoint.id,
            checkpointBlock: checkpoint.l1Block,
            checkpointTimestamp: checkpoint.timestamp,
        };
        Ok((anchor, update))
    }

    /// Returns the header of the latest L1 block.
    fn head(&self) -> Result<Header> {
        let client = self.node.client();
        let provider = client.provider().clone();
        let latest = BlockNumberOrTag::Latest;
        let head = client.wait(async move { provider.get_header_by_number(latest).await })?;
        head.ok_or_eyre("an L1 has a head")
    }

    /// Returns the timestamp of the latest L1 block.
    pub(crate) fn now(&self) -> Result<u64> {
        Ok(self.head()?.timestamp)
    }

    /// Advances the rollup with the script.
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

    /// Returns the nonce of an account.
    pub(crate) fn nonce(&self, account: Address) -> Result<u64> {
        let client = self.node.client();
        let provider = client.provider().clone();
        Ok(client.wait(async move { provider.get_transaction_count(account).await })?)
    }

    /// Returns an address from the file that `Deploy` has written.
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
