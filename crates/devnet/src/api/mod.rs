//! Methods that only a devnet has.

mod args;
mod calls;
mod forward;
mod mining;
mod node_info;
mod pool;
mod request;
mod snapshots;
mod state;
mod time;
mod wallet;

use crate::state::DevnetState;
use args::Args;
pub(crate) use forward::overlay;
use jsonrpsee::Methods;
use rpc::{Context, ErrorStyle, Registry, RpcError, Telemetry, WorkerPool, Workers, explorer};
use serde_json::Value;
use std::sync::Arc;

/// Implementation of a method. It may block, because it runs in a worker pool.
type Handler = fn(&DevnetState, &mut Args) -> Result<Value, RpcError>;

/// Method with all of its names.
type Method = (&'static [&'static str], Handler);

/// All methods, by the worker pool that runs them.
const TABLES: [(WorkerPool, &[Method]); 8] = [
    (WorkerPool::Execute, calls::METHODS),
    (WorkerPool::Write, mining::METHODS),
    (WorkerPool::Read, node_info::METHODS),
    (WorkerPool::Write, pool::METHODS),
    (WorkerPool::Write, snapshots::METHODS),
    (WorkerPool::Write, state::METHODS),
    (WorkerPool::Write, time::METHODS),
    (WorkerPool::Write, wallet::METHODS),
];

/// Methods that run in another pool than the rest of their table.
const EXCEPTIONS: &[(WorkerPool, &[&str])] = &[
    (WorkerPool::Wait, &["eth_sendTransactionSync"]),
    (WorkerPool::Write, &["anvil_setChainId", "anvil_setRpcUrl"]),
    (WorkerPool::Execute, &["eth_signTransaction", "eth_fillTransaction"]),
    (
        WorkerPool::Read,
        &[
            "eth_accounts",
            "eth_requestAccounts",
            "eth_sign",
            "personal_sign",
            "eth_signTypedData_v4",
            "anvil_getAutomine",
            "hardhat_getAutomine",
            "anvil_getIntervalMining",
            "anvil_getGenesisTime",
        ],
    ),
];

impl Context for DevnetState {
    fn reads_may_wait(&self) -> bool {
        self.api.reads_may_wait()
    }

    fn telemetry(&self) -> Option<&Telemetry> {
        Some(Self::telemetry(self))
    }
}

/// Returns all devnet methods.
pub(crate) fn methods(devnet: &Arc<DevnetState>, workers: &Arc<Workers>) -> Methods {
    let style = ErrorStyle::Plain;
    let mut methods = Registry::new(Arc::clone(devnet), Arc::clone(workers), style);
    methods.merge(explorer::methods(devnet.api.clone(), Arc::clone(workers), style));
    for (lane, table) in TABLES {
        for (names, handler) in table {
            for name in *names {
                methods.add(lane_of(name).unwrap_or(lane), *name, handler);
            }
        }
    }
    methods.into_methods()
}

fn lane_of(name: &str) -> Option<WorkerPool> {
    EXCEPTIONS.iter().find(|(_, names)| names.contains(&name)).map(|(lane, _)| *lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_lists_exactly_the_devnet_methods() {
        let document = include_str!("../../../../docs/methods.md");
        let (_, section) = document.split_once("## Of a devnet\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let mut listed: Vec<_> = section.split('`').skip(1).step_by(2).collect();
        let mut known: Vec<_> = TABLES
            .iter()
            .flat_map(|(_, table)| *table)
            .flat_map(|(names, _)| *names)
            .copied()
            .collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn pool_exceptions_name_existing_methods() {
        let all: Vec<_> = TABLES.iter().flat_map(|(_, table)| *table).collect();
        for name in EXCEPTIONS.iter().flat_map(|(_, names)| *names) {
            assert!(all.iter().any(|(names, _)| names.contains(name)), "{name}");
        }
    }
}
