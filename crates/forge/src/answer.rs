//! Output of a call.

use crate::ForgeError;
use alloy_primitives::hex;

/// The answer to a call from Solidity: one byte that says how it went, then the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForgeAnswer {
    /// The request was executed, with this result.
    Done(Vec<u8>),
    /// The request is refused, with the reason.
    Refused(String),
    /// The file with the request is not there as a whole: another call of the same content was at
    /// it. Write it again.
    Again,
    /// The helper cannot do its work; the text names the remedy.
    Broken(String),
}

impl ForgeAnswer {
    /// The answer as one line of hexadecimal digits, which forge turns into bytes.
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
    fn an_answer_begins_with_its_status() {
        assert_eq!(ForgeAnswer::Done(vec![0xab]).to_hex(), "0x00ab");
        assert_eq!(ForgeAnswer::Refused("a".to_owned()).to_hex(), "0x0161");
        assert_eq!(ForgeAnswer::Again.to_hex(), "0x02");
        assert_eq!(ForgeAnswer::Broken("b".to_owned()).to_hex(), "0x0362");
    }
}
