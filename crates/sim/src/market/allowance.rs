//! An L1 on which rollups pay from allowances: a chain with the market, and a transaction of type
//! `0x05` for each advance.
//!
//! The chain implements prices, limit, payment and refund. The L2 blocks have no transactions: the
//! gas limit of a block represents the gas that an advance would use, and is the price of the call.

use super::block::{BASE_FEE, Block, L1_LIMIT};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{B256, Bytes, U256};
use chain::{
    BlockAttributes, BlockBuilder, Chain, ChainConfig, ExecuteMarket, ExecuteTxPrecompile,
    RecoveredTransaction, empty_genesis,
};
use codec::{ExecuteTx, ExecuteTxVersion, SignedExecuteTx};
use execute::{DeclaredGas, Execute, Pricing};
use executor::ChainSpec;
use eyre::{OptionExt as _, Result, ensure};
use std::{collections::HashMap, sync::Arc};
use testkit::{CHAIN_ID, Key, execute_tx_of, rich, rich_genesis};
use variants::{
    BlobSource, DialectName, Dialects, ExecuteExtension,
    market::{LIMIT, MARKET_ADDRESS, MARKET_CODE, excess_at, price, price_on},
};
use wire::ProtocolFork;

const FORK: ProtocolFork = ProtocolFork::Osaka;
const L2_CHAIN: u64 = 9_999;
/// Gas limit of a transaction, enough for its calldata and its witness.
const GAS: u64 = 1_000_000;
/// Seconds between blocks.
const BLOCK_TIME: u64 = 12;
/// Initial balance of each buyer in wei, more than any can spend.
const FUNDS: u128 = 1_000_000_000_000_000_000_000_000;
/// Number of blocks whose states and transactions are kept.
const KEPT: u64 = 64;

/// Gas schedule that charges the gas limit of the block.
#[derive(Debug)]
struct ByGasLimit;

impl Pricing for ByGasLimit {
    fn bytes(&self, _: u64) -> u64 {
        0
    }

    fn reserve(&self, declared: &DeclaredGas) -> u64 {
        declared.gas_limit
    }

    fn charge(&self, declared: &DeclaredGas, _: u64) -> u64 {
        declared.gas_limit
    }
}

/// A chain that sells allowances.
pub(crate) struct AllowanceChain {
    chain: Chain,
    buyers: Vec<Key>,
    nonces: Vec<u64>,
    /// Transaction with a block, by the block's gas limit.
    advances: HashMap<u64, ExecuteTx>,
}

impl AllowanceChain {
    /// Starts the chain with the price equal to the first base fee.
    pub(crate) fn new(buyers: u64) -> Result<Self> {
        let names: Vec<_> = (0..buyers).map(|buyer| format!("buyer {buyer}")).collect();
        let mut genesis = rich_genesis(FORK, names.iter().map(String::as_str), FUNDS);
        genesis.gas_limit = L1_LIMIT;
        let excess = B256::from(U256::from(excess_at(BASE_FEE)));
        let market = GenesisAccount {
            code: Some(Bytes::from_static(MARKET_CODE)),
            storage: Some([(B256::ZERO, excess)].into()),
            ..rich(0)
        };
        genesis.alloc.insert(MARKET_ADDRESS, market);

        let blobs: Arc<dyn BlobSource> = Arc::new(());
        let execute = Dialects::usual(&[DialectName::ExecuteTx])
            .of(Execute { gas: Arc::new(ByGasLimit), ..Execute::on(FORK) }, &blobs);
        let extension = Arc::new(ExecuteExtension::with_market(execute));
        let address = extension.execute_tx_address().ok_or_eyre("EXECUTE has the dialect")?;
        let mut config = ChainConfig::new(ChainSpec::constant(CHAIN_ID, FORK))
            .with_extension(Arc::<ExecuteExtension>::clone(&extension));
        config.execute_tx = Some(ExecuteTxPrecompile::new(
            address,
            Some(ExecuteMarket { limit: LIMIT, price: price_on }),
            move |transaction, precompiles, tally| {
                extension.install_execute_tx(transaction, precompiles, tally);
            },
        ));
        let buyers: Vec<_> = names.iter().map(|name| Key::named(name)).collect();
        let nonces = vec![0; buyers.len()];
        Ok(Self { chain: Chain::new(&genesis, config)?, buyers, nonces, advances: HashMap::new() })
    }

    /// Returns the price of EXECUTE gas in the next block, in wei.
    pub(crate) fn price(&self) -> Result<u64> {
        Ok(price(self.chain.storage(MARKET_ADDRESS, U256::ZERO)?.saturating_to()))
    }

    /// Appends a block with a transaction for each one in the model's block.
    ///
    /// Fails if the chain does not include one of them, if a call fails, or if the buyers pay
    /// another price than that of the block.
    pub(crate) fn append(&mut self, block: &Block) -> Result<()> {
        let mut offered = Vec::with_capacity(block.purchases.len());
        for (buyer, execute_gas) in &block.purchases {
            offered.push(self.transaction(*buyer as usize, *execute_gas, block.rate.price)?);
        }
        let before = self.funds()?;
        let state = self.chain.state();
        let timestamp = state.block().header.timestamp + BLOCK_TIME;
        let mut header =
            state.open_header(&BlockAttributes { timestamp, ..BlockAttributes::default() })?;
        // As if other transactions used the remaining gas.
        header.base_fee_per_gas = Some(BASE_FEE);
        let built = BlockBuilder::new(&state).build(&header, &[], &offered)?;
        ensure!(built.rejected.is_empty(), "not included: {:?}", built.rejected);
        let head = self.chain.append(built.executed)?;
        let receipts = &head.executed.receipts;
        ensure!(receipts.iter().all(|receipt| receipt.success), "a call has failed");
        let gas = U256::from(head.header.gas_used) * U256::from(BASE_FEE);
        let (got, expected) = (before - self.funds()? - gas, U256::from(block.cost()));
        ensure!(got == expected, "{got} wei for EXECUTE gas, expected {expected}");
        self.chain.forget_bodies(KEPT)?;
        Ok(self.chain.prune(KEPT, [])?)
    }

    /// Returns the sum of all buyers' balances in wei.
    fn funds(&self) -> Result<U256> {
        let mut sum = U256::ZERO;
        for buyer in &self.buyers {
            sum += self.chain.balance(buyer.address())?;
        }
        Ok(sum)
    }

    /// Signs the next transaction of a buyer, with an allowance equal to the charge of the call.
    fn transaction(
        &mut self,
        buyer: usize,
        execute_gas: u64,
        wei: u64,
    ) -> Result<RecoveredTransaction> {
        let advance = match self.advances.get(&execute_gas) {
            Some(known) => known.clone(),
            None => {
                let new = advance(execute_gas)?;
                self.advances.insert(execute_gas, new.clone());
                new
            }
        };
        let (key, nonce) = (&self.buyers[buyer], self.nonces[buyer]);
        self.nonces[buyer] += 1;
        let tx = ExecuteTx {
            chain_id: CHAIN_ID,
            nonce,
            max_fee_per_gas: BASE_FEE.into(),
            gas_limit: GAS,
            version: ExecuteTxVersion::V3 {
                anchor: advance.anchor(),
                max_fee_per_execute_gas: wei.into(),
                execute_gas_limit: execute_gas,
            },
            ..advance
        };
        let signed = SignedExecuteTx { signature: key.sign_digest(&tx.signing_hash()), tx };
        Ok(RecoveredTransaction { transaction: signed.into(), sender: key.address(), signed: true })
    }
}

/// Returns a transaction with an empty block of an L2 whose blocks have this gas limit.
fn advance(gas_limit: u64) -> Result<ExecuteTx> {
    let mut genesis = empty_genesis(FORK);
    genesis.gas_limit = gas_limit;
    let chain = Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(L2_CHAIN, FORK)))?;
    let attributes = BlockAttributes { timestamp: BLOCK_TIME, ..BlockAttributes::default() };
    let (block, _) = chain.build(&attributes, Vec::new())?;
    execute_tx_of(&block.input()?).ok_or_eyre("a single block has a witness")
}
