//! Parameters as clients send them, and the errors that answer bad ones.

use alloy_primitives::U256;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The parameters of a request, taken from first to last.
#[derive(Debug)]
pub(super) struct Args {
    values: std::vec::IntoIter<Value>,
    given: usize,
}

/// A number as clients write it: plain, in hexadecimal, or in decimal text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) U256);

impl Number {
    /// The number, as far as 64 bits hold it.
    pub(super) fn u64(self) -> Result<u64, ErrorObjectOwned> {
        self.0.try_into().map_err(|_| invalid(format!("{} does not fit 64 bits", self.0)))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        let number = match &value {
            Value::Number(number) => number.as_u64().map(U256::from),
            Value::String(text) if !text.is_empty() => text.parse().ok(),
            // Hardhat's clients wrap some numbers.
            Value::Array(items) if items.len() == 1 => {
                serde_json::from_value(items[0].clone()).ok().map(|Self(number)| number)
            }
            _ => None,
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom(format!("{value} is no number")))
    }
}

impl Args {
    /// Takes the parameters of a request: a list, nothing, or null.
    pub(super) fn parse(params: &Params<'_>) -> Result<Self, ErrorObjectOwned> {
        let values = match params.as_str().map(serde_json::from_str::<Value>) {
            None | Some(Ok(Value::Null)) => Vec::new(),
            Some(Ok(Value::Array(values))) => values,
            Some(_) => return Err(invalid("parameters are a list".to_owned())),
        };
        let given = values.len();
        Ok(Self { values: values.into_iter(), given })
    }

    /// The next parameter.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<T, ErrorObjectOwned> {
        let position = self.position();
        match self.values.next() {
            Some(value) => decode(value, position),
            None => Err(invalid(format!("parameter {position} is missing"))),
        }
    }

    /// The next parameter, if there is one that is not null.
    pub(super) fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ErrorObjectOwned> {
        let position = self.position();
        match self.values.next() {
            None | Some(Value::Null) => Ok(None),
            Some(value) => decode(value, position).map(Some),
        }
    }

    /// Refuses parameters where a method has none.
    pub(super) fn none(&self) -> Result<(), ErrorObjectOwned> {
        match self.given {
            0 => Ok(()),
            given => Err(invalid(format!("{given} parameters, expected none"))),
        }
    }

    fn position(&self) -> usize {
        self.given - self.values.len() + 1
    }
}

fn decode<T: DeserializeOwned>(value: Value, position: usize) -> Result<T, ErrorObjectOwned> {
    serde_json::from_value(value).map_err(|error| invalid(format!("parameter {position}: {error}")))
}

/// The parameters are wrong.
pub(super) fn invalid(message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(-32602, message, None::<()>)
}

/// The node could not do it.
pub(super) fn internal(message: impl std::fmt::Display) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(-32603, message.to_string(), None::<()>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_as_clients_write_them() {
        for value in [json!(16), json!("0x10"), json!("16"), json!([16])] {
            assert_eq!(serde_json::from_value::<Number>(value).unwrap().u64().unwrap(), 16);
        }
        for value in [json!("ten"), json!(-1), json!({}), json!(""), json!([1, 2])] {
            assert!(serde_json::from_value::<Number>(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn parameters_are_a_list_or_nothing_and_are_named_by_position_when_wrong() {
        let parse = |text| Args::parse(&Params::new(text));
        assert!(parse(None).unwrap().none().is_ok());
        assert!(parse(Some("null")).unwrap().none().is_ok());
        assert!(parse(Some("{}")).is_err());
        let mut args = parse(Some("[1, null, \"x\"]")).unwrap();
        assert!(args.none().is_err());
        assert_eq!(args.next::<u64>().unwrap(), 1);
        assert_eq!(args.optional::<u64>().unwrap(), None);
        assert!(args.next::<u64>().unwrap_err().message().starts_with("parameter 3:"));
        assert!(args.next::<u64>().unwrap_err().message().contains("4 is missing"));
        assert_eq!(args.optional::<u64>().unwrap(), None);
    }
}
