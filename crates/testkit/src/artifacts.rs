//! From Solidity to code.

use crate::HarnessError;
use alloy_primitives::{Bytes, hex};
use contracts::Predeploys;
use foundry_compilers::{
    ProjectBuilder, ProjectPathsConfig,
    artifacts::{
        BytecodeHash, ConfigurableContractArtifact, EvmVersion, Settings, SettingsMetadata,
        output_selection::OutputSelection, remappings::Remapping,
    },
    solc::{Solc, SolcCompiler, SolcSettings},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    str::FromStr,
    sync::OnceLock,
};
use toolchain::{Progress, Toolchain};

/// The compiled contracts of the repository.
#[derive(Debug, Clone)]
pub struct Artifacts(BTreeMap<String, Artifact>);

/// A compiled contract.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Initialisation code, without constructor arguments.
    pub init_code: Bytes,
    /// Code of an instance. Immutables in it are zero until a constructor has run.
    pub runtime_code: Bytes,
    /// Whether the contract has immutables.
    pub has_immutables: bool,
}

impl Artifacts {
    /// Compiles `contracts/` of the surrounding checkout, bringing the compiler into place first.
    ///
    /// What has not changed is not compiled again; one process compiles at a time.
    pub fn load(progress: Progress<'_>) -> Result<&'static Self, HarnessError> {
        static LOADED: OnceLock<Artifacts> = OnceLock::new();
        if let Some(loaded) = LOADED.get() {
            return Ok(loaded);
        }
        let toolchain = Toolchain::ensure(progress)?;
        let compiled = Self::compile(&toolchain)?;
        Ok(LOADED.get_or_init(|| compiled))
    }

    /// Compiles `contracts/` with these tools, as `foundry.toml` says.
    pub fn compile(toolchain: &Toolchain) -> Result<Self, HarnessError> {
        Self::compile_into("contracts", None, toolchain)
    }

    /// Compiles some Solidity files of the checkout, named by their paths in it, and what they import.
    pub fn compile_files(toolchain: &Toolchain, files: &[&str]) -> Result<Self, HarnessError> {
        Self::compile_into("contracts-files", Some(files), toolchain)
    }

    /// Compiles these files, or all contracts, with a cache of this name.
    fn compile_into(
        cache: &str,
        files: Option<&[&str]>,
        toolchain: &Toolchain,
    ) -> Result<Self, HarnessError> {
        let root = toolchain.root();
        let settings = FoundryToml::read(&root.join("foundry.toml"))?;
        let cache = root.join("cache").join(cache);
        let io = |error| HarnessError::Io { path: cache.clone(), error };
        fs::create_dir_all(&cache).map_err(io)?;
        let lock = File::create(cache.join("lock")).map_err(io)?;
        lock.lock().map_err(io)?;

        let failed =
            |error: foundry_compilers::error::SolcError| HarnessError::Compiler(error.to_string());
        let paths = ProjectPathsConfig::builder()
            .root(root)
            .sources(root.join("contracts"))
            .artifacts(cache.join("out"))
            .cache(cache.join("cache.json"))
            .build_infos(cache.join("build-info"))
            .libs(settings.libs.iter().map(|lib| root.join(lib)))
            .remappings(settings.remappings(root)?)
            .build()
            .map_err(|error| HarnessError::Compiler(error.to_string()))?;
        let solc = Solc::new(toolchain.solc()).map_err(failed)?;
        let project = ProjectBuilder::<SolcCompiler>::new(Default::default())
            .paths(paths)
            .settings(SolcSettings { settings: settings.solc()?, ..Default::default() })
            .build(SolcCompiler::Specific(solc))
            .map_err(failed)?;
        let output = match files {
            Some(files) => project.compile_files(files.iter().map(|file| root.join(file))),
            None => project.compile(),
        }
        .map_err(failed)?;
        if output.has_compiler_errors() {
            return Err(HarnessError::Compiler(output.to_string()));
        }
        let artifacts = output
            .into_artifacts()
            .filter_map(|(id, artifact)| Some((id.name, read(&artifact)?)))
            .collect();
        Ok(Self(artifacts))
    }

    /// The codes of the contracts that an L2 has from genesis on.
    pub fn predeploys(&self) -> Result<Predeploys, HarnessError> {
        let code = |name: &str| {
            let artifact = self.get(name)?;
            match artifact.has_immutables {
                true => Err(HarnessError::HasImmutables(name.to_owned())),
                false => Ok(artifact.runtime_code.clone()),
            }
        };
        Ok(Predeploys { l1_anchor: code("L1Anchor")?, l2_messenger: code("L2Messenger")? })
    }

    /// The contract with this name.
    pub fn get(&self, name: &str) -> Result<&Artifact, HarnessError> {
        self.0.get(name).ok_or_else(|| HarnessError::NoSuchContract(name.to_owned()))
    }
}

/// The code of an artifact, if it is a contract that has any.
fn read(artifact: &ConfigurableContractArtifact) -> Option<Artifact> {
    let init = artifact.bytecode.as_ref()?.object.as_bytes()?.clone();
    let deployed = artifact.deployed_bytecode.as_ref()?;
    let runtime = deployed.bytecode.as_ref()?.object.as_bytes()?.clone();
    (!init.is_empty()).then(|| Artifact {
        init_code: init,
        runtime_code: runtime,
        has_immutables: !deployed.immutable_references.is_empty(),
    })
}

/// The part of `foundry.toml` that decides what code comes out: one source of truth for forge and
/// for this crate.
#[derive(Debug, Deserialize)]
struct FoundryToml {
    libs: Vec<PathBuf>,
    remappings: Vec<String>,
    evm_version: String,
    optimizer: bool,
    optimizer_runs: usize,
    bytecode_hash: String,
    cbor_metadata: bool,
    #[serde(default)]
    via_ir: bool,
}

#[derive(Debug, Deserialize)]
struct Profiles {
    profile: BTreeMap<String, toml::Table>,
}

impl FoundryToml {
    fn read(path: &Path) -> Result<Self, HarnessError> {
        let text = fs::read_to_string(path)
            .map_err(|error| HarnessError::Io { path: path.to_owned(), error })?;
        let failed = |error: toml::de::Error| HarnessError::Settings(error.to_string());
        let Profiles { mut profile } = toml::from_str(&text).map_err(failed)?;
        let default = profile.remove("default").unwrap_or_default();
        default.try_into().map_err(failed)
    }

    fn remappings(&self, root: &Path) -> Result<Vec<Remapping>, HarnessError> {
        let absolute = |text: &String| {
            let mut remapping = Remapping::from_str(text)
                .map_err(|error| HarnessError::Settings(error.to_string()))?;
            remapping.path = root.join(&remapping.path).display().to_string();
            Ok(remapping)
        };
        self.remappings.iter().map(absolute).collect()
    }

    fn solc(&self) -> Result<Settings, HarnessError> {
        let unknown = |what: &str, value: &str| {
            HarnessError::Settings(format!("foundry.toml: unknown {what} {value:?}"))
        };
        let bytecode_hash = BytecodeHash::from_str(&self.bytecode_hash)
            .map_err(|_| unknown("bytecode_hash", &self.bytecode_hash))?;
        let mut settings = Settings {
            evm_version: Some(
                EvmVersion::from_str(&self.evm_version)
                    .map_err(|_| unknown("evm_version", &self.evm_version))?,
            ),
            metadata: Some(SettingsMetadata::new(bytecode_hash, self.cbor_metadata)),
            output_selection: OutputSelection::default_output_selection(),
            via_ir: self.via_ir.then_some(true),
            ..Default::default()
        };
        settings.optimizer.enabled = Some(self.optimizer);
        settings.optimizer.runs = Some(self.optimizer_runs);
        Ok(settings)
    }
}

/// Code of an instance in hexadecimal, for messages.
impl core::fmt::Display for Artifact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&hex::encode(&self.runtime_code))
    }
}
