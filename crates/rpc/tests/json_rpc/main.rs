//! The methods and the server that serves them, asked as clients ask.

mod clients;
mod conformance;
mod limits;
mod listening;
mod methods;
mod namespaces;
mod sending;
mod server;
mod support;
mod worker_pools;
