//! `enshrine execute`: output, exit codes and errors.

mod charged;
mod dialects;
mod fetch;

use crate::support::{batch, block, document, enshrine, feed, witness_json};
use alloy_primitives::{B256, hex, keccak256};
use codec::Bundle;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use testkit::{CHAIN_ID, ETHER, L2, rich_genesis};
use wire::ProtocolFork;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A folder with a valid input, in binary and in hex, and an invalid one.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let input = block(ProtocolFork::Osaka).input().expect("encodes");
        fs::write(folder.path().join("good.ssz"), &input).expect("writes");
        fs::write(folder.path().join("good.hex"), hex::encode_prefixed(&input)).expect("writes");
        let mut bad = input;
        bad[62 + 52] ^= 1;
        fs::write(folder.path().join("bad.ssz"), &bad).expect("writes");
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn verify_prints_line_per_file() {
    let files = Files::new();
    let (good, hex, bad) = (files.path("good.ssz"), files.path("good.hex"), files.path("bad.ssz"));
    for flags in [&["--l2"][..], &[], &["--threads", "2"]] {
        let mut arguments = vec!["execute", "verify", &good, &hex];
        arguments.extend(flags);
        let output = enshrine(&arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines = text(&output.stdout);
        assert_eq!(lines.lines().filter(|line| line.starts_with("valid ")).count(), 2, "{lines}");
        assert!(lines.contains("block 1 of chain 8079, 1 transactions"), "{lines}");
    }
    let output = enshrine(&["execute", "verify", &good, &bad, &hex]);
    assert_eq!(output.status.code(), Some(1));
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let line = lines.lines().nth(1).expect("three lines");
    assert!(line.starts_with("INVALID") && line.contains("block hash"), "{line}");
}

#[test]
fn verify_json_matches_text() {
    let files = Files::new();
    let (good, bad) = (files.path("good.ssz"), files.path("bad.ssz"));
    let output = enshrine(&["execute", "verify", "--json", &good, &bad]);
    assert_eq!(output.status.code(), Some(1));
    let documents = document(&output.stdout);
    assert_eq!(documents[0]["valid"], json!(true));
    assert_eq!(documents[0]["gasUsed"], json!(21_000));
    assert_eq!(documents[0]["chainId"], json!(8_079));
    assert_eq!(documents[1]["valid"], json!(false));
    assert!(documents[1]["reason"].as_str().expect("a reason").contains("block hash"));
}

#[test]
fn unreadable_file_error_contains_path_and_advice() {
    let files = Files::new();
    let absent = files.path("absent.ssz");
    let output = enshrine(&["execute", "verify", &absent]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("absent.ssz"));
    let output = enshrine(&["execute", "verify"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("name files"), "{}", text(&output.stderr));
    let output = enshrine(&["execute", "verify", "--block", &absent]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("--witness"), "{}", text(&output.stderr));
    let garbage = files.folder.path().join("garbage.json");
    fs::write(&garbage, "{\"chainId\": 1").expect("writes");
    let output = enshrine(&["execute", "inspect", &garbage.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("garbage.json"), "{}", text(&output.stderr));
    // The other files are still printed, and the JSON output contains the error.
    let (good, garbage) = (files.path("good.ssz"), files.path("garbage.json"));
    let output = enshrine(&["execute", "inspect", "--json", &garbage, &good]);
    assert_eq!(output.status.code(), Some(2));
    let documents = document(&output.stdout);
    assert!(documents[0]["reason"].as_str().expect("a reason").contains("garbage.json"));
    assert_eq!(documents[0]["kind"], "input");
    assert_eq!(documents[1]["input"]["schema"], json!("0x1201"));
}

/// The official fixtures have mainnet's chain id, and timestamps at which mainnet had other forks.
#[test]
fn fork_replaces_the_schedule_of_a_public_network() {
    let fork = ProtocolFork::Osaka;
    let l2 = L2::new(1, fork, &rich_genesis(fork, ["alice"], ETHER)).expect("starts");
    let (block, _) = l2.seal(12, B256::ZERO, Vec::new()).expect("seals");
    let bundle = Bundle {
        chain_id: 1,
        block: block.block.rlp(),
        pre_state_root: None,
        witness: block.witness.clone(),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (ssz, json) = (path("block.ssz"), path("block.json"));
    fs::write(&ssz, block.input().expect("encodes")).expect("writes");
    fs::write(&json, bundle.to_json()).expect("writes");
    for (flags, code) in [
        (&[][..], [1, 2]),
        (&["--fork", "osaka"], [0, 0]),
        // An SSZ input has a fork of its own, by its schema id. A bundle has none and uses --fork.
        (&["--fork", "prague"], [1, 0]),
        (&["--fork", "amsterdam"], [1, 1]),
    ] {
        for (file, code) in [&ssz, &json].into_iter().zip(code) {
            let output = enshrine(&[&["execute", "verify", file], flags].concat());
            let said = text(&output.stdout);
            assert_eq!(output.status.code(), Some(code), "{flags:?} {file}: {said}");
        }
    }
}

#[test]
fn advice_fits_cause() {
    let files = Files::new();
    let next = |arguments: &[&str]| {
        let output = enshrine(&[&["execute", "verify", "--json"], arguments].concat());
        let documents = document(&output.stdout);
        let (kind, next) = (&documents[0]["kind"], &documents[0]["next"]);
        (kind.as_str().map(str::to_owned), next.as_str().unwrap_or_default().to_owned())
    };
    let write = |name: &str, bytes: &[u8]| {
        fs::write(files.folder.path().join(name), bytes).expect("writes");
        files.path(name)
    };
    let is = |kind: &str| Some(kind.to_owned());
    let (kind, hint) = next(&[&files.path("absent.ssz")]);
    assert_eq!(kind, is("input"));
    assert!(hint.contains("existing files"), "{hint}");
    let (kind, hint) = next(&[&write("garbage.ssz", b"\x12\x01 and then nothing of use")]);
    assert_eq!(kind, is("decode"));
    assert!(hint.contains("in binary or hex"), "{hint}");
    let (kind, hint) = next(&[&files.path("bad.ssz")]);
    assert_eq!(kind, is("blockHash"));
    assert!(hint.contains("inspect"), "{hint}");
    // For a bundle of an unknown chain, the error names the missing flag.
    let built = block(ProtocolFork::Osaka);
    let bundle = Bundle {
        chain_id: CHAIN_ID,
        block: built.block.rlp(),
        pre_state_root: None,
        witness: built.witness,
    };
    let bundle = write("bundle.json", bundle.to_json().as_bytes());
    assert_eq!(next(&[&bundle]), (is("input"), String::new()));
    assert_eq!(next(&["--fork", "osaka", &bundle]), (None, String::new()));
}

#[test]
fn inspect_prints_contents_and_gas_by_schedule() {
    let files = Files::new();
    let good = files.path("good.ssz");
    let output = enshrine(&["execute", "inspect", "--json", &good]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let documents = document(&output.stdout);
    let input = &documents[0]["input"];
    assert_eq!(input["schema"], json!("0x1201"));
    assert_eq!(input["payload"]["transactionTypes"], json!({ "type2": 1 }));
    assert_eq!(input["payload"]["sumOfGasLimits"], json!(21_000));
    let bytes = input["bytes"].as_u64().expect("a number");
    let gas = &input["gas"];
    assert_eq!(gas["ethrex"]["charge"], json!(30_000_000 + 16 * bytes));
    assert_eq!(gas["default"]["reserve"], gas["default"]["charge"]);
    assert_eq!(gas["chosen"], Value::Null, "the default one has its name");
    assert_eq!(gas["flat"]["charge"], json!(21_000 + 25_000 + 16 * bytes));
    let chosen = enshrine(&["execute", "inspect", "--json", "--execute-gas", "7+2", &good]);
    let documents = document(&chosen.stdout);
    let chosen = &documents[0]["input"]["gas"]["chosen"];
    assert_eq!(chosen["schedule"], json!("7+2"));
    assert_eq!(chosen["charge"], json!(21_000 + 7 + 2 * bytes));
    let refused = enshrine(&["execute", "inspect", "--execute-gas", "cheap", &good]);
    assert!(text(&refused.stderr).contains("write default, flat, ethrex"), "{refused:?}");
}

#[test]
fn batch_can_be_inspected_and_verified() {
    let files = Files::new();
    let calldata = batch();
    let (good, bad) = (files.path("batch.ssz"), files.path("bad batch.ssz"));
    fs::write(&good, &calldata).expect("writes");
    let output = enshrine(&["execute", "inspect", "--json", &good]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let documents = document(&output.stdout);
    let input = &documents[0]["input"];
    assert_eq!((&input["schema"], &input["blocks"]), (&json!("0x12ba"), &json!(3)));
    assert_eq!(input["block3"]["transactions"], json!(1));
    let number = |value: &Value| value.as_u64().expect("a number");
    let (bytes, witness) = (number(&input["bytes"]), &input["witness"]);
    assert!(number(&witness["compactNodeBytes"]) < number(&witness["nodeBytes"]));
    // The flat schedule charges bytes, transactions, and the two further blocks.
    let charge = number(&input["gas"]["flat"]["charge"]);
    assert_eq!(charge, 25_000 + 16 * bytes + 3 * 21_000 + 2 * 10_000);
    let people = text(&enshrine(&["execute", "inspect", &good]).stdout);
    assert!(people.contains("compact node bytes"), "{people}");

    let verified = enshrine(&["execute", "verify", "--json", "--l2", &good]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    let documents = document(&verified.stdout);
    assert_eq!(documents[0]["blocks"], json!(3));
    assert_eq!(documents[0]["gasUsed"], json!(63_000));
    assert_eq!(documents[0]["transactions"], json!(3));
    let line = text(&enshrine(&["execute", "verify", &good]).stdout);
    assert!(line.contains("blocks 1 to 3 of chain"), "{line}");

    // A truncated input is unreadable; a wrong state root in the second block is invalid.
    fs::write(&bad, &calldata[..calldata.len() - 1]).expect("writes");
    let cut = enshrine(&["execute", "verify", &bad]);
    assert!(!cut.status.success());
    let mut spoilt = calldata;
    let second = usize::from(u16::from_le_bytes([spoilt[22], spoilt[23]]));
    spoilt[18 + second + 44 + 52] ^= 1;
    fs::write(&bad, &spoilt).expect("writes");
    let refused = enshrine(&["execute", "verify", &bad]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stdout));
}

#[test]
fn inspect_fields_have_input_order_and_units() {
    let files = Files::new();
    let good = files.path("good.ssz");
    let people = text(&enshrine(&["execute", "inspect", &good]).stdout);
    let json = text(&enshrine(&["execute", "inspect", "--json", &good]).stdout);
    let named = [
        ("schema ", "\"schema\""),
        ("parent hash", "\"parentHash\""),
        ("state root", "\"stateRoot\""),
        ("block number", "\"blockNumber\""),
        ("gas limit", "\"gasLimit\""),
        ("timestamp", "\"timestamp\""),
        ("base fee per gas", "\"baseFeePerGas\""),
        ("block hash", "\"blockHash\""),
        ("versioned hashes", "\"versionedHashes\""),
        ("parent beacon block root", "\"parentBeaconBlockRoot\""),
        ("witness", "\"witness\""),
        ("chain id", "\"chainId\""),
    ];
    let order = |all: &str, names: Vec<&str>| {
        let places: Vec<_> = names.iter().map(|name| all.find(name).expect(name)).collect();
        assert!(places.is_sorted(), "{names:?} at {places:?} in {all}");
    };
    order(&people, named.iter().map(|(name, _)| *name).collect());
    order(&json, named.iter().map(|(_, key)| *key).collect());
    let unit_of = |name: &str| {
        let line = people.lines().find(|line| line.trim_start().starts_with(name)).expect(name);
        line.split_whitespace().next_back().expect("a word").to_owned()
    };
    assert_eq!(unit_of("gas used"), "gas");
    assert_eq!(unit_of("base fee per gas"), "wei");
    assert_eq!(unit_of("node bytes"), "bytes");
    assert_eq!(unit_of("transactions"), "1");
}

#[test]
fn exit_code_depends_on_verdict() {
    let files = Files::new();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(files.folder.path().join(name), bytes).expect("writes");
        files.path(name)
    };
    let (good, bad) = (files.path("good.ssz"), files.path("bad.ssz"));
    let mut built = block(ProtocolFork::Osaka);
    // Not the root node, so that the error contains a path.
    let root = built.block.pre_state_root;
    let below = built.witness.state.iter().position(|node| keccak256(node) != root);
    built.witness.state.remove(below.expect("a node"));
    let short = write("short.ssz", &built.input().expect("encodes"));
    let garbage = write("garbage.ssz", b"\x12\x01 and then nothing of use");
    // A fork whose inputs can be decoded, but whose blocks are not supported.
    let mut early = fs::read(&good).expect("there");
    early[0] = 0x0f;
    let early = write("early.ssz", &early);
    for (name, code, words, verdict) in [
        (&good, 0, "valid  ", "valid"),
        (&bad, 1, "INVALID  ", "invalid"),
        (&short, 3, "WITNESS TOO SMALL  ", "witness too small"),
        (&garbage, 2, "UNREADABLE  ", "unreadable"),
        (&early, 2, "UNREADABLE  ", "unreadable"),
    ] {
        let output = enshrine(&["execute", "verify", name]);
        let line = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert!(line.starts_with(words), "{line}");
        // Advice, unless the block is valid.
        assert_eq!(text(&output.stderr).is_empty(), code == 0);
        let output = enshrine(&["execute", "verify", "--json", name]);
        assert_eq!(output.status.code(), Some(code));
        let documents = document(&output.stdout);
        assert_eq!(documents[0]["verdict"], verdict);
        assert_eq!(documents[0]["valid"], json!(code == 0));
        assert_eq!(documents[0]["next"].is_null(), code == 0);
    }
    // The error of an unreadable --block contains its path once.
    let pair = ["--block", &garbage, "--witness", &good, "--chain", "mainnet"];
    let output = enshrine(&[&["execute", "verify"], &pair[..]].concat());
    let line = text(&output.stdout);
    assert!(line.starts_with("UNREADABLE  "), "{line}");
    assert_eq!(line.matches(&*garbage).count(), 1, "{line}");
    // With several files, the most severe verdict determines the exit code.
    for (named, code) in [
        ([&good, &garbage, &short, &bad].as_slice(), 1),
        (&[&short, &good, &garbage], 3),
        (&[&garbage, &good], 2),
    ] {
        let mut arguments = vec!["execute", "verify"];
        arguments.extend(named.iter().map(|name| name.as_str()));
        assert_eq!(enshrine(&arguments).status.code(), Some(code), "{named:?}");
    }
    // The error contains the missing node once, with its path in hex.
    let line = text(&enshrine(&["execute", "verify", &short]).stdout);
    assert_eq!(line.matches("is missing").count(), 1, "{line}");
    assert!(line.contains(" at path 0x") && !line.contains("Nibbles"), "{line}");
    let empty = files.folder.path().join("empty");
    fs::create_dir(&empty).expect("made");
    let output = enshrine(&["execute", "verify", &empty.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn input_format_is_recognized_by_content() {
    let files = Files::new();
    let input = fs::read(files.path("good.ssz")).expect("there");
    let hex = hex::encode_prefixed(&input);
    let built = block(ProtocolFork::Osaka);
    let bundle = Bundle {
        chain_id: CHAIN_ID,
        block: built.block.rlp(),
        pre_state_root: None,
        witness: built.witness,
    };
    let bundle: Value = serde_json::from_slice(bundle.to_json().as_bytes()).expect("JSON");
    let bundle_text = bundle.to_string().into_bytes();
    let (first, rest) = bundle_text.split_at(bundle_text.len() / 2);
    let pack = |bytes| compress_to_vec(bytes, CompressionLevel::Fastest);
    let (packed, twice) = (pack(&bundle_text[..]), [pack(first), pack(rest)].concat());
    for form in [
        input,
        hex.clone().into_bytes(),
        format!("{}\n", &hex[2..]).into_bytes(),
        json!({ "jsonrpc": "2.0", "id": 1, "result": hex }).to_string().into_bytes(),
        json!({ "result": bundle }).to_string().into_bytes(),
        packed.clone(),
        twice,
    ] {
        for name in ["block.json", "block.zst", "block"] {
            fs::write(files.folder.path().join(name), &form).expect("writes");
            let output = enshrine(&["execute", "verify", "--fork", "0x1201", &files.path(name)]);
            assert!(output.status.success(), "{name}: {}", text(&output.stdout));
        }
        let output = feed(&["execute", "verify", "--fork", "osaka", "-"], &form);
        assert!(output.status.success(), "{}", text(&output.stdout));
    }
    // The last four bytes are the checksum of the frame.
    let mut damaged = packed;
    *damaged.last_mut().expect("a frame") ^= 1;
    let output = feed(&["execute", "verify", "--fork", "osaka", "-"], &damaged);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("checksum"), "{}", text(&output.stdout));
    let refused = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no such method"}}"#;
    let output = feed(&["execute", "verify", "-"], refused);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("no such method"), "{}", text(&output.stdout));
    let output = enshrine(&["execute", "verify", "--fork", "shanghai", "x"]);
    assert!(text(&output.stderr).contains("cancun, prague"), "{}", text(&output.stderr));
}

#[test]
fn encode_writes_exact_calldata() {
    let files = Files::new();
    let (hex, out) = (files.path("good.hex"), files.path("out.ssz"));
    let output = enshrine(&["execute", "encode", &hex, "-o", &out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read(&out).expect("written"), fs::read(files.path("good.ssz")).expect("there"));
    // Batches are encoded too; truncated ones are rejected.
    let batch = batch();
    for (length, is_taken) in [(batch.len(), true), (100, false)] {
        let hex = files.path("batch.hex");
        fs::write(&hex, hex::encode_prefixed(&batch[..length])).expect("writes");
        let output = enshrine(&["execute", "encode", &hex, "-o", &out]);
        assert_eq!(output.status.success(), is_taken, "{}", text(&output.stderr));
    }
    assert_eq!(fs::read(&out).expect("written"), batch);
}

#[test]
fn encode_prints_only_calldata_to_standard_output() {
    let files = Files::new();
    let input = fs::read(files.path("good.ssz")).expect("there");
    let hex = hex::encode_prefixed(&input).into_bytes();
    for flags in [&[][..], &["--json"]] {
        let arguments = [&["execute", "encode", "-", "-o", "-"], flags].concat();
        let output = feed(&arguments, &hex);
        assert!(output.status.success() && output.stdout == input, "{}", text(&output.stderr));
    }
    assert!(!std::path::Path::new("-").exists());
}

#[test]
fn bench_json_has_figures_and_geometric_means() {
    let files = Files::new();
    let good = files.path("good.ssz");
    let output = enshrine(&["execute", "bench", "--json", "--rounds", "2", "--budget", "0", &good]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document = document(&output.stdout);
    let measured = &document["blocks"][0];
    assert_eq!(measured["gasUsed"], json!(21_000));
    for figure in ["singleMilliseconds", "parallelMilliseconds", "floorMilliseconds"] {
        assert!(measured[figure].as_f64().expect("a number") > 0.0, "{figure}");
    }
    assert!(document["geomean"]["singleOverFloor"].as_f64().expect("a number") > 0.0);
    assert!(document["geomean"]["parallelOverFloor"].as_f64().expect("a number") > 0.0);
}

#[test]
fn real_block_verifies_from_bundle_and_pair() -> eyre::Result<()> {
    let Some(folder) = testkit::vectors::part("blocks", "real blocks on the command line")? else {
        return Ok(());
    };
    let bundle: PathBuf = folder.join("mainnet_21429020.json.zst");
    let path = bundle.display().to_string();
    let output = enshrine(&["execute", "verify", &path]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("block 21429020 of chain 1"));
    // The L2 rules reject the block because of its blobs.
    let output = enshrine(&["execute", "verify", "--l2", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("L2 rules"));

    let real = testkit::vectors::read_block(&bundle)?;
    let files = tempfile::tempdir()?;
    let (block, witness) = (files.path().join("raw.rlp"), files.path().join("witness.json"));
    fs::write(&block, &real.bundle.block)?;
    fs::write(&witness, witness_json(&real.bundle.witness).to_string())?;
    let (block, witness) = (block.display().to_string(), witness.display().to_string());
    let pair = ["execute", "verify", "--block", &block, "--witness", &witness, "--chain"];
    let output = enshrine(&[&pair[..], &["mainnet"]].concat());
    assert!(output.status.success(), "{}", text(&output.stdout));
    // The wrong chain has other forks and another chain id.
    let output = enshrine(&[&pair[..], &["sepolia"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let output = enshrine(&[&pair[..], &["atlantis"]].concat());
    assert!(text(&output.stdout).contains("expected mainnet, sepolia, hoodi or a chain id"));
    Ok(())
}
