//! Encoding of a block with its receipts, for the state store and for log records.

use crate::{
    DiskError,
    bytes::{Reader, Writer},
};
use alloy_consensus::{EthereumReceipt, Header, TxType};
use alloy_primitives::{Address, B256, Bloom, Bytes, Log, LogData, U256};
use alloy_rlp::{Decodable as _, Header as RlpHeader};
use chain::store::{Block, ExecuteDraw, Transaction};
use codec::RawBlock;
use executor::{ExecutionOutcome, Receipt};

const WHAT: &str = "block";

pub(crate) fn encode_block(block: &Block) -> Vec<u8> {
    let mut out = Writer::default();
    out.string(&block.rlp());
    out.list(&block.senders, |out, sender| out.raw(sender.as_slice()));
    let executed = &block.executed;
    out.list(&executed.receipts, |out, receipt| {
        out.byte(receipt.tx_type as u8);
        out.byte(u8::from(receipt.success));
        out.word(receipt.cumulative_gas_used);
        out.list(&receipt.logs, |out, log| {
            out.raw(log.address.as_slice());
            out.list(log.topics(), |out, topic| out.raw(topic.as_slice()));
            out.string(&log.data.data);
        });
    });
    out.list(&executed.roots, |out, root| out.raw(root.as_slice()));
    out.word(executed.gas_used);
    out.word(executed.blob_gas_used);
    out.option(executed.requests.as_ref(), |out, requests| {
        let requests: Vec<&Bytes> = requests.iter().collect();
        out.list(requests, |out, request| out.string(request));
    });
    out.option(executed.block_access_list.as_ref(), |out, list| out.string(list));
    out.word(executed.access_list_items);
    out.raw(block.pre_state_root.as_slice());
    out.raw(&block.total_difficulty.to_be_bytes::<32>());
    out.byte(u8::from(block.provable));
    // Few blocks have EXECUTE draws; records of all others end here.
    if !block.execute_draws.is_empty() {
        out.list(&block.execute_draws, |out, draw| {
            out.word(draw.index as u64);
            out.word(draw.gas);
            out.word(draw.price);
        });
    }
    out.0
}

/// Decodes the bloom filter of an encoded block.
pub(crate) fn bloom_of_block(bytes: &Bytes) -> Result<Bloom, DiskError> {
    let raw = Reader::new(WHAT, bytes).string()?;
    let header = || {
        let mut list = RlpHeader::decode_bytes(&mut &raw[..], true)?;
        Header::decode(&mut list)
    };
    Ok(header().map_err(|error| DiskError::malformed(WHAT, error.to_string()))?.logs_bloom)
}

/// Decodes a block. Its hash is computed from the stored header, so the caller can compare it with
/// the requested hash.
pub(crate) fn decode_block(bytes: &Bytes) -> Result<Block, DiskError> {
    let mut reader = Reader::new(WHAT, bytes);
    let (raw, ommers) = RawBlock::decode_with_ommers(&reader.string()?)?;
    let senders = reader.list(address)?;
    let executed = ExecutionOutcome {
        receipts: reader.list(receipt)?,
        // From the transactions, below.
        foreign_types: Vec::new(),
        roots: reader.list(hash)?,
        gas_used: reader.word()?,
        blob_gas_used: reader.word()?,
        requests: reader.option(|reader| reader.list(Reader::string))?.map(Into::into),
        block_access_list: reader.option(Reader::string)?,
        access_list_items: reader.word()?,
    };
    let (pre_state_root, total_difficulty) = (hash(&mut reader)?, hash(&mut reader)?);
    let provable = reader.flag()?;
    let execute_draws = if reader.is_at_end() { Vec::new() } else { reader.list(draw)? };
    reader.end()?;
    let transactions = raw
        .transactions
        .iter()
        .map(|bytes| Transaction::decode(bytes))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| DiskError::malformed(WHAT, format!("{reason:?}")))?;
    if senders.len() != transactions.len() {
        let (got, expected) = (senders.len(), transactions.len());
        let reason = format!("{got} senders of {expected} transactions");
        return Err(DiskError::malformed(WHAT, reason));
    }
    let withdrawals = raw.withdrawals();
    let mut block = Block::sealed(raw.header, transactions, senders, withdrawals, executed);
    block.ommers = ommers;
    block.pre_state_root = pre_state_root;
    block.total_difficulty = U256::from_be_bytes(total_difficulty.0);
    block.execute_draws = execute_draws;
    block.provable = provable;
    Ok(block)
}

fn receipt(reader: &mut Reader<'_>) -> Result<Receipt, DiskError> {
    let tx_type = TxType::try_from(reader.byte()?)
        .map_err(|reason| DiskError::malformed("receipt", reason))?;
    Ok(EthereumReceipt {
        tx_type,
        success: reader.flag()?,
        cumulative_gas_used: reader.word()?,
        logs: reader.list(log)?,
    })
}

fn draw(reader: &mut Reader<'_>) -> Result<ExecuteDraw, DiskError> {
    let index = usize::try_from(reader.word()?)
        .map_err(|reason| DiskError::malformed("position of a transaction", reason))?;
    Ok(ExecuteDraw { index, gas: reader.word()?, price: reader.word()? })
}

fn log(reader: &mut Reader<'_>) -> Result<Log, DiskError> {
    let address = address(reader)?;
    let data = LogData::new(reader.list(hash)?, reader.string()?)
        .ok_or_else(|| DiskError::malformed("receipt", "a log of more than four topics"))?;
    Ok(Log { address, data })
}

pub(crate) fn hash(reader: &mut Reader<'_>) -> Result<B256, DiskError> {
    Ok(B256::new(reader.array()?))
}

pub(crate) fn address(reader: &mut Reader<'_>) -> Result<Address, DiskError> {
    Ok(Address::new(reader.array()?))
}
