//! Keys of `enshrine bond`.

use crate::rollup::key_source::{KeySource, refuse_secret};
use ::rollup::Signer;
use alloy_primitives::Address;
use clap::Args;
use eyre::Result;
use std::{env, path::PathBuf};

/// Environment variable with a raw key of the account, as for `enshrine node`.
const ADVANCE_KEY: &str = "ENSHRINE_ADVANCE_KEY";
/// Environment variable with a raw key of a signer to be registered.
const SIGNER_KEY: &str = "ENSHRINE_SIGNER_KEY";

/// Key of the account with the bond, by the flags of `enshrine node`.
#[derive(Debug, Args)]
pub(super) struct AccountKey {
    /// Key of the account: a keystore (Web3 Secret Storage), or the key file of `enshrine init`,
    /// which contains it as `advance`. Set a raw key in ENSHRINE_ADVANCE_KEY.
    #[arg(long, value_name = "FILE")]
    advance_key: Option<String>,

    /// File with the password of the keystore in --advance-key.
    #[arg(long, value_name = "FILE")]
    advance_password_file: Option<PathBuf>,

    /// URL of a Web3Signer that signs for the account; requires --advance-address.
    #[arg(long, value_name = "URL")]
    advance_signer: Option<String>,

    /// Account for which --advance-signer signs.
    #[arg(long, value_name = "ADDRESS")]
    advance_address: Option<Address>,
}

impl AccountKey {
    pub(super) fn signer(&self) -> Result<Signer> {
        refuse_secret("--advance-key", self.advance_key.as_deref())?;
        let from_environment = env::var(ADVANCE_KEY).ok().filter(|_| self.advance_signer.is_none());
        let source = KeySource {
            name: "advance",
            key: self.advance_key.as_deref().or(from_environment.as_deref()),
            password: self.advance_password_file.as_deref(),
            signer: self.advance_signer.as_deref(),
            address: self.advance_address,
        };
        source.signer(|keys| keys.advance.secret())
    }
}

/// Key of a signer to be registered.
#[derive(Debug, Args)]
pub(super) struct SignerKey {
    /// Key for which the account becomes liable, and which signs its consent: a keystore, or a key
    /// file that contains it as `advance`. Set a raw key in ENSHRINE_SIGNER_KEY.
    #[arg(long, value_name = "FILE")]
    signer_key: Option<String>,

    /// File with the password of the keystore in --signer-key.
    #[arg(long, value_name = "FILE")]
    signer_password_file: Option<PathBuf>,
}

impl SignerKey {
    pub(super) fn signer(&self) -> Result<Signer> {
        refuse_secret("--signer-key", self.signer_key.as_deref())?;
        let from_environment = env::var(SIGNER_KEY).ok();
        let source = KeySource {
            name: "signer",
            key: self.signer_key.as_deref().or(from_environment.as_deref()),
            password: self.signer_password_file.as_deref(),
            signer: None,
            address: None,
        };
        source.signer(|keys| keys.advance.secret())
    }
}
