//! Compilation of Solidity contracts with forge.

use crate::HarnessError;
use alloy_primitives::{Address, Bytes, hex};
use contracts::Predeploys;
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
    sync::OnceLock,
};
use toolchain::{Progress, Toolchain};

/// The compiled contracts of the repository.
#[derive(Debug, Clone)]
pub struct Artifacts(BTreeMap<String, Artifact>);

/// A compiled contract.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Init code, without constructor arguments.
    pub init_code: Bytes,
    /// Runtime code. Immutables in it are zero until a constructor has run.
    pub runtime_code: Bytes,
    /// `true` if the contract has immutables.
    pub has_immutables: bool,
}

impl Artifacts {
    /// Compiles `contracts/` of the surrounding checkout, after installing the compiler if
    /// necessary.
    ///
    /// Unchanged sources are not compiled again. Only one process compiles at a time.
    pub fn load(progress: Progress<'_>) -> Result<&'static Self, HarnessError> {
        static LOADED: OnceLock<Artifacts> = OnceLock::new();
        if let Some(loaded) = LOADED.get() {
            return Ok(loaded);
        }
        let toolchain = Toolchain::ensure(progress)?;
        let compiled = Self::compile(&toolchain)?;
        Ok(LOADED.get_or_init(|| compiled))
    }

    /// Compiles `contracts/` with these tools and the settings of `foundry.toml`.
    pub fn compile(toolchain: &Toolchain) -> Result<Self, HarnessError> {
        Self::compile_into("contracts", &["contracts"], toolchain)
    }

    /// Compiles Solidity files, given by their paths in the checkout, and their imports.
    pub fn compile_files(toolchain: &Toolchain, files: &[&str]) -> Result<Self, HarnessError> {
        Self::compile_into("contracts-files", files, toolchain)
    }

    /// Compiles these files and directories with a separate cache of this name, to leave forge's
    /// default cache to contract developers.
    fn compile_into(
        cache: &str,
        paths: &[&str],
        toolchain: &Toolchain,
    ) -> Result<Self, HarnessError> {
        let cache = toolchain.root().join("cache").join(cache);
        let io = |error| HarnessError::Io { path: cache.clone(), error };
        fs::create_dir_all(&cache).map_err(io)?;
        let lock = File::create(cache.join("lock")).map_err(io)?;
        lock.lock().map_err(io)?;

        let out = cache.join("forge-out");
        let built = toolchain
            .forge_command()
            .args(["build", "--color", "never", "--out"])
            .arg(&out)
            .arg("--cache-path")
            .arg(cache.join("forge-cache"))
            .args(paths)
            .output()
            .map_err(|error| HarnessError::Process { program: "forge".to_owned(), error })?;
        if !built.status.success() {
            let said = [built.stdout, built.stderr].concat();
            return Err(HarnessError::Compiler(String::from_utf8_lossy(&said).into_owned()));
        }
        let mut artifacts = BTreeMap::new();
        for source in fs::read_dir(&out).map_err(io)? {
            let source = source.map_err(io)?.path();
            // forge writes `build-info` next to the artifacts.
            if source.extension().is_some_and(|extension| extension == "sol") {
                read_all(&source, &mut artifacts)?;
            }
        }
        Ok(Self(artifacts))
    }

    /// Returns the codes of the L2 predeploys.
    pub fn predeploys(&self) -> Result<Predeploys, HarnessError> {
        let code = |name: &str| {
            let artifact = self.get(name)?;
            match artifact.has_immutables {
                true => Err(HarnessError::HasImmutables(name.to_owned())),
                false => Ok(artifact.runtime_code.clone()),
            }
        };
        Ok(Predeploys {
            l1_anchor: code("L1Anchor")?,
            l2_messenger: code("L2Messenger")?,
            l2_accounts: code("L2Accounts")?,
        })
    }

    /// Returns the contract with this name.
    pub fn get(&self, name: &str) -> Result<&Artifact, HarnessError> {
        self.0.get(name).ok_or_else(|| HarnessError::NoSuchContract(name.to_owned()))
    }
}

/// Used fields of forge's artifact of a contract.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Compiled {
    bytecode: CompiledCode,
    deployed_bytecode: CompiledCode,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompiledCode {
    object: String,
    #[serde(default)]
    immutable_references: BTreeMap<String, IgnoredAny>,
}

/// Reads the artifacts of one source file from its directory in forge's output.
fn read_all(folder: &Path, artifacts: &mut BTreeMap<String, Artifact>) -> Result<(), HarnessError> {
    let failed = |path: &Path, error| HarnessError::Io { path: path.to_owned(), error };
    for file in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = file.map_err(|error| failed(folder, error))?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let text = fs::read(&path).map_err(|error| failed(&path, error))?;
        let compiled: Compiled = serde_json::from_slice(&text)
            .map_err(|error| failed(&path, io::Error::new(io::ErrorKind::InvalidData, error)))?;
        if let Some(artifact) = Artifact::of(&compiled) {
            artifacts.insert(name.to_owned(), artifact);
        }
    }
    Ok(())
}

impl Artifact {
    /// Returns a contract's code, or `None` for interfaces and unlinked contracts.
    fn of(compiled: &Compiled) -> Option<Self> {
        let code = |code: &CompiledCode| hex::decode(&code.object).ok().map(Bytes::from);
        let init_code = code(&compiled.bytecode)?;
        (!init_code.is_empty()).then_some(Self {
            init_code,
            runtime_code: code(&compiled.deployed_bytecode)?,
            has_immutables: !compiled.deployed_bytecode.immutable_references.is_empty(),
        })
    }
}

/// `PUSH2` of the EXECUTE address.
const PUSH_EXECUTE: [u8; 3] = hex!("610101");
/// `PUSH2` of the EXECUTE address for inputs in blobs. `Execute.run` chooses between both
/// addresses.
const PUSH_BLOB_EXECUTE: [u8; 3] = hex!("610103");
/// Window in bytes in which both pushes must occur. The first one alone may also push a code
/// offset.
const BETWEEN: usize = 16;

impl Artifact {
    /// Returns the init code of this contract with another address of EXECUTE, or `None` if the
    /// code does not contain the EXECUTE address exactly once, or if the new address is longer than
    /// two bytes.
    pub fn calling(&self, execute: Address) -> Option<Bytes> {
        let (zeros, address) = execute.split_at(18);
        let names_execute = |place: &usize| {
            let behind = &self.init_code[*place..];
            let near = &behind[..behind.len().min(BETWEEN)];
            near.starts_with(&PUSH_EXECUTE)
                && near.windows(PUSH_BLOB_EXECUTE.len()).any(|window| window == PUSH_BLOB_EXECUTE)
        };
        let mut places = (0..self.init_code.len()).filter(names_execute);
        let (place, another) = (places.next()?, places.next());
        if another.is_some() || zeros.iter().any(|byte| *byte != 0) {
            return None;
        }
        let mut code = self.init_code.to_vec();
        code[place + 1..place + 3].copy_from_slice(address);
        Some(code.into())
    }
}

/// Formats the runtime code in hex.
impl core::fmt::Display for Artifact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&hex::encode(&self.runtime_code))
    }
}
