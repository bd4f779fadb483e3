//! alloy providers for an in-process devnet.

use crate::Devnet;
use alloy_network::EthereumWallet;
use alloy_provider::{DynProvider, Provider, ProviderBuilder};

impl Devnet {
    /// Returns a wallet with the keys of all test accounts; the first one is the default signer.
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

    /// Returns a provider over HTTP that fills in missing transaction fields and signs with
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
