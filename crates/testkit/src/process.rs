//! Nodes as child processes.

use crate::{HarnessError, Timeout, free_port};
use client::{Client, ClientOptions};
use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::Duration,
};

/// Maximum time until the first response of a node.
const START: Duration = Duration::from_secs(120);

/// A node process, which is killed when this value is dropped.
#[derive(Debug)]
pub struct NodeProcess {
    process: Child,
    address: SocketAddr,
    client: Client,
}

impl NodeProcess {
    /// Starts a node with `--port` and a free port appended to its arguments, and waits until it
    /// responds.
    pub fn start(command: &mut Command) -> Result<Self, HarnessError> {
        Self::start_at("--port", command)
    }

    /// Like [`Self::start`], with another flag for the port.
    pub fn start_at(flag: &str, command: &mut Command) -> Result<Self, HarnessError> {
        let mut node = Self::spawn_at(flag, command)?;
        node.until_ready()?;
        Ok(node)
    }

    /// Starts a node at a free port without waiting until it responds.
    pub fn spawn_at(flag: &str, command: &mut Command) -> Result<Self, HarnessError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |error| HarnessError::Process { program, error };
        Self::spawn_on(free_port().map_err(failed)?, flag, command)
    }

    /// Starts a node at this port without waiting until it responds.
    pub fn spawn_on(port: u16, flag: &str, command: &mut Command) -> Result<Self, HarnessError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |error| HarnessError::Process { program: program.clone(), error };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let client = Client::new(&format!("http://{address}"), ClientOptions::default())?;
        let process = command
            .args([flag, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        Ok(Self { process, address, client })
    }

    /// Waits until the node responds to `eth_chainId`.
    pub fn until_ready(&mut self) -> Result<(), HarnessError> {
        let timeout = Timeout::of(START);
        while self.client.request::<_, String>("eth_chainId", ()).is_err() {
            if let Some(status) = self.ended()? {
                return Err(HarnessError::Ended(status));
            }
            if !timeout.lasts() {
                return Err(HarnessError::Silent(START));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Returns the exit status if the process has exited.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, HarnessError> {
        let failed = |error| HarnessError::Process { program: "the node".to_owned(), error };
        self.process.try_wait().map_err(failed)
    }

    /// Returns the address of the node's RPC.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Limits the size of the node's files (RLIMIT_FSIZE): writing more fails, as on a full disk,
    /// if the node ignores SIGXFSZ, and kills it otherwise.
    pub fn limit_files(&self, bytes: u64) -> Result<(), HarnessError> {
        let failed = |error| HarnessError::Process { program: "prlimit".to_owned(), error };
        let (id, limit) = (self.process.id().to_string(), format!("--fsize={bytes}:"));
        let status = Command::new("prlimit").args(["--pid", &id, &limit]).status();
        let status = status.map_err(failed)?;
        if status.success() { Ok(()) } else { Err(HarnessError::Ended(status)) }
    }

    /// Kills the process (SIGKILL). Later requests fail.
    pub fn kill(&mut self) {
        // Ignore the error if the process has already exited.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Returns the CPU time of all threads of the process, in steps of 10 ms.
    pub fn cpu_time(&self) -> Result<Duration, HarnessError> {
        let text = self.proc("stat")?;
        // The name, in parentheses, may contain spaces. Fields 14 and 15 are user and system time
        // in hundredths of a second.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: u64 =
            fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(10 * ticks))
    }

    /// Returns the resident memory of the process, in bytes.
    pub fn resident_bytes(&self) -> Result<u64, HarnessError> {
        let text = self.proc("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.unwrap_or_default() << 10)
    }

    fn proc(&self, name: &str) -> Result<String, HarnessError> {
        let path = PathBuf::from(format!("/proc/{}/{name}", self.process.id()));
        fs::read_to_string(&path).map_err(|error| HarnessError::Io { path, error })
    }

    /// Suspends the process (SIGSTOP) until it is [resumed](Self::resume).
    pub fn pause(&self) -> Result<(), HarnessError> {
        self.signal("STOP")
    }

    /// Resumes the process (SIGCONT).
    pub fn resume(&self) -> Result<(), HarnessError> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> Result<(), HarnessError> {
        let failed = |error| HarnessError::Process { program: "kill".to_owned(), error };
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().map_err(failed)?;
        if status.success() { Ok(()) } else { Err(HarnessError::Ended(status)) }
    }

    /// Returns a client of the node's RPC.
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the path of the `enshrine` binary: `ENSHRINE_BIN`, or the one in the build directory of
/// this test.
///
/// It is not built here, because cargo would wait for the lock of the cargo that runs the test.
pub fn enshrine() -> Result<PathBuf, HarnessError> {
    if let Some(named) = env::var_os("ENSHRINE_BIN") {
        return Ok(named.into());
    }
    let missing = |error| HarnessError::Process { program: "enshrine".to_owned(), error };
    let here = env::current_exe().map_err(missing)?;
    let built = here.parent().and_then(Path::parent).map(|target| target.join("enshrine"));
    built.filter(|path| path.is_file()).ok_or(HarnessError::NoBinary)
}
