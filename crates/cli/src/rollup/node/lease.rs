//! Configuration of the lease between nodes with the same keys.

use super::{
    flags::{milliseconds, missing, required, urls, within},
    values::Values,
};
use crate::rollup::{key_source::refuse_readable, keys::read_short};
use ::rollup::{Credentials, LeaseConfig};
use eyre::{Result, WrapErr as _};
use std::path::Path;

impl Values {
    /// Returns the configuration of the lease, if the node has one.
    pub(super) fn lease(&mut self) -> Result<Option<LeaseConfig>> {
        let (credentials, ca, identity) =
            (self.lease_credentials.take(), self.lease_ca.take(), self.lease_cert.take());
        let url = self.lease_url.take();
        let Some(endpoints) = self.lease_endpoints.take() else {
            // Without the lease, there could be two leaders, so an incomplete configuration is an
            // error.
            let is_meant =
                credentials.is_some() || ca.is_some() || identity.is_some() || url.is_some();
            return if is_meant { Err(missing("--lease-endpoints")) } else { Ok(None) };
        };
        let url = required("--lease-url", url)?;
        within(
            "--lease-work-timeout-ms",
            self.lease_work_timeout_ms,
            10_000..=600_000,
            "a standby needs up to nine seconds to detect that L1 does not respond to it either",
        )?;
        let work_timeout = milliseconds("--lease-work-timeout-ms", self.lease_work_timeout_ms)?;
        let credentials = credentials.as_deref().map(user_and_password);
        let credentials = credentials.transpose().wrap_err("--lease-credentials")?;
        let ca = ca.as_deref().map(read).transpose().wrap_err("--lease-ca")?;
        let identity = identity.as_deref().map(secret).transpose().wrap_err("--lease-cert")?;
        let endpoints = urls(&endpoints);
        Ok(Some(LeaseConfig { endpoints, credentials, ca, identity, url, work_timeout }))
    }
}

fn user_and_password(file: &Path) -> Result<Credentials> {
    Ok(Credentials::parse(&String::from_utf8(secret(file)?)?)?)
}

/// Reads a file with a secret, which other users of the machine must not be able to access.
fn secret(file: &Path) -> Result<Vec<u8>> {
    refuse_readable(file)?;
    read(file)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    read_short(file).wrap_err_with(|| format!("cannot read {}", file.display()))
}
