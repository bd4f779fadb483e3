//! Funded test accounts of a devnet.

use crate::DevnetError;
use alloy_primitives::{Address, B256};
use alloy_signer_local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use coins_bip39::Mnemonic;
use rand_08::{SeedableRng, rngs::StdRng};

/// Mnemonic of the default test accounts of development tools.
pub(crate) const DEFAULT_MNEMONIC: &str =
    "test test test test test test test test test test test junk";

/// Derivation path to which the index of an account is appended.
pub(crate) const DEFAULT_DERIVATION_PATH: &str = "m/44'/60'/0'/0/";

/// Source of the test accounts' mnemonic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MnemonicSource {
    /// This mnemonic.
    Phrase(String),
    /// A random mnemonic with this number of words.
    Random(usize),
    /// A mnemonic derived from the seed, which is predictable: never use it for valuable keys.
    Seed(u64),
}

impl Default for MnemonicSource {
    fn default() -> Self {
        Self::Phrase(DEFAULT_MNEMONIC.to_owned())
    }
}

/// Test accounts derived from one mnemonic.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// BIP-39 mnemonic.
    pub mnemonic: String,
    /// Derivation path to which the account index is appended.
    pub derivation_path: String,
    /// Private keys, by account index.
    pub signers: Vec<PrivateKeySigner>,
}

impl Accounts {
    /// Derives the first `count` accounts of a mnemonic.
    ///
    /// # Errors
    ///
    /// [`DevnetError::Mnemonic`] if the mnemonic, its number of words or the path is invalid by
    /// BIP-39 or BIP-32.
    pub fn derive(
        source: &MnemonicSource,
        derivation_path: &str,
        count: u32,
    ) -> Result<Self, DevnetError> {
        let failed = |error: &dyn std::fmt::Display| DevnetError::Mnemonic(error.to_string());
        let mnemonic = match source {
            MnemonicSource::Phrase(phrase) => phrase.clone(),
            MnemonicSource::Random(words) => {
                Mnemonic::<English>::new_with_count(&mut StdRng::from_entropy(), *words)
                    .map_err(|error| failed(&error))?
                    .to_phrase()
            }
            MnemonicSource::Seed(seed) => {
                Mnemonic::<English>::new(&mut StdRng::seed_from_u64(*seed)).to_phrase()
            }
        };
        let separator = if derivation_path.ends_with('/') { "" } else { "/" };
        let builder = MnemonicBuilder::<English>::default().phrase(mnemonic.as_str());
        let signers = (0..count)
            .map(|index| {
                builder
                    .clone()
                    .derivation_path(format!("{derivation_path}{separator}{index}"))
                    .and_then(|builder| builder.build())
                    .map_err(|error| failed(&error))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { mnemonic, derivation_path: derivation_path.to_owned(), signers })
    }

    /// Returns the addresses of the accounts, by index.
    pub fn addresses(&self) -> impl Iterator<Item = Address> + '_ {
        self.signers.iter().map(PrivateKeySigner::address)
    }

    /// Returns the private keys of the accounts, by index.
    pub fn secrets(&self) -> impl Iterator<Item = B256> + '_ {
        self.signers.iter().map(PrivateKeySigner::to_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;

    #[test]
    fn default_phrase_derives_the_known_accounts() {
        let accounts =
            Accounts::derive(&MnemonicSource::default(), DEFAULT_DERIVATION_PATH, 10).unwrap();
        let addresses: Vec<_> = accounts.addresses().collect();
        assert_eq!(addresses[0], address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(addresses[9], address!("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"));
        assert_eq!(addresses.len(), 10);
    }

    #[test]
    fn seed_derives_the_same_phrase_as_anvil() {
        let accounts =
            Accounts::derive(&MnemonicSource::Seed(5), DEFAULT_DERIVATION_PATH, 1).unwrap();
        assert_eq!(
            accounts.mnemonic,
            "key exile year ready box laugh trick dice banana accuse ribbon chest"
        );
        let expected = address!("0x20E437d21b161b59abbbDa375772e3a00E2F736e");
        assert_eq!(accounts.addresses().next(), Some(expected));
    }

    #[test]
    fn random_phrases_have_requested_length_and_differ() {
        let phrase = |words| {
            Accounts::derive(&MnemonicSource::Random(words), DEFAULT_DERIVATION_PATH, 0)
                .map(|accounts| accounts.mnemonic)
        };
        let (one, other) = (phrase(24).unwrap(), phrase(24).unwrap());
        assert_eq!(one.split(' ').count(), 24);
        assert_ne!(one, other);
        assert!(matches!(phrase(13), Err(DevnetError::Mnemonic(_))));
    }

    #[test]
    fn invalid_phrase_is_rejected() {
        let source = MnemonicSource::Phrase("enshrine enshrine".to_owned());
        let refused = Accounts::derive(&source, DEFAULT_DERIVATION_PATH, 1);
        assert!(matches!(refused, Err(DevnetError::Mnemonic(_))));
    }
}
