//! `script/Deploy.s.sol` and `script/Operate.s.sol` as they are run: by forge, against stock anvil; and
//! where there is an `enshrine` beside this test (or where `ENSHRINE_BIN` says), against its devnet,
//! which has EXECUTE.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, Log, U256, address, bytes, hex, keccak256};
use alloy_sol_types::{SolCall, SolEvent as _, SolValue as _};
use enshrine_contracts::{
    Anchor, Artifacts, L2, L2_MESSENGER, Message,
    bindings::{
        IL1MessageQueue::{self, MessageSent, checkpointCall, claimCall},
        IL2Messenger::sendCall,
        INativeRollup::{AnchorUpdate, Evidence, advanceCall},
    },
    l2_genesis, message_proof,
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

const L2_CHAIN: u64 = 8_079;
const ETHER: u128 = 1_000_000_000_000_000_000;

/// The first of anvil's accounts, and its key, which everybody knows.
const DEPLOYER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const DEPLOYER_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// The second.
const STRANGER: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
const STRANGER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";

/// The CREATE2 proxy, which is at this address on most chains, and its code.
const PROXY: Address = address!("0x4e59b44847b379578588920cA78FbF26c0B4956C");
const PROXY_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe036016000816020823780358282\
     34f58015156039578182fd5b8082525050506014600cf3"
);

/// What users call, and what they are paid by.
mod bridge {
    alloy_sol_types::sol! {
        function withdraw(address l1Token, address to, address refundTo, uint256 amount, uint64 gasLimit);
        function release(address l1Token, address from, address to, address refundTo, uint256 amount);
    }
}

/// A node, files for one test, and an L2 on which nothing has happened.
struct Bench {
    tools: Toolchain,
    node: Child,
    url: String,
    /// Relative to the top of the checkout.
    folder: PathBuf,
    l2: L2,
    genesis: (B256, B256, u64),
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
    fn new(name: &str, arguments: &[&str]) -> Result<Self> {
        let tools = Toolchain::ensure(&toolchain::progress_to_stderr)?;
        let mut anvil = Command::new(tools.anvil());
        anvil.args(["--hardfork", "osaka"]).args(arguments);
        Self::with_node(name, tools, anvil)
    }

    fn with_node(name: &str, tools: Toolchain, mut node: Command) -> Result<Self> {
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
        let genesis = (head.hash, head.header.state_root, head.header.timestamp);
        Ok(Self { tools, node, url, folder, l2, genesis })
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        fs::write(self.tools.root().join(&self.folder).join(name), text)?;
        Ok(self.file(name))
    }

    /// The example, with this L2 and some lines changed.
    fn configure(&self, name: &str, changes: &[(&str, &str)]) -> Result<String> {
        let example = self.tools.root().join("script/rollup.example.toml");
        let mut text = fs::read_to_string(example)?;
        let (hash, root, timestamp) = self.genesis;
        let own = [
            ("deployments/my-rollup.json", self.file("deployment.json")),
            (&*format!("0x{}", "01".repeat(32)), hash.to_string()),
            (&*format!("0x{}", "02".repeat(32)), root.to_string()),
            ("timestamp = 1700000000", format!("timestamp = {timestamp}")),
        ];
        let own = own.iter().map(|(from, to)| (*from, to.as_str()));
        for (from, to) in own.chain(changes.iter().copied()) {
            ensure!(text.contains(from), "the example has no {from:?}");
            text = text.replacen(from, to, 1);
        }
        self.write(name, &text)
    }

    fn forge(
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
    fn run(&self, script: &str, signature: &str, arguments: &[&str]) -> Result<String> {
        self.run_as(DEPLOYER_KEY, script, signature, arguments)
    }

    fn run_as(
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
    fn refuse(&self, script: &str, signature: &str, arguments: &[&str]) -> Result<String> {
        let more = ["--broadcast", "--slow", "--private-key", DEPLOYER_KEY];
        let output = self.forge(script, signature, arguments, &more)?;
        ensure!(!output.status.success(), "{signature} was expected to fail");
        Ok(said(&output))
    }

    fn cast(&self, arguments: &[&str]) -> Result<String> {
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
    fn send(&self, to: Address, call: &[&str]) -> Result<String> {
        let to = to.to_string();
        self.cast(&[&["send", &to], call, &["--private-key", DEPLOYER_KEY]].concat())
    }

    /// Makes a contract of the tests without constructor arguments.
    fn create(&self, contract: &str) -> Result<Address> {
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
    fn messages(&self, inbox: Address) -> Result<Vec<Message>> {
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
    fn anchor(&self, inbox: Address, index: u64) -> Result<(Anchor, AnchorUpdate)> {
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
    fn now(&self) -> Result<u64> {
        let now = self.cast(&["block", "latest", "--field", "timestamp"])?;
        Ok(now.split_whitespace().next().ok_or_eyre("a timestamp")?.parse()?)
    }

    /// Advances by the script.
    fn advance(&self, file: &str, call: &advanceCall) -> Result<()> {
        let written = self.write("block.hex", &hex::encode_prefixed(call.abi_encode()))?;
        let more = ["--broadcast", "--slow", "--skip-simulation", "--private-key", DEPLOYER_KEY];
        let output = self.forge("Operate", "advance(string,string)", &[file, &written], &more)?;
        ensure!(output.status.success(), "{}", said(&output));
        Ok(())
    }

    fn call(&self, to: Address, call: &[&str]) -> Result<String> {
        let to = to.to_string();
        self.cast(&[&["call", &to], call].concat())
    }

    /// Transactions that an account has sent.
    fn nonce(&self, account: Address) -> Result<u64> {
        Ok(self.cast(&["nonce", &account.to_string()])?.parse()?)
    }

    /// An address in the file that `Deploy` wrote.
    fn deployed(&self, key: &str) -> Result<Address> {
        let text = fs::read_to_string(self.tools.root().join(self.file("deployment.json")))?;
        let line = text.lines().find(|line| line.contains(&format!("\"{key}\"")));
        let value = line.and_then(|line| line.split('"').nth(3)).ok_or_eyre("no such key")?;
        Ok(Address::from_str(value)?)
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

const RUN: &str = "run(string)";
const VERIFY: &str = "verify(string)";
const WITHOUT_EXECUTE: &str = "This chain has no EXECUTE precompile";

#[test]
fn a_rollup_is_deployed_once_and_verified_ever_after() -> Result<()> {
    // On a chain that has not even the CREATE2 proxy.
    let bench = Bench::new("deploy", &["--disable-default-create2-deployer"])?;
    let config = bench.configure("rollup.toml", &[])?;
    let said = bench.refuse("Deploy", RUN, &[&config])?;
    assert!(said.contains("ProxyAbsent"), "{said}");
    bench.run("Deploy", "prepare()", &[])?;
    bench.run("Deploy", "prepare()", &[])?;
    let said = bench.run("Deploy", RUN, &[&config])?;
    assert!(said.contains(WITHOUT_EXECUTE), "{said}");
    let rollup = bench.deployed("rollup")?;
    let hash = bench.call(rollup, &["blockHash()(bytes32)"])?;
    assert_eq!(hash, bench.genesis.0.to_string());
    assert_eq!(bench.call(rollup, &["owner()(address)"])?, Address::ZERO.to_string());
    for (key, getter) in [("inbox", "INBOX()(address)"), ("forced", "FORCED()(address)")] {
        assert_eq!(bench.call(rollup, &[getter])?, bench.deployed(key)?.to_string());
    }
    let target = bench.call(bench.deployed("forced")?, &["BOUNDED_TARGET()(address)"])?;
    assert_eq!(target, bench.deployed("l2Bridge")?.to_string());

    // Again: nothing is sent, and the file stays as it is.
    let nonce = bench.nonce(DEPLOYER)?;
    let file = bench.tools.root().join(bench.file("deployment.json"));
    let written = fs::read_to_string(&file)?;
    let said = bench.run("Deploy", RUN, &[&config])?;
    assert!(said.contains("all is deployed and as configured"), "{said}");
    assert_eq!(bench.nonce(DEPLOYER)?, nonce);
    assert_eq!(fs::read_to_string(&file)?, written);
    bench.run("Deploy", VERIFY, &[&config])?;

    // Another configuration for the same addresses is not what is there.
    let changed: [(&str, &str, &str); 4] = [
        ("max_lag = 3600", "max_lag = 3599", "CodeMismatch"),
        ("fee_percent = 100", "fee_percent = 99", "CodeMismatch"),
        (
            "owner = \"0x0000000000000000000000000000000000000000\"",
            &*owner(STRANGER),
            "OwnerMismatch",
        ),
        (&*bench.genesis.0.to_string(), &*B256::repeat_byte(3).to_string(), "GenesisMismatch"),
    ];
    for (from, to, error) in changed {
        let config = bench.configure("other.toml", &[(from, to)])?;
        let said = bench.refuse("Deploy", VERIFY, &[&config])?;
        assert!(said.contains(error), "{from} -> {to}: {said}");
    }
    // And what is not there is missed.
    let config = bench.configure("other.toml", &[("my rollup", "another rollup")])?;
    let said = bench.refuse("Deploy", VERIFY, &[&config])?;
    assert!(said.contains("NotDeployed"), "{said}");
    Ok(())
}

fn owner(owner: Address) -> String {
    format!("owner = \"{owner}\"")
}

#[test]
fn a_deployment_that_was_interrupted_goes_on_where_it_was() -> Result<()> {
    let bench = Bench::new("interrupted", &[])?;
    let members = format!(
        "policy = \"rotating\"\ntimeout = 5400\nmembers = [\"{DEPLOYER}\", \"{STRANGER}\"]\n\
         start = 1700000000\nslot_length = 60"
    );
    let config = bench.configure("rollup.toml", &[("policy = \"none\"", &members)])?;
    // A rollup that cannot be made, because an upgrade would come before anyone could leave.
    let early = bench.configure(
        "early.toml",
        &[("policy = \"none\"", &members), ("upgrade_delay = 604800", "upgrade_delay = 1")],
    )?;
    let said = bench.refuse("Deploy", RUN, &[&early])?;
    assert!(said.contains("InitCodeFailed"), "{said}");
    assert_eq!(bench.nonce(DEPLOYER)?, 0);
    bench.run("Deploy", RUN, &[&config])?;
    let (rollup, policy) = (bench.deployed("rollup")?, bench.deployed("policy")?);
    assert_eq!(bench.call(rollup, &["policy()(address)"])?, policy.to_string());
    assert_eq!(bench.call(policy, &["PLACES()(uint256)"])?, "2");

    // The last two transactions get lost: the rollup and the bridge are gone, the rest is there.
    let nonce = bench.nonce(DEPLOYER)?;
    bench.cast(&["rpc", "anvil_rollback", "2"])?;
    assert_eq!(bench.nonce(DEPLOYER)?, nonce - 2);
    let said = bench.refuse("Deploy", VERIFY, &[&config])?;
    assert!(said.contains("NotDeployed"), "{said}");
    bench.run("Deploy", RUN, &[&config])?;
    assert_eq!(bench.nonce(DEPLOYER)?, nonce);
    assert_eq!(bench.deployed("rollup")?, rollup);
    bench.run("Deploy", VERIFY, &[&config])?;
    Ok(())
}

#[test]
fn users_operators_and_owners_find_their_way() -> Result<()> {
    let bench = Bench::new("operate", &[])?;
    let mine = owner(DEPLOYER);
    let zero = "owner = \"0x0000000000000000000000000000000000000000\"";
    let config = bench.configure("rollup.toml", &[(zero, &mine)])?;
    bench.run("Deploy", RUN, &[&config])?;
    let file = bench.file("deployment.json");
    let (rollup, inbox, forced) =
        (bench.deployed("rollup")?, bench.deployed("inbox")?, bench.deployed("forced")?);

    // A deposit.
    let ether = "1000000000000000000";
    let to = Key::named("bob").address().to_string();
    bench.run_as(
        STRANGER_KEY,
        "Operate",
        "deposit(string,address,uint256)",
        &[&file, &to, ether],
    )?;
    assert_eq!(bench.cast(&["balance", &inbox.to_string()])?, ether);

    // A forced transaction, and one that the queue refuses.
    let transfer = |gas_limit| {
        let transaction = Key::named("alice").sign(TxEip1559 {
            chain_id: L2_CHAIN,
            gas_limit,
            max_fee_per_gas: 1_000_000_000,
            to: Key::named("bob").address().into(),
            value: U256::ONE,
            ..Default::default()
        });
        hex::encode_prefixed(transaction.encoded_2718())
    };
    let said = bench.run("Operate", "force(string,bytes)", &[&file, &transfer(21_000)])?;
    assert!(said.contains(&Key::named("alice").address().to_string()), "{said}");
    assert_eq!(bench.call(forced, &["count()(uint64)"])?, "1");
    let said = bench.refuse("Operate", "force(string,bytes)", &[&file, &transfer(20_999)])?;
    assert!(said.contains("GasBelowIntrinsic"), "{said}");

    // A block, on a chain that cannot know whether it is valid.
    let call = advanceCall {
        inputs: vec![vec![0; 590].into()],
        evidence: Evidence { updates: vec![], forced: vec![], relays: vec![] },
    };
    let block = bench.write("block.hex", &hex::encode_prefixed(call.abi_encode()))?;
    let said = bench.refuse("Operate", "advance(string,string)", &[&file, &block])?;
    assert!(said.contains(WITHOUT_EXECUTE) && said.contains("ChainWithoutExecute"), "{said}");
    // The calldata of one function is not that of another.
    let said = bench.refuse("Operate", "claim(string,string)", &[&file, &block])?;
    assert!(said.contains("SelectorMismatch"), "{said}");

    // An upgrade, through its time lock.
    let change = [&file, "1", "12000000"];
    bench.run("Operate", "announce(string,uint8,uint256)", &change)?;
    let said = bench.refuse("Operate", "make(string,uint8,uint256)", &change)?;
    assert!(said.contains("NotReady"), "{said}");
    bench.cast(&["rpc", "evm_increaseTime", "604800"])?;
    bench.cast(&["rpc", "evm_mine"])?;
    bench.run("Operate", "make(string,uint8,uint256)", &change)?;
    let limits = bench.call(rollup, &["gasLimits()(uint64,uint64)"])?;
    assert!(limits.starts_with("10000000") && limits.contains("12000000"), "{limits}");
    // Verified still: what an owner may change is not what a deployment is.
    bench.run("Deploy", VERIFY, &[&config])?;
    Ok(())
}

/// The `enshrine` of this build, if it has been built.
fn enshrine() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ENSHRINE_BIN") {
        return Some(named.into());
    }
    let here = std::env::current_exe().ok()?;
    let beside = here.parent()?.parent()?.join("enshrine");
    beside.is_file().then_some(beside)
}

/// A bench over the devnet, or a word of what is missing.
fn with_execute(name: &str) -> Result<Option<Bench>> {
    let Some(enshrine) = enshrine() else {
        eprintln!("\n*** SKIPPED: scripts on a chain with EXECUTE: build `enshrine` first ***\n");
        return Ok(None);
    };
    let tools = Toolchain::ensure(&toolchain::progress_to_stderr)?;
    let mut devnet = Command::new(enshrine);
    devnet.arg("devnet");
    Bench::with_node(name, tools, devnet).map(Some)
}

#[test]
fn where_there_is_execute_a_block_is_advanced_and_its_message_claimed() -> Result<()> {
    let Some(mut bench) = with_execute("devnet")? else { return Ok(()) };
    let config = bench.configure("rollup.toml", &[])?;
    let told = bench.run("Deploy", RUN, &[&config])?;
    assert!(!told.contains(WITHOUT_EXECUTE), "{told}");
    bench.run("Deploy", VERIFY, &[&config])?;
    let file = bench.file("deployment.json");
    let bob = Key::named("bob").address();
    let deposit = [&*file, &*bob.to_string(), &*(2 * ETHER).to_string()];
    bench.run("Operate", "deposit(string,address,uint256)", &deposit)?;

    // A block in which alice sends an ether to bob on L1.
    let send = sendCall { to: bob, refundTo: bob, gasLimit: 0, fee: 0, data: Bytes::new() };
    let alice = Key::named("alice");
    let data = Bytes::from(send.abi_encode());
    let transaction =
        bench.l2.sign(&alice, L2_MESSENGER.into(), U256::from(ETHER), data, 200_000)?;
    let (block, left_out) = bench.l2.seal(bench.now()?, B256::ZERO, vec![transaction])?;
    ensure!(left_out.is_empty(), "{left_out:?}");
    let call = advanceCall {
        inputs: vec![block.input()?.into()],
        evidence: Evidence { updates: vec![], forced: vec![], relays: vec![] },
    };
    bench.advance(&file, &call)?;
    let rollup = bench.deployed("rollup")?;
    let hash = bench.call(rollup, &["blockHash()(bytes32)"])?;
    assert_eq!(hash, block.block.hash.to_string());
    // Once the rollup has moved, its genesis is still what it was.
    bench.run("Deploy", VERIFY, &[&config])?;

    let block = bench.l2.append(block);
    let claim = claimCall {
        message: IL1MessageQueue::Message {
            sender: alice.address(),
            to: bob,
            refundTo: bob,
            value: ETHER,
            fee: 0,
            gasLimit: 0,
            index: 0,
            data: Bytes::new(),
        },
        proof: message_proof(bench.l2.chain(), &block, 0)?,
        feeRecipient: STRANGER,
    };
    let written = bench.write("claim.hex", &hex::encode_prefixed(claim.abi_encode()))?;
    bench.run("Operate", "claim(string,string)", &[&file, &written])?;
    assert_eq!(bench.cast(&["balance", &bob.to_string()])?, ETHER.to_string());
    Ok(())
}

#[test]
fn tokens_go_to_the_l2_and_back() -> Result<()> {
    let Some(mut bench) = with_execute("tokens")? else { return Ok(()) };
    let config = bench.configure("rollup.toml", &[])?;
    bench.run("Deploy", RUN, &[&config])?;
    let file = bench.file("deployment.json");
    let (inbox, rollup) = (bench.deployed("inbox")?, bench.deployed("rollup")?);
    let (l1_bridge, l2_bridge) = (bench.deployed("l1Bridge")?, bench.deployed("l2Bridge")?);
    let alice = Key::named("alice");

    // The other side of the bridge comes to where this one expects it, once.
    let other = Bench::new("tokens-l2", &[])?;
    other.run("Operate", "deployL2Bridge(string)", &[&file])?;
    let nonce = other.nonce(DEPLOYER)?;
    other.run("Operate", "deployL2Bridge(string)", &[&file])?;
    assert_eq!(other.nonce(DEPLOYER)?, nonce);
    let code = hex::decode(other.cast(&["code", &l2_bridge.to_string()])?)?;
    // The same transaction on the L2 of this test.
    let artifact = Artifacts::load(&toolchain::progress_to_stderr)?.get("L2TokenBridge")?;
    let init_code = [&[0; 32][..], &artifact.init_code, &l1_bridge.abi_encode()].concat();
    let make = bench.l2.sign(&alice, PROXY.into(), U256::ZERO, init_code.into(), 5_000_000)?;
    let (first, left_out) = bench.l2.seal(bench.now()? - 2, B256::ZERO, vec![make])?;
    ensure!(left_out.is_empty(), "{left_out:?}");
    let mut inputs = vec![first.input()?.into()];
    let first = bench.l2.append(first);
    let made = bench.l2.chain().prove(&first, l2_bridge, &[])?;
    let made = made.account.ok_or_eyre("the bridge is on the L2")?;
    assert_eq!(made.code_hash, keccak256(&code));

    // A token that nobody has registered cannot be deposited, and then it can.
    let token = bench.create("test/utils/Tokens.sol:Token")?;
    bench.send(token, &["give(address,uint256)", &DEPLOYER.to_string(), "1000"])?;
    bench.send(token, &["approve(address,uint256)", &l1_bridge.to_string(), "1000"])?;
    let (on_l1, to) = (token.to_string(), alice.address().to_string());
    let deposit = [&*file, &*on_l1, &*to, "600"];
    let signature = "depositToken(string,address,address,uint256)";
    let said = bench.refuse("Operate", signature, &deposit)?;
    assert!(said.contains("TokenNotRegistered"), "{said}");
    bench.run("Operate", "register(string,address)", &[&file, &on_l1])?;
    bench.run("Operate", signature, &deposit)?;
    assert_eq!(bench.call(token, &["balanceOf(address)(uint256)", &l1_bridge.to_string()])?, "600");

    // The L2 takes both messages, and alice sends some of the tokens to somebody on L1.
    let messages = bench.messages(inbox)?;
    assert_eq!(messages.len(), 2);
    let (anchor, update) = bench.anchor(inbox, 1)?;
    let prove = bench.l2.prove_anchor(&alice, &anchor)?;
    let relay = bench.l2.relay(&alice, &messages, alice.address())?;
    let (second, left_out) = bench.l2.seal(bench.now()? - 1, anchor.hash(), vec![prove, relay])?;
    ensure!(left_out.is_empty(), "{left_out:?}");
    inputs.push(second.input()?.into());
    bench.l2.append(second);
    let withdraw = bridge::withdrawCall {
        l1Token: token,
        to: STRANGER,
        refundTo: STRANGER,
        amount: U256::from(250),
        gasLimit: 200_000,
    };
    let data = Bytes::from(withdraw.abi_encode());
    let withdraw = bench.l2.sign(&alice, l2_bridge.into(), U256::ZERO, data, 500_000)?;
    let (third, left_out) = bench.l2.seal(bench.now()?, anchor.hash(), vec![withdraw])?;
    ensure!(left_out.is_empty(), "{left_out:?}");
    inputs.push(third.input()?.into());
    let evidence = Evidence { updates: vec![update], forced: vec![], relays: vec![] };
    // forge runs the script in the latest block, where that block itself cannot be named.
    bench.cast(&["rpc", "evm_mine"])?;
    bench.advance(&file, &advanceCall { inputs, evidence })?;
    let hash = bench.call(rollup, &["blockHash()(bytes32)"])?;
    assert_eq!(hash, third.block.hash.to_string());

    let third = bench.l2.append(third);
    let release = bridge::releaseCall {
        l1Token: token,
        from: alice.address(),
        to: STRANGER,
        refundTo: STRANGER,
        amount: U256::from(250),
    };
    let claim = claimCall {
        message: IL1MessageQueue::Message {
            sender: l2_bridge,
            to: l1_bridge,
            refundTo: l1_bridge,
            value: 0,
            fee: 0,
            gasLimit: 200_000,
            index: 0,
            data: release.abi_encode().into(),
        },
        proof: message_proof(bench.l2.chain(), &third, 0)?,
        feeRecipient: DEPLOYER,
    };
    let written = bench.write("claim.hex", &hex::encode_prefixed(claim.abi_encode()))?;
    bench.run("Operate", "claim(string,string)", &[&file, &written])?;
    assert_eq!(bench.call(token, &["balanceOf(address)(uint256)", &STRANGER.to_string()])?, "250");
    assert_eq!(bench.call(l1_bridge, &["owed(address)(uint256)", &on_l1])?, "350");
    Ok(())
}
