//! The file with the keys of a sequencer.

use alloy_primitives::{Address, B256};
use alloy_signer_local::PrivateKeySigner;
use eyre::{Result, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

/// Most bytes of a file of keys, a keystore, a password or a configuration.
const LONGEST: u64 = 1 << 20;

/// Reads a short file that an operator names. Refuses what has no end (a device) or may never begin
/// (a pipe).
pub(super) fn read_short(path: &Path) -> Result<Vec<u8>> {
    ensure!(fs::metadata(path)?.is_file(), "it is no regular file");
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= LONGEST, "it is longer than {LONGEST} bytes");
    Ok(bytes)
}

/// The keys that a sequencer has.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// Sends `advance` on L1, and pays for it there.
    pub(crate) advance: Key,
    /// Sends the transactions of the sequencer on the L2, and pays for them there.
    pub(crate) operator: Key,
}

/// A secret key with its account, so that users need not derive the address.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) address: Address,
    pub(crate) key: B256,
}

impl std::fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the key of {}", self.address)
    }
}

impl Key {
    fn random() -> Self {
        let key = PrivateKeySigner::random();
        Self { address: key.address(), key: key.to_bytes() }
    }

    /// The secret itself.
    pub(crate) const fn secret(&self) -> B256 {
        self.key
    }

    fn check(&self, name: &str) -> Result<()> {
        let key = PrivateKeySigner::from_bytes(&self.key)
            .wrap_err_with(|| format!("{name}.key is not a secp256k1 key"))?;
        let (got, expected) = (key.address(), self.address);
        ensure!(got == expected, "{name}.key is that of {got}, but {name}.address is {expected}");
        Ok(())
    }
}

impl Keys {
    /// The keys in a file; new ones, if there is no such file yet. Never overwrites any.
    pub(crate) fn read_or_make(path: &Path) -> Result<Self> {
        if path.exists() { Self::read(path) } else { Self::make(path) }
    }

    /// The keys in a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let context = || format!("cannot read the keys in {}", path.display());
        let text = read_short(path).wrap_err_with(context)?;
        let keys: Self = serde_json::from_slice(&text).wrap_err_with(context)?;
        keys.advance.check("advance").wrap_err_with(context)?;
        keys.operator.check("operator").wrap_err_with(context)?;
        Ok(keys)
    }

    fn make(path: &Path) -> Result<Self> {
        let keys = Self { advance: Key::random(), operator: Key::random() };
        let mut file = OpenOptions::new();
        file.write(true).create_new(true);
        // Created with its mode, so that there is no moment at which other users can open it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        let text = serde_json::to_string_pretty(&keys)?;
        file.open(path)
            .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()))
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        Ok(keys)
    }
}
