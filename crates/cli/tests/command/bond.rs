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
    let scene = BondedRollup::new();
    // Without a bond, `status` fails and says what is missing.
    let output = enshrine(&scene.arguments(&["status"], None));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("requires 2 ether"), "{said}");

    let told = scene.json(&["deposit", "1.5"], Some(0));
    assert_eq!(told["bondWei"], (3 * ETHER / 2).to_string());
    assert_eq!(told["suffices"], false);
    let told = scene.json(&["deposit", "0.5"], Some(0));
    assert_eq!((&told["bondWei"], &told["minBondWei"]), (&json!(wei(2)), &json!(wei(2))));
    assert_eq!(told["suffices"], true);
    let hash: B256 = told["transactionHash"].as_str().unwrap().parse().unwrap();
    let receipt: Value =
        scene.rollup.l1.client().request("eth_getTransactionReceipt", [hash]).unwrap();
    assert_eq!(receipt["status"], "0x1");
    let account = scene.sequencer;
    assert_eq!(scene.call(&bondOfCall { account }), U256::from(2 * ETHER));
    let told = scene.json(&["status"], None);
    assert_eq!(told["account"], account.to_string().to_lowercase());
    let fee: u128 = told["highestBaseFeeWei"].as_str().unwrap().parse().unwrap();
    assert!(fee > 0);
    let advised: u128 = told["advisedWei"].as_str().unwrap().parse().unwrap();
    assert_eq!(advised, fee * 20 * (1 << 24));

    // A withdrawal needs a request, seven days before.
    assert!(scene.refuse(&["withdraw"], 0).contains("NotRequested"));
    assert!(scene.refuse(&["withdraw", "--cancel"], 0).contains("NotRequested"));
    let told = scene.json(&["withdraw", "--request"], Some(0));
    assert_eq!((&told["countedWei"], &told["suffices"]), (&json!("0"), &json!(false)));
    let told = scene.json(&["withdraw", "--cancel"], Some(0));
    assert_eq!((&told["withdrawableAt"], &told["suffices"]), (&Value::Null, &json!(true)));
    let told = scene.json(&["withdraw", "--request"], Some(0));
    assert!(
        told["withdrawableAt"].as_u64().unwrap() >= head_time(scene.rollup.l1.client()).unwrap()
    );
    assert!(scene.refuse(&["withdraw"], 0).contains("TooSoon"));
    scene.pass(SEVEN_DAYS);
    let to = Address::repeat_byte(0x70).to_string();
    let told = scene.json(&["withdraw", "--to", &to], Some(0));
    assert_eq!(told["bondWei"], "0");
    let balance: U256 = scene.rollup.l1.client().request("eth_getBalance", (to, "latest")).unwrap();
    assert_eq!(balance, U256::from(2 * ETHER));
}

#[test]
fn signer_is_registered_once_with_its_consent() {
    let scene = BondedRollup::new();
    run(&scene.arguments(&["deposit", "2"], Some(0)));
    let other = Key::named("other").address();
    let told = scene.json(&["signer", "--signer-key", &scene.keys[1]], Some(0));
    assert_eq!(told["signers"], json!([other]));
    assert_eq!(scene.call(&accountOfCall { signer: other }), scene.sequencer);
    let said = scene.refuse(&["signer", "--signer-key", &scene.keys[1]], 0);
    assert!(said.contains("SignerTaken"), "{said}");
    // A signer gets no bond of its own, and its status names the account that is liable for it.
    assert!(scene.refuse(&["deposit", "1"], 1).contains("SignerTaken"));
    let output = enshrine(&scene.arguments(&["status", "--account", &other.to_string()], None));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is a registered signer of"), "{said}");
    // An account with a bond is no signer of another one.
    let said = scene.refuse(&["signer", "--signer-key", &scene.keys[0]], 1);
    assert!(said.contains("SignerTaken"), "{said}");
}

#[test]
fn bond_requires_registry_key_and_amount() {
    let scene = BondedRollup::new();
    for (arguments, key, reason) in [
        (&["deposit", "0"][..], 0, "more than 0 ether"),
        (&["deposit", "much"], 0, "an amount of ether"),
        (&["withdraw", "--request", "--cancel"], 0, "cannot be used with"),
        (&["signer"], 0, "--signer-key is missing"),
    ] {
        let said = scene.refuse(arguments, key);
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
    let said = refuse(&scene.arguments(&["deposit", "1"], None));
    assert!(said.contains("--advance-key is missing"), "{said}");
    let bare = Deployment { preconf_bonds: Address::ZERO, ..scene.rollup.deployment.clone() };
    let other = tempfile::tempdir().unwrap();
    let bare = write_deployment(&bare, other.path()).unwrap().display().to_string();
    let said =
        refuse(&["bond", "status", "--l1", scene.rollup.l1.client().url(), "--deployment", &bare]);
    assert!(said.contains("no registry of bonds"), "{said}");
    assert_eq!(scene.json(&["deposit", "2"], Some(0))["suffices"], true);
}

#[test]
fn nothing_is_sent_to_another_account() {
    let scene = BondedRollup::new();
    let url = scene.rollup.l1.client().url();
    let folder = tempfile::tempdir().unwrap();
    let bare = Address::repeat_byte(7);
    let other = Address::repeat_byte(8);
    // Returns 32 zero bytes, and accepts ether.
    let _: Value =
        scene.rollup.l1.client().request("anvil_setCode", (other, "0x60205ff3")).unwrap();
    let nonce = || -> U64 {
        let account = (scene.sequencer, "latest");
        scene.rollup.l1.client().request("eth_getTransactionCount", account).unwrap()
    };
    let before = nonce();
    for (registry, reason) in [
        (bare, "has no code on chain"),
        (scene.rollup.deployment.rollup, "does not answer as one"),
        (other, "hashes a preconfirmation to 0x00000000"),
    ] {
        let deployment = Deployment { preconf_bonds: registry, ..scene.rollup.deployment.clone() };
        let file = write_deployment(&deployment, folder.path()).unwrap().display().to_string();
        for subcommand in [
            &["deposit", "1"][..],
            &["signer", "--signer-key", &scene.keys[1]],
            &["withdraw", "--request"],
            &["withdraw"],
        ] {
            let rest = ["--l1", url, "--deployment", &file, "--advance-key", &scene.keys[0]];
            let said = refuse(&[&["bond"], subcommand, &rest[..]].concat());
            assert!(said.contains(reason), "{registry} {subcommand:?}: {said}");
            assert!(said.contains("nothing was sent"), "{said}");
        }
        let balance: U256 =
            scene.rollup.l1.client().request("eth_getBalance", (registry, "latest")).unwrap();
        assert_eq!(balance, U256::ZERO, "{registry}");
    }
    assert_eq!(nonce(), before);
    assert_eq!(scene.json(&["deposit", "1"], Some(0))["bondWei"], wei(1));
    assert_eq!(nonce(), before + U64::ONE);
}

#[test]
fn verify_compares_the_registry_of_bonds() {
    let scene = BondedRollup::new();
    let url = scene.rollup.l1.client().url();
    let told = json_of(&["verify", &scene.rollup.file, "--l1", url]);
    assert_eq!(told["valid"], true);
    assert_eq!(told["preconfBonds"], json!(scene.rollup.deployment.preconf_bonds));
    assert_eq!((&told["minBondWei"], &told["postDelaySeconds"]), (&json!(wei(2)), &json!(300)));

    let folder = path(scene.rollup.folder.path(), "other");
    fs::create_dir(&folder).unwrap();
    for registry in [Address::ZERO, Address::repeat_byte(7)] {
        let other = Deployment { preconf_bonds: registry, ..scene.rollup.deployment.clone() };
        let file = write_deployment(&other, folder.as_ref()).unwrap().display().to_string();
        let said = refuse(&["verify", &file, "--l1", url]);
        assert!(said.contains("in another domain"), "{said}");
    }
}
