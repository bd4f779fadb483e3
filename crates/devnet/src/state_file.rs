//! State files of `--dump-state` and `anvil_dumpState`, compatible with anvil's.
//!
//! A file contains JSON; the response of the method is the same JSON, gzipped. Unsupported parts
//! (the traces that anvil stores with transactions) are not written, and ignored when read.

use crate::DevnetError;
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Read},
    path::{Path, PathBuf},
};

/// Maximum uncompressed size, in bytes; a larger state is treated as a decompression bomb.
const MAX_UNPACKED: u64 = 4 << 30;

/// Contents of a state file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StateFile {
    /// Environment of the head block.
    #[serde(default)]
    pub block: Option<BlockEnvironment>,
    /// Accounts after the head block.
    pub accounts: BTreeMap<Address, AccountState>,
    /// Number of the head block.
    #[serde(default, with = "plain_or_hex")]
    pub best_block_number: Option<u64>,
    /// All blocks since genesis.
    #[serde(default)]
    pub blocks: Vec<StoredBlock>,
    /// All transactions, with their receipts.
    #[serde(default)]
    pub transactions: Vec<StoredTransaction>,
    /// States of earlier blocks, in the format of anvil's in-memory database.
    #[serde(default)]
    pub historical_states: Option<Value>,
}

/// Environment of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEnvironment {
    /// Block number.
    pub number: U256,
    /// Fee recipient; older files call it `coinbase`.
    #[serde(alias = "coinbase")]
    pub beneficiary: Address,
    /// Timestamp, in seconds.
    pub timestamp: U256,
    /// Gas limit.
    #[serde(with = "plain_or_hex_number")]
    pub gas_limit: u64,
    /// Base fee, in wei.
    #[serde(with = "plain_or_hex_number")]
    pub basefee: u64,
    /// Difficulty; zero since the merge.
    #[serde(default)]
    pub difficulty: U256,
    /// `prevRandao` of the block.
    #[serde(default)]
    pub prevrandao: Option<B256>,
    /// Excess blob gas and blob base fee.
    #[serde(default)]
    pub blob_excess_gas_and_price: Option<BlobPrice>,
    /// Slot number (EIP-7843).
    #[serde(default)]
    pub slot_num: u64,
}

/// Excess blob gas and blob base fee of a block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobPrice {
    /// Excess blob gas.
    pub excess_blob_gas: u64,
    /// Blob base fee, in wei per blob gas.
    pub blob_gasprice: u128,
}

/// Account with its code and storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountState {
    /// Nonce.
    #[serde(with = "plain_or_hex_number")]
    pub nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
    /// Code.
    pub code: Bytes,
    /// Non-zero storage slots. Older files omit leading zeros.
    #[serde(default, deserialize_with = "short_words")]
    pub storage: BTreeMap<B256, B256>,
}

/// Block with its transactions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredBlock {
    /// Block header.
    pub header: Header,
    /// Transactions of the block.
    pub transactions: Vec<StoredBody>,
    /// Ommer headers; empty since the merge.
    #[serde(default)]
    pub ommers: Vec<Header>,
    /// Withdrawals.
    #[serde(default)]
    pub withdrawals: Option<Withdrawals>,
}

/// Transaction in a block, with its sender if the signature does not determine it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BodyForm")]
pub struct StoredBody {
    /// The transaction in JSON-RPC format.
    pub transaction: Value,
    /// Sender of a transaction without a valid signature.
    pub impersonated_sender: Option<Address>,
}

/// Formats of a transaction in different versions of anvil.
#[derive(Deserialize)]
#[serde(untagged)]
enum BodyForm {
    Current {
        transaction: Value,
        #[serde(default)]
        impersonated_sender: Option<Address>,
    },
    /// Object with a single member, named after the transaction type, as of 2024.
    ByType(BTreeMap<String, Map<String, Value>>),
    /// Only the transaction, with its type as a member.
    Flat(Map<String, Value>),
}

impl TryFrom<BodyForm> for StoredBody {
    type Error = String;

    fn try_from(form: BodyForm) -> Result<Self, String> {
        let mut by_type = match form {
            BodyForm::Current { transaction, impersonated_sender } => {
                return Ok(Self { transaction, impersonated_sender });
            }
            BodyForm::Flat(fields) => {
                return Ok(Self { transaction: fields.into(), impersonated_sender: None });
            }
            BodyForm::ByType(by_type) => by_type.into_iter(),
        };
        let (Some((name, mut fields)), None) = (by_type.next(), by_type.next()) else {
            return Err("a transaction of a block has one type".to_owned());
        };
        let number = match name.as_str() {
            "Legacy" => "0x0",
            "EIP2930" => "0x1",
            "EIP1559" => "0x2",
            "EIP4844" => "0x3",
            "EIP7702" => "0x4",
            other => return Err(format!("no transaction has the type {other}")),
        };
        fields.insert("type".to_owned(), number.into());
        Ok(Self { transaction: fields.into(), impersonated_sender: None })
    }
}

fn short_words<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<B256, B256>, D::Error> {
    let words = BTreeMap::<U256, U256>::deserialize(from)?;
    Ok(words.into_iter().map(|(slot, value)| (slot.into(), value.into())).collect())
}

/// Mined transaction with its receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredTransaction {
    /// Result of the execution.
    pub info: TransactionInfo,
    /// Receipt in the format of EIP-2718.
    pub receipt: Value,
    /// Block hash.
    pub block_hash: B256,
    /// Block number.
    pub block_number: u64,
}

/// Execution result of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TransactionInfo {
    /// Transaction hash.
    pub transaction_hash: B256,
    /// Index in the block.
    pub transaction_index: u64,
    /// Sender.
    pub from: Address,
    /// Called account; `None` for a creation.
    pub to: Option<Address>,
    /// Created contract, if any.
    pub contract_address: Option<Address>,
    /// Call frames, as an arena; never read.
    #[serde(default, skip_deserializing)]
    pub traces: Vec<Value>,
    /// revm's reason for the end of the execution.
    pub exit: String,
    /// Returndata.
    #[serde(default)]
    pub out: Option<Bytes>,
    /// Nonce.
    #[serde(default)]
    pub nonce: u64,
    /// Gas used.
    #[serde(default)]
    pub gas_used: u64,
}

impl StateFile {
    /// Name of the state file in a directory.
    const NAME: &'static str = "state.json";

    /// Resolves the path of a file or of its directory to the file.
    pub(crate) fn at(path: &Path) -> PathBuf {
        if path.is_dir() { path.join(Self::NAME) } else { path.to_owned() }
    }

    /// Reads a state file.
    ///
    /// # Errors
    ///
    /// [`DevnetError::File`] or [`DevnetError::Format`].
    pub fn read(path: &Path) -> Result<Self, DevnetError> {
        let path = Self::at(path);
        let bytes = fs::read(&path).map_err(DevnetError::file("read", &path))?;
        Self::decode(&bytes).map_err(|reason| DevnetError::Format {
            path,
            expected: "state file",
            reason,
        })
    }

    /// Writes a state file atomically, so that readers never see a partial state.
    ///
    /// # Errors
    ///
    /// [`DevnetError::File`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DevnetError> {
        let path = Self::at(path);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(DevnetError::file("create", folder))?;
        }
        let unfinished = path.with_extension("tmp");
        self.write_whole(&unfinished).map_err(DevnetError::file("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(DevnetError::file("write", path))
    }

    /// Streams the JSON, which may be larger than the state in memory, and syncs the file.
    fn write_whole(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        serde_json::to_writer(&mut file, self)?;
        file.into_inner()?.sync_all()
    }

    /// Parses a state from JSON or gzipped JSON.
    ///
    /// # Errors
    ///
    /// If the data is not a valid state.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        if !bytes.starts_with(&GZIP) {
            return serde_json::from_slice(bytes).map_err(|error| error.to_string());
        }
        let mut json = Vec::new();
        let mut unpacked = GzDecoder::new(bytes).take(MAX_UNPACKED);
        unpacked.read_to_end(&mut json).map_err(|error| error.to_string())?;
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    }

    /// Encodes a state as gzipped JSON.
    pub fn pack(&self) -> Bytes {
        let mut text = BufWriter::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let written = serde_json::to_writer(&mut text, self).map_err(io::Error::from);
        let packed = written.and_then(|()| text.into_inner()?.finish());
        // Writing to memory cannot fail, and neither can serialization: all map keys are strings.
        packed.map(Bytes::from).unwrap_or_default()
    }
}

/// Number that some versions of anvil write in decimal and others in hexadecimal.
#[derive(Deserialize)]
#[serde(untagged)]
enum PlainOrHex {
    Plain(u64),
    Hex(U64),
}

impl From<PlainOrHex> for u64 {
    fn from(number: PlainOrHex) -> Self {
        match number {
            PlainOrHex::Plain(number) => number,
            PlainOrHex::Hex(number) => number.to(),
        }
    }
}

pub(crate) mod plain_or_hex_number {
    use super::PlainOrHex;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(*number)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        PlainOrHex::deserialize(from).map(Into::into)
    }
}

mod plain_or_hex {
    use super::PlainOrHex;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        number.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        Ok(Option::<PlainOrHex>::deserialize(from)?.map(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;

    fn some() -> StateFile {
        let account = AccountState {
            nonce: 3,
            balance: U256::from(5),
            code: Bytes::from_static(&[0x60, 0x00]),
            storage: BTreeMap::from([(B256::ZERO, B256::with_last_byte(7))]),
        };
        let who = address!("0x00000000000000000000000000000000000000aa");
        StateFile {
            accounts: BTreeMap::from([(who, account)]),
            best_block_number: Some(4),
            ..StateFile::default()
        }
    }

    #[test]
    fn state_round_trips_through_file_and_gzip() {
        let folder = tempfile::tempdir().unwrap();
        some().write(folder.path()).unwrap();
        assert_eq!(StateFile::read(&folder.path().join("state.json")).unwrap(), some());
        assert_eq!(StateFile::decode(&some().pack()).unwrap(), some());
    }

    #[test]
    fn malformed_state_error_contains_the_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert!(matches!(StateFile::read(&path), Err(DevnetError::File { .. })));
        fs::write(&path, "{\"accounts\": 5}").unwrap();
        assert!(matches!(StateFile::read(&path), Err(DevnetError::Format { .. })));
        assert!(StateFile::decode(&[0x1f, 0x8b, 1, 2]).is_err());
    }

    #[test]
    fn numbers_parse_as_decimal_and_hexadecimal() {
        for number in ["7", "\"0x7\""] {
            let text = format!(
                "{{\"accounts\":{{\"0x00000000000000000000000000000000000000aa\":\
                 {{\"nonce\":{number},\"balance\":\"0x1\",\"code\":\"0x\"}}}},\
                 \"best_block_number\":{number}}}"
            );
            let state = StateFile::decode(text.as_bytes()).unwrap();
            assert_eq!(state.best_block_number, Some(7));
            assert_eq!(state.accounts.values().next().unwrap().nonce, 7);
        }
    }
}
