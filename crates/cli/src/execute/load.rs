//! Reading blocks in whichever form they come.

use chain::to_stateless_input;
use executor::ChainSpec;
use eyre::{Context, Result, bail, eyre};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use wire::{
    OwnedWitness, ProtocolFork, StatelessInput,
    convert::{Bundle, RawBlock},
};

/// Most bytes of a bundle: a full mainnet block with its witness in hex is a tenth of this.
const LONGEST_BUNDLE: u64 = 1 << 30;

/// Where blocks come from.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// Inputs: SSZ (the exact calldata of EXECUTE, binary or hex) or JSON bundles with block and
    /// witness, also compressed (.json.zst); or folders of such files.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// A raw block (RLP, binary or hex); needs --witness and --chain.
    #[arg(long, value_name = "FILE", requires_all = ["witness", "chain"])]
    block: Option<PathBuf>,

    /// The block's witness: the JSON of debug_executionWitness, or geth's RLP (binary or hex).
    #[arg(long, value_name = "FILE", requires = "block")]
    witness: Option<PathBuf>,

    /// The block's chain: mainnet, sepolia, hoodi, or the chain id of another (with --fork).
    #[arg(long, value_name = "NAME", requires = "block")]
    chain: Option<String>,

    /// The fork whose rules hold on chains that are not public networks, from genesis on.
    #[arg(long, value_name = "FORK", value_parser = parse_fork)]
    fork: Option<ProtocolFork>,
}

/// A fork by its name.
pub(crate) fn parse_fork(name: &str) -> Result<ProtocolFork, String> {
    ProtocolFork::from_name(name)
        .filter(|fork| *fork >= ProtocolFork::Cancun)
        .ok_or_else(|| "expected cancun, prague, osaka, bpo1, bpo2 or amsterdam".to_owned())
}

/// A block as the calldata of EXECUTE.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) calldata: Vec<u8>,
}

impl Source {
    /// Whether no source was named.
    pub(crate) const fn is_empty(&self) -> bool {
        self.files.is_empty() && self.block.is_none()
    }

    /// The named sources one after another; one that cannot be read is an error in its place.
    pub(crate) fn load(&self) -> impl Iterator<Item = (String, Result<Loaded>)> {
        let files = self.files.iter().flat_map(|path| load_path(path, self.fork));
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
    let is = |ending| path.extension() == Some(OsStr::new(ending));
    if is("json") || is("zst") {
        return Ok(Loaded { calldata: calldata_of(&read_bundle(path)?, fork)?, name: stem(path) });
    }
    Ok(Loaded { name: stem(path), calldata: read_bytes(path)? })
}

/// The name of a file without any of its endings.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    name.split('.').find(|part| !part.is_empty()).unwrap_or_default().to_owned()
}

/// Reads a JSON bundle, which may be compressed.
fn read_bundle(path: &Path) -> Result<Bundle> {
    let context = || format!("cannot read {}", path.display());
    let file = File::open(path).wrap_err_with(context)?;
    let compressed = path.extension() == Some(OsStr::new("zst"));
    let mut text = Vec::new();
    // A few bytes may unpack to any number.
    if compressed {
        let unpacked = zstd::Decoder::new(file).wrap_err_with(context)?;
        unpacked.take(LONGEST_BUNDLE + 1).read_to_end(&mut text).wrap_err_with(context)?;
    } else {
        file.take(LONGEST_BUNDLE + 1).read_to_end(&mut text).wrap_err_with(context)?;
    }
    if text.len() as u64 > LONGEST_BUNDLE {
        bail!("{} is longer than {LONGEST_BUNDLE} bytes of JSON", path.display());
    }
    Bundle::from_json(&text).wrap_err_with(context)
}

/// The calldata of EXECUTE for a block and its witness.
pub(crate) fn calldata_of(bundle: &Bundle, fork: Option<ProtocolFork>) -> Result<Vec<u8>> {
    let spec = spec_of(bundle.chain_id, fork)?;
    encode(&RawBlock::decode(&bundle.block)?, &bundle.witness, &spec)
}

/// The rules of a chain.
fn spec_of(chain_id: u64, fork: Option<ProtocolFork>) -> Result<ChainSpec> {
    ChainSpec::known(chain_id)
        .or_else(|| fork.map(|fork| ChainSpec::constant(chain_id, fork)))
        .ok_or_else(|| {
            eyre!(
                "chain {chain_id} is not mainnet, sepolia or hoodi: name the fork whose rules hold \
                 on it with --fork, or give an SSZ input, whose schema id names it"
            )
        })
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
    let spec = match chain {
        "mainnet" => ChainSpec::mainnet(),
        "sepolia" => ChainSpec::sepolia(),
        "hoodi" => ChainSpec::hoodi(),
        other => match other.parse() {
            Ok(chain_id) => spec_of(chain_id, fork)?,
            Err(_) => bail!(
                "unknown chain {other:?}: expected mainnet, sepolia, hoodi or a chain id with --fork"
            ),
        },
    };
    let raw = RawBlock::decode(&read_bytes(block)?)
        .wrap_err_with(|| format!("cannot decode {}", block.display()))?;
    let context = || format!("cannot decode {}", witness.display());
    let text = fs::read(witness).wrap_err_with(|| format!("cannot read {}", witness.display()))?;
    let owned = match text.trim_ascii_start().first() {
        Some(b'{') => OwnedWitness::from_json(str::from_utf8(&text).wrap_err_with(context)?),
        _ => OwnedWitness::from_geth_rlp(&read_bytes(witness)?),
    }
    .wrap_err_with(context)?;
    Ok(Loaded { name: raw.header.number.to_string(), calldata: encode(&raw, &owned, &spec)? })
}

/// Reads bytes that are binary, or hex with or without 0x.
fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let text = bytes.trim_ascii();
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    if !is_hex {
        return Ok(bytes);
    }
    alloy_primitives::hex::decode(digits)
        .wrap_err_with(|| format!("{} is hex with an odd number of digits", path.display()))
}

/// Decodes the calldata of EXECUTE.
pub(crate) fn decode<'a>(name: &str, calldata: &'a [u8]) -> Result<StatelessInput<'a>> {
    StatelessInput::decode(calldata).wrap_err_with(|| format!("{name} is not an input of EXECUTE"))
}
