//! Builder of a devnet.

use crate::{Devnet, DevnetConfig, DevnetError, Fork, MiningMode, Origin};
use alloy_primitives::U256;
use chain::ForkTime;
use std::time::Duration;
use wire::ProtocolFork;

impl Devnet {
    /// Returns a builder with the command's defaults, but on a free port.
    pub fn builder() -> DevnetBuilder {
        let mut config = DevnetConfig::default();
        config.server.port = 0;
        DevnetBuilder { config }
    }
}

/// Builder of a devnet.
#[derive(Debug, Clone)]
pub struct DevnetBuilder {
    config: DevnetConfig,
}

impl DevnetBuilder {
    /// Applies [mainnet's rules](DevnetConfig::with_mainnet_rules) instead of anvil's.
    #[must_use]
    pub fn mainnet(self) -> Self {
        Self { config: self.config.with_mainnet_rules() }
    }

    /// Modifies the configuration with a closure.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut DevnetConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets the chain id.
    #[must_use]
    pub fn chain_id(self, id: u64) -> Self {
        self.with(|config| config.chain_id = Some(id))
    }

    /// Forks another node's chain at a block, or at the latest one.
    #[must_use]
    pub fn fork(self, url: impl Into<String>, block: Option<u64>) -> Self {
        let block = block.and_then(|number| i64::try_from(number).ok());
        self.with(|config| config.origin = Origin::Fork(Fork::at(url, block)))
    }

    /// Sets the port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.with(|config| config.server.port = port)
    }

    /// Seals blocks at an interval instead of one per transaction.
    #[must_use]
    pub fn block_time(self, interval: Duration) -> Self {
        self.with(|config| config.mining = MiningMode::Interval(interval))
    }

    /// Seals blocks only on request.
    #[must_use]
    pub fn no_mining(self) -> Self {
        self.with(|config| config.mining = MiningMode::Manual)
    }

    /// Sets the mnemonic of the test accounts.
    #[must_use]
    pub fn mnemonic(self, phrase: impl Into<String>) -> Self {
        self.with(|config| config.mnemonic = crate::MnemonicSource::Phrase(phrase.into()))
    }

    /// Sets the balance of each test account, in wei.
    #[must_use]
    pub fn balance(self, balance: U256) -> Self {
        self.with(|config| config.balance = balance)
    }

    /// Sets the number of test accounts.
    #[must_use]
    pub fn accounts(self, count: u32) -> Self {
        self.with(|config| config.accounts = count)
    }

    /// Sets the fork active at genesis.
    #[must_use]
    pub fn hardfork(self, fork: crate::Hardfork) -> Self {
        self.with(|config| config.hardfork = fork)
    }

    /// Sets the fork active at genesis and later forks in order of activation.
    #[must_use]
    pub fn hardforks(self, first: crate::Hardfork, later: Vec<(ProtocolFork, ForkTime)>) -> Self {
        self.with(|config| {
            config.hardfork = first;
            config.later_forks = later;
        })
    }

    /// Sets the timestamp of the genesis block, in seconds.
    #[must_use]
    pub fn timestamp(self, timestamp: u64) -> Self {
        self.with(|config| config.timestamp = Some(timestamp))
    }

    /// Starts the devnet. Must be called inside a multi-threaded Tokio runtime.
    ///
    /// # Errors
    ///
    /// Any [`DevnetError`]; no devnet is then running.
    pub async fn spawn(self) -> Result<Devnet, DevnetError> {
        Devnet::start(self.config).await
    }
}
