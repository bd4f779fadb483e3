//! Shared parts of the client tests: devnets, tools, and an input for EXECUTE.
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::U256;
use chain::{BlockAttributes, Chain, ChainConfig, empty_genesis};
use client::{Client, ClientError, ClientOptions};
use enshrine_devnet::{Devnet, DevnetBuilder, DevnetConfig};
use executor::ChainSpec;
use serde_json::{Value, json};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};
use tempfile::TempDir;
use testkit::{Key, send_http};
use tokio::runtime::{Builder, Runtime};
use toolchain::{Toolchain, progress_to_stderr};
use wire::ProtocolFork;

/// Creation code of the contract that the parity scripts use.
/// An account without code or ether.
pub(crate) const SINK: &str = "0x00000000000000000000000000000000000000aa";
pub(crate) const PROBE: &str = include_str!("../../../../differential/anvil/contracts/Probe.hex");

pub(crate) static TOOLS: LazyLock<Toolchain> =
    LazyLock::new(|| Toolchain::ensure(&progress_to_stderr).expect("the tools are installed"));

static HOME: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

/// A devnet that is stopped when dropped.
pub(crate) struct Served {
    pub(crate) devnet: Devnet,
    pub(crate) client: Client,
    _runtime: Runtime,
}

/// Starts a devnet with mainnet's rules that verifies each block from its own witness.
pub(crate) fn serve(change: impl FnOnce(&mut DevnetConfig)) -> Served {
    let strict = Devnet::builder().mainnet().with(|config| config.verify_blocks = true);
    started(strict.with(change))
}

/// Starts a devnet with anvil's rules, like the command without flags.
pub(crate) fn serve_as_anvil(change: impl FnOnce(&mut DevnetConfig)) -> Served {
    started(Devnet::builder().with(change))
}

fn started(builder: DevnetBuilder) -> Served {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let devnet = runtime.block_on(builder.spawn()).unwrap();
    let client = Client::new(&devnet.endpoint(), ClientOptions::default()).unwrap();
    Served { devnet, client, _runtime: runtime }
}

impl Served {
    pub(crate) fn url(&self) -> String {
        self.devnet.endpoint()
    }

    /// Returns the result of a request.
    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        ask(&self.client, method, params)
    }

    /// Returns the result of a request, which is a quantity.
    pub(crate) fn number(&self, method: &str, params: Value) -> u64 {
        number(&self.ask(method, params))
    }

    /// Returns a block, with the hashes of its transactions.
    pub(crate) fn block(&self, tag: &str) -> Value {
        self.ask("eth_getBlockByNumber", json!([tag, false]))
    }

    /// Returns the error message of a request.
    pub(crate) fn refused(&self, method: &str, params: Value) -> String {
        refused(&self.client, method, params)
    }

    /// Returns the response to a request without a body, with its status line and headers.
    pub(crate) fn page(&self, request: &str) -> Vec<u8> {
        let url = self.url();
        let mut stream = send_http(url.trim_start_matches("http://"), request, "").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    /// Returns the key of the account with this index.
    pub(crate) fn key(&self, index: usize) -> Key {
        Key::from_secret(self.devnet.keys()[index].to_bytes()).unwrap()
    }

    pub(crate) fn secret(&self, index: usize) -> String {
        self.devnet.keys()[index].to_bytes().to_string()
    }

    /// Runs cast, which must succeed, and returns its output.
    pub(crate) fn cast(&self, arguments: &[&str]) -> String {
        run(tool(TOOLS.cast()).args(arguments).env("ETH_RPC_URL", self.url()))
    }

    /// Runs forge in a project, which must succeed, and returns its output.
    pub(crate) fn forge(&self, project: &Path, arguments: &[&str]) -> String {
        run(tool(TOOLS.forge()).args(arguments).current_dir(project))
    }
}

pub(crate) fn client(served: &Served) -> Client {
    Client::new(&served.url(), ClientOptions::default()).unwrap()
}

/// Returns the result of a request.
pub(crate) fn ask(client: &Client, method: &str, params: Value) -> Value {
    let asked = format!("{method} {params}");
    // Parameters may contain blobs.
    let shown = &asked[..asked.len().min(300)];
    client.request(method, params).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

/// Returns the error message of a request.
pub(crate) fn refused(client: &Client, method: &str, params: Value) -> String {
    let asked = format!("{method} {params}");
    client.request::<_, Value>(method, params).expect_err(&asked).to_string()
}

/// Returns code, message and data of a request's error.
pub(crate) fn failure(client: &Client, method: &str, params: Value) -> (i64, String, Value) {
    let asked = format!("{method} {params}");
    let error = client.request::<_, Value>(method, params).expect_err(&asked);
    let ClientError::Rpc(error) = error else { panic!("{asked}: {error}") };
    let error = error.as_error_resp().unwrap();
    let data = error.data.as_ref().map(|data| serde_json::from_str(data.get()).unwrap());
    (error.code, error.message.to_string(), data.unwrap_or_default())
}

/// Parses a quantity.
pub(crate) fn number(value: &Value) -> u64 {
    serde_json::from_value::<U256>(value.clone()).unwrap().to()
}

/// A tool with its own home folder, i.e. without the user's caches.
pub(crate) fn tool(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", HOME.path());
    command
}

/// Runs a command, which must succeed, and returns its output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.env("NO_COLOR", "1").env("FOUNDRY_DISABLE_NIGHTLY_WARNING", "1").output();
    let output = output.unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
    out.trim().to_owned()
}

/// EXECUTE calldata for an empty L2 block.
pub(crate) fn execute_input() -> String {
    execute_input_with(Vec::new())
}

/// Calldata for a block with these withdrawals, which L2 blocks may not contain.
pub(crate) fn execute_input_with(withdrawals: Vec<Withdrawal>) -> String {
    let fork = ProtocolFork::Osaka;
    let config = ChainConfig::new(ChainSpec::constant(9_999, fork));
    let chain = Chain::new(&empty_genesis(fork), config).unwrap();
    let attributes = BlockAttributes { timestamp: 12, withdrawals, ..BlockAttributes::default() };
    let (block, left_out) = chain.build(&attributes, Vec::new()).unwrap();
    assert!(left_out.is_empty());
    alloy_primitives::hex::encode_prefixed(block.input().unwrap())
}

/// A forge project without dependencies: a contract that calls EXECUTE, a script and a test.
pub(crate) fn project() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let solc = TOOLS.solc();
    let files = [
        (
            "foundry.toml",
            format!(
                "[profile.default]\nsolc = \"{}\"\nevm_version = \"osaka\"\noffline = true\n",
                solc.display()
            ),
        ),
        ("src/Caller.sol", include_str!("Caller.sol").to_owned()),
        ("script/Deploy.s.sol", include_str!("Deploy.s.sol").to_owned()),
        ("test/Fork.t.sol", include_str!("Fork.t.sol").to_owned()),
    ];
    for (name, text) in files {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    (folder, path)
}
