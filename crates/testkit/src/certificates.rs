//! Certificates of a private authority.

use crate::HarnessError;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, Error, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
    SigningKey, date_time_ymd,
};

/// A private certificate authority.
#[derive(Debug)]
pub struct Certificates {
    issuer: CertifiedIssuer<'static, PrivateKey>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
}

/// A key for ECDSA with P-256. rcgen's own would add crates for parsing certificates to the lock
/// file.
#[derive(Debug)]
struct PrivateKey(EcdsaKeyPair);

impl Certificates {
    /// Creates an authority.
    pub fn new() -> Result<Self, HarnessError> {
        let key = PrivateKey::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(1.into());
        // All authorities have the same name, so only the signature identifies the issuer of a
        // certificate.
        params.key_identifier_method = KeyIdMethod::PreSpecified(vec![1]);
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key).map_err(failed)? })
    }

    /// The authority's certificate, in PEM.
    pub fn authority(&self) -> String {
        pem("CERTIFICATE", self.issuer.der())
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
        params.serial_number = Some(2.into());
        let key = PrivateKey::generate()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let certificate = pem("CERTIFICATE", certificate.der());
        Ok(Identity { certificate, key: key.pem()? })
    }
}

impl Identity {
    /// Certificate and key in one text.
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }
}

impl PrivateKey {
    fn generate() -> Result<Self, HarnessError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        key.map(Self).map_err(|_| failed(Error::RemoteKeyError))
    }

    fn pem(&self) -> Result<String, HarnessError> {
        let key = self.0.to_pkcs8v1().map_err(|_| failed(Error::RemoteKeyError))?;
        Ok(pem("PRIVATE KEY", key.as_ref()))
    }
}

impl PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(&SystemRandom::new(), message);
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| Error::RemoteKeyError)
    }
}

/// Encodes DER as PEM (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes are a line of 64 characters.
    for line in der.chunks(48) {
        text.push_str(&BASE64.encode(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[allow(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn failed(error: Error) -> HarnessError {
    HarnessError::Certificate(error.to_string())
}
