//! Loading of blocks in all supported formats.

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
use variants::{DialectCall, DialectEncodeError, DialectName, DraftBlock};
use wire::{Input, ProtocolFork};

/// Command-line arguments that select blocks.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Input files, recognized by their content: SSZ (the exact calldata of EXECUTE) in binary or
    /// hex, JSON bundles with block and witness, JSON-RPC responses with either as their result,
    /// and raw transactions of type 0x05; all optionally compressed with zstd. `-` is standard
    /// input, a folder stands for all its files.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Raw block (RLP in binary or hex, or the response of debug_getRawBlock); requires --witness
    /// and --chain.
    #[arg(long, value_name = "FILE", requires_all = ["witness", "chain"])]
    block: Option<PathBuf>,

    /// Witness of --block: the JSON of debug_executionWitness, or geth's RLP in binary or hex.
    #[arg(long, value_name = "FILE", requires = "block")]
    witness: Option<PathBuf>,

    /// Chain of --block: mainnet, sepolia, hoodi, or another chain id (with --fork).
    #[arg(long, value_name = "NAME", requires = "block")]
    chain: Option<String>,

    /// Fork that is active from genesis on, for chains other than public networks. For the chain id
    /// of a public network, it replaces the network's schedule, as some tests need.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,

    /// Dialect of the files with calldata: specs, drake, blobs, nested, draft-8079, execute-tx,
    /// headers or headers-blobs.
    #[arg(long, value_name = "DIALECT", default_value_t = DialectName::Specs)]
    dialect: DialectName,

    /// Blob of the transaction for --dialect blobs or headers-blobs; can be repeated, in order. For
    /// --dialect execute-tx, the witness of the transaction.
    #[arg(long = "blob", value_name = "FILE")]
    blobs: Vec<PathBuf>,
}

/// Parses the name or schema id of a fork whose blocks can be verified.
pub(crate) fn parse_fork(text: &str) -> Result<ProtocolFork, String> {
    fork_since(ProtocolFork::Cancun, text)
}

/// Parses the name or schema id of a fork that is not older than `oldest`.
pub(crate) fn fork_since(oldest: ProtocolFork, text: &str) -> Result<ProtocolFork, String> {
    let known = ProtocolFork::ALL.into_iter().filter(|fork| *fork >= oldest);
    let names: Vec<_> = known.map(ProtocolFork::name).collect();
    let fork = codec::parse_fork(text).ok().filter(|fork| *fork >= oldest);
    fork.ok_or_else(|| {
        let example = ProtocolFork::Osaka.schema();
        format!("expected {}, or a schema id such as {example}", names.join(", "))
    })
}

/// A block or a batch, encoded as the calldata of EXECUTE.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) calldata: Vec<u8>,
    /// `true` for the calldata of a call, `false` for a block.
    is_call: bool,
    /// Dialect and calldata of the original call, if it is of another dialect.
    call: Option<(DialectName, Vec<u8>)>,
    /// The transaction with that call, if it is of type `0x05`.
    pub(super) carrier: Option<Box<Carrier>>,
}

impl Loaded {
    const fn new(name: String, calldata: Vec<u8>) -> Self {
        Self { name, calldata, is_call: false, call: None, carrier: None }
    }

    /// Extracts the input from a raw transaction.
    fn carried(name: String, carrier: Carrier) -> Self {
        let call = Some((DialectName::ExecuteTx, carrier.head.to_vec()));
        let calldata = carrier.input.clone();
        Self { call, carrier: Some(Box::new(carrier)), ..Self::new(name, calldata) }
    }

    /// Extracts the input from a call of this dialect.
    fn of_call(self, dialect: DialectName, blobs: &[PathBuf]) -> Result<Self> {
        if !self.is_call || dialect == DialectName::Specs {
            return Ok(self);
        }
        let blobs = blobs.iter().map(|path| match read(path)? {
            Content::Bytes(bytes) => Ok(bytes),
            Content::Object(_) => {
                bail!("{} contains a JSON object, expected a blob", path.display())
            }
        });
        let blobs = blobs.collect::<Result<Vec<_>>>()?;
        // Not an `ExecuteError`, which would be a verdict on a block.
        let calldata = dialect.decode(&self.calldata, &blobs).map_err(|error| {
            eyre!(
                "{} is not a call of dialect {dialect} with {} blobs: {error}",
                self.name,
                blobs.len()
            )
        })?;
        Ok(Self { calldata, call: Some((dialect, self.calldata)), ..self })
    }

    /// Encodes the input as a call of a dialect.
    pub(super) fn encode(&self, to: DialectName) -> Result<DialectCall, DialectEncodeError> {
        match &self.call {
            Some((from, call)) => to.encode_call(*from, call, &self.calldata),
            None => to.encode(&self.calldata),
        }
    }

    /// Returns anchor and burned fees of a block of the EIP-8079 draft.
    pub(super) fn draft(&self) -> Option<DraftBlock> {
        let (dialect, call) = self.call.as_ref()?;
        let decoded = (*dialect == DialectName::Draft8079).then(|| DraftBlock::decode(call));
        Some(decoded?.ok()?.1)
    }

    /// Returns EXECUTE with the rules of `fork`, if any, for the chain of the input.
    pub(crate) fn execute_on<'e>(
        &self,
        execute: &'e Execute,
        fork: Option<ProtocolFork>,
    ) -> Cow<'e, Execute> {
        // An input that cannot be decoded is rejected under any rules.
        let (Some(fork), Ok(input)) = (fork, Input::decode(&self.calldata)) else {
            return Cow::Borrowed(execute);
        };
        let spec = constant_spec(input.chain_id(), fork);
        Cow::Owned(Execute { networks: Networks::Only(spec.into()), ..execute.clone() })
    }

    /// Runs EXECUTE on the input without a gas limit, and checks the other claims of its call.
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

    /// Returns the value of `--fork`.
    pub(crate) const fn fork(&self) -> Option<ProtocolFork> {
        self.fork
    }

    /// Loads the sources in order. A source that cannot be read yields an error.
    pub(crate) fn load(&self) -> impl Iterator<Item = (String, Result<Loaded>)> {
        let files = self.files.iter().flat_map(|path| load_path(path, self.fork));
        let files = files.map(|(path, loaded)| {
            let loaded = loaded.and_then(|content| content.of_call(self.dialect, &self.blobs));
            (path, loaded)
        });
        let pair = self.block.iter().map(|block| {
            let loaded = match (&self.witness, &self.chain) {
                (Some(witness), Some(chain)) => load_pair(block, witness, chain, self.fork),
                _ => Err(eyre!("--block requires --witness and --chain")),
            };
            (block.display().to_string(), loaded)
        });
        files.chain(pair)
    }
}

/// Loads a file, or each file of a folder in the order of their names.
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

/// Loads a file in any of the formats of [`Source::files`].
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

/// Returns the name of a file without its extensions.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.split('.').find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

/// Encodes a block and its witness as the calldata of EXECUTE.
pub(crate) fn calldata_of(bundle: &Bundle, fork: Option<ProtocolFork>) -> Result<Vec<u8>> {
    let spec = spec_of(bundle.chain_id, fork)?;
    encode(&RawBlock::decode(&bundle.block)?, &bundle.witness, &spec)
}

/// Error for a chain without a known fork schedule.
#[derive(Debug, thiserror::Error)]
#[error(
    "chain {0} is not mainnet, sepolia or hoodi: set its fork with --fork, or use an SSZ input, whose \
     schema id contains the fork"
)]
pub(super) struct UnknownFork(pub(super) u64);

/// Returns the rules of a chain: those of `fork`, or else the fork schedule of the public network.
fn spec_of(chain_id: u64, fork: Option<ProtocolFork>) -> Result<ChainSpec, UnknownFork> {
    fork.map(|fork| constant_spec(chain_id, fork))
        .or_else(|| ChainSpec::known(chain_id))
        .ok_or(UnknownFork(chain_id))
}

/// Returns the rules of one fork from genesis on, with the deposit contract of the public network
/// with this chain id.
fn constant_spec(chain_id: u64, fork: ProtocolFork) -> ChainSpec {
    let spec = ChainSpec::constant(chain_id, fork);
    match ChainSpec::known(chain_id).and_then(|network| network.deposit_contract()) {
        Some(contract) => spec.with_deposit_contract(contract),
        None => spec,
    }
}

fn encode(block: &RawBlock, witness: &OwnedWitness, spec: &ChainSpec) -> Result<Vec<u8>> {
    to_stateless_input(block, witness, spec).wrap_err(
        "cannot encode the input of EXECUTE: a block does not contain its execution requests, and \
         executing it to obtain them failed",
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
        bail!(
            "{} contains a JSON object, expected a raw block: RLP in binary or hex",
            block.display()
        );
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
