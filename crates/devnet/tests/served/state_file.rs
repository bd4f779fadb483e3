//! State files that stock anvil has written are read, and anvil reads those that are written here.

use alloy_primitives::{Address, B256, U256, address};
use enshrine_devnet::{
    Devnet, DevnetError,
    state_file::{AccountState, StateFile},
};
use node::{Command, NodeState};
use std::{
    net::TcpListener,
    path::Path,
    process::{self, Child, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::task;
use toolchain::{Toolchain, progress_to_stderr};

const ALICE: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// A stock anvil; ended when dropped.
struct Anvil(Child, String, Toolchain);

impl Anvil {
    fn start(arguments: &[&str]) -> Self {
        let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = process::Command::new(tools.anvil())
            .args(["--silent", "--port", &port.to_string()])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let anvil = Self(child, format!("http://127.0.0.1:{port}"), tools);
        while anvil.cast(&["chain-id"]).is_none() {
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

    /// Ends it as a user would, so that it writes its state.
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
fn a_file_and_an_answer_of_anvil_are_read_whole() {
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
    // In no order: anvil keeps them by hash.
    assert!(state.blocks.iter().any(|block| block.header.number == 1));
    assert_eq!(state.transactions[0].info.from, ALICE);
    assert_eq!(state.accounts[&ALICE].nonce, 1);
    let contract = &state.accounts[&address!("0x00000000000000000000000000000000000000aa")];
    assert_eq!(contract.code.to_string(), code);
    assert_eq!(StateFile::decode(&packed).unwrap().accounts, state.accounts);
}

#[test]
fn anvil_reads_what_is_written_here() {
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

/// Holds the chain until it is told to let go.
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
async fn a_state_is_written_unless_something_holds_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    let devnet = Devnet::builder().spawn().await.unwrap();
    let ((held, is_held), (let_go, is_let_go)) = (mpsc::channel(), mpsc::channel());
    let node = Arc::clone(devnet.node());
    let holding = task::spawn_blocking(move || node.execute(Hold(held, is_let_go)));
    is_held.recv().unwrap();
    let patience = Duration::from_millis(50);
    let error = devnet.dump_state_within(&path, patience).await.unwrap_err();
    assert!(matches!(error, DevnetError::NotWritten { waited, .. } if waited == patience));
    assert!(!path.exists());
    let_go.send(()).unwrap();
    holding.await.unwrap();
    devnet.dump_state_within(&path, Duration::from_secs(60)).await.unwrap();
    assert!(path.exists());
}
