//! The admin port: role changes of a running node, and the switches for sealing and posting.

use crate::{
    AdminConfig, AdminToken, Switches,
    rpc::error::{AdminPortError, RoleError},
    service::node_handle::NodeHandle,
    status::num_hash,
};
use alloy_eips::BlockNumHash;
use alloy_provider::{ProviderBuilder, WsConnect, network::Ethereum};
use rpc::{
    Access, AccessToken, Context, ErrorStyle, Registry, RpcError, RunningServer, ServerConfig,
    Workers,
};
use rpc_types::{
    Role,
    methods::{self, Method},
};
use sdk::RollupApi as _;
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

/// Maximum wait until the worker thread begins a command. The worker may be waiting for L1.
const ROLE_CHANGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout of a request for another node's role.
const PEER_TIMEOUT: Duration = Duration::from_secs(3);

/// Command of an operator to the worker thread.
#[derive(Debug)]
pub(crate) enum AdminCommand {
    /// Makes the node the sequencer. `force` skips the check for pending transactions of the
    /// account on L1.
    Promote { force: bool },
    /// Makes the node a follower of `sequencer`, if given.
    Demote { sequencer: Option<String> },
}

/// A command, and the channel for its result.
#[derive(Debug)]
pub(crate) struct AdminRequest {
    command: AdminCommand,
    responder: SyncSender<Result<BlockNumHash, RoleError>>,
    /// Set by the side that begins or withdraws the command, whichever is first.
    is_settled: Arc<AtomicBool>,
}

impl AdminRequest {
    /// Begins the command; `None` if it was withdrawn.
    pub(crate) fn begin(self) -> Option<(AdminCommand, Responder)> {
        // Only one side wins the swap, so a command that was reported as withdrawn is never
        // executed.
        let is_withdrawn = self.is_settled.swap(true, Ordering::SeqCst);
        (!is_withdrawn).then_some((self.command, Responder(self.responder)))
    }
}

/// Channel for the result of a command.
#[derive(Debug)]
pub(crate) struct Responder(SyncSender<Result<BlockNumHash, RoleError>>);

impl Responder {
    /// Sends the result to the operator.
    pub(crate) fn send(self, outcome: Result<BlockNumHash, RoleError>) {
        // The command was executed even if the operator has disconnected.
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
        let (commands, requests) = channel();
        (Self { commands, shared }, requests)
    }

    fn send(&self, command: AdminCommand) -> Result<PendingCommand, RoleError> {
        let (responder, response) = sync_channel(1);
        let is_settled = Arc::<AtomicBool>::default();
        let pending = PendingCommand { response, is_settled: Arc::clone(&is_settled) };
        self.commands
            .send(AdminRequest { command, responder, is_settled })
            .map_err(|_| RoleError::Silent)?;
        Ok(pending)
    }
}

/// A command that was sent to the worker thread.
#[derive(Debug)]
struct PendingCommand {
    response: Receiver<Result<BlockNumHash, RoleError>>,
    is_settled: Arc<AtomicBool>,
}

impl PendingCommand {
    /// Waits for the role change, and returns the L2 head at that time. Withdraws the command if it
    /// does not begin in time.
    fn outcome(&self, timeout: Duration) -> Result<BlockNumHash, RoleError> {
        match self.response.recv_timeout(timeout) {
            Ok(done) => done,
            // The worker has begun the command, which ends because each request to L1 has a
            // timeout.
            Err(_) if self.is_settled.swap(true, Ordering::SeqCst) => {
                self.response.recv().map_err(|_| RoleError::Silent)?
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

type Switch = fn(&mut Switches);

/// Methods that set the switches of a sequencer; each returns all switches.
const SWITCHES: [(Method<rpc_types::Switches>, Switch); 4] = [
    (methods::START_SEALING, |switches| switches.sealing = true),
    (methods::STOP_SEALING, |switches| switches.sealing = false),
    (methods::START_POSTING, |switches| switches.posting = true),
    (methods::STOP_POSTING, |switches| switches.posting = false),
];

/// Returns an error if the address of the admin port is not a loopback address.
pub(crate) fn check(config: Option<&AdminConfig>) -> Result<(), AdminPortError> {
    let address = config.map(|config| config.address);
    let Some(address) = address.filter(|address| !address.ip().is_loopback()) else {
        return Ok(());
    };
    let reason = format!("{address} is reachable from other machines: use a loopback address");
    Err(AdminPortError::Config { field: "admin_addr", reason })
}

impl AdminToken {
    /// Returns the token. Creates its file if it does not exist.
    fn load(&self) -> Result<AccessToken, AdminPortError> {
        let path = match self {
            Self::Given(token) => return Ok(token.clone()),
            Self::File(path) => path,
        };
        let failed = |reason: String| AdminPortError::Config {
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
                tracing::info!(path = %path.display(), "created token file of the admin port");
                Ok(token)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

/// Reads the start of a file. The length is limited because the path may be that of a device.
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

/// Serves the admin methods at a [checked](check) address.
///
/// # Errors
///
/// [`AdminPortError`] if the token cannot be read, or the server cannot listen on the address.
pub(crate) async fn serve(
    config: &AdminConfig,
    commands: AdminHandle,
    workers: Arc<Workers>,
) -> Result<RunningServer, AdminPortError> {
    let mut registry = Registry::new(Arc::new(commands), workers, ErrorStyle::Geth);
    registry.execute(methods::PROMOTE, |commands: &AdminHandle, args| {
        let force = args.optional()?.unwrap_or(false);
        commands
            .send(AdminCommand::Promote { force })
            .and_then(|change| change.outcome(ROLE_CHANGE_TIMEOUT))
            .map(num_hash)
            .map_err(refused)
    });
    registry.execute(methods::DEMOTE, |commands: &AdminHandle, args| {
        let sequencer = args.optional()?;
        commands
            .send(AdminCommand::Demote { sequencer })
            .and_then(|change| change.outcome(ROLE_CHANGE_TIMEOUT))
            .map(num_hash)
            .map_err(refused)
    });
    registry.inline(methods::STATUS, |commands: &AdminHandle, _| {
        Ok(switches(commands.shared.controls.get()))
    });
    for (name, change) in SWITCHES {
        registry.execute(name, move |commands: &AdminHandle, _| {
            let changed = commands.shared.controls.set(change);
            changed.map(switches).map_err(|error| {
                RpcError::internal(format!("failed to store the switches: {error}"))
            })
        });
    }
    let AdminConfig { address, token } = config;
    let config = ServerConfig {
        hosts: vec![address.ip()],
        port: address.port(),
        // Web pages in a browser on this machine can reach the address, even under another name
        // (DNS rebinding). They do not know the token, and cannot omit the Origin header.
        access: Access::local(Some(token.load()?)),
        // An operator needs few connections. More are a mistake or a local attack.
        max_connections: 8,
        ..ServerConfig::default()
    };
    Ok(RunningServer::start_with_pages(&config, registry.into_methods(), None).await?)
}

const fn switches(switches: Switches) -> rpc_types::Switches {
    let Switches { sealing, posting } = switches;
    rpc_types::Switches { sealing, posting }
}

#[allow(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn refused(error: RoleError) -> RpcError {
    RpcError { data: error.data(), ..RpcError::new(error.code(), error.to_string()) }
}

/// Returns the number of the newest block of the node at a URL, if it is a sequencer. A node that
/// does not respond counts as a follower.
pub(crate) async fn sequencer_at(url: &str) -> Option<u64> {
    let request = async {
        let provider =
            ProviderBuilder::<_, _, Ethereum>::default().connect_ws(WsConnect::new(url)).await?;
        provider.rollup_sync_status().await
    };
    // A node that has failed must not block the promotion of its standby.
    let status = tokio::time::timeout(PEER_TIMEOUT, request).await.ok()?.ok()?;
    (status.role == Role::Sequencer).then_some(status.unsafe_head.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use std::thread;

    const HEAD: BlockNumHash = BlockNumHash { number: 7, hash: B256::ZERO };

    #[test]
    fn timed_out_order_is_not_carried_out_later() {
        let (commands, requests) = AdminHandle::new(Arc::default());
        let pending = commands.send(AdminCommand::Promote { force: true }).unwrap();
        let error = pending.outcome(Duration::ZERO).unwrap_err();
        assert!(matches!(error, RoleError::Silent), "{error}");
        assert_eq!(refused(error).code, -32_029);
        assert!(requests.recv().unwrap().begin().is_none(), "it was withdrawn");

        // There is no timeout for a command that has begun in time.
        let pending = commands.send(AdminCommand::Promote { force: false }).unwrap();
        let (goes_on, waits) = channel();
        let (begun, begins) = channel();
        let works = thread::spawn(move || {
            let (_, responder) = requests.recv().unwrap().begin().unwrap();
            begun.send(()).unwrap();
            waits.recv().unwrap();
            responder.send(Ok(HEAD));
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
