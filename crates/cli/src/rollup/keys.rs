//! Key file of a sequencer.

use alloy_primitives::{Address, B256};
use alloy_signer_local::PrivateKeySigner;
use eyre::{Result, WrapErr as _, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    path::Path,
};

/// Maximum size of a key file, a keystore, a password file or a configuration file, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a short regular file. Rejects devices, which may be endless, and pipes, which may block
/// forever.
pub(super) fn read_short(path: &Path) -> Result<Vec<u8>> {
    ensure!(fs::metadata(path)?.is_file(), "not a regular file");
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= LONGEST, "it is longer than {LONGEST} bytes");
    Ok(bytes)
}

/// The two keys of a sequencer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// Signs `advance` transactions and pays for them on L1.
    pub(crate) advance: Key,
    /// Signs the sequencer's own L2 transactions and pays for them on the L2.
    pub(crate) operator: Key,
}

/// A secret key with its address, so that users need not derive it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) address: Address,
    pub(crate) key: B256,
}

impl std::fmt::Debug for Key {
    /// Omits the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the key of {}", self.address)
    }
}

impl Key {
    fn random() -> Self {
        let key = PrivateKeySigner::random();
        Self { address: key.address(), key: key.to_bytes() }
    }

    /// Returns the secret.
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
    /// Reads the keys from a file, or creates the file with new keys. Never overwrites a file.
    pub(crate) fn read_or_create(path: &Path) -> Result<Self> {
        if path.exists() { Self::read(path) } else { Self::create(path) }
    }

    /// Reads the keys from a file, and checks that each belongs to its address.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let context = || format!("cannot read the keys in {}", path.display());
        let text = read_short(path).wrap_err_with(context)?;
        let keys: Self = serde_json::from_slice(&text).wrap_err_with(context)?;
        keys.advance.check("advance").wrap_err_with(context)?;
        keys.operator.check("operator").wrap_err_with(context)?;
        Ok(keys)
    }

    fn create(path: &Path) -> Result<Self> {
        let keys = Self { advance: Key::random(), operator: Key::random() };
        let mut file = OpenOptions::new();
        file.write(true).create_new(true);
        // Created with its final mode, so that other users can never open it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        let text = serde_json::to_string_pretty(&keys)?;
        file.open(path)
            .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()))
            .wrap_err_with(|| format!("cannot write {}", path.display()))?;
        Ok(keys)
    }
}
