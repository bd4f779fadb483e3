//! The IPC socket of a devnet whose files are used up.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

use testkit::Timeout;

const PAUSE: Duration = Duration::from_millis(20);
/// Maximum number of open files of the process.
const FILES: usize = 300;

/// A process that is killed on drop.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Requests the chain id, with a second for the response.
fn is_served(socket: &Path) -> bool {
    let ask = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#)?;
        let mut answer = [0; 256];
        let read = stream.read(&mut answer)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer[..read]).contains("0x7a69"))
    };
    ask().unwrap_or(false)
}

#[test]
fn ipc_recovers_from_too_many_open_files() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, log) = (folder.path().join("devnet.ipc"), folder.path().join("log"));
    let limited = format!("ulimit -n {FILES}; exec \"$0\" \"$@\"");
    let child = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_enshrine"), "devnet", "--port", "0", "--ipc"])
        .arg(&socket)
        .stdout(fs::File::create(&log).unwrap())
        .spawn();
    let mut devnet = Killed(child.unwrap());
    let until = |what: &str, devnet: &mut Killed, holds: &dyn Fn() -> bool| {
        let timeout = Timeout::begin();
        while !holds() {
            assert!(devnet.0.try_wait().unwrap().is_none(), "the devnet has ended");
            assert!(timeout.lasts(), "{what}: {}", fs::read_to_string(&log).unwrap());
            thread::sleep(PAUSE);
        }
    };
    until("the socket", &mut devnet, &|| is_served(&socket));
    let held: Vec<_> = (0..FILES + 100).filter_map(|_| UnixStream::connect(&socket).ok()).collect();
    let has_failed =
        || fs::read_to_string(&log).unwrap().contains("failed to accept IPC connection");
    until("the limit", &mut devnet, &has_failed);
    drop(held);
    until("the socket again", &mut devnet, &|| is_served(&socket));
}
