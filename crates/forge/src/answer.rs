//! Output of a helper call.

use crate::ForgeError;
use alloy_primitives::hex;

/// Response to a call from Solidity: a status byte, followed by result or reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgeAnswer {
    /// The request was executed, with this result.
    Done(Vec<u8>),
    /// The request was rejected, for this reason.
    Refused(String),
    /// The request file is missing or incomplete, because a concurrent call with the same content
    /// used it. The caller must write it again.
    Again,
    /// The helper failed; the text names the remedy.
    Broken(String),
}

impl ForgeAnswer {
    /// Encodes the response as one line of hexadecimal digits, which forge converts to bytes.
    pub fn to_hex(&self) -> String {
        let (status, rest) = match self {
            Self::Done(result) => (0, result.as_slice()),
            Self::Refused(reason) => (1, reason.as_bytes()),
            Self::Again => (2, &[][..]),
            Self::Broken(reason) => (3, reason.as_bytes()),
        };
        format!("0x{status:02x}{}", hex::encode(rest))
    }
}

impl From<Result<Vec<u8>, ForgeError>> for ForgeAnswer {
    fn from(outcome: Result<Vec<u8>, ForgeError>) -> Self {
        match outcome {
            Ok(result) => Self::Done(result),
            Err(ForgeError::RequestGone) => Self::Again,
            Err(ForgeError::Refused(reason)) => Self::Refused(reason),
            Err(error) => Self::Broken(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_begins_with_status_byte() {
        assert_eq!(ForgeAnswer::Done(vec![0xab]).to_hex(), "0x00ab");
        assert_eq!(ForgeAnswer::Refused("a".to_owned()).to_hex(), "0x0161");
        assert_eq!(ForgeAnswer::Again.to_hex(), "0x02");
        assert_eq!(ForgeAnswer::Broken("b".to_owned()).to_hex(), "0x0362");
    }
}
