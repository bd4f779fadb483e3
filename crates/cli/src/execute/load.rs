//! Reading blocks in whichever form they come.

use super::{
    content::{Content, read},
    transaction::Carrier,
};
use chain::to_stateless_input;
use codec::{Bundle, OwnedWitness, RawBlock};
use execute::{Execute, ExecuteError, Executed, Networks};
use executor::ChainSpec;
use eyre::{Context, Result, bail, eyre};
use std::{
    borrow::Cow,
    fs, io,
    path::{Path, PathBuf},
};
use variants::{DialectCall, DialectName, DraftBlock, NoForm};
use wire::{Input, ProtocolFork};

/// Sources of blocks.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Input files, recognized by their content and not by their names: SSZ (the exact calldata of
    /// EXECUTE) in binary or hex, JSON bundles with block and witness, and a node's response that
    /// has either as its result, and raw transactions of type 0x05; also compressed with zstd. `-`
    /// is standard input, a folder stands for all its files.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// A raw block (RLP, binary or hex, or debug_getRawBlock's answer); needs --witness and
    /// --chain.
    #[arg(long, value_name = "FILE", requires_all = ["witness", "chain"])]
    block: Option<PathBuf>,

    /// The block's witness: the JSON of debug_executionWitness, or geth's RLP (binary or hex).
    #[arg(long, value_name = "FILE", requires = "block")]
    witness: Option<PathBuf>,

    /// The block's chain: mainnet, sepolia, hoodi, or the chain id of another (with --fork).
    #[arg(long, value_name = "NAME", requires = "block")]
    chain: Option<String>,

    /// The fork whose rules hold from genesis on: for chains that are not public networks, and for
    /// tests with the chain id of one, whose forks it replaces.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Dialect of the files with calldata: specs, drake, blobs, nested, draft-8079 or execute-tx.
    #[arg(long, value_name = "DIALECT", default_value_t = DialectName::Specs)]
    dialect: DialectName,

    /// Blob of the transaction, in order, for --dialect blobs; may be given several times. For
    /// --dialect execute-tx, the witness of the transaction.
    #[arg(long = "blob", value_name = "FILE")]
    blobs: Vec<PathBuf>,
}

/// A fork whose blocks can be verified, by its name or schema id.
pub(crate) fn parse_fork(text: &str) -> Result<ProtocolFork, String> {
    fork_since(ProtocolFork::Cancun, text)
}

/// A fork by its name or schema id, if it is not older than another.
pub(crate) fn fork_since(oldest: ProtocolFork, text: &str) -> Result<ProtocolFork, String> {
    let known = ProtocolFork::ALL.into_iter().filter(|fork| *fork >= oldest);
    let names: Vec<_> = known.map(ProtocolFork::name).collect();
    let fork = codec::parse_fork(text).ok().filter(|fork| *fork >= oldest);
    fork.ok_or_else(|| {
        let example = ProtocolFork::Osaka.schema();
        format!("expected {}, or a schema id such as {example}", names.join(", "))
    })
}

/// A block as the calldata of EXECUTE.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) calldata: Vec<u8>,
    /// `true` if the source is the calldata of a call, not a block.
    is_call: bool,
    /// The call from which it was taken, if that is of another dialect.
    call: Option<(DialectName, Vec<u8>)>,
    /// The transaction around that call, if it is of type `0x05`.
    pub(super) carrier: Option<Box<Carrier>>,
}

impl Loaded {
    const fn new(name: String, calldata: Vec<u8>) -> Self {
        Self { name, calldata, is_call: false, call: None, carrier: None }
    }

    /// Takes the input out of a raw transaction.
    fn carried(name: String, carrier: Carrier) -> Self {
        let call = Some((DialectName::ExecuteTx, carrier.head.to_vec()));
        let calldata = carrier.input.clone();
        Self { call, carrier: Some(Box::new(carrier)), ..Self::new(name, calldata) }
    }

    /// Takes the input out of a call of this dialect.
    fn of_call(self, dialect: DialectName, blobs: &[PathBuf]) -> Result<Self> {
        if !self.is_call || dialect == DialectName::Specs {
            return Ok(self);
        }
        let blobs = blobs.iter().map(|path| match read(path)? {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Object(_) => bail!("{} holds a JSON object, expected a blob", path.display()),
        });
        let blobs = blobs.collect::<Result<Vec<_>>>()?;
        // As an error of EXECUTE it would be a verdict on a block.
        let calldata = dialect.decode(&self.calldata, &blobs).map_err(|error| {
            eyre!(
                "{} is no call of dialect {dialect} with {} blobs: {error}",
                self.name,
                blobs.len()
            )
        })?;
        Ok(Self { calldata, call: Some((dialect, self.calldata)), ..self })
    }

    /// Returns the call with this input in a dialect.
    pub(super) fn encode(&self, to: DialectName) -> Result<DialectCall, NoForm> {
        match &self.call {
            Some((from, call)) => to.encode_call(*from, call, &self.calldata),
            None => to.encode(&self.calldata),
        }
    }

    /// Anchor and burned fees of a block of the EIP-8079 draft.
    pub(super) fn draft(&self) -> Option<DraftBlock> {
        let (dialect, call) = self.call.as_ref()?;
        let decoded = (*dialect == DialectName::Draft8079).then(|| DraftBlock::decode(call));
        Some(decoded?.ok()?.1)
    }

    /// Returns EXECUTE with the rules of `--fork`, if it is given, on the chain of the input.
    pub(crate) fn execute_on<'e>(
        &self,
        execute: &'e Execute,
        fork: Option<ProtocolFork>,
    ) -> Cow<'e, Execute> {
        // An input that cannot be decoded is refused under any rules.
        let (Some(fork), Ok(input)) = (fork, Input::decode(&self.calldata)) else {
            return Cow::Borrowed(execute);
        };
        let spec = constant_spec(input.chain_id(), fork);
        Cow::Owned(Execute { networks: Networks::Only(spec.into()), ..execute.clone() })
    }

    /// Runs the input with all gas, and checks what its call claims beside it.
    pub(crate) fn run(&self, execute: &Execute) -> Result<Executed, ExecuteError> {
        self.carrier.as_ref().map_or(Ok(()), |carrier| carrier.check())?;
        match &self.call {
            Some((dialect, call)) => dialect.run(execute, call, &self.calldata),
            None => execute.run(&self.calldata, u64::MAX),
        }
    }
}

impl Source {
    /// Returns `true` if no source was named.
    pub(crate) const fn is_empty(&self) -> bool {
        self.files.is_empty() && self.block.is_none()
    }

    /// The fork of `--fork`.
    pub(crate) const fn fork(&self) -> Option<ProtocolFork> {
        self.fork
    }

    /// The named sources one after another; one that cannot be read is an error in its place.
    pub(crate) fn load(&self) -> impl Iterator<Item = (String, Result<Loaded>)> {
        let files = self.files.iter().flat_map(|path| load_path(path, self.fork));
        let files = files.map(|(path, loaded)| {
            let loaded = loaded.and_then(|it| it.of_call(self.dialect, &self.blobs));
            (path, loaded)
        });
        let pair = self.block.iter().map(|block| {
            let loaded = match (&self.witness, &self.chain) {
                (Some(witness), Some(chain)) => load_pair(block, witness, chain, self.fork),
                _ => Err(eyre!("--block needs --witness and --chain")),
            };
            (block.display().to_string(), loaded)
        });
        files.chain(pair)
    }
}

/// Reads a file, or each file of a folder in the order of their names.
pub(crate) fn load_path(
    path: &Path,
    fork: Option<ProtocolFork>,
) -> impl Iterator<Item = (String, Result<Loaded>)> {
    let listed = match path.is_dir() {
        true => list(path).wrap_err_with(|| format!("cannot list {}", path.display())),
        false => Ok(vec![path.to_owned()]),
    };
    let (paths, error) = match listed {
        Ok(paths) => (paths, None),
        Err(error) => (Vec::new(), Some((path.display().to_string(), Err(error)))),
    };
    let load = move |path: PathBuf| (path.display().to_string(), load_file(&path, fork));
    paths.into_iter().map(load).chain(error)
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Reads one file, in any of the forms that [`Source::files`] lists.
pub(super) fn load_file(path: &Path, fork: Option<ProtocolFork>) -> Result<Loaded> {
    Ok(match read(path)? {
        Content::Object(text) => {
            let bundle = Bundle::from_json(&text).wrap_err_with(|| unreadable(path))?;
            Loaded::new(stem(path), calldata_of(&bundle, fork)?)
        }
        Content::Bytes(bytes) => match Carrier::read(&bytes).wrap_err_with(|| unreadable(path))? {
            Some(carrier) => Loaded::carried(stem(path), carrier),
            None => Loaded { is_call: true, ..Loaded::new(stem(path), bytes) },
        },
    })
}

fn unreadable(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// The name of a file without any of its endings.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.split('.').find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

/// The calldata of EXECUTE for a block and its witness.
pub(crate) fn calldata_of(bundle: &Bundle, fork: Option<ProtocolFork>) -> Result<Vec<u8>> {
    let spec = spec_of(bundle.chain_id, fork)?;
    encode(&RawBlock::decode(&bundle.block)?, &bundle.witness, &spec)
}

/// An error: a chain without a known fork schedule.
#[derive(Debug, thiserror::Error)]
#[error(
    "chain {0} is not mainnet, sepolia or hoodi: name the fork whose rules hold on it with --fork, or \
     give an SSZ input, whose schema id names it"
)]
pub(super) struct UnknownFork(pub(super) u64);

/// The rules of a chain: those of `--fork`, or else those that the network had at the block's
/// timestamp.
fn spec_of(chain_id: u64, fork: Option<ProtocolFork>) -> Result<ChainSpec, UnknownFork> {
    fork.map(|fork| constant_spec(chain_id, fork))
        .or_else(|| ChainSpec::known(chain_id))
        .ok_or(UnknownFork(chain_id))
}

/// The rules of one fork from genesis on, with the deposit contract of the network that has the
/// chain id.
fn constant_spec(chain_id: u64, fork: ProtocolFork) -> ChainSpec {
    let spec = ChainSpec::constant(chain_id, fork);
    match ChainSpec::known(chain_id).and_then(|network| network.deposit_contract()) {
        Some(contract) => spec.with_deposit_contract(contract),
        None => spec,
    }
}

fn encode(block: &RawBlock, witness: &OwnedWitness, spec: &ChainSpec) -> Result<Vec<u8>> {
    to_stateless_input(block, witness, spec).wrap_err(
        "cannot make the input of EXECUTE: the block's requests are not in the block, and \
         executing it to find them fails",
    )
}

fn load_pair(
    block: &Path,
    witness: &Path,
    chain: &str,
    fork: Option<ProtocolFork>,
) -> Result<Loaded> {
    let chain_id = match chain {
        "mainnet" => ChainSpec::MAINNET,
        "sepolia" => ChainSpec::SEPOLIA,
        "hoodi" => ChainSpec::HOODI,
        other => other.parse().map_err(|_| {
            eyre!(
                "unknown chain {other:?}: expected mainnet, sepolia, hoodi or a chain id with --fork"
            )
        })?,
    };
    let spec = spec_of(chain_id, fork)?;
    let Content::Bytes(bytes) = read(block)? else {
        bail!("{} holds a JSON object: a raw block is RLP, binary or hex", block.display());
    };
    let raw =
        RawBlock::decode(&bytes).wrap_err_with(|| format!("cannot decode {}", block.display()))?;
    let context = || format!("cannot decode {}", witness.display());
    let owned = match read(witness)? {
        Content::Object(text) => {
            OwnedWitness::from_json(str::from_utf8(&text).wrap_err_with(context)?)
        }
        Content::Bytes(bytes) => OwnedWitness::from_geth_rlp(&bytes),
    }
    .wrap_err_with(context)?;
    Ok(Loaded::new(raw.header.number.to_string(), encode(&raw, &owned, &spec)?))
}

/// Decodes the calldata of EXECUTE: a block, or a batch of blocks.
pub(crate) fn decode_input<'a>(name: &str, calldata: &'a [u8]) -> Result<Input<'a>> {
    Input::decode(calldata).wrap_err_with(|| format!("{name} is not an input of EXECUTE"))
}
