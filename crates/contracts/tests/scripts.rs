//! `script/Deploy.s.sol` and `script/Operate.s.sol` as they are run: by forge, against stock anvil; and
//! where there is an `enshrine` beside this test (or where `ENSHRINE_BIN` says), against its devnet,
//! which has EXECUTE.

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use alloy_sol_types::SolCall;
use enshrine_contracts::{
    Artifacts, L2, L2_MESSENGER,
    bindings::{
        IL1MessageQueue::{self, claimCall},
        IL2Messenger::sendCall,
        INativeRollup::{Evidence, advanceCall},
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

#[test]
fn where_there_is_execute_a_block_is_advanced_and_its_message_claimed() -> Result<()> {
    let Some(enshrine) = enshrine() else {
        eprintln!("\n*** SKIPPED: scripts on a chain with EXECUTE: build `enshrine` first ***\n");
        return Ok(());
    };
    let tools = Toolchain::ensure(&toolchain::progress_to_stderr)?;
    let mut devnet = Command::new(enshrine);
    devnet.arg("devnet");
    let mut bench = Bench::with_node("devnet", tools, devnet)?;
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
    let now = bench.cast(&["block", "latest", "--field", "timestamp"])?;
    let now = now.split_whitespace().next().ok_or_eyre("a timestamp")?.parse()?;
    let (block, left_out) = bench.l2.seal(now, B256::ZERO, vec![transaction])?;
    ensure!(left_out.is_empty(), "{left_out:?}");
    let call = advanceCall {
        inputs: vec![block.input()?.into()],
        evidence: Evidence { updates: vec![], forced: vec![], relays: vec![] },
    };
    let written = bench.write("block.hex", &hex::encode_prefixed(call.abi_encode()))?;
    let more = ["--broadcast", "--slow", "--skip-simulation", "--private-key", DEPLOYER_KEY];
    let advance = "advance(string,string)";
    let output = bench.forge("Operate", advance, &[&file, &written], &more)?;
    ensure!(output.status.success(), "{}", said(&output));
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
