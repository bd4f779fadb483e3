//! The budget of an L2 block under construction.

use client::Client;
use eyre::Result;
use rpc_types::BudgetAmount;
use serde::Serialize;

/// Use and limits of the block under construction, as numbers for reports.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    transactions: u64,
    input_bytes: Share,
    execute_gas: Share,
    gas: Share,
    nearest: rpc_types::BudgetBound,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Share {
    used: u64,
    limit: u64,
}

impl From<BudgetAmount> for Share {
    fn from(BudgetAmount { used, limit, .. }: BudgetAmount) -> Self {
        Self { used, limit }
    }
}

impl Budget {
    /// Requests the budget from a node.
    pub fn of(node: &Client) -> Result<Self> {
        let budget: rpc_types::Budget = node.request("rollup_budget", ())?;
        Ok(Self {
            transactions: budget.transactions,
            input_bytes: budget.input_bytes.into(),
            execute_gas: budget.execute_gas.into(),
            gas: budget.gas.into(),
            nearest: budget.nearest,
        })
    }

    /// Formats the nearest limit and the used share of each limit in percent.
    pub fn shown(&self) -> String {
        let of = |share: Share| 100.0 * share.used as f64 / share.limit as f64;
        format!(
            "{:?}: {} transactions take {:.0} % of the bytes, {:.0} % of EXECUTE's gas, {:.0} % of the gas",
            self.nearest,
            self.transactions,
            of(self.input_bytes),
            of(self.execute_gas),
            of(self.gas)
        )
    }
}
