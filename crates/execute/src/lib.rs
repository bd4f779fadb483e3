//! EXECUTE: the precompile of a native rollup (EIP-8079), for revm.
//!
//! The calldata of a call is the schema id and the SSZ stateless input of one block, or of a batch
//! of blocks. If the block is valid, the call returns the 43-byte result. Otherwise the call fails
//! like any precompile: no return data, all its gas consumed, and the transaction continues. No
//! calldata can abort the EVM that executes the call.
//!
//! This crate implements everything that EXECUTE requires beyond block validity: its price
//! ([`Pricing`]) and the order of payment (gas before work), the restrictions on L2 blocks
//! ([`Rules`]), and the calling convention ([`Dialect`]; the one above is [`ExecutionSpecs`]).
//! Block validity is in the `stateless` crate. The `variants` crate contains other gas schedules
//! and dialects, and a market for EXECUTE gas.
//!
//! ```
//! use enshrine_execute::Execute;
//!
//! let execute = Execute::default();
//! let refusal = execute.run(&[0x12, 0x01], 1_000_000).unwrap_err();
//! assert!(refusal.to_string().starts_with("stateless input: 0 bytes"));
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(not(test), no_std)]

#[macro_use]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod cost;
mod deferred_gas;
mod dialects;
mod error;
mod forks;
mod observer;
mod outcome;
mod precompile;
mod pricing;
mod rules;
mod run;

pub use cost::CallCost;
pub use deferred_gas::WorkCount;
pub use dialects::{Answer, Dialect, ExecutionSpecs, FURTHER_BLOCK_GAS, PrecompileCall};
pub use error::ExecuteError;
pub use forks::ForkRule;
pub use observer::{CallObserver, ObservedCall};
pub use outcome::{Executed, Refused};
pub use pricing::{DeclaredGas, Items, Pricing, work};
pub use rules::{RequestPolicy, RuleViolation, Rules};
pub use run::{Execute, Networks, TrustedContext};

use alloy_primitives::{Address, address};

// These types appear in public signatures of this crate.
pub use stateless::{BlockTally, InternalError, UnderpricedWork, WorkGas};

/// Address of EXECUTE.
pub const EXECUTE_ADDRESS: Address = address!("0x0000000000000000000000000000000000000101");
