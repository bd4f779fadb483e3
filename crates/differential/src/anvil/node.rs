//! Nodes as processes: started on a free port, called over HTTP, killed when dropped.

use alloy_transport::TransportError;
use client::{Client, ClientError, ClientOptions};
use serde_json::{Value, json};
use std::{
    fs::OpenOptions,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use testkit::free_port;

/// Timeout for a node's first response.
const START: Duration = Duration::from_secs(30);

/// Command that starts one of the two nodes.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Name in the report.
    pub name: String,
    /// The executable.
    pub program: PathBuf,
    /// Arguments before those of a script, such as a subcommand.
    pub arguments: Vec<String>,
    /// File to which the node appends its log, and the log filter in the format of `RUST_LOG`.
    pub log: Option<(PathBuf, &'static str)>,
}

/// Reason why a node could not be started or called.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The process could not be started or monitored.
    #[error("cannot run {program}: {source}")]
    Process {
        /// The executable.
        program: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The node ended before its first response.
    #[error("{name} ended before it answered: {status}")]
    Ended {
        /// The node.
        name: String,
        /// Exit status of the node.
        status: String,
    },
    /// The node runs but does not respond.
    #[error("{name} did not answer within {} s", START.as_secs())]
    Silent {
        /// The node.
        name: String,
    },
    /// The client for the node could not be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A request failed below JSON-RPC.
    #[error("{method} to {name}: {source}")]
    Transport {
        /// The node.
        name: String,
        /// The method.
        method: String,
        /// Error of the client.
        source: ClientError,
    },
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    name: String,
    client: Client,
    process: Child,
}

impl Node {
    /// Starts a node and waits for its first response.
    ///
    /// # Errors
    ///
    /// Any [`NodeError`]; the process has been killed then.
    pub fn start(launch: &Launch, arguments: &[String]) -> Result<Self, NodeError> {
        let program = launch.program.clone();
        let failed = |source| NodeError::Process { program: program.clone(), source };
        let port = free_port().map_err(failed)?;
        let client = Client::new(&format!("http://127.0.0.1:{port}"), ClientOptions::default())?;
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .args(["--port", &port.to_string(), "--silent"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some((path, levels)) = &launch.log {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
            command.stderr(file).env("RUST_LOG", levels);
        }
        let process = command.spawn().map_err(failed)?;
        let mut node = Self { name: launch.name.clone(), client, process };
        let begun = Instant::now();
        loop {
            if node.call("web3_clientVersion", &json!([])).is_ok() {
                return Ok(node);
            }
            if let Some(status) = node.process.try_wait().map_err(failed)? {
                return Err(NodeError::Ended {
                    name: node.name.clone(),
                    status: status.to_string(),
                });
            }
            if begun.elapsed() > START {
                return Err(NodeError::Silent { name: node.name.clone() });
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Returns the URL of the node.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// Sends a request, and returns an object with the `result` or `error` member of the response.
    ///
    /// # Errors
    ///
    /// [`NodeError::Transport`] if the response is not JSON.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value, NodeError> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut answer = self.post(method, &request.to_string())?;
        for member in ["error", "result"] {
            if let Some(value) = answer.get_mut(member) {
                return Ok(json!({ member: value.take() }));
            }
        }
        Ok(answer)
    }

    /// Sends a body unchanged.
    ///
    /// # Errors
    ///
    /// [`NodeError::Transport`] if the response is not JSON.
    pub fn post(&self, method: &str, body: &str) -> Result<Value, NodeError> {
        let failed = |source| NodeError::Transport {
            name: self.name.clone(),
            method: method.to_owned(),
            source,
        };
        // The raw response, including members that a typed client would ignore.
        let answer = self.client.post(body).map_err(failed)?;
        serde_json::from_slice(&answer)
            .map_err(|error| failed(TransportError::deser_err(error, method).into()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
