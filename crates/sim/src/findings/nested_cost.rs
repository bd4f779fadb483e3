//! Charge of L1 for an L2 block in which a contract calls EXECUTE with a block of an L3.

use crate::vectors::vector_chain::{Content, VectorChain};
use execute::{Execute, PrecompileCall};
use eyre::{OptionExt as _, Result, ensure, eyre};
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::Blobs;
use variants::{BlobSource, DialectName, Dialects};
use wire::{ProtocolFork, StatelessInput};

const FORK: ProtocolFork = ProtocolFork::Osaka;
/// Transfers of the block of the L3.
const TRANSFERS: u64 = 24;

/// Returns, for the block of the L3 alone and for the block of the L2 with a call of it: bytes, gas
/// used, charge and reserve.
pub(super) fn figures() -> Result<Value> {
    let l3 = VectorChain::new(FORK)?.block(Content::Transfers(TRANSFERS))?;
    let (l2, stored) = VectorChain::with_execute(FORK)?.execute(&l3)?;
    // Success and the 43 returned bytes.
    ensure!(stored == 44, "the L2 has not accepted the block of the L3: {stored}");
    let source: Arc<dyn BlobSource> = Arc::new(Blobs::default());
    let execute = Dialects::usual(&[DialectName::Nested]).of(Execute::on(FORK), &source);
    let dialect =
        execute.dialects.iter().find(|known| known.address() == DialectName::Nested.address());
    let dialect = dialect.ok_or_eyre("the dialect is installed")?;
    let row = |input: &[u8], calldata: &[u8]| -> Result<Value> {
        let used = StatelessInput::decode(input)?.request.payload.gas_used;
        let call = PrecompileCall { calldata, blob_hashes: &[] };
        let executed = execute.run_as(&**dialect, call, u64::MAX, |_| {});
        let executed = executed.map_err(|refused| eyre!("{}", refused.reason))?;
        Ok(json!({
            "bytes": input.len(), "gas_used": used, "charge": executed.gas,
            "reserve": executed.reserve,
        }))
    };
    let nested = DialectName::Nested.encode(&l2)?.calldata;
    let plain = Execute::on(FORK).run(&l3, u64::MAX).map_err(|error| eyre!("{error}"))?;
    let used = StatelessInput::decode(&l3)?.request.payload.gas_used;
    Ok(json!({
        "transfers": TRANSFERS,
        "l3": {
            "bytes": l3.len(), "gas_used": used, "charge": plain.gas, "reserve": plain.reserve,
        },
        "l2": row(&l2, &nested)?,
    }))
}
