//! Encoding of integers as `QUANTITY`.

use alloy_primitives::U128;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer in the encoding `QUANTITY` (`"0x…"`). Fields of Rust's integers name the encoding by
/// this type: `#[serde(with = "Quantity")]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quantity(#[serde(with = "Quantity")] pub u64);

impl Quantity {
    pub(crate) fn serialize<T, S>(value: &T, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Into<u128>,
        S: Serializer,
    {
        U128::from((*value).into()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: TryFrom<u128>,
        D: Deserializer<'de>,
    {
        number(U128::deserialize(deserializer)?)
    }
}

/// The encoding of an integer that may be absent: `QUANTITY` or `null`.
#[derive(Debug)]
pub(crate) struct OptionalQuantity;

impl OptionalQuantity {
    pub(crate) fn serialize<T, S>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error>
    where
        T: Copy + Into<u128>,
        S: Serializer,
    {
        value.map(|number| U128::from(number.into())).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: TryFrom<u128>,
        D: Deserializer<'de>,
    {
        Option::<U128>::deserialize(deserializer)?.map(number).transpose()
    }
}

fn number<T: TryFrom<u128>, E: serde::de::Error>(value: U128) -> Result<T, E> {
    T::try_from(value.to()).map_err(|_| E::custom(format!("{value} does not fit the field")))
}

#[cfg(feature = "schema")]
mod schema {
    use super::{OptionalQuantity, Quantity};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use std::borrow::Cow;

    impl JsonSchema for Quantity {
        fn schema_name() -> Cow<'static, str> {
            "Quantity".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "pattern": "^0x(0|[1-9a-f][0-9a-f]*)$" })
        }
    }

    impl JsonSchema for OptionalQuantity {
        fn inline_schema() -> bool {
            true
        }

        fn schema_name() -> Cow<'static, str> {
            Option::<Quantity>::schema_name()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            Option::<Quantity>::json_schema(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Fields {
        #[serde(with = "Quantity")]
        narrow: u64,
        #[serde(with = "OptionalQuantity")]
        wide: Option<u128>,
    }

    #[test]
    fn integers_have_their_range() {
        let written = r#"{"narrow":"0xffffffffffffffff","wide":"0x10000000000000000"}"#;
        let fields = Fields { narrow: u64::MAX, wide: Some(1 << 64) };
        assert_eq!(serde_json::to_string(&fields).unwrap(), written);
        assert_eq!(serde_json::from_str::<Fields>(written).unwrap(), fields);
        let wide = r#"{"narrow":"0x10000000000000000","wide":null}"#;
        let error = serde_json::from_str::<Fields>(wide).unwrap_err();
        assert!(error.to_string().contains("18446744073709551616 does not fit"), "{error}");
        let zero = Fields { narrow: 0, wide: None };
        assert_eq!(serde_json::to_string(&zero).unwrap(), r#"{"narrow":"0x0","wide":null}"#);
    }
}
