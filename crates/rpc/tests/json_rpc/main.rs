//! RPC methods and server, tested with real requests.

mod clients;
mod conformance;
mod explorer;
mod limits;
mod listening;
mod logs;
mod methods;
mod namespaces;
mod notifications;
mod sending;
mod server;
mod support;
mod worker_pools;
