//! All cast subcommands that send requests to a node.

use crate::support::{PROBE, execute_input, serve};

/// A field of cast's JSON output.
fn field(json: &str, name: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value[name].clone()
}

#[test]
fn cast_send_variants_work() {
    let served = serve(|_| {});
    let secret = served.secret(0);
    let sender = served.devnet.addresses()[1].to_string();
    let to = "0x00000000000000000000000000000000000000aa";
    let key = ["--private-key", &secret];
    let ways: [&[&str]; 5] =
        [&[], &["--legacy"], &["--access-list"], &["--sync"], &["--gas-price", "5gwei"]];
    for way in ways {
        let send = [["send", to, "--value", "1", "--json"].as_slice(), &key, way].concat();
        assert_eq!(field(&served.cast(&send), "status"), "0x1", "{way:?}");
    }
    served.cast(&["send", to, "--value", "1", "--unlocked", "--from", &sender]);
    let hash = served.cast(&["send", to, "--value", "1", "--async", "--private-key", &secret]);
    assert_eq!(served.cast(&["receipt", &hash, "status"]), "true");
    assert_eq!(served.cast(&["balance", to]), "7");

    let auth = served.cast(&["send", &sender, "--private-key", &secret, "--auth", to, "--json"]);
    assert_eq!(field(&auth, "type"), "0x4");
    let made = served.cast(&["mktx", to, "--value", "1", "--private-key", &secret]);
    assert_eq!(field(&served.cast(&["publish", &made]), "status"), "0x1");

    let blob = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(blob.path(), "a blob").unwrap();
    let path = blob.path().to_str().unwrap();
    let sent =
        served.cast(&["send", to, "--private-key", &secret, "--blob", "--path", path, "--json"]);
    assert_eq!(field(&sent, "type"), "0x3");
    assert_eq!(field(&sent, "status"), "0x1");
}

#[test]
fn cast_read_commands_work() {
    let served = serve(|_| {});
    let secret = served.secret(0);
    let first = served.devnet.addresses()[0].to_string();
    let made = served.cast(&["send", "--private-key", &secret, "--json", "--create", PROBE.trim()]);
    let address = field(&made, "contractAddress").as_str().unwrap().to_owned();
    let sent =
        served.cast(&["send", &address, "set(uint256)", "42", "--private-key", &secret, "--json"]);
    let hash = field(&sent, "transactionHash").as_str().unwrap().to_owned();

    assert_eq!(served.cast(&["call", &address, "value()(uint256)"]), "42");
    // Only the selector: cast has no name for it without a signature service or its cache.
    let trace = served.cast(&["call", &address, "value()(uint256)", "--trace"]);
    assert!(trace.contains("3fa4f245") && trace.contains("Gas used"), "{trace}");
    assert!(
        served.cast(&["estimate", &address, "set(uint256)", "7"]).parse::<u64>().unwrap() > 21_000
    );
    assert!(served.cast(&["tx", &hash]).contains(&hash));
    assert!(served.cast(&["receipt", &hash]).contains(&hash));
    assert!(served.cast(&["run", &hash]).contains("Transaction successfully executed"));
    assert!(served.cast(&["block", "latest"]).contains("stateRoot"));
    assert!(served.cast(&["proof", &address, "0"]).contains("storageProof"));
    assert!(served.cast(&["logs", "--address", &address, "--from-block", "0"]).contains("topics"));
    assert!(served.cast(&["storage", &address, "0"]).ends_with("2a"));
    assert_eq!(served.cast(&["nonce", &first]), "2");
    assert!(served.cast(&["access-list", &address, "set(uint256)", "7"]).contains("gas used"));
    assert!(served.cast(&["base-fee"]).parse::<u64>().unwrap() > 0);
    assert!(served.cast(&["gas-price"]).parse::<u64>().unwrap() > 0);
    assert!(!served.cast(&["chain"]).is_empty());
    assert_eq!(served.cast(&["chain-id"]), "31337");
    let client = served.cast(&["client"]);
    let anvil = std::fs::read_to_string(crate::support::TOOLS.root().join("package.json")).unwrap();
    let anvil: serde_json::Value = serde_json::from_str(&anvil).unwrap();
    let anvil = anvil["dependencies"]["@foundry-rs/anvil"].as_str().unwrap();
    assert_eq!(client, format!("anvil/v{anvil}"));
    // cast only searches from block 1 on.
    assert_eq!(served.cast(&["find-block", "1"]), "1");
    assert!(!served.cast(&["age"]).is_empty());
    assert!(served.cast(&["tx-pool", "status"]).contains("pending"));
    assert!(served.cast(&["code", &address]).len() > 100);
    assert_eq!(served.cast(&["block-number"]), "2");
    assert_eq!(served.cast(&["rpc", "eth_chainId"]), "\"0x7a69\"");
}

#[test]
fn cast_calls_and_sends_to_execute() {
    let served = serve(|_| {});
    let (secret, input) = (served.secret(0), execute_input());
    let execute = "0x0000000000000000000000000000000000000101";
    let returned = served.cast(&["call", execute, "--data", &input]);
    assert_eq!(returned.len(), 2 + 2 * 43);
    let sent = served.cast(&["send", execute, &input, "--private-key", &secret, "--json"]);
    assert_eq!(field(&sent, "status"), "0x1");
}
