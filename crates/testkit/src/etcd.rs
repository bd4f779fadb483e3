//! An etcd cluster of processes on loopback addresses.

use crate::{
    Certificates, HarnessError, Identity, Timeout, free_port, peers::PeerNetwork, say_skipped,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

/// Time limit of a request to a member.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A cluster of etcd, whose processes are killed when this value is dropped.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Member>,
    network: PeerNetwork,
    folder: TempDir,
    has_tls: bool,
}

#[derive(Debug)]
struct Member {
    process: Option<Child>,
    client: u16,
    peer: u16,
    /// Time by which each `fsync` of the member is delayed.
    disk_delay: Duration,
    /// Port of plain HTTP for the member's health, also with TLS.
    health: u16,
}

impl Etcd {
    /// Starts a cluster without TLS, and waits until it has a leader. Returns `None`, and reports
    /// that `what` is skipped, if etcd is not installed.
    pub fn start(count: usize, what: &str) -> Result<Option<Self>, HarnessError> {
        Self::start_with(count, what, None)
    }

    /// Like [`Self::start`], with TLS: the members have this certificate, and require one of the
    /// authority from clients.
    pub fn start_with_tls(
        count: usize,
        what: &str,
        authority: &Certificates,
        server: &Identity,
    ) -> Result<Option<Self>, HarnessError> {
        Self::start_with(count, what, Some((authority, server)))
    }

    fn start_with(
        count: usize,
        what: &str,
        tls: Option<(&Certificates, &Identity)>,
    ) -> Result<Option<Self>, HarnessError> {
        let version = Command::new("etcd").arg("--version").output();
        if !version.is_ok_and(|output| output.status.success()) {
            say_skipped(&format!("{what}: etcd is not installed (Debian's `etcd-server`)"));
            return Ok(None);
        }
        let folder = TempDir::new().map_err(|error| process_failed(error, "etcd"))?;
        if let Some((authority, server)) = tls {
            for (name, text) in [
                ("ca.pem", &authority.authority()),
                ("server.pem", &server.certificate),
                ("server.key", &server.key),
            ] {
                write(&folder.path().join(name), text)?;
            }
        }
        let mut members = Vec::new();
        for _ in 0..count {
            let port = || free_port().map_err(|error| process_failed(error, "etcd"));
            let (client, peer, health) = (port()?, port()?, port()?);
            let disk_delay = Duration::ZERO;
            members.push(Member { process: None, client, peer, disk_delay, health });
        }
        let network = PeerNetwork::start(count).map_err(|error| process_failed(error, "etcd"))?;
        let mut etcd = Self { members, network, folder, has_tls: tls.is_some() };
        for member in 0..count {
            etcd.restart(member)?;
        }
        etcd.until_healthy()?;
        Ok(Some(etcd))
    }

    /// Port of each member for clients.
    pub fn ports(&self) -> Vec<u16> {
        self.members.iter().map(|member| member.client).collect()
    }

    /// URL of each member for clients.
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.has_tls { "https" } else { "http" };
        self.ports().iter().map(|port| format!("{scheme}://127.0.0.1:{port}")).collect()
    }

    /// Kills a member (SIGKILL), which keeps its data.
    pub fn kill(&mut self, member: usize) {
        if let Some(mut process) = self.members[member].process.take() {
            // Ignore the error if the process has already exited.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Delays each `fsync` of a member from its next start on, like a slow disk. Returns `false`,
    /// and reports that `what` is skipped, if strace is not installed: etcd makes system calls
    /// without libc, so a preloaded library cannot delay them.
    pub fn slow_disk(&mut self, member: usize, delay: Duration, what: &str) -> bool {
        let version = Command::new("strace").arg("--version").output();
        let is_installed = version.is_ok_and(|output| output.status.success());
        if is_installed {
            self.members[member].disk_delay = delay;
        } else {
            say_skipped(&format!("{what}: strace is not installed"));
        }
        is_installed
    }

    /// Sets the latency of the links between members in each direction. Open connections are
    /// closed.
    pub fn delay_links(&self, latency: Duration) {
        self.network.delay(latency);
    }

    /// Cuts these links between members, in both directions, and mends all others. Clients still
    /// reach all members.
    pub fn cut(&self, links: &[(usize, usize)]) {
        self.network.cut(links);
    }

    /// Starts a killed member with its data.
    pub fn restart(&mut self, member: usize) -> Result<(), HarnessError> {
        let folder = self.folder.path();
        let scheme = if self.has_tls { "https" } else { "http" };
        let peer_url =
            |at: usize| format!("http://{}:{}", PeerNetwork::host(at), self.members[at].peer);
        let cluster: Vec<_> = (0..self.members.len())
            .map(|member| format!("member-{member}={}", peer_url(member)))
            .collect();
        let Member { client, peer, disk_delay, health, .. } = &self.members[member];
        let client = format!("{scheme}://127.0.0.1:{client}");
        let (peer, advertised) = (format!("http://127.0.0.1:{peer}"), peer_url(member));
        let mut command = match disk_delay.is_zero() {
            true => Command::new("etcd"),
            false => delayed(*disk_delay),
        };
        command
            .args(["--name", &format!("member-{member}"), "--data-dir"])
            .arg(folder.join(member.to_string()))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &advertised])
            .args(["--initial-cluster", &cluster.join(","), "--initial-cluster-state", "new"])
            .args(["--listen-metrics-urls", &format!("http://127.0.0.1:{health}")])
            .args(["--logger", "zap", "--log-level", "error"])
            .env("HTTP_PROXY", self.network.proxy(member))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy");
        if self.has_tls {
            command.arg("--client-cert-auth");
            for (flag, file) in [
                ("--trusted-ca-file", "ca.pem"),
                ("--cert-file", "server.pem"),
                ("--key-file", "server.key"),
            ] {
                command.arg(flag).arg(folder.join(file));
            }
        }
        let streams = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = streams.spawn().map_err(|error| process_failed(error, "etcd"))?;
        self.members[member].process = Some(process);
        Ok(())
    }

    /// Suspends a member (SIGSTOP) until it is [resumed](Self::resume).
    pub fn pause(&self, member: usize) -> Result<(), HarnessError> {
        self.signal(member, "STOP")
    }

    /// Resumes a member (SIGCONT).
    pub fn resume(&self, member: usize) -> Result<(), HarnessError> {
        self.signal(member, "CONT")
    }

    fn signal(&self, member: usize, name: &str) -> Result<(), HarnessError> {
        let Some(process) = &self.members[member].process else { return Ok(()) };
        let id = process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        let status = status.map_err(|error| process_failed(error, "kill"))?;
        if status.success() { Ok(()) } else { Err(HarnessError::Ended(status)) }
    }

    /// Waits until all members report that the cluster has a leader.
    pub fn until_healthy(&self) -> Result<(), HarnessError> {
        let timeout = Timeout::begin();
        let is_healthy = |member: &Member| {
            let answer = request(member.health, "GET", "/health", "");
            answer.is_some_and(|health| health["health"] == json!("true"))
        };
        while !self.members.iter().all(is_healthy) {
            if !timeout.lasts() {
                return Err(HarnessError::Silent(Timeout::LIMIT));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Sends a request to the gateway of a member without TLS; `None` if it does not respond.
    pub fn post(&self, member: usize, path: &str, body: &Value) -> Option<Value> {
        request(self.members[member].client, "POST", path, &body.to_string())
    }

    /// Returns the index of the cluster's leader, if a member responds and reports one.
    pub fn leader(&self) -> Option<usize> {
        let running = (0..self.members.len()).filter(|at| self.members[*at].process.is_some());
        running.into_iter().find(|at| {
            let status = self.post(*at, "/v3/maintenance/status", &json!({}));
            status.is_some_and(|status| {
                status["leader"].is_string() && status["leader"] == status["header"]["member_id"]
            })
        })
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in 0..self.members.len() {
            self.kill(member);
        }
    }
}

/// Returns the command of an etcd with a delayed `fsync`. strace runs as a separate process (`-D`),
/// so that signals reach etcd.
fn delayed(by: Duration) -> Command {
    let mut command = Command::new("strace");
    let delay = format!("inject=fsync,fdatasync:delay_enter={}", by.as_micros());
    command.args([
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
    ]);
    command.args(["-e", &delay, "etcd"]);
    command
}

/// Sends a request of HTTP/1.0, after whose response the server closes the connection.
fn request(port: u16, method: &str, path: &str, body: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

fn process_failed(error: std::io::Error, program: &str) -> HarnessError {
    HarnessError::Process { program: program.to_owned(), error }
}

fn write(path: &Path, text: &str) -> Result<(), HarnessError> {
    fs::write(path, text).map_err(|error| HarnessError::Io { path: path.to_owned(), error })
}
