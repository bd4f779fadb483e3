//! JWT authentication of the Engine API: HS256 tokens with a shared secret.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Maximum difference between a token's `iat` and the local clock, in seconds.
const DRIFT: u64 = 60;
/// Maximum length of a token or a secret file, in bytes.
const LONGEST: usize = 4 << 10;

/// The 32-byte HMAC secret that the consensus and the execution client share.
#[derive(Clone)]
pub struct JwtSecret(hmac::Key);

impl fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtSecret(…)")
    }
}

/// Reason for which a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The secret does not have 64 hexadecimal digits; contains the number of characters.
    #[error("the secret has {0} hexadecimal digits, expected 64")]
    Length(usize),
    /// The secret is not hexadecimal.
    #[error("the secret is not hexadecimal")]
    Hexadecimal,
}

/// Reason for which a token is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// The request has no `Authorization: Bearer` header.
    #[error("missing bearer token")]
    Missing,
    /// The token is malformed.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// The token is signed with another algorithm, or unsigned.
    #[error("the token's algorithm is {0:?}, expected HS256")]
    Algorithm(String),
    /// The token is signed with another secret.
    #[error("the token's signature does not match the secret of this port")]
    Signature,
    /// The token's `iat` differs from the local clock by more than 60 seconds.
    #[error("stale token: iat is {issued}, local time is {now}, maximum difference is {DRIFT} s")]
    Stale {
        /// The token's `iat` claim, as a Unix timestamp in seconds.
        issued: u64,
        /// Local time, as a Unix timestamp in seconds.
        now: u64,
    },
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iat: u64,
}

impl JwtSecret {
    /// Parses a secret of 32 bytes in hexadecimal.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if the text is not 64 hexadecimal digits, with or without
    /// `0x`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() != 64 {
            return Err(SecretError::Length(digits.chars().count()));
        }
        let mut secret = [0; 32];
        alloy_primitives::hex::decode_to_slice(digits, &mut secret)
            .map_err(|_| SecretError::Hexadecimal)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// Reads a secret from a file.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let read = || {
            if !fs::metadata(path)?.is_file() {
                return Err(io::Error::other("not a regular file"));
            }
            // A valid secret is shorter, so a longer file fails to parse with or without the rest.
            let mut text = String::new();
            File::open(path)?.take(LONGEST as u64).read_to_string(&mut text)?;
            Ok(text)
        };
        let text = read().map_err(|source| SecretError::File { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Returns a token that is issued now.
    pub fn token(&self) -> String {
        self.token_at(now())
    }

    /// Returns a token that is issued at a Unix timestamp in seconds.
    pub fn token_at(&self, issued: u64) -> String {
        // Some clients decode the header only if its length is a multiple of three bytes.
        let header = BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = BASE64.encode(format!(r#"{{"iat":{issued}}}"#));
        let signed = format!("{header}.{claims}");
        let signature = hmac::sign(&self.0, signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// Checks the value of an `Authorization` header against the current time.
    ///
    /// # Errors
    ///
    /// [`JwtError`].
    pub fn check(&self, authorization: Option<&str>) -> Result<(), JwtError> {
        self.check_at(authorization, now())
    }

    /// Checks the value of an `Authorization` header at a Unix timestamp in seconds.
    ///
    /// # Errors
    ///
    /// [`JwtError`].
    pub fn check_at(&self, authorization: Option<&str>, now: u64) -> Result<(), JwtError> {
        let (scheme, token) =
            authorization.and_then(|text| text.split_once(' ')).ok_or(JwtError::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(JwtError::Missing);
        }
        let token = token.trim();
        if token.len() > LONGEST {
            return Err(JwtError::Malformed("too long"));
        }
        let malformed = JwtError::Malformed;
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed("not three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or(malformed("not three parts"))?;
        let decode = |part: &str, what| BASE64.decode(part).map_err(|_| malformed(what));
        let header: Header =
            serde_json::from_slice(&decode(header, "the header is not base64url")?)
                .map_err(|_| malformed("the header is not JSON with an algorithm"))?;
        if header.alg != "HS256" {
            return Err(JwtError::Algorithm(header.alg));
        }
        let signature = decode(signature, "the signature is not base64url")?;
        // `verify` compares in constant time.
        hmac::verify(&self.0, signed.as_bytes(), &signature).map_err(|_| JwtError::Signature)?;
        let Claims { iat: issued } =
            serde_json::from_slice(&decode(claims, "the claims are not base64url")?)
                .map_err(|_| malformed("the claims are not JSON with iat"))?;
        if issued.abs_diff(now) > DRIFT {
            return Err(JwtError::Stale { issued, now });
        }
        Ok(())
    }
}

/// Returns the Unix timestamp in seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn secret(byte: &str) -> JwtSecret {
        JwtSecret::parse(&byte.repeat(32)).unwrap()
    }

    fn check(token: &str) -> Result<(), JwtError> {
        secret("5a").check_at(Some(&format!("Bearer {token}")), NOW)
    }

    /// Returns a token with these parts and a valid signature.
    fn signed(header: &str, claims: &str) -> String {
        let text = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = hmac::sign(&secret("5a").0, text.as_bytes());
        format!("{text}.{}", BASE64.encode(signature))
    }

    #[test]
    fn token_matches_other_implementation() {
        // Created with Python's hmac and base64 modules.
        let expected = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDB9.\
                        tGsyVD4qVEPIL4yyxyKVP4u-3bjGEE0EjTd3lQx8lIE";
        let token = secret("5a").token_at(NOW);
        assert_eq!(token, expected);
        assert_eq!(check(&token), Ok(()));
    }

    #[test]
    fn token_is_valid_within_sixty_seconds() {
        for (issued, is_accepted) in
            [(NOW - 60, true), (NOW + 60, true), (NOW - 61, false), (NOW + 61, false), (0, false)]
        {
            assert_eq!(check(&secret("5a").token_at(issued)).is_ok(), is_accepted, "{issued}");
        }
    }

    #[test]
    fn check_rejects_wrong_secret_algorithm_or_header() {
        let good = secret("5a").token_at(NOW);
        assert_eq!(check(&good), Ok(()));
        assert_eq!(check(&secret("5b").token_at(NOW)), Err(JwtError::Signature));
        let claims = format!(r#"{{"iat":{NOW}}}"#);
        assert_eq!(check(&signed(r#"{"alg":"HS256"}"#, &claims)), Ok(()));
        let none = signed(r#"{"alg":"none"}"#, &claims);
        assert_eq!(check(&none), Err(JwtError::Algorithm("none".to_owned())));
        let (unsigned, _) = none.rsplit_once('.').unwrap();
        assert_eq!(check(&format!("{unsigned}.")), Err(JwtError::Algorithm("none".to_owned())));
        let other = signed(r#"{"alg":"HS512"}"#, &claims);
        assert_eq!(check(&other), Err(JwtError::Algorithm("HS512".to_owned())));
        // Other claims are ignored.
        let more = format!(r#"{{"id":"x","iat":{NOW},"clv":"y"}}"#);
        assert_eq!(check(&signed(r#"{"alg":"HS256","kid":"1"}"#, &more)), Ok(()));
        for claims in ["{}", r#"{"iat":"1700000000"}"#, r#"{"iat":-1}"#, "[]", ""] {
            let refused = check(&signed(r#"{"alg":"HS256"}"#, claims));
            assert!(matches!(refused, Err(JwtError::Malformed(_))), "{claims}");
        }
        for token in ["", "a", "a.b", "a.b.c", "…", &good.replace('.', ""), &"a".repeat(5_000)] {
            assert!(matches!(check(token), Err(JwtError::Malformed(_))), "{token}");
        }
        let secret = secret("5a");
        for header in [None, Some(""), Some(&*good), Some(&*format!("Basic {good}"))] {
            assert_eq!(secret.check_at(header, NOW), Err(JwtError::Missing), "{header:?}");
        }
    }

    #[test]
    fn secret_parses_32_hexadecimal_bytes() {
        let digits = "5a".repeat(32);
        assert!(JwtSecret::parse(&digits).is_ok());
        assert!(JwtSecret::parse(&format!(" 0x{digits}\n")).is_ok());
        assert!(matches!(JwtSecret::parse(&digits[1..]), Err(SecretError::Length(63))));
        assert!(matches!(JwtSecret::parse(&format!("{digits}00")), Err(SecretError::Length(66))));
        assert!(matches!(JwtSecret::parse(&"zz".repeat(32)), Err(SecretError::Hexadecimal)));
        assert!(JwtSecret::parse("").is_err());
        assert!(!format!("{:?}", JwtSecret::parse(&digits)).contains("5a5a"));
        assert!(JwtSecret::read(Path::new("/nowhere/jwt.hex")).is_err());
    }
}
