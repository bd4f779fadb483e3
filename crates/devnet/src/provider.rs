//! alloy's provider of a devnet in the same process.

use crate::Devnet;
use alloy_network::EthereumWallet;
use alloy_provider::{DynProvider, Provider, ProviderBuilder};

impl Devnet {
    /// Keys of all accounts; transactions without a sender are signed with the first.
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

    /// A provider over HTTP that fills in missing fields of transactions, and signs with
    /// [`Self::wallet`].
    ///
    /// # Panics
    ///
    /// If the devnet serves no HTTP.
    pub fn provider(&self) -> DynProvider {
        let url = self.endpoint().parse().expect("the devnet listens on HTTP");
        ProviderBuilder::new().wallet(self.wallet()).connect_http(url).erased()
    }
}
