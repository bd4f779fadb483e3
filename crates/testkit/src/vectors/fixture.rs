//! Official fixtures (EEST `blockchain_test`): pre-states, blocks and expected verdicts.

use alloy_consensus::Header;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use codec::RawBlock;
use eyre::{Result, WrapErr, bail};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use wire::ProtocolFork;

/// EIP-155 id of the chain of every fixture.
pub const CHAIN_ID: u64 = 1;
/// Deposit contract of that chain.
pub const DEPOSIT_CONTRACT: Address = address!("0x00000000219ab540356cbb839cbe05303d7705fa");

/// Activation time of the later fork on transition networks, in seconds.
const TRANSITION: u64 = 15_000;

/// One test: a pre-state, and blocks with their expected verdicts.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// File and name of the test.
    pub name: String,
    /// Fork at genesis.
    pub fork: ProtocolFork,
    /// Later fork and its activation time.
    pub later: Option<(ProtocolFork, u64)>,
    /// Header of the first block.
    pub header: Header,
    /// State of the first block, and those fields of its header that a genesis has.
    pub genesis: Genesis,
    /// Blocks in order. Each is a child of the last valid one.
    pub blocks: Vec<FixtureBlock>,
    /// Hash of the last valid block.
    pub last_block_hash: B256,
    /// Accounts after the last valid block, if the fixture lists them.
    pub post_state: Option<BTreeMap<Address, Account>>,
}

/// A block of a fixture.
#[derive(Debug, Clone, Deserialize)]
pub struct FixtureBlock {
    /// RLP of the block, which may be malformed if the block is invalid.
    pub rlp: Bytes,
    /// Reason why the block is invalid, or `None` if it is valid.
    #[serde(rename = "expectException", default)]
    pub exception: Option<String>,
}

/// An account of a fixture.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Nonce.
    #[serde(deserialize_with = "quantity")]
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Code.
    pub code: Bytes,
    /// Nonzero storage slots.
    pub storage: BTreeMap<U256, U256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    network: String,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Bytes,
    pre: BTreeMap<Address, Account>,
    blocks: Vec<FixtureBlock>,
    #[serde(rename = "lastblockhash")]
    last_block_hash: B256,
    #[serde(default)]
    post_state: Option<BTreeMap<Address, Account>>,
}

/// Calls `test` with every test of a pack. Returns `false` if the pack is missing.
pub fn each(pack: &str, mut test: impl FnMut(&Fixture) -> Result<()>) -> Result<bool> {
    super::json_files(pack, |path, text| {
        let documents: BTreeMap<String, Document> = serde_json::from_slice(text)?;
        for (name, document) in documents {
            let fixture = Fixture::new(format!("{} {name}", path.display()), document)?;
            test(&fixture).wrap_err_with(|| fixture.name.clone())?;
        }
        Ok(())
    })
}

impl Fixture {
    fn new(name: String, document: Document) -> Result<Self> {
        let (fork, later) = match document.network.as_str() {
            "Osaka" => (ProtocolFork::Osaka, None),
            "Amsterdam" => (ProtocolFork::Amsterdam, None),
            "PragueToOsakaAtTime15k" => (ProtocolFork::Prague, Some(ProtocolFork::Osaka)),
            "BPO2ToAmsterdamAtTime15k" => (ProtocolFork::Bpo2, Some(ProtocolFork::Amsterdam)),
            other => bail!("unknown network {other} in {name}"),
        };
        let header = RawBlock::decode(&document.genesis_rlp)?.header;
        let genesis = Genesis {
            timestamp: header.timestamp,
            gas_limit: header.gas_limit,
            base_fee_per_gas: header.base_fee_per_gas.map(Into::into),
            excess_blob_gas: header.excess_blob_gas,
            alloc: document.pre.into_iter().map(|(at, account)| (at, account.into())).collect(),
            ..Default::default()
        };
        Ok(Self {
            name,
            fork,
            later: later.map(|fork| (fork, TRANSITION)),
            header,
            genesis,
            blocks: document.blocks,
            last_block_hash: document.last_block_hash,
            post_state: document.post_state,
        })
    }
}

impl From<Account> for GenesisAccount {
    fn from(account: Account) -> Self {
        let storage = account.storage.into_iter();
        Self {
            nonce: Some(account.nonce),
            balance: account.balance,
            code: Some(account.code),
            storage: Some(storage.map(|(slot, value)| (slot.into(), value.into())).collect()),
            ..Default::default()
        }
    }
}

fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    U256::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
}
