//! `script/Deploy.s.sol` and `script/Operate.s.sol`, run by forge against stock anvil and against
//! the devnet, which has EXECUTE. The devnet is the `enshrine` binary next to this test, or the one
//! at `ENSHRINE_BIN`.

mod bench;
mod execute;
mod refusing;

use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, U256, hex};
use alloy_sol_types::SolCall;
use bench::{
    Bench, DEPLOYER, DEPLOYER_KEY, L2_CHAIN, RUN, STRANGER, STRANGER_KEY, VERIFY, WITHOUT_EXECUTE,
};
use enshrine_contracts::bindings::INativeRollup::{Evidence, advanceCall};
use eyre::{Result, ensure};
use std::fs;
use testkit::Key;

#[test]
fn rollup_is_deployed_once_and_then_verified() -> Result<()> {
    // On a chain without the CREATE2 proxy.
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
    for (key, getter) in
        [("messageQueue", "MESSAGE_QUEUE()(address)"), ("forced", "FORCED()(address)")]
    {
        assert_eq!(bench.call(rollup, &[getter])?, bench.deployed(key)?.to_string());
    }
    let target = bench.call(bench.deployed("forced")?, &["BOUNDED_TARGET()(address)"])?;
    assert_eq!(target, bench.deployed("l2Bridge")?.to_string());

    // A second run sends nothing and does not change the file.
    let nonce = bench.nonce(DEPLOYER)?;
    let file = bench.tools.root().join(bench.file("deployment.json"));
    let written = fs::read_to_string(&file)?;
    let said = bench.run("Deploy", RUN, &[&config])?;
    assert!(said.contains("all contracts are deployed as configured"), "{said}");
    assert_eq!(bench.nonce(DEPLOYER)?, nonce);
    assert_eq!(fs::read_to_string(&file)?, written);
    bench.run("Deploy", VERIFY, &[&config])?;

    // A dry run of another deployment does not change the file of this one.
    let other = bench.configure("other.toml", &[("my rollup", "another rollup")])?;
    let dry = bench.forge("Deploy", RUN, &[&other], &["--private-key", DEPLOYER_KEY])?;
    let said = String::from_utf8_lossy(&dry.stdout).into_owned();
    ensure!(dry.status.success() && said.contains("dry run:"), "{said}");
    assert_eq!(fs::read_to_string(&file)?, written);

    // Verification with a different configuration for the same addresses fails.
    let changed: [(&str, &str, &str); 3] = [
        ("max_lag = 3600", "max_lag = 3599", "CodeMismatch"),
        ("fee_percent = 100", "fee_percent = 99", "CodeMismatch"),
        (
            "owner = \"0x0000000000000000000000000000000000000000\"",
            &*owner(STRANGER),
            "OwnerMismatch",
        ),
    ];
    for (from, to, error) in changed {
        let config = bench.configure("other.toml", &[(from, to)])?;
        let said = bench.refuse("Deploy", VERIFY, &[&config])?;
        assert!(said.contains(error), "{from} -> {to}: {said}");
    }
    // Verification of a rollup that is not deployed fails.
    let config = bench.configure("other.toml", &[("my rollup", "another rollup")])?;
    let said = bench.refuse("Deploy", VERIFY, &[&config])?;
    assert!(said.contains("NotDeployed"), "{said}");
    Ok(())
}

fn owner(owner: Address) -> String {
    format!("owner = \"{owner}\"")
}

#[test]
fn interrupted_deployment_resumes() -> Result<()> {
    let bench = Bench::new("interrupted", &[])?;
    let members = format!(
        "policy = \"rotating\"\ntimeout = 6300\nmembers = [\"{DEPLOYER}\", \"{STRANGER}\"]\n\
         start = 1700000000\nslot_length = 60"
    );
    let config = bench.configure("rollup.toml", &[("policy = \"none\"", &members)])?;
    // An invalid configuration: an upgrade could take effect before anyone could leave.
    let early = bench.configure(
        "early.toml",
        &[("policy = \"none\"", &members), ("upgrade_delay = 604800", "upgrade_delay = 1")],
    )?;
    let said = bench.refuse("Deploy", RUN, &[&early])?;
    assert!(said.contains("ValueInvalid") && said.contains("rollup.upgrade_delay"), "{said}");
    // Messages with more gas than a block can relay, sequencer turns that start in the future, and
    // placeholders of the example.
    let large = [("policy = \"none\"", &*members), ("max_gas = 1000000", "max_gas = 20000000")];
    let large = bench.configure("large.toml", &large)?;
    let said = bench.refuse("Deploy", RUN, &[&large])?;
    assert!(said.contains("ValueInvalid") && said.contains("messages.max_gas"), "{said}");
    let late = members.replace("start = 1700000000", "start = 9999999999");
    let late = bench.configure("late.toml", &[("policy = \"none\"", &late)])?;
    let said = bench.refuse("Deploy", RUN, &[&late])?;
    assert!(said.contains("ValueInvalid") && said.contains("sequencing.start"), "{said}");
    let said = bench.refuse("Deploy", RUN, &["script/rollup.example.toml"])?;
    assert!(said.contains("this is the example's placeholder"), "{said}");
    assert_eq!(bench.nonce(DEPLOYER)?, 0);
    bench.run("Deploy", RUN, &[&config])?;
    let (rollup, policy) = (bench.deployed("rollup")?, bench.deployed("policy")?);
    assert_eq!(bench.call(rollup, &["policy()(address)"])?, policy.to_string());
    assert_eq!(bench.call(policy, &["PLACES()(uint256)"])?, "2");

    // The last two transactions are lost, so the rollup and the bridge are missing.
    let nonce = bench.nonce(DEPLOYER)?;
    bench.cast(&["rpc", "anvil_rollback", "2"])?;
    assert_eq!(bench.nonce(DEPLOYER)?, nonce - 2);
    let said = bench.refuse("Deploy", VERIFY, &[&config])?;
    assert!(said.contains("NotDeployed"), "{said}");
    bench.run("Deploy", RUN, &[&config])?;
    assert_eq!(bench.nonce(DEPLOYER)?, nonce);
    assert_eq!(bench.deployed("rollup")?, rollup);
    bench.run("Deploy", VERIFY, &[&config])?;

    // The script writes the addresses to the configured path, and creates missing folders.
    let (here, there) = (bench.file("deployment.json"), bench.file("new/folder/deployment.json"));
    let elsewhere = [("policy = \"none\"", &*members), (&*here, &*there)];
    let elsewhere = bench.configure("elsewhere.toml", &elsewhere)?;
    bench.run("Deploy", RUN, &[&elsewhere])?;
    let read = |file: &str| fs::read_to_string(bench.tools.root().join(file));
    let addresses = |text: String| serde_json::from_str::<serde_json::Value>(&text);
    assert_eq!(addresses(read(&there)?)?["rollup"], addresses(read(&here)?)?["rollup"]);
    Ok(())
}

#[test]
fn operate_script_serves_users_operators_and_owners() -> Result<()> {
    let bench = Bench::new("operate", &[])?;
    let mine = owner(DEPLOYER);
    let zero = "owner = \"0x0000000000000000000000000000000000000000\"";
    let config = bench.configure("rollup.toml", &[(zero, &mine)])?;
    bench.run("Deploy", RUN, &[&config])?;
    let file = bench.file("deployment.json");
    let (rollup, message_queue, forced) =
        (bench.deployed("rollup")?, bench.deployed("messageQueue")?, bench.deployed("forced")?);

    // An upgrade through the time lock, while no other is pending.
    let change = [&file, "1", "12000000"];
    bench.run("Operate", "announce(string,uint8,uint256)", &change)?;
    let said = bench.refuse("Operate", "make(string,uint8,uint256)", &change)?;
    assert!(said.contains("NotReady"), "{said}");
    let clear = "clear(string,uint8,uint256)";
    bench.cast(&["rpc", "evm_increaseTime", "604800"])?;
    bench.cast(&["rpc", "evm_mine"])?;
    bench.run("Operate", clear, &change)?;
    bench.cast(&["rpc", "evm_increaseTime", "86400"])?;
    bench.cast(&["rpc", "evm_mine"])?;
    bench.run("Operate", "make(string,uint8,uint256)", &change)?;
    let limits = bench.call(rollup, &["gasLimits()(uint64,uint64)"])?;
    assert!(limits.starts_with("10000000") && limits.contains("12000000"), "{limits}");

    // A deposit.
    let ether = "1000000000000000000";
    let to = Key::named("bob").address().to_string();
    bench.run_as(
        STRANGER_KEY,
        "Operate",
        "deposit(string,address,uint256)",
        &[&file, &to, ether],
    )?;
    // The escrow contains the deposit and the fee for the relayer.
    let escrowed: U256 = bench.cast(&["balance", &message_queue.to_string()])?.trim().parse()?;
    assert!(escrowed > ether.parse::<U256>()?, "{escrowed}");

    // A forced transaction, and two that the queue rejects.
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
    let said = bench.run("Operate", "force(string,bytes)", &[&file, &transfer(42_000)])?;
    assert!(said.contains(&Key::named("alice").address().to_string()), "{said}");
    assert_eq!(bench.call(forced, &["count()(uint64)"])?, "1");
    for (gas, error) in [(41_999, "ForcedGasTooLow"), (20_999, "GasBelowIntrinsic")] {
        let said = bench.refuse("Operate", "force(string,bytes)", &[&file, &transfer(gas)])?;
        assert!(said.contains(error), "{said}");
    }

    // A block on a chain without EXECUTE, which cannot validate it.
    let call = advanceCall {
        inputs: vec![vec![0; 590].into()],
        evidence: Evidence { updates: vec![], forced: vec![], relays: vec![] },
    };
    let block = bench.write("block.hex", &hex::encode_prefixed(call.abi_encode()))?;
    let said = bench.refuse("Operate", "advance(string,string)", &[&file, &block])?;
    assert!(said.contains(WITHOUT_EXECUTE) && said.contains("ChainWithoutExecute"), "{said}");
    // Calldata for another function is rejected.
    let said = bench.refuse("Operate", "claim(string,string)", &[&file, &block])?;
    assert!(said.contains("SelectorMismatch"), "{said}");

    // The values in force differ from the file at first, and agree after the change.
    let said = bench.refuse("Deploy", VERIFY, &[&config])?;
    assert!(said.contains("GasLimitMismatch"), "{said}");
    let changes = [(zero, &*mine), ("# [in_force]", "[in_force]\ngas_limit = 12000000")];
    let config = bench.configure("in-force.toml", &changes)?;
    bench.run("Deploy", VERIFY, &[&config])?;
    Ok(())
}
