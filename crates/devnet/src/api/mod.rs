//! The methods that only a devnet has.

mod args;
mod forward;
mod mining;
mod node_info;
mod ots;
mod pool;
mod snapshots;
mod state;
mod time;
mod trace;
mod wallet;

use crate::state::DevnetState;
use args::Args;
pub(crate) use forward::overlay;
use jsonrpsee::{RpcModule, types::ErrorObjectOwned};
use serde_json::Value;
use std::sync::Arc;

/// What a method does. It may take its time: it runs where it holds up nobody else.
type Handler = fn(&DevnetState, &mut Args) -> Result<Value, ErrorObjectOwned>;

/// A method, with the names that it goes by.
type Method = (&'static [&'static str], Handler);

/// All methods of a devnet beyond those of any node.
pub(crate) fn module(devnet: &Arc<DevnetState>) -> RpcModule<Arc<DevnetState>> {
    let mut module = RpcModule::new(Arc::clone(devnet));
    let tables = [
        mining::METHODS,
        node_info::METHODS,
        ots::METHODS,
        pool::METHODS,
        snapshots::METHODS,
        state::METHODS,
        time::METHODS,
        trace::METHODS,
        wallet::METHODS,
    ];
    for (names, handler) in tables.into_iter().flatten() {
        for name in *names {
            let registered = module.register_blocking_method(name, move |params, devnet, _| {
                let mut args = Args::parse(&params)?;
                handler(&devnet, &mut args)
            });
            debug_assert!(registered.is_ok(), "{name} is there twice");
        }
    }
    module
}
