//! The budget of an L2 block under construction.

use client::Client;
use eyre::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Response of `rollup_budget`: use and limits of the block under construction.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    transactions: u64,
    input_bytes: Share,
    execute_gas: Share,
    gas: Share,
    nearest: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Share {
    used: u64,
    limit: u64,
}

impl Budget {
    /// Requests the budget from a node.
    pub fn of(node: &Client) -> Result<Self> {
        Ok(serde_json::from_value(node.request::<_, Value>("rollup_budget", ())?)?)
    }

    /// Formats the nearest limit and the used share of each limit in percent.
    pub fn shown(&self) -> String {
        let of = |share: Share| 100.0 * share.used as f64 / share.limit as f64;
        format!(
            "{}: {} transactions take {:.0} % of the bytes, {:.0} % of EXECUTE's gas, {:.0} % of the gas",
            self.nearest,
            self.transactions,
            of(self.input_bytes),
            of(self.execute_gas),
            of(self.gas)
        )
    }
}
