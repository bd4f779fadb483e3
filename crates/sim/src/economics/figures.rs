//! Measurements under one gas schedule of EXECUTE, as a table and as JSON.

use super::{Availability, BLOCKS, Cost, Load, Past, PopulatedRollup, TRANSFERS};
use eyre::{Result, ensure};
use serde_json::{Map, Value, json};
use variants::GasSchedule;

/// Measurements under one schedule.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    /// Blocks of transfers as a batch.
    batch: Cost,
    /// The same blocks in transactions that public pools accept, if each block fits into one.
    public: Option<Cost>,
    /// The same blocks, each in its own call.
    apart: Cost,
    /// A block with one transfer.
    single: Cost,
    /// The blocks as a batch, if L1 stores no codes.
    plain_batch: Cost,
    /// The block with one transfer, if L1 stores no codes.
    plain_single: Cost,
    /// Blocks of token transfers as calldata.
    token_calldata: Cost,
    /// The same blocks of token transfers, if L1 stores no codes.
    plain_token: Cost,
    /// The blocks of transfers in blobs.
    blobs: Cost,
    /// Blocks of token transfers in blobs.
    token: Cost,
    /// A block with one transfer in blobs.
    single_blobs: Cost,
    /// Milliseconds of EXECUTE for the blocks of transfers, as one batch and individually.
    execute_ms: [f64; 2],
}

impl Figures {
    pub(crate) fn measure(schedule: GasSchedule, past: &Past) -> Result<Self> {
        let populated = |schedule, way| {
            let mut populated = PopulatedRollup::new(schedule, past)?;
            let block = [populated.block(Load::Ether, 1)?];
            populated.keep_codes(&block)?;
            let single = populated.advance(&block, way)?;
            let many = |_| populated.block(Load::Ether, TRANSFERS);
            let blocks = (0..BLOCKS).map(many).collect::<Result<Vec<_>>>()?;
            Ok::<_, eyre::Report>((populated, single, blocks))
        };
        let (mut together, single, blocks) = populated(schedule, Availability::Calldata)?;
        let execute_ms = together.execute_ms(&blocks)?;
        let batch = together.advance(&blocks, Availability::Calldata)?;
        let token_calldata = together.tokens(Availability::Calldata)?;
        let (mut plain, plain_single, same) = populated(schedule, Availability::Plain)?;
        let plain_batch = plain.advance(&same, Availability::Plain)?;
        let plain_token = plain.tokens(Availability::Plain)?;
        let (mut posted, single_blobs, same) = populated(schedule, Availability::Blobs)?;
        ensure!(
            same.iter().map(|block| block.hash).eq(blocks.iter().map(|block| block.hash)),
            "other blocks"
        );
        let blobs = posted.advance(&same, Availability::Blobs)?;
        let token = posted.tokens(Availability::Blobs)?;
        let (mut in_public, _, same) = populated(schedule, Availability::Public)?;
        ensure!(
            same.iter().map(|block| block.hash).eq(blocks.iter().map(|block| block.hash)),
            "other blocks"
        );
        let fitting = same.iter().map(|block| in_public.fits_public_pools(block));
        let do_fit = fitting.collect::<Result<Vec<_>>>()?.into_iter().all(|fits| fits);
        let public = do_fit.then(|| in_public.advance(&same, Availability::Public)).transpose()?;
        let (mut one_by_one, _, same) = populated(schedule, Availability::Calldata)?;
        ensure!(
            same.iter().map(|block| block.hash).eq(blocks.iter().map(|block| block.hash)),
            "other blocks"
        );
        let mut apart = Cost::default();
        for block in same {
            apart += one_by_one.advance(&[block], Availability::Calldata)?;
        }
        Ok(Self {
            batch,
            public,
            apart,
            single,
            plain_batch,
            plain_single,
            token_calldata,
            plain_token,
            blobs,
            token,
            single_blobs,
            execute_ms,
        })
    }

    pub(crate) fn json(&self) -> Map<String, Value> {
        let transfers = (BLOCKS * TRANSFERS) as u64;
        let document = json!({
            "transfer_calldata": self.batch.l1_gas / transfers,
            "transfer_calldata_public": self.public.as_ref().map(|cost| cost.l1_gas / transfers),
            "transfer_calldata_apart": self.apart.l1_gas / transfers,
            "transfer_calldata_plain": self.plain_batch.l1_gas / transfers,
            "single_calldata": self.single.l1_gas,
            "single_calldata_plain": self.plain_single.l1_gas,
            "erc20_calldata": self.token_calldata.l1_gas / transfers,
            "erc20_calldata_plain": self.plain_token.l1_gas / transfers,
            "transfer_blobs": self.blobs.l1_gas / transfers,
            "erc20_blobs": self.token.l1_gas / transfers,
            "erc20_blobs_beyond": (self.token.l1_gas - self.token.l2_gas) / transfers,
            "single_blobs": self.single_blobs.l1_gas,
            "batch_blobs": self.blobs.blobs,
            "batch_blob_calls": self.blobs.calls,
            "batch_blob_way": self.blobs.way(),
            "erc20_blob_way": self.token.way(),
            "single_blob_way": self.single_blobs.way(),
            "overhead_share": self.batch.overhead_share(),
            "execute_ms_batch": self.execute_ms[0],
            "execute_ms_apart": self.execute_ms[1],
            "batch_bytes": self.batch.bytes,
            "apart_bytes": self.apart.bytes,
            "batch_calls": self.batch.calls,
        });
        document.as_object().cloned().unwrap_or_default()
    }

    pub(crate) fn print(&self, name: &str) {
        let transfers = (BLOCKS * TRANSFERS) as u64;
        let row = |what: &str, cost: &Cost, count: u64| {
            println!(
                "{what:<44} {:>10} {:>8} {:>6} {:>6} {:>8.1} %  {}",
                cost.l1_gas / count,
                cost.bytes,
                cost.calls,
                cost.blobs,
                100.0 * cost.overhead_share(),
                cost.way(),
            );
        };
        println!(
            "{:<44} {:>10} {:>8} {:>6} {:>6} {:>10}  way",
            format!("schedule {name}"),
            "L1 gas",
            "bytes",
            "calls",
            "blobs",
            "overhead",
        );
        let what = format!("transfer, {BLOCKS} blocks of {TRANSFERS} in batches");
        row(&what, &self.batch, transfers);
        if let Some(public) = &self.public {
            row("transfer, the same for public pools", public, transfers);
        }
        row("transfer, the same blocks one by one", &self.apart, transfers);
        row("transfer, the same blocks in blobs", &self.blobs, transfers);
        row("token transfer, as many in blobs", &self.token, transfers);
        row("the batches if L1 stores no codes", &self.plain_batch, transfers);
        row("token transfer, as many in batches", &self.token_calldata, transfers);
        row("the same if L1 stores no codes", &self.plain_token, transfers);
        row("block with one transfer", &self.single, 1);
        row("the same if L1 stores no codes", &self.plain_single, 1);
        row("block with one transfer, in blobs", &self.single_blobs, 1);
        let [batch, apart] = self.execute_ms;
        println!("EXECUTE of the transfers: {batch:.1} ms as one batch, {apart:.1} ms one by one");
    }
}
