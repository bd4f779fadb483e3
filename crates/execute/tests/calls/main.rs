//! EXECUTE calls: verdicts, prices, dialects, attacks.

mod batch;
mod blob_tail;
mod dialects;
mod draft8079;
mod evm;
mod exact_reserve;
mod forks;
mod headers;
mod market;
mod nested;
mod pricing;
mod roots;
mod shortage;
#[path = "../support/mod.rs"]
mod support;
mod trusted_context;
mod underpriced_work;
mod unmetered;
