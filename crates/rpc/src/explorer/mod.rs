//! Methods for block explorers: `ots_` of Otterscan, `erigon_getHeaderByNumber`, and `trace_`.
//!
//! They execute blocks again, and there is no index by address, so a node serves them only if its
//! operator lists their namespaces.

pub mod ots;
pub mod parity;
mod replay;

pub use replay::Shared;

use crate::{Api, ErrorStyle, Registry, Workers};
use jsonrpsee::Methods;
use std::sync::Arc;

/// Returns all methods of this module, run by `workers`. `style` is that of errors about
/// parameters.
pub fn methods(api: Api, workers: Arc<Workers>, style: ErrorStyle) -> Methods {
    let mut registry = Registry::new(Arc::new(api), workers, style);
    ots::register(&mut registry);
    parity::register(&mut registry);
    registry.into_methods()
}
