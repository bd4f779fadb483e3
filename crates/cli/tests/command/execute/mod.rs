//! `enshrine execute`: output, exit codes and errors.

mod charged;
mod dialects;
mod fetch;

use crate::support::{batch, block, document, enshrine, feed, path, witness_json};
use alloy_primitives::{B256, hex, keccak256};
use codec::Bundle;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};
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
        path(self.folder.path(), name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("writes");
    }

    /// Runs commands in the folder; returns what they print, with a placeholder for times. With
    /// `--json`, they must print one document and nothing else.
    fn transcript(&self, commands: &[&str]) -> String {
        let run = |command: &&str| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_enshrine"));
            program.current_dir(self.folder.path()).arg("execute").args(command.split(' '));
            let output = program.output().expect("runs");
            if command.contains("--json") {
                document(&output.stdout);
                assert_eq!(text(&output.stderr), "", "{command}");
            }
            let stream = |name: &str, bytes: &[u8]| -> String {
                let lines = text(bytes).lines().map(without_time).collect::<String>();
                if lines.is_empty() { lines } else { format!("----- {name} -----\n{lines}") }
            };
            let (out, err) = (stream("stdout", &output.stdout), stream("stderr", &output.stderr));
            format!("$ enshrine execute {command}\n{out}{err}{}\n\n", output.status)
        };
        commands.iter().map(run).collect()
    }
}

fn without_time(line: &str) -> String {
    match (line.rsplit_once(", "), line.split_once("\"milliseconds\": ")) {
        (Some((rest, time)), _) if time.ends_with(" ms") => format!("{rest}, TIME ms\n"),
        (_, Some((indent, _))) => format!("{indent}\"milliseconds\": TIME,\n"),
        _ => format!("{line}\n"),
    }
}

/// Returns the first block of the chain as a bundle.
fn bundle() -> String {
    let built = block(ProtocolFork::Osaka);
    let (block, witness) = (built.block.rlp(), built.witness);
    Bundle { chain_id: CHAIN_ID, block, pre_state_root: None, witness }.to_json()
}

#[test]
fn verify_prints_each_verdict() {
    let files = Files::new();
    let mut built = block(ProtocolFork::Osaka);
    // Not the root node, so that the error contains a path.
    let root = built.block.pre_state_root;
    let below = built.witness.state.iter().position(|node| keccak256(node) != root);
    built.witness.state.remove(below.expect("a node"));
    files.write("short.ssz", &built.input().expect("encodes"));
    files.write("garbage.ssz", b"\x12\x01 and then nothing of use");
    // The schema id of an earlier fork, whose inputs have another layout.
    let mut early = fs::read(files.path("good.ssz")).expect("there");
    early[0] = 0x0f;
    files.write("early.ssz", &early);
    files.write("bundle.json", bundle().as_bytes());
    fs::create_dir(files.path("empty")).expect("made");
    let transcript = files.transcript(&[
        "verify good.ssz good.hex",
        "verify --l2 good.ssz good.hex",
        "verify --threads 2 good.ssz bad.ssz good.hex",
        "verify short.ssz",
        "verify garbage.ssz",
        "verify early.ssz",
        "verify --json good.ssz bad.ssz short.ssz garbage.ssz early.ssz absent.ssz bundle.json",
        "verify --fork osaka bundle.json",
        // With several files, the most severe verdict determines the exit code.
        "verify good.ssz garbage.ssz short.ssz bad.ssz",
        "verify short.ssz good.ssz garbage.ssz",
        "verify garbage.ssz good.ssz",
        "verify --block garbage.ssz --witness good.ssz --chain mainnet",
        "verify --block absent.ssz",
        "verify empty",
        "verify",
    ]);
    insta::assert_snapshot!(transcript);
}

#[test]
fn inspect_prints_every_field() {
    let files = Files::new();
    files.write("garbage.json", b"{\"chainId\": 1");
    let transcript = files.transcript(&[
        "inspect good.ssz",
        "inspect garbage.json",
        "inspect --json --execute-gas 7+2 garbage.json good.ssz",
        "inspect --execute-gas cheap good.ssz",
    ]);
    insta::assert_snapshot!(transcript);
}

#[test]
fn batch_can_be_inspected_and_verified() {
    let files = Files::new();
    let mut calldata = batch();
    files.write("batch.ssz", &calldata);
    files.write("cut.ssz", &calldata[..calldata.len() - 1]);
    // The state root of the second block.
    let second = usize::from(u16::from_le_bytes([calldata[22], calldata[23]]));
    calldata[18 + second + 44 + 52] ^= 1;
    files.write("bad.ssz", &calldata);
    let transcript = files.transcript(&[
        "inspect batch.ssz",
        "inspect --json batch.ssz",
        "verify batch.ssz",
        "verify --json --l2 batch.ssz",
        "verify cut.ssz",
        "verify bad.ssz",
    ]);
    insta::assert_snapshot!(transcript);
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
fn input_format_is_recognized_by_content() {
    let files = Files::new();
    let input = fs::read(files.path("good.ssz")).expect("there");
    let hex = hex::encode_prefixed(&input);
    let bundle: Value = serde_json::from_str(&bundle()).expect("JSON");
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
