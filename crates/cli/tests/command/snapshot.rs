//! `enshrine snapshot`: exports the state of a stopped node, from which another node continues.

use crate::{
    failover::{Node, SequencedRollup, until},
    support::{document, enshrine, free_port, json_of, path, refuse, run},
};
use alloy_primitives::{Address, U64, U256};
use serde_json::{Value, json};
use testkit::Key;

#[test]
fn follower_continues_from_imported_snapshot() {
    let setup = SequencedRollup::new();
    let folder = setup.rollup.folder.path();
    let (alice, bob) = (Key::named("alice"), Address::repeat_byte(0xb0));
    let port = free_port();
    let mut sequencer = Node::new(&setup.with_keys(), folder, port);
    sequencer.start(&["--role", "sequencer"]);
    until("the role", || sequencer.role() == "sequencer");
    for nonce in 0..3 {
        sequencer.send(&alice, nonce, bob);
    }
    until("the transfers on L1", || {
        sequencer.balance(bob) == U256::from(3) && sequencer.is_on_l1()
    });
    let taken = sequencer.status()["safeHead"].clone();
    sequencer.kill();

    let data = folder.join(port.to_string()).display().to_string();
    let (whole, first) = (path(folder, "whole"), path(folder, "first"));
    let export = ["snapshot", "export", "--deployment", &setup.rollup.file, "--data-dir", &data];
    let written = json_of(&[&export[..], &["--file", &whole]].concat());
    let number = written["blockNumber"].as_u64().unwrap();
    assert_eq!(
        (json!(U64::from(number)), &written["blockHash"]),
        (taken["number"].clone(), &taken["hash"])
    );
    let said = run(&[&export[..], &["--file", &first, "--block", "1"]].concat());
    assert!(said.starts_with("wrote snapshot of block 1 (0x"), "{said}");

    // The files contain everything for an exit.
    let url = setup.rollup.l1.client().url();
    let common = ["--deployment", &setup.rollup.file, "--l1", url];
    let from_data = [&common[..], &["--data-dir", &data]].concat();
    let from_file = [&common[..], &["--snapshot", &whole]].concat();
    let account = alice.address().to_string();
    let exit = |command: &[&str], source: &[&str]| {
        run(&[&["exit"], command, source, &["--json"]].concat())
    };
    let close = exit(&["close"], &from_data);
    assert_eq!(exit(&["close"], &from_file), close);
    let paid = exit(&["account", &account], &from_data);
    assert_eq!(exit(&["account", &account], &from_file), paid);
    let paid: Value = serde_json::from_str(&paid).unwrap();
    assert_eq!((&paid["onlyCaller"], &paid["knownToL1"]), (&Value::Null, &json!(true)));
    let sums = |source: &[&str]| {
        let listed = exit(&["all"], source);
        assert!(listed.contains(paid["calldata"].as_str().unwrap()));
        serde_json::from_str::<Value>(listed.lines().last().unwrap()).unwrap()["sums"].clone()
    };
    // The sequencer's blocks name Bob; a snapshot contains no blocks.
    let known = sums(&from_data);
    assert_eq!(known["unknown"]["wei"], "0");
    assert_eq!(sums(&from_file)["unknown"]["wei"], "3");
    let addresses = path(folder, "addresses");
    std::fs::write(&addresses, bob.to_string()).unwrap();
    assert_eq!(sums(&[&from_file[..], &["--addresses", &addresses]].concat()), known);
    let verify = ["verify", &setup.rollup.file, "--l1", url, "--data-dir", &data];
    // The genesis has balances that no flag allows here.
    let said = String::from_utf8(enshrine(&verify).stdout).unwrap();
    let (payable, accounts) = (&known["payable"]["wei"], &known["payable"]["accounts"]);
    let line = format!("exits       {} wei of {accounts} accounts", payable.as_str().unwrap());
    assert!(said.contains(&line) && said.contains("; 0 wei of 0 contracts"), "{said}");
    let output = enshrine(&[&verify[..], &["--json"]].concat());
    let told = document(&output.stdout);
    assert_eq!((&told["exitPayableWei"], &told["exitContractsWei"]), (payable, &json!("0")));

    let start = path(folder, "start");
    run(&[&export[..], &["--file", &start, "--block", "0"]].concat());
    let said = refuse(&[&["exit", "close", "--snapshot", &start], &common[..]].concat());
    assert!(said.contains("failed to open the last state") && said.contains("expected"), "{said}");
    assert!(
        !std::fs::read_dir(folder)
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains(".state-") })
    );

    let beyond = path(folder, "beyond");
    let said = refuse(&[&export[..], &["--file", &beyond, "--block", "1000000"]].concat());
    assert!(said.contains("failed to export the snapshot") && said.contains("1000000"), "{said}");

    let other = free_port();
    let fresh = folder.join(other.to_string()).display().to_string();
    let import = [
        "snapshot",
        "import",
        "--deployment",
        &setup.rollup.file,
        "--l1",
        url,
        "--data-dir",
        &fresh,
    ];
    std::fs::write(path(folder, "damaged"), b"nothing").unwrap();
    let said = refuse(&[&import[..], &["--file", &path(folder, "damaged")]].concat());
    assert!(said.contains("failed to import the snapshot"), "{said}");
    // The block is not in a finalized L1 block yet.
    let said = refuse(&[&import[..], &["--file", &whole]].concat());
    assert!(said.contains("--allow-unfinal"), "{said}");
    let import = [&import[..], &["--allow-unfinal"]].concat();
    let imported = json_of(&[&import[..], &["--file", &whole]].concat());
    assert_eq!(imported, written);
    // An existing data directory is not overwritten.
    let said = refuse(&[&import[..], &["--file", &whole]].concat());
    assert!(said.contains(&fresh), "{said}");

    let mut follower = Node::new(&setup.common(), folder, other);
    follower.start(&["--role", "follower"]);
    until("L1", || follower.status()["synced"] == json!(true));
    assert_eq!(follower.status()["safeHead"], taken);
    assert_eq!(follower.balance(bob), U256::from(3));
    sequencer.start(&["--role", "sequencer"]);
    until("the role", || sequencer.role() == "sequencer");
    sequencer.send(&alice, 3, bob);
    until("the transfer from L1", || follower.balance(bob) == U256::from(4));
}
