//! The answers of `debug_executionWitness`.
//!
//! reth and ethrex send nodes and codes as arrays of hex strings and headers as hex RLP, in some
//! versions with `keys` (preimages, which nothing here needs); geth sends headers as objects;
//! older reth versions send nodes and codes as maps from hash to bytes.

use crate::{DecodeError, OwnedWitness};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Witness {
    state: Blobs,
    #[serde(default)]
    codes: Blobs,
    #[serde(default)]
    headers: Vec<HeaderForm>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Blobs {
    List(Vec<Bytes>),
    Map(BTreeMap<B256, Bytes>),
}

impl Default for Blobs {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Blobs {
    fn into_vec(self) -> Vec<Bytes> {
        match self {
            Self::List(list) => list,
            Self::Map(map) => map.into_values().collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderForm {
    Rlp(Bytes),
    Object(Box<Header>),
}

impl OwnedWitness {
    /// Reads the result of `debug_executionWitness`, whichever client it comes from, into canonical
    /// form: headers oldest first, nodes and codes sorted.
    pub fn from_json(json: &str) -> Result<Self, DecodeError> {
        Self::from_document(serde_json::from_str(json))
    }

    /// As [`Self::from_json`], for a document that is parsed already.
    pub fn from_json_value(value: serde_json::Value) -> Result<Self, DecodeError> {
        Self::from_document(serde_json::from_value(value))
    }

    fn from_document(document: serde_json::Result<Witness>) -> Result<Self, DecodeError> {
        let document = document.map_err(|error| DecodeError::Json {
            what: "execution witness",
            message: error.to_string(),
        })?;
        let mut headers = Vec::with_capacity(document.headers.len());
        for header in document.headers {
            let rlp = match header {
                HeaderForm::Rlp(rlp) => rlp,
                HeaderForm::Object(header) => alloy_rlp::encode(&*header).into(),
            };
            let number = alloy_rlp::decode_exact::<Header>(&rlp)
                .map_err(|source| DecodeError::Rlp { what: "witness header", source })?
                .number;
            headers.push((number, rlp));
        }
        headers.sort_by_key(|(number, _)| *number);
        let mut witness = Self {
            state: document.state.into_vec(),
            codes: document.codes.into_vec(),
            headers: headers.into_iter().map(|(_, rlp)| rlp).collect(),
        };
        witness.canonicalize();
        Ok(witness)
    }
}
