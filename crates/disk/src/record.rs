//! Content of a log record: the changes of one commit.

use crate::{
    DiskError,
    block::{address, decode_block, encode_block, hash},
    bytes::{Reader, Writer},
};
use alloy_primitives::{Address, B256, Bytes, U256};
use chain::store::{Block, Changes};
use codec::OwnedWitness;
use std::sync::Arc;

/// First byte of a record: the layout of the rest.
const VERSION: u8 = 1;
const WHAT: &str = "record";

/// A commit in the log.
#[derive(Debug)]
pub(crate) struct Record {
    /// Witness of the commit's block. With a witness, nodes and codes are omitted, because
    /// executing the block reproduces them.
    pub(crate) witness: Option<OwnedWitness>,
    pub(crate) roots: Vec<B256>,
    pub(crate) nodes: Vec<Bytes>,
    pub(crate) codes: Vec<Bytes>,
    pub(crate) preimages: Vec<(Address, Vec<U256>)>,
    pub(crate) blocks: Vec<Arc<Block>>,
    /// First number at which the canonical chain changes, and its blocks starting there.
    pub(crate) canonical: Option<(u64, Vec<B256>)>,
    pub(crate) forgotten: Vec<B256>,
}

impl Record {
    /// Encodes the record of a commit.
    pub(crate) fn encode(changes: &Changes) -> Vec<u8> {
        let in_full = changes.witness.is_none();
        let mut out = Writer(Vec::with_capacity(size_hint(changes)));
        out.byte(VERSION);
        out.option(changes.witness.as_ref(), |out, witness| {
            for part in [&witness.state, &witness.codes, &witness.headers] {
                out.list(part, |out, bytes| out.string(bytes));
            }
        });
        out.list(&changes.roots, |out, root| out.raw(root.as_slice()));
        let nodes = if in_full { &changes.nodes[..] } else { &[] };
        out.list(nodes, |out, (_, node)| out.string(node));
        let codes = if in_full { &changes.codes[..] } else { &[] };
        out.list(codes, |out, (_, code)| out.string(&code.original_bytes()));
        out.list(&changes.preimages, |out, (address, slots)| {
            out.raw(address.as_slice());
            out.list(slots, |out, slot| out.raw(&slot.to_be_bytes::<32>()));
        });
        out.list(&changes.blocks, |out, block| out.string(&encode_block(block)));
        out.option(changes.canonical.as_ref(), |out, change| {
            out.word(change.from);
            out.list(&change.blocks, |out, block| out.raw(block.hash.as_slice()));
        });
        out.list(&changes.forgotten, |out, hash| out.raw(hash.as_slice()));
        out.0
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, DiskError> {
        let mut reader = Reader::new(WHAT, bytes);
        let witness = read_witness(&mut reader)?;
        let record = Self {
            witness,
            roots: reader.list(hash)?,
            nodes: reader.list(Reader::string)?,
            codes: reader.list(Reader::string)?,
            preimages: reader.list(|reader| {
                let slot = |reader: &mut Reader<'_>| Ok(U256::from_be_bytes(hash(reader)?.0));
                Ok((address(reader)?, reader.list(slot)?))
            })?,
            blocks: reader.list(|reader| Ok(Arc::new(decode_block(&reader.string()?)?)))?,
            canonical: reader.option(|reader| Ok((reader.word()?, reader.list(hash)?)))?,
            forgotten: reader.list(hash)?,
        };
        reader.end()?;
        Ok(record)
    }

    /// Decodes only the witness.
    pub(crate) fn decode_witness(bytes: &Bytes) -> Result<Option<OwnedWitness>, DiskError> {
        read_witness(&mut Reader::new(WHAT, bytes))
    }
}

fn read_witness(reader: &mut Reader<'_>) -> Result<Option<OwnedWitness>, DiskError> {
    let version = reader.byte()?;
    if version != VERSION {
        let reason = format!("version {version}, expected {VERSION}");
        return Err(DiskError::malformed(WHAT, reason));
    }
    reader.option(|reader| {
        Ok(OwnedWitness {
            state: reader.list(Reader::string)?,
            codes: reader.list(Reader::string)?,
            headers: reader.list(Reader::string)?,
        })
    })
}

/// Returns the approximate length of the record, to avoid reallocations.
fn size_hint(changes: &Changes) -> usize {
    let sum = |parts: &[Bytes]| parts.iter().map(|bytes| bytes.len() + 4).sum::<usize>();
    4_096
        + match &changes.witness {
            Some(witness) => sum(&witness.state) + sum(&witness.codes) + sum(&witness.headers),
            None => changes.nodes.iter().map(|(_, node)| node.len() + 4).sum(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;
    use chain::store::CanonicalChange;

    fn changes(in_full: bool) -> Changes {
        let block = Arc::new(Block::from_header(alloy_consensus::Header::default()));
        let mut changes = Changes {
            roots: vec![B256::repeat_byte(1)],
            preimages: vec![(Address::repeat_byte(2), vec![U256::from(3), U256::from(4)])],
            blocks: vec![Arc::clone(&block)],
            canonical: Some(CanonicalChange { from: 0, blocks: vec![block] }),
            forgotten: vec![B256::repeat_byte(5)],
            ..Changes::default()
        };
        changes.put_nodes(vec![Bytes::from_static(b"a node"), Bytes::from_static(b"another")]);
        changes.put_code(Bytes::from_static(b"a code"));
        if !in_full {
            changes.witness = Some(OwnedWitness {
                state: vec![Bytes::from_static(b"read")],
                codes: vec![],
                headers: vec![Bytes::from_static(b"header")],
            });
        }
        changes
    }

    #[test]
    fn record_roundtrips() {
        for in_full in [true, false] {
            let changes = changes(in_full);
            let record = Record::decode(&Record::encode(&changes).into()).unwrap();
            assert_eq!(record.witness, changes.witness);
            assert_eq!(record.roots, changes.roots);
            assert_eq!(record.preimages, changes.preimages);
            assert_eq!(record.forgotten, changes.forgotten);
            assert_eq!(record.blocks[0].hash, changes.blocks[0].hash);
            let canonical =
                changes.canonical.map(|canonical| (canonical.from, vec![canonical.blocks[0].hash]));
            assert_eq!(record.canonical, canonical);
            // With a witness, the data that executing the block reproduces is omitted.
            let nodes: Vec<_> = changes.nodes.iter().map(|(_, node)| node.clone()).collect();
            assert_eq!(record.nodes, if in_full { nodes } else { vec![] });
            assert_eq!(record.codes.len(), usize::from(in_full));
        }
    }

    #[test]
    fn decoding_random_records_never_panics() {
        for in_full in [true, false] {
            let whole = Bytes::from(Record::encode(&changes(in_full)));
            for length in 0..whole.len() {
                assert!(Record::decode(&whole.slice(..length)).is_err(), "{length} bytes");
            }
            assert!(Record::decode(&[&whole[..], &[0]].concat().into()).is_err());
            for byte in 0..whole.len() {
                // Among others, this sets each length to its maximum.
                for value in [0xff, 0x7f, 1, 0] {
                    let mut other = whole.to_vec();
                    other[byte] = value;
                    drop(Record::decode(&other.into()));
                }
                let seed = keccak256(byte.to_be_bytes());
                drop(Record::decode(&[&[VERSION], &seed[..]].concat().into()));
            }
        }
    }
}
