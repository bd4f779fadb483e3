//! The deployment file that `script/Deploy.s.sol` writes.

use alloy_genesis::Genesis;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks as _};
use alloy_primitives::{Address, B256};
use chain::{Chain, ChainConfig, ChainError, spec_of};
use core::str::FromStr;
use executor::ChainSpec;
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};
use wire::ProtocolFork;

/// Maximum length of a deployment file or a genesis in bytes, enough for some hundred thousand
/// accounts.
const LONGEST: u64 = 1 << 28;

/// File next to a deployment file that contains the L2 genesis, if the deployment file does not.
const GENESIS_FILE: &str = "genesis.json";

/// Method by which the rollup contract verifies blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verification {
    /// By EXECUTE, in the call that adds the blocks. The inputs are complete.
    #[default]
    Native,
    /// By a contract that receives a proof with each input. An input may omit its witness.
    Verified,
}

impl Verification {
    /// Returns `true` if the inputs on L1 may lack their witness.
    pub const fn allows_prefixes(self) -> bool {
        matches!(self, Self::Verified)
    }

    /// Returns the kind with this name in a deployment file.
    fn of_kind(name: &str) -> Option<Self> {
        match name {
            "native" => Some(Self::Native),
            "verified" => Some(Self::Verified),
            _ => None,
        }
    }
}

/// Parsed deployment file: the parameters of a rollup that a node needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Chain id of L1.
    pub l1_chain_id: u64,
    /// An L1 block before the deployment of the contracts: all their logs are in later blocks.
    pub l1_block: u64,
    /// L2 chain id.
    pub l2_chain_id: u64,
    /// Hash of the first block of the L2.
    pub genesis_hash: B256,
    /// State root of the first block of the L2.
    pub genesis_state_root: B256,
    /// Deployer of the contracts, which determines their addresses.
    pub deployer: Address,
    /// `NativeRollup`.
    pub rollup: Address,
    /// `L1MessageQueue`.
    pub message_queue: Address,
    /// `ForcedInbox`.
    pub forced: Address,
    /// `RollupExit`, or zero. Files of rollups without this contract need not have it.
    pub exit: Address,
    /// The sequencing policy, or zero if anyone may advance.
    pub policy: Address,
    /// `PreconfBonds`, the registry of the sequencers' bonds, or zero if the policy requires none.
    /// Files of rollups without one need not have it.
    pub preconf_bonds: Address,
    /// `L1TokenBridge`, or zero.
    pub l1_bridge: Address,
    /// `L2TokenBridge`, on the L2, or zero.
    pub l2_bridge: Address,
    /// How the rollup contract verifies blocks; native if the file has no such field.
    pub verification: Verification,
    /// The L2 genesis, whose first block is the one with [`Self::genesis_hash`].
    pub genesis: Genesis,
}

/// Reason why a deployment file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// A file is too long for a deployment file or a genesis.
    #[error("{} is longer than {maximum} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Maximum length in bytes.
        maximum: u64,
    },
    /// A file is not a JSON object.
    #[error("{} is not a JSON object: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Error of the parser.
        source: serde_json::Error,
    },
    /// A field is missing.
    #[error("{}: there is no {field}, which has to be {rule}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// Rule for the value.
        rule: &'static str,
    },
    /// A field has an invalid value.
    #[error("{}: {field} is {value}, which has to be {rule}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Rule for the value.
        rule: &'static str,
    },
    /// The genesis is malformed.
    #[error("{}: the genesis of the L2 cannot be read: {source}", path.display())]
    Genesis {
        /// The file with the genesis.
        path: PathBuf,
        /// Error of the parser.
        source: serde_json::Error,
    },
    /// The genesis is missing.
    #[error(
        "{}: there is no genesis of the L2, neither under the key `genesis` nor in {}; its first \
         block has the hash {hash}", path.display(), genesis_path.display()
    )]
    NoGenesis {
        /// The deployment file.
        path: PathBuf,
        /// Path of the missing genesis file.
        genesis_path: PathBuf,
        /// Expected hash of the first block.
        hash: B256,
    },
    /// The first block of the genesis is not the one with which the rollup was deployed.
    #[error(
        "{}: the genesis of the L2 gives a first block with the {what} {got}, but the rollup was \
         deployed with {expected}: it is another genesis", path.display()
    )]
    GenesisMismatch {
        /// The file with the genesis.
        path: PathBuf,
        /// Name of the value that differs.
        what: &'static str,
        /// Value computed from the genesis.
        got: B256,
        /// Value in the deployment file.
        expected: B256,
    },
    /// The first block of the L2 cannot be built.
    #[error("{}: cannot make the first block of the L2: {source}", path.display())]
    Chain {
        /// The file with the genesis.
        path: PathBuf,
        /// Error of the chain.
        source: ChainError,
    },
}

impl Deployment {
    /// Reads a deployment file and the L2 genesis, which is under the key `genesis` or in
    /// `genesis.json` next to the file, and checks that its first block is the one with which the
    /// rollup was deployed.
    ///
    /// # Errors
    ///
    /// [`DeploymentError`], which names the field, its value and the expected value.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let fields = Fields { path, values: read_object(path)? };
        let genesis_hash = fields.parse("genesisHash", HASH)?;
        let (genesis_path, genesis) = match fields.values.get("genesis") {
            Some(genesis) => (path.to_owned(), genesis.clone()),
            None => {
                let genesis_path = path.with_file_name(GENESIS_FILE);
                if !genesis_path.is_file() {
                    let path = path.to_owned();
                    return Err(DeploymentError::NoGenesis {
                        path,
                        genesis_path,
                        hash: genesis_hash,
                    });
                }
                let genesis = Value::Object(read_object(&genesis_path)?);
                (genesis_path, genesis)
            }
        };
        let genesis: Genesis = serde_json::from_value(genesis)
            .map_err(|source| DeploymentError::Genesis { path: genesis_path.clone(), source })?;
        let deployment = Self {
            l1_chain_id: fields.number("l1ChainId")?,
            l1_block: fields.number("l1Block")?,
            l2_chain_id: fields.number("l2ChainId")?,
            genesis_hash,
            genesis_state_root: fields.parse("genesisStateRoot", HASH)?,
            deployer: fields.address("deployer")?,
            rollup: fields.contract("rollup")?,
            message_queue: fields.contract("messageQueue")?,
            forced: fields.contract("forced")?,
            exit: fields.optional("exit")?,
            policy: fields.address("policy")?,
            preconf_bonds: fields.optional("preconfBonds")?,
            l1_bridge: fields.address("l1Bridge")?,
            l2_bridge: fields.address("l2Bridge")?,
            verification: fields.verification()?,
            genesis,
        };
        deployment.check_genesis(&genesis_path)?;
        Ok(deployment)
    }

    /// Checks that the genesis belongs to this rollup, and that its chain configuration has the
    /// rules by which EXECUTE validates blocks with this chain id.
    fn check_genesis(&self, path: &Path) -> Result<(), DeploymentError> {
        let config = &self.genesis.config;
        let invalid = |field, value: String, rule| {
            Err(DeploymentError::Invalid { path: path.to_owned(), field, value, rule })
        };
        if config.chain_id != self.l2_chain_id {
            let rule = "the l2ChainId of the deployment file";
            return invalid("config.chainId", config.chain_id.to_string(), rule);
        }
        if let Some(contract) = config.deposit_contract_address.filter(|address| !address.is_zero())
        {
            let rule = "left out: EXECUTE knows no deposit contract on a chain of one's own";
            return invalid("config.depositContractAddress", contract.to_string(), rule);
        }
        let spec = spec_of(config);
        let time = self.genesis.timestamp;
        let fork = spec.fork_at(time).filter(|fork| *fork >= ProtocolFork::Prague);
        let Some(fork) = fork else {
            let rule = "at or after pragueTime: a rollup starts with Prague or later";
            return invalid("timestamp", time.to_string(), rule);
        };
        let rules = ChainSpec::for_input(self.l2_chain_id, fork);
        let is_active = |spec: &ChainSpec, hardfork| {
            spec.ethereum_fork_activation(hardfork).active_at_timestamp_or_number(time, 0)
        };
        for hardfork in EthereumHardfork::VARIANTS {
            if is_active(&spec, *hardfork) != is_active(&rules, *hardfork) {
                let rule = "in force from genesis on, with all forks before it";
                return invalid("config", format!("without {hardfork} below {fork}"), rule);
            }
        }
        if spec.blob_params_at(time) != rules.blob_params_at(time) {
            let value = format!("{:?}", spec.blob_params_at(time));
            return invalid("config.blobSchedule", value, "that of Ethereum for the same fork");
        }
        let chain = Chain::new(&self.genesis, ChainConfig::new(spec))
            .map_err(|source| DeploymentError::Chain { path: path.to_owned(), source })?;
        let first = chain.head();
        for (what, got, expected) in [
            ("state root", first.header.state_root, self.genesis_state_root),
            ("hash", first.hash, self.genesis_hash),
        ] {
            if got != expected {
                let path = path.to_owned();
                return Err(DeploymentError::GenesisMismatch { path, what, got, expected });
            }
        }
        Ok(())
    }
}

const NUMBER: &str = "a number below 2^64";
const HASH: &str = "a hash: 0x and 64 hexadecimal digits";
const ADDRESS: &str = "an address: 0x and 40 hexadecimal digits";
const CONTRACT: &str = "the address of a contract";
const VERIFICATION: &str = "an object whose kind is native or verified";

/// The fields of a deployment file.
struct Fields<'p> {
    path: &'p Path,
    values: Map<String, Value>,
}

impl Fields<'_> {
    fn get(&self, field: &'static str, rule: &'static str) -> Result<&Value, DeploymentError> {
        let missing = || DeploymentError::Missing { path: self.path.to_owned(), field, rule };
        self.values.get(field).ok_or_else(missing)
    }

    fn invalid(&self, field: &'static str, value: &Value, rule: &'static str) -> DeploymentError {
        DeploymentError::Invalid {
            path: self.path.to_owned(),
            field,
            value: value.to_string(),
            rule,
        }
    }

    fn number(&self, field: &'static str) -> Result<u64, DeploymentError> {
        let value = self.get(field, NUMBER)?;
        // forge writes numbers that do not fit into a double as strings.
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number.ok_or_else(|| self.invalid(field, value, NUMBER))
    }

    fn parse<T: FromStr>(
        &self,
        field: &'static str,
        rule: &'static str,
    ) -> Result<T, DeploymentError> {
        let value = self.get(field, rule)?;
        // The parser also accepts digits without 0x, which other tools may interpret differently.
        let digits = value.as_str().filter(|text| text.starts_with("0x"));
        let parsed = digits.and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| self.invalid(field, value, rule))
    }

    fn address(&self, field: &'static str) -> Result<Address, DeploymentError> {
        self.parse(field, ADDRESS)
    }

    /// Returns the address of a contract, or zero. Files of rollups without it need not have it.
    fn optional(&self, field: &'static str) -> Result<Address, DeploymentError> {
        if self.values.contains_key(field) { self.address(field) } else { Ok(Address::ZERO) }
    }

    /// Returns the kind of verification, which files of native rollups need not have.
    fn verification(&self) -> Result<Verification, DeploymentError> {
        let field = "verification";
        let Some(value) = self.values.get(field) else { return Ok(Verification::default()) };
        let kind = value.get("kind").and_then(Value::as_str);
        kind.and_then(Verification::of_kind).ok_or_else(|| self.invalid(field, value, VERIFICATION))
    }

    /// Returns an address other than zero.
    fn contract(&self, field: &'static str) -> Result<Address, DeploymentError> {
        let address = self.address(field)?;
        if address.is_zero() {
            return Err(self.invalid(field, &Value::from(address.to_string()), CONTRACT));
        }
        Ok(address)
    }
}

fn read_object(path: &Path) -> Result<Map<String, Value>, DeploymentError> {
    let failed = |source| DeploymentError::Io { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LONGEST + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > LONGEST {
        return Err(DeploymentError::TooLong { path: path.to_owned(), maximum: LONGEST });
    }
    serde_json::from_slice(&text)
        .map_err(|source| DeploymentError::Json { path: path.to_owned(), source })
}
