//! The file of L1's history, from which a node goes on when it starts again.
//!
//! It has one record for each L1 block, in their order: the header's fields that are kept, and the rollup's events.
//! Inputs of L2 blocks are not in it, since the chain on disk has them; and L1 is asked anew for its final block.

use crate::{
    RollupError,
    l1::{Advanced, ForcedEntry, L1Header, SentMessage, events::Events},
};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolValue as _;
use contracts::{Deployment, Message, bindings::IForcedInbox::ForcedTransaction};
use disk::{DiskError, Reader, RecordFile, Writer};
use std::{collections::VecDeque, path::Path};

const WHAT: &str = "what was read of an L1 block";
/// Version of a record.
const VERSION: u8 = 2;
/// Words of what a queue knows of a forced transaction.
const FORCED_WORDS: usize = 11;

/// The file, open at its end.
#[derive(Debug)]
pub(super) struct L1Log {
    file: RecordFile,
    /// Offsets of the records of the remembered headers.
    begins: VecDeque<u64>,
}

impl L1Log {
    /// Identity of the deployment that a log is about.
    pub(super) fn subject(it: &Deployment) -> B256 {
        let contracts: [Address; 3] = [it.rollup, it.message_queue, it.forced];
        keccak256((it.l1_chain_id, it.l1_block, contracts, it.genesis_hash).abi_encode())
    }

    /// Opens the file of a [subject](Self::subject), or starts one, and hands over what is in it. What is damaged
    /// or refused is cut off, with all behind it.
    pub(super) fn open(
        path: &Path,
        subject: B256,
        mut take: impl FnMut(L1Header, Events) -> Result<(), DiskError>,
    ) -> Result<Self, RollupError> {
        let mut begins = VecDeque::new();
        let (file, cut) = RecordFile::open(path, subject, |begin, body| {
            let (header, events) = decode(body)?;
            take(header, events)?;
            begins.push_back(begin);
            Ok(())
        })?;
        if let Some(cut) = cut {
            tracing::warn!(
                path = %path.display(),
                offset = cut.offset,
                bytes = cut.bytes,
                reason = %cut.reason,
                "what was read of L1 is cut back, and read again"
            );
        }
        Ok(Self { file, begins })
    }

    /// Adds a block.
    pub(super) fn append(&mut self, header: &L1Header, events: &Events) -> Result<(), RollupError> {
        let begin = self.file.append(&encode(header, events))?;
        self.begins.push_back(begin);
        Ok(())
    }

    /// Keeps so many of the remembered headers' records, the oldest ones, and removes the rest.
    pub(super) fn keep(&mut self, count: usize) -> Result<(), RollupError> {
        if let Some(begin) = self.begins.get(count) {
            self.file.cut_back(*begin)?;
            self.begins.truncate(count);
        }
        Ok(())
    }

    /// Drops the offsets of this many of the oldest remembered headers. Their records stay in the file.
    pub(super) fn forget_oldest(&mut self, count: usize) {
        self.begins.drain(..count.min(self.begins.len()));
        self.begins.shrink_to(2 * self.begins.len());
    }
}

fn encode(header: &L1Header, events: &Events) -> Vec<u8> {
    let mut out = Writer::default();
    out.byte(VERSION);
    out.word(header.number);
    out.raw(header.hash.as_slice());
    out.raw(header.parent.as_slice());
    out.word(header.timestamp);
    out.word(header.base_fee);
    out.list(&events.messages, |out, SentMessage { message, .. }| {
        for address in [message.sender, message.to, message.refund_to] {
            out.raw(address.as_slice());
        }
        out.raw(&message.value.to_be_bytes());
        out.raw(&message.fee.to_be_bytes());
        out.raw(&message.gas_limit.to_be_bytes());
        out.word(message.index);
        out.string(&message.data);
    });
    out.list(&events.forced, |out, entry| {
        out.word(entry.index);
        out.raw(&entry.transaction.abi_encode());
        out.string(&entry.raw);
    });
    out.list(&events.advanced, |out, block| {
        out.word(block.number);
        out.raw(block.hash.as_slice());
        out.raw(block.transaction.as_slice());
    });
    out.list(&events.discharged, |out, index| out.word(*index));
    out.0
}

fn decode(body: &Bytes) -> Result<(L1Header, Events), DiskError> {
    let mut from = Reader::new(WHAT, body);
    let version = from.byte()?;
    if version != VERSION {
        return Err(DiskError::malformed(WHAT, format!("version {version}, expected {VERSION}")));
    }
    let header = L1Header {
        number: from.word()?,
        hash: from.array()?.into(),
        parent: from.array()?.into(),
        timestamp: from.word()?,
        base_fee: from.word()?,
    };
    let l1_block = header.number;
    let messages = from.list(|from| {
        let mut address = || from.array().map(Address::new);
        let (sender, to, refund_to) = (address()?, address()?, address()?);
        let message = Message {
            sender,
            to,
            refund_to,
            value: u128::from_be_bytes(from.array()?),
            fee: u128::from_be_bytes(from.array()?),
            gas_limit: u32::from_be_bytes(from.array()?),
            index: from.word()?,
            data: from.string()?,
        };
        Ok(SentMessage { message, l1_block, l1_timestamp: header.timestamp })
    })?;
    let forced = from.list(|from| {
        let index = from.word()?;
        let words = from.array::<{ 32 * FORCED_WORDS }>()?;
        let transaction = ForcedTransaction::abi_decode_validate(&words)
            .map_err(|error| DiskError::malformed(WHAT, error))?;
        Ok(ForcedEntry { index, transaction, raw: from.string()?, l1_block })
    })?;
    let advanced = from.list(|from| {
        Ok(Advanced {
            number: from.word()?,
            hash: from.array()?.into(),
            input: None,
            l1_block,
            transaction: from.array()?.into(),
        })
    })?;
    let discharged = from.list(Reader::word)?;
    from.end()?;
    Ok((header, Events { messages, forced, advanced, discharged }))
}
