//! Parameters.

use crate::RpcError;
use alloy_primitives::{B256, hex};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::value::RawValue;

/// The parameters of a call, one after another. `null` stands for one that is left out, and so do
/// missing ones at the end.
#[derive(Debug)]
pub struct Args<'a> {
    items: std::vec::IntoIter<&'a RawValue>,
    index: usize,
}

impl<'a> Args<'a> {
    pub(crate) fn new(params: Option<&'a str>) -> Result<Self, RpcError> {
        let params = params.map(str::trim).filter(|params| !params.is_empty() && *params != "null");
        let items: Vec<&RawValue> = match params {
            None => Vec::new(),
            Some(params) => serde_json::from_str(params)
                .map_err(|_| RpcError::params("non-array args: give parameters as a list"))?,
        };
        Ok(Self { items: items.into_iter(), index: 0 })
    }

    /// The next parameter, which must be there.
    pub fn required<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let index = self.index;
        self.optional()?
            .ok_or_else(|| RpcError::params(format!("missing value for required argument {index}")))
    }

    /// The next parameter, if it is there.
    pub fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let index = self.index;
        self.index += 1;
        let Some(item) = self.items.next().map(RawValue::get).filter(|item| *item != "null") else {
            return Ok(None);
        };
        serde_json::from_str(item)
            .map(Some)
            .map_err(|error| RpcError::params(format!("invalid argument {index}: {error}")))
    }

    /// The next parameter, or what it is when left out.
    pub fn or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T, RpcError> {
        Ok(self.optional()?.unwrap_or_default())
    }
}

/// A hash as the specification wants it: 32 bytes behind `0x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub B256);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let digits =
            text.strip_prefix("0x").ok_or_else(|| D::Error::custom("hash without 0x prefix"))?;
        let mut hash = B256::ZERO;
        hex::decode_to_slice(digits, hash.as_mut_slice())
            .map_err(|error| D::Error::custom(format!("not a hash of 32 bytes: {error}")))?;
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_may_be_null_or_left_out_at_the_end() {
        let mut args = Args::new(Some("[1, null]")).unwrap();
        assert_eq!(args.required::<u8>().unwrap(), 1);
        assert_eq!(args.optional::<u8>().unwrap(), None);
        assert_eq!(args.optional::<u8>().unwrap(), None);
        for none in [None, Some("null"), Some(" "), Some("[]")] {
            assert_eq!(Args::new(none).unwrap().optional::<u8>().unwrap(), None);
            assert!(Args::new(none).unwrap().required::<u8>().is_err());
        }
        assert!(Args::new(Some("{}")).is_err());
    }

    #[test]
    fn a_hash_needs_its_prefix_and_its_length() {
        let hash = |text: &str| serde_json::from_value::<Hash>(text.into());
        assert!(hash(&format!("0x{}", "00".repeat(32))).is_ok());
        assert!(hash(&"00".repeat(32)).is_err());
        assert!(hash("0x00").is_err());
    }
}
