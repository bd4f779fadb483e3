//! State files are compatible with stock anvil's, in both directions.

use crate::support::serve_as_anvil;
use alloy_primitives::{Address, B256, U256, address};
use enshrine_devnet::{
    Devnet, DevnetError,
    state_file::{AccountState, StateFile},
};
use node::{Command, NodeState};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{self, Child, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::task;
use toolchain::{Toolchain, progress_to_stderr};

const ALICE: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Stock anvil process, stopped when dropped.
struct Anvil(Child, String, Toolchain);

impl Anvil {
    fn start(arguments: &[&str]) -> Self {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let port = testkit::free_port().unwrap();
        let child = process::Command::new(tools.anvil())
            .args(["--silent", "--port", &port.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut anvil = Self(child, format!("http://127.0.0.1:{port}"), tools);
        while anvil.cast(&["chain-id"]).is_none() {
            let ended = anvil.0.try_wait().unwrap();
            assert!(ended.is_none(), "anvil {arguments:?} has ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        anvil
    }

    fn cast(&self, arguments: &[&str]) -> Option<String> {
        let output = process::Command::new(self.2.cast())
            .args(arguments)
            .args(["--rpc-url", &self.1])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// Interrupts anvil, so that it writes its state.
    fn interrupt(mut self) {
        let id = self.0.id().to_string();
        assert!(process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn path_text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn anvil_state_dumps_are_read_completely() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anvil.json");
    let anvil = Anvil::start(&["--dump-state", path_text(&path)]);
    let code = "0x5f545f5260205ff3";
    anvil
        .cast(&["rpc", "anvil_setCode", "0x00000000000000000000000000000000000000aa", code])
        .unwrap();
    let send = ["send", "--unlocked", "--from", &ALICE.to_string()];
    let transfer = ["--value", "5", "0x00000000000000000000000000000000000000bb"];
    anvil.cast(&[send.as_slice(), transfer.as_slice()].concat()).unwrap();
    let packed = anvil.cast(&["rpc", "anvil_dumpState"]).unwrap();
    let packed = alloy_primitives::hex::decode(packed.trim_matches('"')).unwrap();
    anvil.interrupt();

    let state = StateFile::read(&path).unwrap();
    assert_eq!(state.best_block_number, Some(1));
    assert_eq!(state.blocks.len(), 2);
    // Unordered, because anvil stores them by hash.
    assert!(state.blocks.iter().any(|block| block.header.number == 1));
    assert_eq!(state.transactions[0].info.from, ALICE);
    assert_eq!(state.accounts[&ALICE].nonce, 1);
    let contract = &state.accounts[&address!("0x00000000000000000000000000000000000000aa")];
    assert_eq!(contract.code.to_string(), code);
    assert_eq!(StateFile::decode(&packed).unwrap().accounts, state.accounts);
}

#[test]
fn anvil_loads_the_devnets_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder.path().join("theirs.json"), folder.path().join("ours.json"));
    let anvil = Anvil::start(&["--dump-state", path_text(&theirs)]);
    let send = ["send", "--unlocked", "--from", &ALICE.to_string()];
    let transfer = ["--value", "5", "0x00000000000000000000000000000000000000bb"];
    anvil.cast(&[send.as_slice(), transfer.as_slice()].concat()).unwrap();
    anvil.interrupt();

    let mut state = StateFile::read(&theirs).unwrap();
    let contract = address!("0x00000000000000000000000000000000000000cc");
    let account = AccountState {
        nonce: 9,
        balance: U256::from(77),
        storage: [(B256::ZERO, B256::with_last_byte(42))].into(),
        ..Default::default()
    };
    state.accounts.insert(contract, account);
    state.write(&ours).unwrap();

    let anvil = Anvil::start(&["--load-state", path_text(&ours)]);
    let who = contract.to_string();
    assert_eq!(anvil.cast(&["balance", &who]).unwrap(), "77");
    assert_eq!(anvil.cast(&["nonce", &who]).unwrap(), "9");
    let slot = anvil.cast(&["storage", &who, "0"]).unwrap();
    assert_eq!(slot.parse::<U256>().unwrap(), U256::from(42));
    assert_eq!(anvil.cast(&["block-number"]).unwrap(), "1");
    let hash = state.transactions[0].info.transaction_hash.to_string();
    let receipt = anvil.cast(&["receipt", &hash, "status"]).unwrap();
    assert_eq!(receipt, "true");
}

/// Command that locks the chain until it is released.
#[derive(Debug)]
struct Hold(mpsc::Sender<()>, mpsc::Receiver<()>);

impl Command for Hold {
    type Output = ();

    fn apply(self, _: &mut NodeState) {
        self.0.send(()).unwrap();
        self.1.recv().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dump_times_out_while_chain_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let devnet = Devnet::builder().spawn().await.unwrap();
    let ((held, is_held), (let_go, is_let_go)) = (mpsc::channel(), mpsc::channel());
    let node = Arc::clone(devnet.node());
    let holding = task::spawn_blocking(move || node.execute(Hold(held, is_let_go)));
    is_held.recv().unwrap();
    let max_wait = Duration::from_millis(50);
    let error = devnet.dump_state_within(&path, max_wait).await.unwrap_err();
    assert!(matches!(error, DevnetError::NotWritten { waited, .. } if waited == max_wait));
    assert!(!path.exists());
    let_go.send(()).unwrap();
    holding.await.unwrap();
    devnet.dump_state_within(&path, Duration::from_secs(60)).await.unwrap();
    assert!(path.exists());
}

/// A block as anvil wrote it in 2024: hexadecimal numbers and no withdrawals.
fn old_block(number: u64, time: u64, parent: B256, transactions: &Value) -> Value {
    let empty = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";
    json!({
        "header": {
            "parentHash": parent,
            "ommersHash": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
            "beneficiary": Address::ZERO, "stateRoot": B256::repeat_byte(number as u8),
            "transactionsRoot": empty, "receiptsRoot": empty,
            "logsBloom": format!("0x{}", "00".repeat(256)),
            "difficulty": "0x0", "number": format!("{number:#x}"), "gasLimit": "0x1c9c380",
            "gasUsed": "0x5208", "timestamp": format!("{time:#x}"), "mixHash": B256::ZERO,
            "nonce": "0x0000000000000000", "baseFeePerGas": "0x3b9aca00", "blobGasUsed": "0x0",
            "excessBlobGas": "0x0", "extraData": "0x",
        },
        "transactions": transactions,
        "ommers": [],
    })
}

/// A transaction of such a block. The gas limit has had two names, and the signature of an
/// impersonated sender is (1, 1).
fn old_transaction(gas: &str, signature: &str) -> Value {
    json!([{ "EIP1559": {
        "chainId": "0x343a", "nonce": "0x0", gas: "0x5209", "maxFeePerGas": "0x77359401",
        "maxPriorityFeePerGas": "0x1", "to": ALICE, "value": "0x0", "accessList": [],
        "input": "0x", "r": signature, "s": signature, "yParity": "0x0",
        "hash": B256::repeat_byte(0x77),
    } }])
}

/// A state file of an old anvil with these blocks.
fn old_file(blocks: &[Value], best: u64) -> Value {
    json!({
        "block": {
            "number": format!("{best:#x}"), "coinbase": Address::ZERO, "timestamp": "0x66b200cb",
            "gas_limit": "0x1c9c380", "basefee": "0x12e09c7a", "difficulty": "0x0",
            "prevrandao": B256::repeat_byte(0xe7),
            "blob_excess_gas_and_price": { "excess_blob_gas": 0, "blob_gasprice": 1 },
        },
        "accounts": {
            ALICE.to_string(): { "nonce": 1, "balance": "0x21e19e0b6a140b55df8", "code": "0x", "storage": {} },
            "0x00000000000000000000000000000000000000aa": {
                "nonce": 1, "balance": "0x0", "code": "0x5f545f5260205ff3",
                "storage": { "0x0": "0x7", "0x5c7865864a2a990d80b5bb5c40e7b73a029960dc711fbb56120dfab976e92ea3": "0x0" },
            },
        },
        "best_block_number": format!("{best:#x}"),
        "blocks": blocks,
    })
}

/// The same file with the type of each transaction as a member.
fn flattened(mut file: Value) -> Value {
    for block in file["blocks"].as_array_mut().unwrap() {
        for transaction in block["transactions"].as_array_mut().unwrap() {
            let mut fields = transaction["EIP1559"].take();
            fields["type"] = json!("0x2");
            if let Some(limit) = fields.as_object_mut().unwrap().remove("gasLimit") {
                fields["gas"] = limit;
            }
            *transaction = fields;
        }
    }
    file
}

#[test]
fn unlinked_old_anvil_file_loads_like_anvil() {
    let signature = "0x41de7fa4121dab284af4453d30928241208bafa90cdb701fe9bc7054759fe3cd";
    let chained = {
        // Newest first, as a hash map may order them.
        let genesis = old_block(0, 0x66cd_c80e, B256::ZERO, &json!([]));
        let first =
            old_block(1, 0x66cd_c814, B256::repeat_byte(1), &old_transaction("gas", signature));
        let second =
            old_block(2, 0x66cd_c823, B256::repeat_byte(2), &old_transaction("gas", signature));
        (old_file(&[second, genesis, first], 2), 2)
    };
    let stressed = {
        let blocks: Vec<_> = (0_u64..)
            .zip([1, 3, 5, 1, 2, 0, 1, 4, 2, 2, 3])
            .map(|(place, number)| {
                let transactions = match place % 3 {
                    0 => json!([]),
                    1 => old_transaction("gas", "0x1"),
                    _ => old_transaction("gasLimit", "0x1"),
                };
                // Timestamps distinguish siblings, and do not increase with the number.
                let parent = B256::repeat_byte(place as u8);
                old_block(number, 0x66b2_00d0 - place, parent, &transactions)
            })
            .collect();
        (old_file(&blocks, 5), 5)
    };
    for (file, best) in [chained, stressed] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        std::fs::write(&path, file.to_string()).unwrap();
        // Current anvil only accepts such transactions with the type as a member.
        let flat = folder.path().join("flat.json");
        std::fs::write(&flat, flattened(file).to_string()).unwrap();
        let anvil = Anvil::start(&["--load-state", path_text(&flat)]);
        let theirs = |method: &str, parameters: &[&str]| -> Value {
            let said = anvil.cast(&[&["rpc", method], parameters].concat()).unwrap();
            serde_json::from_str(&said).unwrap()
        };
        for path in [&path, &flat] {
            loaded_as_by_anvil(path, best, &theirs);
        }
    }
}

/// Loads a state file of [`old_file`] and compares the devnet's responses with anvil's.
fn loaded_as_by_anvil(path: &Path, best: u64, theirs: &impl Fn(&str, &[&str]) -> Value) {
    let served = serve_as_anvil(|_| {});
    served.devnet.load_state(path).unwrap();
    let head = format!("{best:#x}");
    assert_eq!(theirs("eth_blockNumber", &[]), head);
    assert_eq!(served.ask("eth_blockNumber", json!([])), head);
    for number in 0..=best {
        let tag = format!("{number:#x}");
        let expected = theirs("eth_getBlockByNumber", &[&tag, "false"]);
        let block = served.block(&tag);
        for field in ["hash", "parentHash", "timestamp", "stateRoot"] {
            assert_eq!(block[field], expected[field], "{field} of block {number} of {best}");
        }
    }
    let contract = "0x00000000000000000000000000000000000000aa";
    let read = ["eth_getStorageAt", "eth_getCode", "eth_getTransactionCount"];
    for method in read {
        let slot = (method == read[0]).then_some("0x0");
        let parameters: Vec<_> =
            [Some(contract), slot, Some("latest")].into_iter().flatten().collect();
        let (answer, expected) =
            (served.ask(method, json!(parameters)), theirs(method, &parameters));
        assert_eq!(answer, expected, "{method}");
    }
    // The chain can be extended.
    let send = json!([{ "from": ALICE, "to": contract, "value": "0x1" }]);
    let hash = served.ask("eth_sendTransaction", send);
    let receipt = served.ask("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["blockNumber"], format!("{:#x}", best + 1));
}

#[test]
fn state_file_with_block_gap_is_rejected() {
    let blocks = [0, 2].map(|number| old_block(number, 0x66cd_c80e, B256::ZERO, &json!([])));
    let file = StateFile::decode(old_file(&blocks, 2).to_string().as_bytes()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    file.write(folder.path()).unwrap();
    let served = serve_as_anvil(|_| {});
    let error = served.devnet.load_state(folder.path()).unwrap_err().to_string();
    assert!(error.contains("block 1 is not among the blocks of the file"), "{error}");
    assert_eq!(served.ask("eth_blockNumber", json!([])), "0x0");
}
