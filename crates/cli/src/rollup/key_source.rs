//! Sources of a sequencer's keys: key file, keystore, remote signer and environment.

use super::keys::{Keys, read_short};
use ::rollup::Signer;
use alloy_primitives::{Address, B256, address};
use alloy_signer_local::PrivateKeySigner;
use eyre::{Result, WrapErr as _, bail, ensure, eyre};
use serde_json::Value;
use std::{fs, path::Path};

/// Accounts of the development mnemonic ("test test … junk"), whose keys are public.
const WELL_KNOWN: [Address; 10] = [
    address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    address!("0x90F79bf6EB2c4f870365E785982E1f101E93b906"),
    address!("0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
    address!("0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
    address!("0x976EA74026E726554dB657fA54763abd0C3a0aa9"),
    address!("0x14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
    address!("0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
    address!("0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"),
];

/// Maximum memory of scrypt for a keystore, in bytes: twice that of geth's keystores.
const MAX_SCRYPT_BYTES: u64 = 512 << 20;

/// Maximum scrypt parallelisation parameter `p` of a keystore: the number of passes through its
/// memory. Light keystores have six, with 4 MiB.
const MAX_SCRYPT_LANES: u64 = 16;

/// Maximum number of PBKDF2 iterations of a keystore.
const MAX_ROUNDS: u64 = 10_000_000;

/// Configuration of one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeySource<'a> {
    /// Prefix of the flags.
    pub(super) name: &'static str,
    /// `--NAME-key`.
    pub(super) key: Option<&'a str>,
    /// `--NAME-password-file`.
    pub(super) password: Option<&'a Path>,
    /// `--NAME-signer`.
    pub(super) signer: Option<&'a str>,
    /// `--NAME-address`.
    pub(super) address: Option<Address>,
}

impl KeySource<'_> {
    /// Returns the signer; `of` selects its key from a key file.
    pub(super) fn signer(&self, of: fn(Keys) -> B256) -> Result<Signer> {
        let Self { name, key, password, signer, address } = *self;
        match (key, signer) {
            (Some(_), Some(_)) => {
                bail!("--{name}-key and --{name}-signer are both given, expected only one")
            }
            (None, None) => {
                bail!("--{name}-key is missing, and it has no default (or --{name}-signer)")
            }
            (None, Some(url)) => {
                ensure!(password.is_none(), "--{name}-password-file is for a keystore");
                let address = address
                    .ok_or_else(|| eyre!("--{name}-address is missing, for --{name}-signer"))?;
                Signer::remote(url, address).wrap_err_with(|| format!("--{name}-signer"))
            }
            (Some(key), None) => {
                ensure!(address.is_none(), "--{name}-address is given without --{name}-signer");
                let secret = self.secret(key, of).wrap_err_with(|| format!("--{name}-key"))?;
                Ok(Signer::new("key", secret)?)
            }
        }
    }

    fn secret(&self, key: &str, of: fn(Keys) -> B256) -> Result<B256> {
        if let Ok(secret) = key.parse() {
            return Ok(secret);
        }
        let path = Path::new(key);
        if !path.exists() {
            bail!("neither 32 bytes in hexadecimal nor an existing file");
        }
        let text = read_short(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        let value = serde_json::from_slice::<Value>(&text).unwrap_or_default();
        if let Some(crypto) = value.get("crypto").or_else(|| value.get("Crypto")) {
            check_work(crypto).wrap_err_with(|| path.display().to_string())?;
            return self.decrypt_keystore(path);
        }
        refuse_readable(path)?;
        Ok(of(Keys::read(path)?))
    }

    fn decrypt_keystore(&self, path: &Path) -> Result<B256> {
        let name = self.name;
        let file = self.password.ok_or_else(|| {
            eyre!("{} is a keystore: --{name}-password-file is missing", path.display())
        })?;
        refuse_readable(file)?;
        let context = || format!("cannot read the password in {}", file.display());
        let password = read_short(file).wrap_err_with(context)?;
        let password = String::from_utf8(password).wrap_err_with(context)?;
        // Editors add a line break at the end of a file, which is not part of the password.
        let password = password.trim_end_matches(['\r', '\n']);
        let secret = eth_keystore::decrypt_key(path, password).map_err(|error| {
            eyre!(
                "cannot decrypt {} with the password in {}: {error}",
                path.display(),
                file.display()
            )
        })?;
        let length = secret.len();
        B256::try_from(&secret[..]).map_err(|_| {
            eyre!("{} contains {length} bytes, expected a key of 32 bytes", path.display())
        })
    }
}

/// Rejects a keystore whose key derivation needs much more memory or time than the keystores of
/// wallets: scrypt with n = 2^18, r = 8 and p = 1 (256 MiB), or 262,144 rounds of PBKDF2.
fn check_work(crypto: &Value) -> Result<()> {
    let parameters = crypto.get("kdfparams").unwrap_or(&Value::Null);
    let number = |name| parameters.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (n, r, p, rounds) = (number("n"), number("r"), number("p"), number("c"));
    let bytes = n.saturating_mul(r).saturating_mul(128);
    ensure!(
        bytes <= MAX_SCRYPT_BYTES && p <= MAX_SCRYPT_LANES,
        "scrypt with n = {n}, r = {r} and p = {p} needs {bytes} bytes, expected at most {MAX_SCRYPT_BYTES} bytes and \
         p = {MAX_SCRYPT_LANES}"
    );
    ensure!(rounds <= MAX_ROUNDS, "{rounds} rounds of PBKDF2, expected at most {MAX_ROUNDS}");
    Ok(())
}

/// Rejects a file with a plain secret that other users of the machine can access. Not for
/// keystores, which are encrypted.
pub(super) fn refuse_readable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Ok(metadata) = fs::metadata(path) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        ensure!(
            mode & 0o077 == 0,
            "{} contains a secret and has mode {mode:04o}, so that other users can access it: use chmod 600",
            path.display()
        );
    }
    Ok(())
}

/// Rejects a raw key on the command line, which is visible to all users of the machine (`ps`).
/// The well-known keys of devnets are allowed.
pub(super) fn refuse_secret(flag: &str, value: Option<&str>) -> Result<()> {
    let Some(secret) = value.and_then(|value| value.parse::<B256>().ok()) else { return Ok(()) };
    let account = PrivateKeySigner::from_bytes(&secret).map(|key| key.address());
    if account.is_ok_and(|account| WELL_KNOWN.contains(&account)) {
        return Ok(());
    }
    let variable =
        format!("ENSHRINE_{}", flag.trim_start_matches('-').replace('-', "_").to_uppercase());
    bail!(
        "{flag}: a raw key on the command line is visible to all users of the machine: set {variable} in the \
         environment, or use a file"
    )
}
