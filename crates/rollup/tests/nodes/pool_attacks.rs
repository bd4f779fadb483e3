//! Attacks that try to fill the pool for free. During each attack, one of the next three blocks
//! must include an honest account's transaction, also after a restart.

use crate::support::{DevnetRollup, L2_CHAIN, provider_of, until};
use alloy_consensus::TxEip1559;
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_provider::{Provider as _, RootProvider};
use chain::{Chain, ChainConfig, Rejection};
use enshrine_rollup::{Config, InputLimits, PoolLimits, Prices, Role, RollupNode};
use execute::Rules;
use executor::ChainSpec;
use eyre::{OptionExt as _, Result, ensure};
use node::{BlockCandidate, Clock, MineRequest, Mining, Node, Rejected, Settings};
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use testkit::{ETHER, Key, Random, Transaction, rich, rich_genesis};
use wire::ProtocolFork;

const GWEI: u128 = 1_000_000_000;
/// Maximum number of transactions in the pool.
const POOL: usize = 128;
/// Maximum number of transactions of one account.
const PER_ACCOUNT: usize = 64;
/// Code that sends the account's whole balance to the caller.
const DRAIN: [u8; 9] = hex!("5f5f5f5f47335af100");

fn limits() -> PoolLimits {
    PoolLimits { transactions: POOL, per_sender: PER_ACCOUNT, ..PoolLimits::public() }
}

/// A rollup under attack.
struct Attacked {
    _rollup: DevnetRollup,
    _folder: TempDir,
    config: Config,
    node: RollupNode,
    l2: RootProvider,
    honest: u64,
}

/// Fees of a transaction in wei per gas, its gas limit and its recipient.
#[derive(Clone, Copy)]
struct Offer {
    max_fee: u128,
    tip: u128,
    gas_limit: u64,
    to: Address,
}

const HIGH: Offer =
    Offer { max_fee: 402 * GWEI, tip: 400 * GWEI, gas_limit: 21_000, to: Address::ZERO };

fn signed(name: &str, nonce: u64, offer: Offer) -> Transaction {
    let Offer { max_fee, tip, gas_limit, to } = offer;
    Key::named(name).sign(TxEip1559 {
        chain_id: L2_CHAIN,
        nonce,
        gas_limit,
        max_fee_per_gas: max_fee,
        max_priority_fee_per_gas: tip,
        to: to.into(),
        ..Default::default()
    })
}

impl Attacked {
    async fn with(accounts: Vec<(Address, GenesisAccount)>) -> Result<Self> {
        Self::with_prices(accounts, Prices::default()).await
    }

    async fn with_prices(
        mut accounts: Vec<(Address, GenesisAccount)>,
        prices: Prices,
    ) -> Result<Self> {
        accounts.push((Key::named("honest").address(), rich(ETHER)));
        let rollup = DevnetRollup::with(accounts).await?;
        let mut sequencing = rollup.sequencer_config()?;
        // Long enough for an attack to be in the pool before the next block.
        sequencing.block_time = Duration::from_secs(2);
        sequencing.prices = prices;
        let folder = tempfile::tempdir()?;
        let mut config = rollup.config(Role::Sequencer(Box::new(sequencing)));
        (config.data_dir, config.pool) = (Some(folder.path().to_owned()), limits());
        let node = RollupNode::start(config.clone()).await?;
        let l2 = provider_of(&node)?;
        Ok(Self { _rollup: rollup, _folder: folder, config, node, l2, honest: 0 })
    }

    /// Submits a transaction to the pool directly, without RPC.
    fn offer(&self, transaction: &Transaction) -> Result<(), Rejected> {
        let raw = Bytes::from(transaction.encoded_2718());
        let pooled =
            rpc::decode_pooled(&raw).map_err(|error| Rejected::Blobs(error.to_string()))?;
        self.node.node().submit(pooled).map(drop)
    }

    /// Submits a transaction per nonce, and returns how many the pool accepts.
    fn flood(&self, name: &str, nonces: core::ops::Range<u64>, offer: Offer) -> usize {
        nonces.filter(|nonce| self.offer(&signed(name, *nonce, offer)).is_ok()).count()
    }

    /// Sends a transaction of the honest account; returns its hash and the current head.
    async fn send_honest(&mut self) -> Result<(B256, u64)> {
        let offer = Offer { max_fee: 10 * GWEI, tip: GWEI, gas_limit: 21_000, to: Address::ZERO };
        let raw = signed("honest", self.honest, offer).encoded_2718();
        let hash = *self.l2.send_raw_transaction(&raw).await?.tx_hash();
        self.honest += 1;
        Ok((hash, self.l2.get_block_number().await?))
    }

    /// Waits until one of the three blocks after this head includes a transaction.
    async fn is_mined_soon(&self, (hash, head): (B256, u64)) -> Result<()> {
        until("three blocks, or the transaction", &self.node, || async {
            let receipt = self.l2.get_transaction_receipt(hash).await?;
            Ok(receipt.is_some() || self.l2.get_block_number().await? > head + 3)
        })
        .await?;
        let receipt = self.l2.get_transaction_receipt(hash).await?.ok_or_eyre("not mined")?;
        let number = receipt.block_number.ok_or_eyre("no block")?;
        ensure!(number <= head + 3, "sent at {head}, mined in {number}");
        Ok(())
    }

    async fn honest_is_mined_soon(&mut self) -> Result<()> {
        let sent = self.send_honest().await?;
        self.is_mined_soon(sent).await
    }

    async fn restart(self) -> Result<Self> {
        self.node.stop().await;
        let node = RollupNode::start(self.config.clone()).await?;
        let l2 = provider_of(&node)?;
        Ok(Self { node, l2, ..self })
    }

    fn folder(&self) -> &Path {
        self._folder.path()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_behind_nonce_gap_cannot_fill_pool() -> Result<()> {
    let names = ["mallory", "oscar", "trudy"];
    let accounts = names.map(|name| (Key::named(name).address(), rich(ETHER)));
    let mut attacked = Attacked::with(accounts.to_vec()).await?;
    for name in names {
        attacked.flood(name, 1..200, HIGH);
    }
    attacked.honest_is_mined_soon().await?;
    let mut attacked = attacked.restart().await?;
    attacked.honest_is_mined_soon().await?;
    // The pool keeps some transactions with nonce gaps, in case the missing one arrives late.
    assert!(attacked.node.node().read(|node| node.pool.len()) > 0);
    attacked.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unaffordable_transactions_cannot_fill_pool() -> Result<()> {
    let names = ["mallory", "oscar", "trudy"];
    // Enough for a single transaction.
    let funds = HIGH.max_fee * u128::from(HIGH.gas_limit);
    let accounts = names.map(|name| (Key::named(name).address(), rich(funds)));
    let mut attacked = Attacked::with(accounts.to_vec()).await?;
    for name in names {
        assert_eq!(attacked.flood(name, 0..200, HIGH), 1, "the balance covers one transaction");
    }
    attacked.honest_is_mined_soon().await?;
    let mut attacked = attacked.restart().await?;
    attacked.honest_is_mined_soon().await?;
    attacked.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replacement_storm_does_not_delay_honest_transactions() -> Result<()> {
    let mut attacked = Attacked::with(vec![(Key::named("mallory").address(), rich(ETHER))]).await?;
    // The transaction has a nonce gap, so replacing it costs nothing.
    let (mut offer, mut accepted) = (Offer { max_fee: 2 * GWEI, tip: 10, ..HIGH }, 0);
    for _ in 0..100 {
        accepted += attacked.flood("mallory", 1..2, offer);
        offer.max_fee += offer.max_fee / 10 + 1;
    }
    assert_eq!(accepted, 1, "a higher fee cap alone must not replace it");
    offer.tip = 11;
    assert_eq!(attacked.flood("mallory", 1..2, offer), 1, "fee cap and tip are both 10 % higher");
    attacked.honest_is_mined_soon().await?;
    let mut attacked = attacked.restart().await?;
    attacked.honest_is_mined_soon().await?;
    assert!(std::fs::metadata(attacked.folder().join("pool"))?.len() < 1 << 20);
    attacked.node.stop().await;
    Ok(())
}

/// Gapped transactions cause no blocks, and replacing one costs nothing, so the file must not wait
/// for a block to be rewritten.
#[tokio::test(flavor = "multi_thread")]
async fn pool_file_stays_short_without_blocks() -> Result<()> {
    let mut attacked = Attacked::with(vec![(Key::named("mallory").address(), rich(ETHER))]).await?;
    // The first block of a sequencer may be empty.
    attacked.honest_is_mined_soon().await?;
    let head = attacked.l2.get_block_number().await?;
    let (mut fee, mut last) = (2 * GWEI, B256::ZERO);
    for _ in 0..30 {
        let transaction = Key::named("mallory").sign(TxEip1559 {
            chain_id: L2_CHAIN,
            nonce: 1,
            gas_limit: 1_000_000,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: fee,
            to: Address::ZERO.into(),
            input: vec![0; 60_000].into(),
            ..Default::default()
        });
        attacked.offer(&transaction)?;
        last = *transaction.hash();
        fee += fee / 8 + 1;
    }
    let file = attacked.folder().join("pool");
    until("a shorter pool file", &attacked.node, || async {
        Ok(std::fs::metadata(&file)?.len() < 1 << 20)
    })
    .await?;
    assert_eq!(attacked.l2.get_block_number().await?, head);
    // The transaction that was not replaced is still in it.
    let attacked = attacked.restart().await?;
    assert!(attacked.node.node().read(|node| node.pool.get(&last).is_some()));
    attacked.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn delegated_accounts_get_one_pool_slot_each() -> Result<()> {
    let names = ["mallory", "oscar", "trudy"];
    let drain = Address::repeat_byte(0xd7);
    let code = |code: Vec<u8>, ether| GenesisAccount { code: Some(code.into()), ..rich(ether) };
    let delegated = [&hex!("ef0100")[..], drain.as_slice()].concat();
    let mut accounts = vec![(drain, code(DRAIN.to_vec(), 0))];
    accounts.extend(names.map(|name| (Key::named(name).address(), code(delegated.clone(), ETHER))));
    accounts.push((Key::named("drainer").address(), rich(10 * ETHER)));
    let mut attacked = Attacked::with(accounts).await?;
    for round in 0..2_u64 {
        let sent = attacked.send_honest().await?;
        for name in names {
            let next = attacked.l2.get_transaction_count(Key::named(name).address()).await?;
            attacked.flood(name, next..next + 100, HIGH);
        }
        // One cheap transaction per account makes all of its transactions above unaffordable.
        for (name, nonce) in names.into_iter().zip(3 * round..) {
            let (max_fee, tip) = (502 * GWEI, 500 * GWEI);
            let to = Key::named(name).address();
            let empties = Offer { max_fee, tip, gas_limit: 100_000, to };
            attacked.flood("drainer", nonce..nonce + 1, empties);
        }
        attacked.is_mined_soon(sent).await?;
        attacked = attacked.restart().await?;
        attacked.honest_is_mined_soon().await?;
    }
    attacked.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nominal_tip_above_fee_cap_gets_no_priority() -> Result<()> {
    let names = ["mallory", "oscar", "trudy"];
    let accounts = names.map(|name| (Key::named(name).address(), rich(ETHER)));
    let mut attacked = Attacked::with(accounts.to_vec()).await?;
    for _ in 0..2 {
        let base_fee = u128::from(attacked.node.node().read(node::NodeState::next_base_fee));
        // The nominal tip equals the fee cap, of which the base fee leaves one wei.
        let max_fee = base_fee.max(8) + 1;
        for name in names {
            let next = attacked.l2.get_transaction_count(Key::named(name).address()).await?;
            let offer = Offer { max_fee, tip: max_fee, ..HIGH };
            attacked.flood(name, next..next + 100, offer);
        }
        // The honest nominal tip is lower than theirs, but its effective tip is higher.
        let (tip, to) = (max_fee / 2, Address::ZERO);
        let offer = Offer { max_fee: 4 * max_fee, tip, gas_limit: 21_000, to };
        let raw = signed("honest", attacked.honest, offer).encoded_2718();
        let hash = *attacked.l2.send_raw_transaction(&raw).await?.tx_hash();
        attacked.honest += 1;
        let head = attacked.l2.get_block_number().await?;
        attacked.is_mined_soon((hash, head)).await?;
        attacked = attacked.restart().await?;
        attacked.honest_is_mined_soon().await?;
    }
    attacked.node.stop().await;
    Ok(())
}

/// Loads the code of each account in the calldata, and burns gas until 1,000 are left.
const READER: [u8; 32] = hex!("5f5b3681101560165760015f5f83353c6020016001565b6103e85a1160165700");
/// Increments a counter in the storage.
const COUNTER: [u8; 9] = hex!("5f546001015f550000");
/// Number of accounts with code of nearly the maximum size.
const CODES: u64 = 60;
const READER_ACCOUNT: Address = Address::repeat_byte(0x4e);
const COUNTER_ACCOUNT: Address = Address::repeat_byte(0xc0);

fn code_account(number: u64) -> Address {
    Address::from_word(B256::from(U256::from(0xc0de_0000 + number)))
}

/// Accounts whose transactions are executed and never included.
#[derive(Clone, Copy)]
struct VainCalls {
    /// Number of codes of 24 kB that each transaction reads.
    codes: usize,
    /// Tip in wei per gas.
    tip: u128,
    /// Number of accounts for each divisor of the block's gas limit, which yields their gas limit.
    accounts: &'static [(u64, u64)],
}

/// A hundred accounts that spend a quarter of a block's gas in each class of gas limits.
const ALL_CLASSES: &[(u64, u64)] = &[(256, 68), (64, 20), (16, 7), (4, 5)];
/// Divisors of the block's gas limit that yield the gas limits of honest calls.
const HONEST: [u64; 4] = [256, 64, 16, 10];

impl VainCalls {
    /// Names of the accounts, with their gas limits.
    fn accounts(self, block_gas: u64) -> impl Iterator<Item = (String, u64)> {
        self.accounts.iter().flat_map(move |(divisor, count)| {
            (0..*count)
                .map(move |index| (format!("attacker {divisor} {index}"), block_gas / divisor))
        })
    }

    /// Offers a new transaction of each account that has none in the pool.
    fn offer(self, attacked: &Attacked, random: &mut Random) -> Result<()> {
        let (block_gas, next) = attacked.node.node().read(|node| {
            let header = &node.chain.head().header;
            (header.gas_limit, header.number)
        });
        for (name, gas_limit) in self.accounts(block_gas) {
            let key = Key::named(&name);
            if attacked.node.node().read(|node| node.pool.count_of(key.address())) > 0 {
                continue;
            }
            let read = (0..self.codes).map(|_| random.in_range(0..CODES as usize) as u64);
            let input: Vec<u8> = read.flat_map(|code| code_account(code).into_word().0).collect();
            let nonce = attacked.node.node().read(|node| node.chain.nonce(key.address()))?;
            // A transaction that was dropped is not accepted again, so the value makes it a new
            // one.
            let transaction = key.sign(TxEip1559 {
                chain_id: L2_CHAIN,
                nonce,
                gas_limit,
                max_fee_per_gas: 12 * GWEI,
                max_priority_fee_per_gas: self.tip,
                to: READER_ACCOUNT.into(),
                value: U256::from(next),
                input: input.into(),
                ..Default::default()
            });
            // One that arrives just after a new block may already be there.
            let _ = attacked.offer(&transaction);
        }
        Ok(())
    }
}

/// Checks that honest calls of each class of gas limits are mined during an attack.
async fn honest_calls_are_mined(vain: VainCalls, prices: Prices, honest_tip: u128) -> Result<()> {
    let code = |code: Vec<u8>| GenesisAccount { code: Some(code.into()), ..rich(0) };
    let mut accounts =
        vec![(READER_ACCOUNT, code(READER.to_vec())), (COUNTER_ACCOUNT, code(COUNTER.to_vec()))];
    accounts.extend((0..CODES).map(|number| {
        let bytes = [&[0][..], &number.to_be_bytes(), &[0x5b; 24_000]].concat();
        (code_account(number), code(bytes))
    }));
    let attackers = vain.accounts(0).map(|(name, _)| Key::named(&name).address());
    accounts.extend(attackers.map(|attacker| (attacker, rich(ETHER))));
    let honest = HONEST.map(|divisor| format!("honest {divisor}"));
    accounts.extend(honest.iter().map(|name| (Key::named(name).address(), rich(ETHER))));
    let mut attacked = Attacked::with_prices(accounts, prices).await?;
    let block_gas = attacked.node.node().read(|node| node.chain.head().header.gas_limit);
    let mut random = Random::from_hash(&keccak256("vain"));
    for nonce in 0..3 {
        vain.offer(&attacked, &mut random)?;
        let mut sent = Vec::new();
        let head = attacked.l2.get_block_number().await?;
        for (name, divisor) in honest.iter().zip(HONEST) {
            let (max_fee, gas_limit) = (12 * GWEI, block_gas / divisor);
            let offer = Offer { max_fee, tip: honest_tip, gas_limit, to: COUNTER_ACCOUNT };
            let raw = signed(name, nonce, offer).encoded_2718();
            sent.push(*attacked.l2.send_raw_transaction(&raw).await?.tx_hash());
        }
        let transfer = match prices.byte {
            0 => Some(attacked.send_honest().await?.0),
            _ => None,
        };
        for hash in sent.into_iter().chain(transfer) {
            loop {
                // Those that were dropped are replaced by new ones at once.
                vain.offer(&attacked, &mut random)?;
                let is_mined = attacked.l2.get_transaction_receipt(hash).await?.is_some();
                if is_mined || attacked.l2.get_block_number().await? > head + 3 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            attacked.is_mined_soon((hash, head)).await?;
        }
    }
    attacked.node.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_never_fit_starve_no_call() -> Result<()> {
    // Four codes almost fill a block, so one or two such transactions are included.
    let vain = VainCalls { codes: 4, tip: 2 * GWEI, accounts: ALL_CLASSES };
    honest_calls_are_mined(vain, Prices::default(), GWEI).await
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_too_large_for_l1_starve_no_call() -> Result<()> {
    let vain = VainCalls { codes: 12, tip: 2 * GWEI, accounts: ALL_CLASSES };
    honest_calls_are_mined(vain, Prices::default(), GWEI).await
}

#[tokio::test(flavor = "multi_thread")]
async fn underpaid_transactions_starve_no_call() -> Result<()> {
    // With much more gas, a tip above the honest one would pay for the codes.
    const CHEAP_CLASSES: &[(u64, u64)] = &[(256, 75), (64, 25)];
    let vain = VainCalls { codes: 3, tip: GWEI / 10, accounts: CHEAP_CLASSES };
    let prices = Prices { byte: GWEI, ..Prices::default() };
    honest_calls_are_mined(vain, prices, GWEI / 11).await
}

/// Builds a block of a pool with these transactions, whose verification may use this gas.
fn sealed(offered: &[&Transaction], gas: u64) -> Result<BlockCandidate> {
    paced(offered, gas, None)
}

/// Like [`sealed`], with at most this gas for transactions.
fn paced(offered: &[&Transaction], gas: u64, pool_gas: Option<u64>) -> Result<BlockCandidate> {
    let fork = ProtocolFork::Osaka;
    let genesis = rich_genesis(fork, ["mallory", "honest"], ETHER);
    let chain = Chain::new(&genesis, ChainConfig::new(ChainSpec::constant(L2_CHAIN, fork)))?;
    let limits = InputLimits { gas: Some(gas), ..InputLimits::default() };
    let settings = Settings {
        mining: Mining::Manual,
        budget: Arc::new(limits),
        verify_blocks: Some(Rules::default()),
        ..Settings::default()
    };
    let node = Node::new(chain, Clock::starting_at(1_000), settings);
    for transaction in offered {
        let raw = Bytes::from(transaction.encoded_2718());
        let pooled = rpc::decode_pooled(&raw).map_err(|error| eyre::eyre!(error.to_string()))?;
        node.submit(pooled)?;
    }
    Ok(node.seal(&MineRequest { pool_gas, ..MineRequest::default() })?)
}

/// It is found to be too expensive only once the block with it alone has been verified.
#[test]
fn expensive_lone_transaction_keeps_out_no_others() -> Result<()> {
    let expensive = Offer { max_fee: 402 * GWEI, tip: 2 * GWEI, gas_limit: 400_000, ..HIGH };
    let expensive = signed("mallory", 0, expensive);
    let plain = Offer { max_fee: 402 * GWEI, tip: GWEI, gas_limit: 21_000, ..HIGH };
    let plain = signed("honest", 0, plain);
    let cost = |built: &BlockCandidate| built.cost.map(|cost| cost.gas).ok_or_eyre("not verified");
    let hashes = |built: &BlockCandidate| -> Vec<_> {
        built.new.block.transactions.iter().map(|tx| *tx.hash()).collect()
    };
    let most = cost(&sealed(&[&expensive], u64::MAX)?)? - 1;
    // With less gas, only the expensive one is offered at first.
    for pool_gas in [None, Some(400_000), Some(1)] {
        let built = paced(&[&expensive, &plain], most, pool_gas)?;
        ensure!(hashes(&built) == [*plain.hash()], "{:?}", built.rejected);
        let reason = built.rejected.iter().find(|(hash, _)| hash == expensive.hash());
        ensure!(matches!(reason, Some((_, Rejection::TooLarge(_)))), "{reason:?}");
        ensure!(cost(&built)? <= most);
    }
    // Alone it fits with one more gas, and both fit with enough.
    ensure!(hashes(&sealed(&[&expensive], most + 1)?) == [*expensive.hash()]);
    ensure!(hashes(&sealed(&[&expensive, &plain], u64::MAX)?).len() == 2);
    // The share ends the block, but includes at least one.
    for (pool_gas, count) in [(1, 1), (420_999, 1), (421_000, 2)] {
        let built = paced(&[&expensive, &plain], u64::MAX, Some(pool_gas))?;
        ensure!(hashes(&built).len() == count, "{pool_gas}: {:?}", built.rejected);
        ensure!(hashes(&built)[0] == *expensive.hash());
    }
    Ok(())
}
