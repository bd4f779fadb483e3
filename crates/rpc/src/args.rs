//! Parameters of RPC requests.

use crate::RpcError;
use alloy_primitives::{B256, U256, hex};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::{Value, value::RawValue};

/// Client whose wording is used in errors about parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStyle {
    /// geth's errors, which count parameters from zero: for methods that every node has.
    Geth,
    /// Plain errors, which count parameters from one: for a node's own methods.
    Plain,
}

/// Reads the parameters of a request in order. `null` and missing trailing parameters count as
/// absent.
#[derive(Debug)]
pub struct Args {
    items: std::vec::IntoIter<Box<RawValue>>,
    /// Number of all parameters.
    count: usize,
    style: ErrorStyle,
}

impl Args {
    /// Parses the parameters of a request: a list, nothing, or `null`. For a node's own methods,
    /// whose parameters have no names, an object counts as the only parameter.
    pub fn new(params: Option<&str>, style: ErrorStyle) -> Result<Self, RpcError> {
        let params = params.map(str::trim).filter(|params| !params.is_empty() && *params != "null");
        let items: Vec<Box<RawValue>> = match params {
            None => Vec::new(),
            Some(params) if style == ErrorStyle::Plain && params.starts_with('{') => {
                let one = RawValue::from_string(params.to_owned());
                vec![one.map_err(|error| RpcError::params(error.to_string()))?]
            }
            Some(params) => serde_json::from_str(params).map_err(|_| {
                RpcError::params(match style {
                    ErrorStyle::Geth => "non-array args: give parameters as a list",
                    ErrorStyle::Plain => "parameters are a list",
                })
            })?,
        };
        Ok(Self { count: items.len(), items: items.into_iter(), style })
    }

    /// Reads the next parameter; an error if it is absent.
    pub fn required<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let index = self.index();
        // Outside geth's style, the type decides whether `null` is valid.
        let item = match self.style {
            ErrorStyle::Geth => self.items.next().filter(|item| item.get() != "null"),
            ErrorStyle::Plain => self.items.next(),
        };
        match item {
            Some(item) => self.decode(&item, index),
            None => Err(RpcError::params(match self.style {
                ErrorStyle::Geth => format!("missing value for required argument {index}"),
                ErrorStyle::Plain => format!("parameter {} is missing", index + 1),
            })),
        }
    }

    /// Reads the next parameter, or `None` if it is absent.
    pub fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let index = self.index();
        let item = self.items.next().filter(|item| item.get() != "null");
        item.map(|item| self.decode(&item, index)).transpose()
    }

    /// Reads the next parameter, or returns the default if it is absent.
    pub fn or_default<T: DeserializeOwned + Default>(&mut self) -> Result<T, RpcError> {
        Ok(self.optional()?.unwrap_or_default())
    }

    /// Returns an error if the request has any parameters.
    pub fn none(&self) -> Result<(), RpcError> {
        match self.count {
            0 => Ok(()),
            count => Err(RpcError::params(format!("{count} parameters, expected none"))),
        }
    }

    /// Returns the index of the next parameter, from zero.
    fn index(&self) -> usize {
        self.count - self.items.len()
    }

    fn decode<T: DeserializeOwned>(&self, item: &RawValue, index: usize) -> Result<T, RpcError> {
        serde_json::from_str(item.get()).map_err(|error| {
            let reason = error.to_string();
            RpcError::params(match self.style {
                ErrorStyle::Geth => format!("invalid argument {index}: {reason}"),
                ErrorStyle::Plain => {
                    // The position refers to the parameter's own text, which does not help the
                    // caller.
                    let place = format!(" at line {} column {}", error.line(), error.column());
                    let reason = reason.strip_suffix(&place).unwrap_or(&reason);
                    format!("parameter {}: {reason}", index + 1)
                }
            })
        })
    }
}

/// Number in any form that clients send: a JSON number, a hexadecimal string or a decimal string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub U256);

impl Number {
    /// Converts to `u64`; an error if the number does not fit.
    pub fn u64(self) -> Result<u64, RpcError> {
        let narrow = self.0.try_into();
        narrow.map_err(|_| RpcError::params(format!("{} does not fit 64 bits", self.0)))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let number = match &value {
            Value::Number(number) => number.as_u64().map(U256::from),
            Value::String(text) if !text.is_empty() => text.parse().ok(),
            // Clients of Hardhat wrap some numbers in an array.
            Value::Array(items) if items.len() == 1 => {
                serde_json::from_value(items[0].clone()).ok().map(|Self(number)| number)
            }
            _ => None,
        };
        number.map(Self).ok_or_else(|| D::Error::custom(format!("{value} is not a number")))
    }
}

/// 32-byte hash with a `0x` prefix, as the specification requires.
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
    use serde_json::json;

    #[test]
    fn null_and_missing_parameters_are_absent() {
        for style in [ErrorStyle::Geth, ErrorStyle::Plain] {
            let args = |text| Args::new(text, style);
            let mut some = args(Some("[1, null]")).unwrap();
            assert_eq!(some.required::<u8>().unwrap(), 1);
            assert_eq!(some.optional::<u8>().unwrap(), None);
            assert_eq!(some.optional::<u8>().unwrap(), None);
            for none in [None, Some("null"), Some(" "), Some("[]")] {
                assert_eq!(args(none).unwrap().optional::<u8>().unwrap(), None);
                assert!(args(none).unwrap().required::<u8>().is_err());
                assert!(args(none).unwrap().none().is_ok());
            }
            assert!(args(Some("[1]")).unwrap().none().is_err());
            assert!(args(Some("7")).is_err());
        }
        // Only methods without named parameters accept an object as their parameter.
        assert!(Args::new(Some("{}"), ErrorStyle::Geth).is_err());
        assert!(Args::new(Some("{}"), ErrorStyle::Plain).is_ok());
    }

    #[test]
    fn parameter_errors_follow_the_style() {
        let said = |style, params| {
            let mut args = Args::new(Some(params), style).unwrap();
            args.required::<u8>().unwrap();
            args.required::<u8>().unwrap_err().message
        };
        assert_eq!(said(ErrorStyle::Geth, "[1]"), "missing value for required argument 1");
        assert_eq!(said(ErrorStyle::Plain, "[1]"), "parameter 2 is missing");
        let wrong = r#"[1, "x"]"#;
        let reason = r#"invalid type: string "x", expected u8"#;
        let geth = said(ErrorStyle::Geth, wrong);
        assert!(geth.starts_with(&format!("invalid argument 1: {reason}")), "{geth}");
        assert_eq!(said(ErrorStyle::Plain, wrong), format!("parameter 2: {reason}"));
    }

    #[test]
    fn numbers_parse_in_all_client_formats() {
        for value in [json!(16), json!("0x10"), json!("16"), json!([16])] {
            assert_eq!(serde_json::from_value::<Number>(value).unwrap().u64().unwrap(), 16);
        }
        for value in [json!("ten"), json!(-1), json!({}), json!(""), json!([1, 2])] {
            assert!(serde_json::from_value::<Number>(value.clone()).is_err(), "{value}");
        }
        assert!(Number(U256::from(u64::MAX) + U256::ONE).u64().is_err());
    }

    #[test]
    fn hash_requires_prefix_and_length() {
        let hash = |text: &str| serde_json::from_value::<Hash>(text.into());
        assert!(hash(&format!("0x{}", "00".repeat(32))).is_ok());
        assert!(hash(&"00".repeat(32)).is_err());
        assert!(hash("0x00").is_err());
    }
}
