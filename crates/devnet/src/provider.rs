//! alloy's provider of a devnet in the same process.

use crate::Devnet;
use alloy_network::EthereumWallet;
use alloy_provider::{DynProvider, Provider, ProviderBuilder};

impl Devnet {
    /// The keys of all its accounts; what names no sender is signed with the first.
    pub fn wallet(&self) -> EthereumWallet {
        let mut wallet = EthereumWallet::default();
        for key in self.keys() {
            wallet.register_signer(key.clone());
        }
        if let Some(first) = self.keys().first() {
            wallet.register_default_signer(first.clone());
        }
        wallet
    }

    /// A provider over HTTP that fills in what a transaction lacks, and signs with
    /// [`Self::wallet`].
    ///
    /// # Panics
    ///
    /// Where the devnet was told to serve no HTTP, since there is nothing to ask then.
    pub fn provider(&self) -> DynProvider {
        let url = self.endpoint().parse().expect("the devnet listens on HTTP");
        ProviderBuilder::new().wallet(self.wallet()).connect_http(url).erased()
    }
}
