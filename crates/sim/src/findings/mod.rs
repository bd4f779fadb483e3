//! Exact figures of the report that no other simulation prints: nested calls, work below shared
//! nodes, gas of transactions by fork, and the size of witnesses.

mod nested_cost;
mod shared_nodes;
mod transaction_gas;
mod witness_sizes;

use clap::ValueEnum;
use eyre::Result;
use serde_json::Value;

/// Arguments of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Figures to print as JSON
    which: Figures,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Figures {
    /// Charge of an L2 block that calls EXECUTE with a block of an L3
    NestedCost,
    /// Positions, bytes and gas of a block that reads slots below shared nodes
    SharedNodes,
    /// Intrinsic gas and the minimum that a block counts, by fork
    TransactionGas,
    /// Sizes of the witnesses of the real blocks in the test vectors, and of ours for the same
    /// blocks
    WitnessSizes,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    println!("{:#}", arguments.which.of()?);
    Ok(())
}

impl Figures {
    fn of(self) -> Result<Value> {
        match self {
            Self::NestedCost => nested_cost::figures(),
            Self::SharedNodes => shared_nodes::figures(),
            Self::TransactionGas => transaction_gas::figures(),
            Self::WitnessSizes => witness_sizes::figures(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::check_figures;

    #[test]
    fn report_has_figures_of_shared_nodes() {
        let figures = Figures::SharedNodes.of().unwrap();
        check_figures("shared-nodes", &figures).unwrap();
        // The paths of the slots share only their first nodes, and each position is charged.
        let of = |slots: &str, key: &str| figures[slots][key].as_u64().unwrap();
        assert!(of("64", "positions") > 60 * of("1", "positions"));
        assert!(of("64", "bytes") < of("1", "bytes") + 1_000);
    }

    #[test]
    fn report_has_cost_of_nested_call() {
        let figures = Figures::NestedCost.of().unwrap();
        check_figures("nested-cost", &figures).unwrap();
        let of = |layer: &str, key: &str| figures[layer][key].as_u64().unwrap();
        // The L2's gas covers the call of EXECUTE, and L1's charge covers the L2's gas.
        assert!(of("l2", "gas_used") > of("l3", "charge"));
        assert!(of("l2", "charge") > of("l2", "gas_used"));
    }

    #[test]
    fn report_has_gas_of_transactions() {
        let figures = Figures::TransactionGas.of().unwrap();
        check_figures("transaction-gas", &figures).unwrap();
    }

    #[test]
    fn report_has_witness_sizes_of_real_blocks() {
        let figures = Figures::WitnessSizes.of().unwrap();
        // Without the test vectors there is nothing to compare.
        if figures["blocks"].as_object().is_some_and(|blocks| !blocks.is_empty()) {
            check_figures("witness-sizes", &figures).unwrap();
        }
    }
}
