//! Hashes of downloads and of files, compared with the pinned ones.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256, Sha512};

use crate::SetupError;

/// Checks that the SHA-512 of `bytes` is `expected`, in the format of npm's lockfiles (subresource
/// integrity: `sha512-` and base64).
pub(crate) fn verify(
    what: &'static str,
    bytes: &[u8],
    expected: &'static str,
) -> Result<(), SetupError> {
    let got = format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes)));
    if got == expected {
        Ok(())
    } else {
        Err(SetupError::IntegrityMismatch { what, expected, got })
    }
}

/// Returns the SHA-256 of multiple byte strings, in base64. Each string is prefixed by its length,
/// so that moving bytes from one string to the next changes the result.
pub(crate) fn fingerprint(parts: &[Vec<u8>]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-512 of "abc", the example of FIPS 180-4.
    const ABC: &str = "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";

    #[test]
    fn verify_accepts_only_pinned_bytes() {
        verify("abc", b"abc", ABC).unwrap();
        for tampered in [b"abx".as_slice(), b"ab", b"abcc", b""] {
            let Err(SetupError::IntegrityMismatch { what, expected, got }) =
                verify("abc", tampered, ABC)
            else {
                panic!("{tampered:?} was accepted");
            };
            assert_eq!((what, expected), ("abc", ABC));
            assert!(got.starts_with("sha512-") && got.len() == ABC.len() && got != ABC);
        }
    }

    #[test]
    fn fingerprint_depends_on_parts_and_their_boundaries() {
        let of = |parts: &[&str]| {
            fingerprint(&parts.iter().map(|p| p.as_bytes().to_vec()).collect::<Vec<_>>())
        };
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab", "c"]), of(&["ab", "d"]));
        assert_ne!(of(&["ab", "c"]), of(&["ab"]));
    }
}
