//! geth's RLP witness (`core/stateless`): `[headers, codes, state]`, headers newest first, codes
//! and nodes in the random order of Go maps.

use crate::OwnedWitness;
use crate::witness::ascending;
use alloy_primitives::Bytes;
use alloy_rlp::{Decodable, Encodable, Header, PayloadView};
use wire::DecodeError;

const WHAT: &str = "geth witness";

const fn rlp(reason: alloy_rlp::Error) -> DecodeError {
    DecodeError::Rlp { what: WHAT, reason }
}

impl OwnedWitness {
    /// Reads geth's RLP witness into canonical form: headers oldest first, nodes and codes sorted.
    pub fn from_geth_rlp(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let PayloadView::List(fields) = Header::decode_raw(&mut rest).map_err(rlp)? else {
            return Err(rlp(alloy_rlp::Error::UnexpectedString));
        };
        if !rest.is_empty() {
            return Err(rlp(alloy_rlp::Error::UnexpectedLength));
        }
        let [headers, codes, state] = fields[..] else {
            return Err(rlp(alloy_rlp::Error::ListLengthMismatch {
                expected: 3,
                got: fields.len(),
            }));
        };
        // geth lists headers newest first; sorting by number makes the order independent of the
        // client's version.
        let headers = ascending(items(headers)?.into_iter().map(Bytes::copy_from_slice))?;
        let mut witness = Self { state: strings(state)?, codes: strings(codes)?, headers };
        witness.canonicalize();
        Ok(witness)
    }

    /// Reads geth's RLP witness like [`Self::from_geth_rlp`], with at most `limit` items. Every
    /// item is copied and sorted and may be as short as one byte, so the length of the RLP alone
    /// does not bound memory and time.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there are more items, which are counted without copies, or if the bytes
    /// are malformed.
    pub fn from_geth_rlp_within(bytes: &[u8], limit: usize) -> Result<Self, DecodeError> {
        let mut lists = Header::decode_bytes(&mut &*bytes, true).map_err(rlp)?;
        let mut got = 0;
        while !lists.is_empty() {
            let mut items = Header::decode_bytes(&mut lists, true).map_err(rlp)?;
            while !items.is_empty() {
                let item = Header::decode(&mut items).map_err(rlp)?;
                let behind = items.get(item.payload_length..);
                items = behind.ok_or_else(|| rlp(alloy_rlp::Error::InputTooShort))?;
                got += 1;
                if got > limit {
                    return Err(DecodeError::TooMany { what: WHAT, got, limit });
                }
            }
        }
        Self::from_geth_rlp(bytes)
    }

    /// Writes geth's RLP witness.
    pub fn to_geth_rlp(&self) -> Bytes {
        let list = |payload: Vec<u8>| {
            let mut out = Vec::with_capacity(payload.len() + 9);
            Header { list: true, payload_length: payload.len() }.encode(&mut out);
            out.extend(payload);
            out
        };
        let strings = |items: &[Bytes]| {
            let mut payload = Vec::new();
            items.iter().for_each(|item| item.encode(&mut payload));
            list(payload)
        };
        // Headers are RLP lists themselves and get no string header.
        let headers = list(self.headers.iter().rev().flatten().copied().collect());
        list([headers, strings(&self.codes), strings(&self.state)].concat()).into()
    }
}

/// Splits an RLP list into its items, each with its own header.
fn items(list: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut rest = list;
    match Header::decode_raw(&mut rest).map_err(rlp)? {
        PayloadView::List(items) => Ok(items),
        PayloadView::String(_) => Err(rlp(alloy_rlp::Error::UnexpectedString)),
    }
}

fn strings(list: &[u8]) -> Result<Vec<Bytes>, DecodeError> {
    items(list)?.into_iter().map(|mut item| Bytes::decode(&mut item).map_err(rlp)).collect()
}
