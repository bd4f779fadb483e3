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

use enshrine_execute::{Execute, ExecutionSpecs};
use std::sync::Arc;
use variants::{Drake, Flat};

/// Gas that suffices for any call of these tests.
const PLENTY: u64 = 50_000_000;
const PRICES: Flat = Flat { base: 1_000, per_byte: 2 };

fn execute() -> Execute {
    Execute {
        gas: Arc::new(PRICES),
        dialects: vec![Arc::new(ExecutionSpecs), Arc::new(Drake)],
        ..Execute::default()
    }
}
