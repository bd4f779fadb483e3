//! Encoding of the records of the L1 history file.

use crate::l1::{
    ClaimedMessage, Events, ForcedDischarge, ForcedEntry, L1Cost, L1Header, PostedBlock,
    SentMessage, bridge_log::BridgeLog, queue::MessageQueue,
};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolValue as _;
use contracts::{Message, bindings::IForcedInbox::ForcedTransaction};
use disk::{DiskError, Reader, Writer};

const WHAT: &str = "record of an L1 block";
/// First byte of the record of a block.
const VERSION: u8 = 4;
/// First byte of a checkpoint.
const CHECKPOINT: u8 = 0x84;
/// Flag of the cost of a transaction with an allowance of EXECUTE gas. Such a transaction has no
/// blobs, and so no blob price.
const PARTIAL: u8 = 2;
/// Number of 32-byte words of the ABI encoding of a [`ForcedTransaction`].
const FORCED_WORDS: usize = 11;

#[derive(Debug)]
pub(super) enum Saved {
    Block(L1Header, Box<Events>),
    /// Open entries at a block. Replaces all records up to this block.
    Checkpoint(Box<Checkpoint>),
}

/// Open entries at an L1 block.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    pub(super) header: Option<L1Header>,
    pub(super) messages: MessageQueue,
    pub(super) bridge: BridgeLog,
    pub(super) forced: Vec<ForcedEntry>,
    pub(super) forced_forgotten: u64,
    pub(super) advanced: Vec<PostedBlock>,
    pub(super) final_before: Option<BlockNumHash>,
    /// Index of a forced transaction, and the number of the L1 block that discharged it.
    pub(super) discharged: Vec<(u64, u64)>,
}

impl Checkpoint {
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self {
            header,
            messages,
            bridge,
            forced,
            forced_forgotten,
            advanced,
            final_before,
            discharged,
        } = self;
        let mut out = Writer::default();
        // No version of a block's record has this byte, so older nodes reject the file instead of
        // misreading it.
        out.byte(CHECKPOINT);
        out.option(header.as_ref(), put_header);
        messages.save(&mut out);
        out.list(forced, |out, entry| {
            put_forced(out, entry);
            out.word(entry.l1_block);
        });
        out.word(*forced_forgotten);
        out.list(advanced, put_posted);
        out.option(final_before.as_ref(), |out, block| {
            out.word(block.number);
            out.raw(block.hash.as_slice());
        });
        out.list(discharged, |out, (index, l1_block)| {
            out.word(*index);
            out.word(*l1_block);
        });
        bridge.save(&mut out);
        out.0
    }
}

fn read_checkpoint(mut from: Reader<'_>) -> Result<Saved, DiskError> {
    let checkpoint = Checkpoint {
        header: from.option(read_header)?,
        messages: MessageQueue::load(&mut from)?,
        bridge: BridgeLog::default(),
        forced: from.list(|from| {
            let entry = read_forced(from, 0)?;
            Ok(ForcedEntry { l1_block: from.word()?, ..entry })
        })?,
        forced_forgotten: from.word()?,
        advanced: from.list(read_posted)?,
        final_before: from
            .option(|from| Ok(BlockNumHash::new(from.word()?, from.array()?.into())))?,
        discharged: from.list(|from| Ok((from.word()?, from.word()?)))?,
    };
    let checkpoint = Checkpoint { bridge: BridgeLog::load(&mut from)?, ..checkpoint };
    from.end()?;
    Ok(Saved::Checkpoint(Box::new(checkpoint)))
}

pub(super) fn encode(header: &L1Header, events: &Events) -> Vec<u8> {
    let mut out = Writer::default();
    out.byte(VERSION);
    put_header(&mut out, header);
    out.list(&events.messages, |out, sent| {
        put_message(out, &sent.message);
        out.raw(sent.l1_transaction.as_slice());
    });
    out.list(&events.forced, put_forced);
    out.list(&events.advanced, put_posted);
    out.list(&events.discharged, |out, discharged| {
        out.word(discharged.index);
        out.byte(discharged.outcome);
    });
    out.list(&events.claimed, |out, claim| {
        out.word(claim.index);
        out.byte(claim.is_refunded.into());
        out.raw(claim.l1_transaction.as_slice());
    });
    out.list(&events.pauses, |out, until| out.word(*until));
    out.0
}

pub(super) fn decode(body: &Bytes) -> Result<Saved, DiskError> {
    let mut from = Reader::new(WHAT, body);
    match from.byte()? {
        VERSION => {}
        CHECKPOINT => return read_checkpoint(from),
        version => {
            let reason = format!("version {version}, expected {VERSION} or {CHECKPOINT}");
            return Err(DiskError::malformed(WHAT, reason));
        }
    }
    let header = read_header(&mut from)?;
    let l1_block = header.number;
    let messages = from.list(|from| {
        let message = read_message(from)?;
        let l1_transaction = from.array()?.into();
        Ok(SentMessage { message, l1_block, l1_timestamp: header.timestamp, l1_transaction })
    })?;
    let forced = from.list(|from| read_forced(from, l1_block))?;
    let advanced = from.list(read_posted)?;
    let discharged =
        from.list(|from| Ok(ForcedDischarge { index: from.word()?, outcome: from.byte()? }))?;
    let claimed = from.list(|from| {
        let (index, is_refunded) = (from.word()?, from.flag()?);
        let l1_transaction = from.array()?.into();
        Ok(ClaimedMessage { index, is_refunded, l1_block, l1_transaction })
    })?;
    let pauses = from.list(Reader::word)?;
    from.end()?;
    let events = Events { messages, forced, advanced, discharged, claimed, pauses };
    Ok(Saved::Block(header, Box::new(events)))
}

/// Length of an encoded [`PostedBlock`], in bytes.
pub(super) const POSTED_BYTES: usize = 8 + 32 + 8 + 32 + 8 + 8 + 32 + 8 + 16 + 8 + 1 + 16;

/// Encodes an L2 block on L1, without its input, in [`POSTED_BYTES`].
pub(super) fn put_posted(out: &mut Writer, block: &PostedBlock) {
    let PostedBlock { number, hash, l1_block, transaction, first, last, cost, input: _ } = block;
    out.word(*number);
    out.raw(hash.as_slice());
    out.word(*l1_block);
    out.raw(transaction.as_slice());
    out.word(*first);
    out.word(last.number);
    out.raw(last.hash.as_slice());
    out.word(cost.gas);
    out.raw(&cost.gas_price.to_be_bytes());
    out.word(cost.blob_gas);
    // A price is encoded even if there is none, so that all records have the same length.
    out.byte(match cost.blob_gas_price {
        None if cost.is_partial => PARTIAL,
        price => price.is_some().into(),
    });
    out.raw(&cost.blob_gas_price.unwrap_or_default().to_be_bytes());
}

pub(super) fn read_posted(from: &mut Reader<'_>) -> Result<PostedBlock, DiskError> {
    Ok(PostedBlock {
        number: from.word()?,
        hash: from.array()?.into(),
        l1_block: from.word()?,
        transaction: from.array()?.into(),
        first: from.word()?,
        last: BlockNumHash::new(from.word()?, from.array()?.into()),
        cost: {
            let (gas, gas_price) = (from.word()?, u128::from_be_bytes(from.array()?));
            let blob_gas = from.word()?;
            let flag = from.byte()?;
            let price = u128::from_be_bytes(from.array()?);
            let (blob_gas_price, is_partial) = match flag {
                0 => (None, false),
                1 => (Some(price), false),
                PARTIAL => (None, true),
                got => {
                    let reason = format!("flag {got} of a cost, expected 0, 1 or {PARTIAL}");
                    return Err(DiskError::malformed(WHAT, reason));
                }
            };
            L1Cost { gas, gas_price, blob_gas, blob_gas_price, is_partial }
        },
        input: None,
    })
}

fn put_header(out: &mut Writer, header: &L1Header) {
    out.word(header.number);
    out.raw(header.hash.as_slice());
    out.raw(header.parent.as_slice());
    out.word(header.timestamp);
    out.word(header.base_fee);
}

fn read_header(from: &mut Reader<'_>) -> Result<L1Header, DiskError> {
    Ok(L1Header {
        number: from.word()?,
        hash: from.array()?.into(),
        parent: from.array()?.into(),
        timestamp: from.word()?,
        base_fee: from.word()?,
    })
}

pub(crate) fn put_message(out: &mut Writer, message: &Message) {
    for address in [message.sender, message.to, message.refund_to] {
        out.raw(address.as_slice());
    }
    out.raw(&message.value.to_be_bytes());
    out.raw(&message.fee.to_be_bytes());
    out.raw(&message.gas_limit.to_be_bytes());
    out.word(message.index);
    out.string(&message.data);
}

pub(crate) fn read_message(from: &mut Reader<'_>) -> Result<Message, DiskError> {
    let mut address = || from.array().map(Address::new);
    let (sender, to, refund_to) = (address()?, address()?, address()?);
    Ok(Message {
        sender,
        to,
        refund_to,
        value: u128::from_be_bytes(from.array()?),
        fee: u128::from_be_bytes(from.array()?),
        gas_limit: u32::from_be_bytes(from.array()?),
        index: from.word()?,
        data: from.string()?,
    })
}

fn put_forced(out: &mut Writer, entry: &ForcedEntry) {
    out.word(entry.index);
    out.raw(&entry.transaction.abi_encode());
    out.string(&entry.raw);
    out.raw(entry.l1_transaction.as_slice());
}

fn read_forced(from: &mut Reader<'_>, l1_block: u64) -> Result<ForcedEntry, DiskError> {
    let index = from.word()?;
    let words = from.array::<{ 32 * FORCED_WORDS }>()?;
    let transaction = ForcedTransaction::abi_decode_validate(&words)
        .map_err(|error| DiskError::malformed(WHAT, error))?;
    let (raw, l1_transaction) = (from.string()?, from.array()?.into());
    Ok(ForcedEntry { index, transaction, raw, l1_block, l1_transaction })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    #[test]
    fn cost_records_have_fixed_length_and_known_flags() {
        let priced = L1Cost {
            gas: 1,
            gas_price: 2,
            blob_gas: 3,
            blob_gas_price: Some(4),
            is_partial: false,
        };
        let unknown = L1Cost { blob_gas_price: None, ..priced };
        let partial = L1Cost { blob_gas: 0, blob_gas_price: None, is_partial: true, ..priced };
        for cost in [priced, unknown, partial, L1Cost::default()] {
            let (hash, transaction) = (B256::repeat_byte(5), B256::repeat_byte(6));
            let (number, l1_block) = (7, 8);
            let last = (number, hash);
            let block = PostedBlock {
                number,
                hash,
                l1_block,
                transaction,
                first: number,
                last: last.into(),
                cost,
                input: None,
            };
            let mut out = Writer::default();
            put_posted(&mut out, &block);
            assert_eq!(out.0.len(), POSTED_BYTES);
            let read = |bytes: Vec<u8>| read_posted(&mut Reader::new(WHAT, &bytes.into()));
            assert_eq!(read(out.0.clone()).unwrap(), block);
            // The flag is the byte before the price.
            let mut other = out.0;
            other[POSTED_BYTES - 17] = 3;
            assert!(read(other).unwrap_err().to_string().contains("flag 3 of a cost"));
        }
        assert_eq!((unknown.total(), partial.total()), (None, None));
        assert_eq!(priced.total(), Some(alloy_primitives::U256::from(14)));
    }
}
