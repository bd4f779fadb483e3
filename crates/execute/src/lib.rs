//! EXECUTE: the precompile of a native rollup (EIP-8079), for revm.
//!
//! A call carries the schema id and the SSZ stateless input of one block, or of a batch of blocks, as
//! calldata. If the block is valid, the call returns the 43-byte result. If anything is wrong, the call fails as a precompile
//! fails: no return data, all its gas gone, and the transaction goes on. There is no third way:
//! nothing in the calldata can abort the EVM around it.
//!
//! This crate owns what EXECUTE demands beyond validity: what it costs ([`Pricing`]), in which order
//! (gas before work), what an L2 may hold ([`Rules`]), and how it is called and answers
//! ([`Dialect`]; the one above is [`ExecutionSpecs`]), and what its gas is sold for where a chain
//! wants a [`market`]. Validity itself is the `stateless` crate's.
//!
//! ```
//! use enshrine_execute::Execute;
//!
//! let execute = Execute::default();
//! let refusal = execute.run(&[0x12, 0x01], 1_000_000).unwrap_err();
//! assert!(refusal.to_string().starts_with("stateless input: 0 bytes"));
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod cost;
mod dialects;
mod forks;
pub mod market;
mod observer;
mod precompile;
mod pricing;
mod rules;
mod run;
mod tab;

pub use cost::CallCost;
pub use dialects::{
    Answer, BLOB_EXECUTE_ADDRESS, BlobSource, BlobTail, Call, Dialect, Drake, EXECUTE_ADDRESS,
    ExecutionSpecs, FURTHER_BLOCK_GAS,
};
pub use forks::ForkRule;
pub use observer::{ObservedCall, Observer};
pub use pricing::{DeclaredGas, Ethrex, Flat, GasSchedule, Items, Pricing, UnknownSchedule};
pub use rules::{RequestPolicy, RuleViolation, Rules};
pub use run::{Circumstances, Execute, ExecuteError, Executed, Networks, Refused};
pub use tab::WorkCount;

// The words in which a schedule is asked for what shows only during execution, and in which a block
// counts what its calls take.
pub use stateless::{BlockTally, DearWork};
