//! The admin port: role changes of a running node, and the switches for sealing and posting.

use crate::{AdminConfig, AdminToken, RollupError, Switches, service::node_handle::NodeHandle};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, U256};
use alloy_provider::{Provider as _, ProviderBuilder, WsConnect, network::Ethereum};
use client::RedactedUrl;
use rpc::{
    Access, AccessToken, Context, ErrorStyle, Registry, RpcError, RunningServer, ServerConfig,
    Workers,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    time::Duration,
};

/// Maximum wait until the worker thread begins a command; it may itself be waiting for L1.
const ROLE_CHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout of a request for another node's role.
const PEER_TIMEOUT: Duration = Duration::from_secs(3);

/// Reason why a node refuses to change its role.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The node already has the role.
    #[error("this node is a {got} already")]
    Already {
        /// Role of the node.
        got: &'static str,
    },
    /// The node has no sequencer configuration, and so no keys to sign with.
    #[error("this node was started without the keys of a sequencer")]
    NoKeys,
    /// The node is not synced with L1, or has a fault.
    #[error("L1 is read up to block {got} of {expected}{}", fault.as_ref().map(|it| format!(": {it}")).unwrap_or_default())]
    NotSynced {
        /// Newest L1 block that the node has read.
        got: u64,
        /// Newest L1 block.
        expected: u64,
        /// The node's fault, if it has one.
        fault: Option<String>,
    },
    /// The sequencer that the node follows is running.
    #[error("{url} is the sequencer, with head {head}: stop or demote it first")]
    SequencerLives {
        /// URL of that node.
        url: RedactedUrl,
        /// Number of its newest block.
        head: u64,
    },
    /// The account has pending transactions on L1, sent by the node that used the key before.
    #[error(
        "the account that advances has nonce {got} on L1, and {expected} with its pending transactions"
    )]
    Nonce {
        /// Nonce at L1's newest block.
        got: u64,
        /// Nonce after the pending transactions.
        expected: u64,
    },
    /// The account has too little ETH on L1.
    #[error("{account} has {got} wei on L1, expected at least {expected}")]
    Funds {
        /// Account that pays for L1 transactions.
        account: Address,
        /// Its balance in wei.
        got: U256,
        /// Minimum balance in wei.
        expected: U256,
    },
    /// The sequencing policy does not allow the account to advance now.
    #[error("{account} may not advance the rollup now: {reason}")]
    NotAuthorized {
        /// The account.
        account: Address,
        /// The policy's reason.
        reason: String,
    },
    /// L1 does not answer, or the node cannot start in its new role.
    #[error("not ready: {0}")]
    Unready(RollupError),
    /// Another node has the lease, or etcd does not answer. The node leads as soon as it gets the
    /// lease.
    #[error("{} has the lease: this node leads once it gets it", leader.as_ref().map_or_else(|| "no known node".to_owned(), ToString::to_string))]
    NoLease {
        /// WebSocket URL of the node that has the lease, if it is known.
        leader: Option<RedactedUrl>,
    },
    /// The worker thread has ended, or did not begin the command in time; the command is withdrawn.
    #[error("the node is busy, perhaps waiting for L1: its role was not changed")]
    Silent,
}

impl From<RollupError> for RoleError {
    fn from(error: RollupError) -> Self {
        match error {
            RollupError::Funds { account, balance: got, cost: expected } => {
                Self::Funds { account, got, expected }
            }
            RollupError::NotAuthorized { account, reason } => {
                Self::NotAuthorized { account, reason }
            }
            other => Self::Unready(other),
        }
    }
}

impl RoleError {
    /// JSON-RPC error code, one for each reason.
    const fn code(&self) -> i32 {
        match self {
            Self::Already { .. } => -32_021,
            Self::NoKeys => -32_022,
            Self::NotSynced { .. } => -32_023,
            Self::SequencerLives { .. } => -32_024,
            Self::Nonce { .. } => -32_025,
            Self::Funds { .. } => -32_026,
            Self::NotAuthorized { .. } => -32_027,
            Self::Unready(_) => -32_028,
            Self::Silent => -32_029,
            Self::NoLease { .. } => -32_030,
        }
    }

    /// Found and expected values for the `data` field of the JSON-RPC error.
    fn data(&self) -> Option<Value> {
        Some(match self {
            Self::Already { got } => json!({ "got": got }),
            Self::NotSynced { got, expected, fault } => {
                json!({ "got": got, "expected": expected, "fault": fault })
            }
            Self::SequencerLives { url, head } => json!({ "url": url, "head": head }),
            Self::Nonce { got, expected } => json!({ "got": got, "expected": expected }),
            Self::Funds { account, got, expected } => {
                json!({ "account": account, "got": got, "expected": expected })
            }
            Self::NotAuthorized { account, reason } => {
                json!({ "account": account, "reason": reason })
            }
            Self::Unready(error) => json!({ "reason": error.to_string() }),
            Self::NoLease { leader } => json!({ "leader": leader }),
            Self::NoKeys | Self::Silent => return None,
        })
    }
}

/// Command of an operator to the worker thread.
#[derive(Debug)]
pub(crate) enum AdminCommand {
    /// Makes the node the sequencer. `force` skips the check for pending transactions of the
    /// account on L1.
    Promote { force: bool },
    /// Makes the node a follower, of this sequencer if there is one.
    Demote { sequencer: Option<String> },
}

/// A command, and the channel for its result.
#[derive(Debug)]
pub(crate) struct AdminRequest {
    command: AdminCommand,
    answer: SyncSender<Result<BlockNumHash, RoleError>>,
    /// Set by the side that begins or withdraws the command first.
    is_settled: Arc<AtomicBool>,
}

impl AdminRequest {
    /// Begins the command; `None` if it was withdrawn.
    pub(crate) fn begin(self) -> Option<(AdminCommand, Responder)> {
        // The swap has one winner, so a command that the operator was told is withdrawn is never
        // carried out.
        let is_withdrawn = self.is_settled.swap(true, Ordering::SeqCst);
        (!is_withdrawn).then_some((self.command, Responder(self.answer)))
    }
}

/// Channel for the result of a command that was begun.
#[derive(Debug)]
pub(crate) struct Responder(SyncSender<Result<BlockNumHash, RoleError>>);

impl Responder {
    /// Sends the result to the operator.
    pub(crate) fn send(self, outcome: Result<BlockNumHash, RoleError>) {
        // The command was carried out even if the operator has disconnected.
        let _ = self.0.send(outcome);
    }
}

/// Sender of commands to the worker thread.
#[derive(Debug, Clone)]
pub(crate) struct AdminHandle {
    commands: Sender<AdminRequest>,
    shared: Arc<NodeHandle>,
}

impl AdminHandle {
    /// Returns a handle and the receiver of its commands.
    pub(crate) fn new(shared: Arc<NodeHandle>) -> (Self, Receiver<AdminRequest>) {
        let (commands, asked) = channel();
        (Self { commands, shared }, asked)
    }

    fn send(&self, command: AdminCommand) -> Result<PendingCommand, RoleError> {
        let (answer, answered) = sync_channel(1);
        let is_settled = Arc::<AtomicBool>::default();
        let pending = PendingCommand { answered, is_settled: Arc::clone(&is_settled) };
        self.commands
            .send(AdminRequest { command, answer, is_settled })
            .map_err(|_| RoleError::Silent)?;
        Ok(pending)
    }
}

/// A command that was sent to the worker thread.
#[derive(Debug)]
struct PendingCommand {
    answered: Receiver<Result<BlockNumHash, RoleError>>,
    is_settled: Arc<AtomicBool>,
}

impl PendingCommand {
    /// Waits for the role change, and returns the L2 head at which it happened. Withdraws the command
    /// if it does not begin in time.
    fn outcome(&self, patience: Duration) -> Result<BlockNumHash, RoleError> {
        match self.answered.recv_timeout(patience) {
            Ok(done) => done,
            // The worker has begun the command. Each request to L1 has a timeout, so it will end.
            Err(_) if self.is_settled.swap(true, Ordering::SeqCst) => {
                self.answered.recv().map_err(|_| RoleError::Silent)?
            }
            Err(_) => Err(RoleError::Silent),
        }
    }
}

impl Context for AdminHandle {
    fn reads_may_wait(&self) -> bool {
        true
    }
}

/// Change of the switches.
type Switch = fn(&mut Switches);

/// Methods that set the switches of a sequencer; each returns all switches.
const SWITCHES: [(&str, Switch); 4] = [
    ("admin_startSealing", |switches| switches.sealing = true),
    ("admin_stopSealing", |switches| switches.sealing = false),
    ("admin_startPosting", |switches| switches.posting = true),
    ("admin_stopPosting", |switches| switches.posting = false),
];

/// Returns an error if the address of the admin port is not a loopback address.
pub(crate) fn check(config: Option<&AdminConfig>) -> Result<(), RollupError> {
    let address = config.map(|config| config.address);
    let Some(address) = address.filter(|address| !address.ip().is_loopback()) else {
        return Ok(());
    };
    let reason = format!("{address} can be reached from other machines: give a loopback address");
    Err(RollupError::Config { field: "admin_addr", reason })
}

impl AdminToken {
    /// Returns the token; creates its file if there is none.
    fn load(&self) -> Result<AccessToken, RollupError> {
        let path = match self {
            Self::Given(token) => return Ok(token.clone()),
            Self::File(path) => path,
        };
        let failed = |reason: String| RollupError::Config {
            field: "admin_token",
            reason: format!("{}: {reason}", path.display()),
        };
        match read_start(path) {
            Ok(text) => AccessToken::parse(&text).ok_or_else(|| {
                failed("expected a token of 32 to 1024 visible ASCII characters".to_owned())
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = AccessToken::random();
                create(path, &token).map_err(|error| failed(error.to_string()))?;
                tracing::info!(path = %path.display(), "created token of the admin port");
                Ok(token)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

/// Reads the start of a file: a token is short, and the path may be that of a device.
fn read_start(path: &Path) -> io::Result<String> {
    const LONGEST: u64 = 2 << 10;
    let mut text = String::new();
    fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a token into a new file that only this user can read.
fn create(path: &Path, token: &AccessToken) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", token.expose())?;
    file.sync_all()
}

/// Serves the admin methods at an address that was [checked](check).
///
/// # Errors
///
/// [`RollupError`] if the token cannot be read, or the server cannot listen on the address.
pub(crate) async fn serve(
    config: &AdminConfig,
    commands: AdminHandle,
    workers: Arc<Workers>,
) -> Result<RunningServer, RollupError> {
    let mut methods = Registry::new(Arc::new(commands), workers, ErrorStyle::Geth);
    methods.execute("rollup_promote", |commands: &AdminHandle, args| {
        let force = args.optional()?.unwrap_or(false);
        commands
            .send(AdminCommand::Promote { force })
            .and_then(|it| it.outcome(ROLE_CHANGE_TIMEOUT))
            .map_err(refused)
    });
    methods.execute("rollup_demote", |commands: &AdminHandle, args| {
        let sequencer = args.optional()?;
        commands
            .send(AdminCommand::Demote { sequencer })
            .and_then(|it| it.outcome(ROLE_CHANGE_TIMEOUT))
            .map_err(refused)
    });
    methods.inline("admin_status", |commands: &AdminHandle, _| Ok(commands.shared.controls.get()));
    for (name, change) in SWITCHES {
        methods.execute(name, move |commands: &AdminHandle, _| {
            let kept = commands.shared.controls.set(change);
            kept.map_err(|error| RpcError::internal(format!("cannot store the change: {error}")))
        });
    }
    let AdminConfig { address, token } = config;
    let config = ServerConfig {
        hosts: vec![address.ip()],
        port: address.port(),
        // Pages in a browser on this machine can reach the address, even under another name (DNS
        // rebinding). They do not know the token, and cannot omit the Origin header.
        access: Access::local(Some(token.load()?)),
        // An operator needs few connections; more are a mistake or an attack from this machine.
        max_connections: 8,
        ..ServerConfig::default()
    };
    Ok(RunningServer::start_with_pages(&config, methods.into_methods(), None).await?)
}

#[allow(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn refused(error: RoleError) -> RpcError {
    RpcError { data: error.data(), ..RpcError::new(error.code(), error.to_string()) }
}

/// Fields of another node's `rollup_syncStatus` that a role change needs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeerStatus {
    role: String,
    unsafe_head: PeerHead,
}

#[derive(Debug, Deserialize)]
struct PeerHead {
    number: u64,
}

/// Returns the number of the newest block of the node at a URL if it is a sequencer. A node that
/// does not answer counts as a follower.
pub(crate) async fn sequencer_at(url: &str) -> Option<u64> {
    let asked = async {
        let provider =
            ProviderBuilder::<_, _, Ethereum>::default().connect_ws(WsConnect::new(url)).await?;
        provider.raw_request::<_, PeerStatus>("rollup_syncStatus".into(), ()).await
    };
    // A dead node must not keep its standby from taking over.
    let status = tokio::time::timeout(PEER_TIMEOUT, asked).await.ok()?.ok()?;
    (status.role == "sequencer").then_some(status.unsafe_head.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use std::thread;

    const HEAD: BlockNumHash = BlockNumHash { number: 7, hash: B256::ZERO };

    #[test]
    fn timed_out_order_is_not_carried_out_later() {
        let (commands, asked) = AdminHandle::new(Arc::default());
        let pending = commands.send(AdminCommand::Promote { force: true }).unwrap();
        let error = pending.outcome(Duration::ZERO).unwrap_err();
        assert!(matches!(error, RoleError::Silent), "{error}");
        assert_eq!(refused(error).code, -32_029);
        assert!(asked.recv().unwrap().begin().is_none(), "it was withdrawn");

        // A command that was begun in time is waited for, however long it takes.
        let pending = commands.send(AdminCommand::Promote { force: false }).unwrap();
        let (goes_on, waits) = channel();
        let (begun, begins) = channel();
        let works = thread::spawn(move || {
            let (_, answer) = asked.recv().unwrap().begin().unwrap();
            begun.send(()).unwrap();
            waits.recv().unwrap();
            answer.send(Ok(HEAD));
        });
        begins.recv().unwrap();
        let waiting = thread::spawn(move || pending.outcome(Duration::ZERO));
        goes_on.send(()).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), HEAD);

        // The worker has ended.
        works.join().unwrap();
        assert!(matches!(
            commands.send(AdminCommand::Demote { sequencer: None }),
            Err(RoleError::Silent)
        ));
    }
}
