//! Ethereum JSON-RPC over a node.
//!
//! [`module`] has the methods that any Ethereum node answers: `eth_`, `net_`, `web3_`, `debug_` and
//! `txpool_`, over a shared [`node::Node`]. A devnet or an L2 node merges its own methods into it and
//! serves all with [`serve`], HTTP and WebSocket on one port.
//!
//! Answers follow the execution-apis specification, errors geth's codes where those are silent.
//!
//! This crate owns names, parameters, shapes and error codes. It does not own what is behind them
//! (`node`, `chain`), nor accounts, cheat methods and flags (`devnet`). Nothing here changes state
//! but the sending of transactions.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod api;
mod args;
mod blobs;
mod call;
pub mod convert;
mod debug;
mod error;
mod estimate;
mod eth;
pub mod fees;
mod filters;
mod fork_config;
mod logs;
mod overrides;
mod precompiles;
mod server;
mod simulate;
mod subscriptions;
mod testing;
mod trace;
mod transfers;
mod txpool;
pub mod typed;

pub use api::{Api, Options};
pub use args::{Args, Hash};
pub use call::{CallRequest, Outcome, Prepared, transaction_error};
pub use convert::{RpcBlock, RpcLog, RpcReceipt, RpcTransaction};
pub use error::{RpcError, codes};
pub use estimate::estimate;
pub use eth::{decode_pooled, receipt};
pub use server::{ServerOptions, serve};

use jsonrpsee::{RpcModule, types::ErrorObjectOwned};

/// All methods of this crate.
pub fn module(api: Api) -> RpcModule<Api> {
    let mut module = RpcModule::new(api);
    let methods = &mut Methods(&mut module);
    eth::register(methods);
    call::register(methods);
    fees::register(methods);
    logs::register(methods);
    filters::register(methods);
    simulate::register(methods);
    blobs::register(methods);
    fork_config::register(methods);
    debug::register(methods);
    trace::register(methods);
    txpool::register(methods);
    testing::register(methods);
    subscriptions::register(&mut module);
    module
}

/// Where methods are put.
#[derive(Debug)]
pub struct Methods<'m>(pub &'m mut RpcModule<Api>);

impl Methods<'_> {
    /// Adds a method. A second one of the same name replaces the first.
    pub fn add<T, F>(&mut self, name: &'static str, method: F)
    where
        T: serde::Serialize + Clone + 'static,
        F: Fn(&Api, &mut Args<'_>) -> Result<T, RpcError> + Clone + Send + Sync + 'static,
    {
        self.0.remove_method(name);
        let registered = self.0.register_method(name, move |params, api, _| {
            let mut args = Args::new(params.as_str())?;
            method(api, &mut args).map_err(ErrorObjectOwned::from)
        });
        debug_assert!(registered.is_ok(), "{name} was just removed");
    }

    /// Gives a method a second name.
    pub fn alias(&mut self, alias: &'static str, name: &'static str) {
        let registered = self.0.register_alias(alias, name);
        debug_assert!(registered.is_ok(), "{alias} is new and {name} known");
    }
}
