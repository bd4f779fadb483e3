//! `enshrine devnet` stops on a signal at any time, and starts from the state in its flags.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use testkit::{Interception, Proxy, say_skipped, send_http};

/// Deadline for events that are due soon.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// A devnet process, killed on drop.
struct Devnet(Child);

impl Devnet {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_enshrine")), arguments, variables)
    }

    /// Starts a devnet that ignores SIGHUP, as `nohup` does.
    fn start_without_hangup() -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" HUP; exec "$0" "$@""#, env!("CARGO_BIN_EXE_enshrine")]);
        Self::spawn(shell, &[], &[])
    }

    fn spawn(mut command: Command, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let child = command
            .args(["devnet", "--port", "0"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Returns the address on which the devnet listens. Later output is read and discarded, since a
    /// full pipe would block the devnet.
    fn address(&mut self) -> String {
        let mut said = BufReader::new(self.0.stdout.take().unwrap());
        let mut line = String::new();
        while said.read_line(&mut line).unwrap() > 0 {
            if let Some(address) = line.trim().strip_prefix("Listening on ") {
                let address = address.to_owned();
                thread::spawn(move || io::copy(&mut said, &mut io::sink()));
                return address;
            }
            line.clear();
        }
        panic!("the devnet printed no address");
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        for _ in 0..RETRY_TIMEOUT.as_millis() / PAUSE.as_millis() {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            thread::sleep(PAUSE);
        }
        None
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request; the response can be read from the stream.
fn ask(address: &str, method: &str, params: &str) -> TcpStream {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    send_http(address, "POST / HTTP/1.1", &body).unwrap()
}

fn answer(address: &str, method: &str, params: &str) -> String {
    let mut text = String::new();
    ask(address, method, params).read_to_string(&mut text).unwrap();
    text
}

/// Starts a long request, and returns once the devnet mines blocks for it.
fn keep_busy(address: &str) -> TcpStream {
    let request = ask(address, "anvil_mine", r#"["0xf4240"]"#);
    while answer(address, "eth_blockNumber", "[]").contains(r#""0x0""#) {
        thread::sleep(PAUSE);
    }
    request
}

#[test]
fn signal_stops_start_with_silent_upstream() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    for signal in ["-INT", "-TERM"] {
        let mut devnet = Devnet::start(&["--fork-url", &url]);
        let _held = silent.accept().unwrap();
        devnet.signal(signal);
        assert!(devnet.ended().is_some(), "{signal}");
    }
}

/// Returns `true` if this process, and so each that it starts, ignores SIGHUP, as under `nohup`.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

#[test]
fn hangup_stops_devnet_unless_ignored() {
    if ignores_hangup() {
        say_skipped("the end of a devnet by SIGHUP, which is ignored here");
    } else {
        let mut devnet = Devnet::start(&[]);
        devnet.address();
        devnet.signal("-HUP");
        assert!(devnet.ended().is_some_and(|status| status.success()));
    }

    let mut devnet = Devnet::start_without_hangup();
    let address = devnet.address();
    // SIGXFSZ, which a write beyond the file size limit causes, must not end the process.
    for signal in ["-HUP", "-XFSZ"] {
        devnet.signal(signal);
        assert!(answer(&address, "eth_chainId", "[]").contains("0x7a69"), "{signal}");
    }
    devnet.signal("-TERM");
    assert!(devnet.ended().is_some_and(|status| status.success()));
}

#[test]
fn silent_upstream_blocks_neither_mining_nor_shutdown() {
    let account = "0x00000000000000000000000000000000000000aa";
    // All fields are set, so that the devnet requests only the account from the upstream node.
    let fields = r#""gas":"0x5208","gasPrice":"0x77359400","nonce":"0x0""#;
    for (method, params) in [
        ("anvil_setBalance", format!(r#"["{account}","0x7"]"#)),
        ("eth_sendTransaction", format!(r#"[{{"from":"{account}","to":"{account}",{fields}}}]"#)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let mut other = Devnet::start(&[]);
        let proxy = Proxy::start(other.address().parse().unwrap()).unwrap();
        let (fork, dump) = (proxy.url(), path.to_str().unwrap());
        let mut devnet =
            Devnet::start(&["--auto-impersonate", "--fork-url", &fork, "--dump-state", dump]);
        let address = devnet.address();

        let is_asked = Arc::<AtomicBool>::default();
        let seen = Arc::clone(&is_asked);
        proxy.intercept(move |request| {
            let is_meant = request.contains(account);
            seen.fetch_or(is_meant, Ordering::SeqCst);
            is_meant.then_some(Interception::Silence)
        });
        let _request = ask(&address, method, &params);
        while !is_asked.load(Ordering::SeqCst) {
            thread::sleep(PAUSE);
        }
        answer(&address, "evm_mine", "[]");
        let height = answer(&address, "eth_blockNumber", "[]");
        assert!(height.contains(r#""0x1""#), "{method}: {height}");
        devnet.signal("-TERM");
        assert!(devnet.ended().is_some_and(|status| status.success()), "{method}");
        assert!(path.exists(), "{method}");
    }
}

#[test]
fn listen_address_prefers_flag_to_environment() {
    let variable = [("ANVIL_IP_ADDR", "127.0.0.2")];
    for (flags, host) in [(["--host", "127.0.0.3"].as_slice(), "127.0.0.3:"), (&[], "127.0.0.2:")] {
        let address = Devnet::start_with(flags, &variable).address();
        assert!(address.starts_with(host), "{address}");
    }
    let address = Devnet::start(&[]).address();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
}

#[test]
fn state_folder_is_created_and_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    for height in [0, 1] {
        let mut devnet = Devnet::start(&["--state", folder.path().to_str().unwrap()]);
        let address = devnet.address();
        let found = answer(&address, "eth_blockNumber", "[]");
        assert!(found.contains(&format!(r#""{height:#x}""#)), "{found}");
        answer(&address, "evm_mine", "[]");
        devnet.signal("-TERM");
        assert!(devnet.ended().is_some_and(|status| status.success()));
        assert!(folder.path().join("state.json").exists());
    }
}

#[test]
fn signal_during_long_mining_writes_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.json");
    for signal in ["-INT", "-TERM"] {
        let mut devnet = Devnet::start(&["--dump-state", path.to_str().unwrap()]);
        let address = devnet.address();
        let _request = keep_busy(&address);
        devnet.signal(signal);
        assert!(devnet.ended().is_some_and(|status| status.success()), "{signal}");
        let mut again = Devnet::start(&["--load-state", path.to_str().unwrap()]);
        let address = again.address();
        let height = answer(&address, "eth_blockNumber", "[]");
        assert!(height.contains("result") && !height.contains(r#""0x0""#), "{height}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn requests_wait_for_loaded_state() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let mut first = Devnet::start(&["--dump-state", state.to_str().unwrap()]);
    let address = first.address();
    answer(&address, "anvil_mine", "[7]");
    first.signal("-INT");
    assert!(first.ended().is_some());

    // Opening the pipe blocks until the devnet opens it too, to read the state.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut again = Devnet(
        Command::new(env!("CARGO_BIN_EXE_enshrine"))
            .args(["devnet", "--port", &free.port().to_string(), "--load-state"])
            .arg(&pipe)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut written = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    assert!(TcpStream::connect(free).is_err(), "the devnet listens before it has read the state");
    written.write_all(&std::fs::read(&state).unwrap()).unwrap();
    drop(written);
    let height = answer(&again.address(), "eth_blockNumber", "[]");
    assert!(height.contains(r#""0x7""#), "{height}");
}

#[test]
fn second_signal_stops_despite_blocked_state_write() {
    let folder = tempfile::tempdir().unwrap();
    // A pipe without a reader at the path of the temporary file: opening it blocks forever.
    let pipe = folder.path().join("state.tmp");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = folder.path().join("state.json");
    let mut devnet = Devnet::start(&["--dump-state", path.to_str().unwrap()]);
    devnet.address();
    // Signals in quick succession may be merged.
    for _ in 0..RETRY_TIMEOUT.as_millis() / PAUSE.as_millis() {
        devnet.signal("-INT");
        if let Some(status) = devnet.0.try_wait().unwrap() {
            assert_eq!(status.code(), Some(130));
            return;
        }
        thread::sleep(PAUSE);
    }
    panic!("the devnet does not stop");
}
