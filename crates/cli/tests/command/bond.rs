//! `enshrine bond`, and `enshrine verify` of a rollup with a bond, with a real L1.

use crate::support::{Deployed, enshrine, json_of, path, refuse, run, write_keys};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_sol_types::SolCall;
use contracts::{
    Deployment,
    bindings::IPreconfBonds::{accountOfCall, bondOfCall},
};
use serde_json::{Value, json};
use std::fs;
use testkit::{ETHER, Key, head_time, write_deployment};

/// Seven days, and a margin for blocks whose timestamps are ahead of the clock.
const SEVEN_DAYS: u64 = 7 * 86_400 + 60;

/// An L1 with a rollup whose sequencer needs a bond of two ether.
struct BondedRollup {
    rollup: Deployed,
    /// Key file of the sequencer, and of another account.
    keys: [String; 2],
    sequencer: Address,
}

impl BondedRollup {
    fn new() -> Self {
        let [sequencer, other] = ["sequencer", "other"].map(Key::named);
        let account = sequencer.address();
        let rollup = Deployed::new(&[account, other.address()], |fixture| {
            fixture.sequenced_by(account).bonded(2 * ETHER)
        });
        let keys = [&sequencer, &other].map(|key| {
            let name = format!("{}.json", key.address());
            write_keys(rollup.folder.path(), &name, key, key)
        });
        Self { rollup, keys, sequencer: account }
    }

    /// Returns the arguments of a subcommand, by the key file of an account if one is given.
    fn arguments<'a>(&'a self, subcommand: &[&'a str], key: Option<usize>) -> Vec<&'a str> {
        let mut arguments = vec!["bond"];
        arguments.extend(subcommand);
        arguments.extend([
            "--l1",
            self.rollup.l1.client().url(),
            "--deployment",
            &self.rollup.file,
        ]);
        if let Some(key) = key {
            arguments.extend(["--advance-key", &self.keys[key]]);
        }
        arguments
    }

    fn json(&self, subcommand: &[&str], key: Option<usize>) -> Value {
        json_of(&self.arguments(subcommand, key))
    }

    fn refuse(&self, subcommand: &[&str], key: usize) -> String {
        refuse(&self.arguments(subcommand, Some(key)))
    }

    fn call<C: SolCall>(&self, call: &C) -> C::Return {
        let data = Bytes::from(call.abi_encode());
        let request = json!({ "to": self.rollup.deployment.preconf_bonds, "data": data });
        let answer: Bytes =
            self.rollup.l1.client().request("eth_call", (request, "latest")).unwrap();
        C::abi_decode_returns(&answer).unwrap()
    }

    fn pass(&self, seconds: u64) {
        let _: Value = self.rollup.l1.client().request("anvil_increaseTime", [seconds]).unwrap();
        let _: Value = self.rollup.l1.client().request("anvil_mine", ()).unwrap();
    }
}

fn wei(ether: u128) -> String {
    (ether * ETHER).to_string()
}

#[test]
fn bond_is_deposited_and_withdrawn_after_a_week() {
    let setup = BondedRollup::new();
    // Without a bond, `status` fails and prints what is missing.
    let output = enshrine(&setup.arguments(&["status"], None));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("requires 2 ether"), "{said}");

    let told = setup.json(&["deposit", "1.5"], Some(0));
    assert_eq!(told["bondWei"], (3 * ETHER / 2).to_string());
    assert_eq!(told["suffices"], false);
    let told = setup.json(&["deposit", "0.5"], Some(0));
    assert_eq!((&told["bondWei"], &told["minBondWei"]), (&json!(wei(2)), &json!(wei(2))));
    assert_eq!(told["suffices"], true);
    let hash: B256 = told["transactionHash"].as_str().unwrap().parse().unwrap();
    let receipt: Value =
        setup.rollup.l1.client().request("eth_getTransactionReceipt", [hash]).unwrap();
    assert_eq!(receipt["status"], "0x1");
    let account = setup.sequencer;
    assert_eq!(setup.call(&bondOfCall { account }), U256::from(2 * ETHER));
    let told = setup.json(&["status"], None);
    assert_eq!(told["account"], account.to_string().to_lowercase());
    let fee: u128 = told["highestBaseFeeWei"].as_str().unwrap().parse().unwrap();
    assert!(fee > 0);
    let advised: u128 = told["advisedWei"].as_str().unwrap().parse().unwrap();
    assert_eq!(advised, fee * 20 * (1 << 24));

    // A withdrawal needs a request, seven days before.
    assert!(setup.refuse(&["withdraw"], 0).contains("NotRequested"));
    assert!(setup.refuse(&["withdraw", "--cancel"], 0).contains("NotRequested"));
    let told = setup.json(&["withdraw", "--request"], Some(0));
    assert_eq!((&told["countedWei"], &told["suffices"]), (&json!("0"), &json!(false)));
    let told = setup.json(&["withdraw", "--cancel"], Some(0));
    assert_eq!((&told["withdrawableAt"], &told["suffices"]), (&Value::Null, &json!(true)));
    let told = setup.json(&["withdraw", "--request"], Some(0));
    assert!(
        told["withdrawableAt"].as_u64().unwrap() >= head_time(setup.rollup.l1.client()).unwrap()
    );
    assert!(setup.refuse(&["withdraw"], 0).contains("TooSoon"));
    setup.pass(SEVEN_DAYS);
    let to = Address::repeat_byte(0x70).to_string();
    let told = setup.json(&["withdraw", "--to", &to], Some(0));
    assert_eq!(told["bondWei"], "0");
    let balance: U256 = setup.rollup.l1.client().request("eth_getBalance", (to, "latest")).unwrap();
    assert_eq!(balance, U256::from(2 * ETHER));
}

#[test]
fn signer_is_registered_once_with_its_consent() {
    let setup = BondedRollup::new();
    run(&setup.arguments(&["deposit", "2"], Some(0)));
    let other = Key::named("other").address();
    let told = setup.json(&["signer", "--signer-key", &setup.keys[1]], Some(0));
    assert_eq!(told["signers"], json!([other]));
    assert_eq!(setup.call(&accountOfCall { signer: other }), setup.sequencer);
    let said = setup.refuse(&["signer", "--signer-key", &setup.keys[1]], 0);
    assert!(said.contains("SignerTaken"), "{said}");
    // A signer cannot deposit a bond, and its status contains the account that is liable for it.
    assert!(setup.refuse(&["deposit", "1"], 1).contains("SignerTaken"));
    let output = enshrine(&setup.arguments(&["status", "--account", &other.to_string()], None));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is a registered signer of"), "{said}");
    // An account with a bond cannot become the signer of another account.
    let said = setup.refuse(&["signer", "--signer-key", &setup.keys[0]], 1);
    assert!(said.contains("SignerTaken"), "{said}");
}

#[test]
fn bond_requires_registry_key_and_amount() {
    let setup = BondedRollup::new();
    for (arguments, key, reason) in [
        (&["deposit", "0"][..], 0, "more than 0 ether"),
        (&["deposit", "much"], 0, "an amount of ether"),
        (&["withdraw", "--request", "--cancel"], 0, "cannot be used with"),
        (&["signer"], 0, "--signer-key is missing"),
    ] {
        let said = setup.refuse(arguments, key);
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
    let said = refuse(&setup.arguments(&["deposit", "1"], None));
    assert!(said.contains("--advance-key is missing"), "{said}");
    let bare = Deployment { preconf_bonds: Address::ZERO, ..setup.rollup.deployment.clone() };
    let other = tempfile::tempdir().unwrap();
    let bare = write_deployment(&bare, other.path()).unwrap().display().to_string();
    let said =
        refuse(&["bond", "status", "--l1", setup.rollup.l1.client().url(), "--deployment", &bare]);
    assert!(said.contains("no registry of bonds"), "{said}");
    assert_eq!(setup.json(&["deposit", "2"], Some(0))["suffices"], true);
}

#[test]
fn nothing_is_sent_to_another_account() {
    let setup = BondedRollup::new();
    let url = setup.rollup.l1.client().url();
    let folder = tempfile::tempdir().unwrap();
    let bare = Address::repeat_byte(7);
    let other = Address::repeat_byte(8);
    // Returns 32 zero bytes, and accepts ether.
    let _: Value =
        setup.rollup.l1.client().request("anvil_setCode", (other, "0x60205ff3")).unwrap();
    let nonce = || -> U64 {
        let account = (setup.sequencer, "latest");
        setup.rollup.l1.client().request("eth_getTransactionCount", account).unwrap()
    };
    let before = nonce();
    for (registry, reason) in [
        (bare, "has no code on chain"),
        (setup.rollup.deployment.rollup, "is not a registry of bonds"),
        (other, "hashes a preconfirmation to 0x00000000"),
    ] {
        let deployment = Deployment { preconf_bonds: registry, ..setup.rollup.deployment.clone() };
        let file = write_deployment(&deployment, folder.path()).unwrap().display().to_string();
        for subcommand in [
            &["deposit", "1"][..],
            &["signer", "--signer-key", &setup.keys[1]],
            &["withdraw", "--request"],
            &["withdraw"],
        ] {
            let rest = ["--l1", url, "--deployment", &file, "--advance-key", &setup.keys[0]];
            let said = refuse(&[&["bond"], subcommand, &rest[..]].concat());
            assert!(said.contains(reason), "{registry} {subcommand:?}: {said}");
            assert!(said.contains("nothing was sent"), "{said}");
        }
        let balance: U256 =
            setup.rollup.l1.client().request("eth_getBalance", (registry, "latest")).unwrap();
        assert_eq!(balance, U256::ZERO, "{registry}");
    }
    assert_eq!(nonce(), before);
    assert_eq!(setup.json(&["deposit", "1"], Some(0))["bondWei"], wei(1));
    assert_eq!(nonce(), before + U64::ONE);
}

#[test]
fn verify_compares_the_registry_of_bonds() {
    let setup = BondedRollup::new();
    let url = setup.rollup.l1.client().url();
    let told = json_of(&["verify", &setup.rollup.file, "--l1", url]);
    assert_eq!(told["valid"], true);
    assert_eq!(told["preconfBonds"], json!(setup.rollup.deployment.preconf_bonds));
    assert_eq!((&told["minBondWei"], &told["postDelaySeconds"]), (&json!(wei(2)), &json!(300)));

    let folder = path(setup.rollup.folder.path(), "other");
    fs::create_dir(&folder).unwrap();
    for registry in [Address::ZERO, Address::repeat_byte(7)] {
        let other = Deployment { preconf_bonds: registry, ..setup.rollup.deployment.clone() };
        let file = write_deployment(&other, folder.as_ref()).unwrap().display().to_string();
        let said = refuse(&["verify", &file, "--l1", url]);
        assert!(said.contains("in another domain"), "{said}");
    }
}
