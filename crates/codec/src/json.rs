//! Results of `debug_executionWitness`.
//!
//! reth and ethrex send nodes and codes as arrays of hex strings and headers as hex RLP, some
//! versions with `keys` (preimages, which are not needed); geth sends headers as objects; older
//! reth versions send nodes and codes as maps from hash to bytes.

use crate::OwnedWitness;
use crate::witness::ascending;
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, hex};
use core::fmt;
use serde::{
    Deserialize, Deserializer,
    de::{
        Error, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use std::collections::BTreeMap;
use wire::DecodeError;

/// A witness as parsed from JSON.
#[derive(Deserialize)]
pub(crate) struct WitnessDocument {
    state: Blobs,
    #[serde(default)]
    codes: Blobs,
    #[serde(default)]
    headers: Vec<HeaderForm>,
}

/// Bytes as a hex string.
///
/// This differs from alloy's `Bytes` in two ways: an array of numbers is rejected, and errors do
/// not quote the string, which may be megabytes long.
#[derive(Default)]
pub(crate) struct HexBytes(pub(crate) Bytes);

impl HexBytes {
    fn parse<E: Error>(text: &str) -> Result<Self, E> {
        let bytes =
            hex::decode(text).map_err(|reason| E::custom(format_args!("not hex: {reason}")))?;
        Ok(Self(bytes.into()))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl Visitor<'_> for Form {
            type Value = HexBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hex string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HexBytes, E> {
                HexBytes::parse(text)
            }
        }

        deserializer.deserialize_str(Form)
    }
}

/// Nodes or codes: a list of them, or a map from hash to bytes.
#[derive(Default)]
struct Blobs(Vec<HexBytes>);

impl<'de> Deserialize<'de> for Blobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Blobs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of hex strings, or a map from hash to hex string")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Blobs, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Blobs)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Blobs, A::Error> {
                let map: BTreeMap<B256, HexBytes> =
                    BTreeMap::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Blobs(map.into_values().collect()))
            }
        }

        deserializer.deserialize_any(Form)
    }
}

/// RLP of a header, given as hex or as a JSON object.
struct HeaderForm(Bytes);

impl<'de> Deserialize<'de> for HeaderForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = HeaderForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header as a hex string of RLP, or as an object")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<HeaderForm, E> {
                HexBytes::parse(text).map(|rlp| HeaderForm(rlp.0))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HeaderForm, A::Error> {
                let header = Header::deserialize(MapAccessDeserializer::new(map))?;
                Ok(HeaderForm(alloy_rlp::encode(header).into()))
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl OwnedWitness {
    /// Reads the result of `debug_executionWitness` of any client into canonical form: headers
    /// oldest first, nodes and codes sorted.
    pub fn from_json(json: &str) -> Result<Self, DecodeError> {
        Self::from_parsed(serde_json::from_str(json))
    }

    /// Reads an already parsed document like [`Self::from_json`].
    pub fn from_json_value(value: serde_json::Value) -> Result<Self, DecodeError> {
        Self::from_parsed(serde_json::from_value(value))
    }

    fn from_parsed(document: serde_json::Result<WitnessDocument>) -> Result<Self, DecodeError> {
        let document = document.map_err(|error| DecodeError::Json {
            what: "execution witness",
            message: error.to_string(),
        })?;
        Self::from_document(document)
    }

    pub(crate) fn from_document(document: WitnessDocument) -> Result<Self, DecodeError> {
        let unwrap = |blobs: Blobs| blobs.0.into_iter().map(|HexBytes(bytes)| bytes).collect();
        let mut witness = Self {
            state: unwrap(document.state),
            codes: unwrap(document.codes),
            headers: ascending(document.headers.into_iter().map(|HeaderForm(rlp)| rlp))?,
        };
        witness.canonicalize();
        Ok(witness)
    }
}
