//! Certificates of a private authority.

use crate::HarnessError;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// A private certificate authority.
#[derive(Debug)]
pub struct Certificates {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

impl Certificates {
    /// Creates an authority.
    pub fn new() -> Result<Self, HarnessError> {
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key).map_err(failed)? })
    }

    /// The authority's certificate, in PEM.
    pub fn authority(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate for servers and clients on 127.0.0.1.
    pub fn issue(&self) -> Result<Identity, HarnessError> {
        self.issue_until(4_000)
    }

    /// Issues a certificate that expired years ago.
    pub fn issue_expired(&self) -> Result<Identity, HarnessError> {
        self.issue_until(2_001)
    }

    fn issue_until(&self, year: i32) -> Result<Identity, HarnessError> {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2_000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Identity { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

impl Identity {
    /// Certificate and key in one text.
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn failed(error: rcgen::Error) -> HarnessError {
    HarnessError::Certificate(error.to_string())
}
