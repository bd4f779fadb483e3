//! EXECUTE: the precompile of a native rollup (EIP-8079), for revm.
//!
//! A call carries the schema id and the SSZ stateless input of one block as calldata. If the block is
//! valid, the call returns the 43-byte result. If anything is wrong, the call fails as a precompile
//! fails: no return data, all its gas gone, and the transaction goes on. There is no third way:
//! nothing in the calldata can abort the EVM around it.
//!
//! This crate owns what EXECUTE demands beyond validity: who pays ([`GasSchedule`]), in which order
//! (gas before work), and what an L2 may hold ([`Rules`]). Validity itself is the `stateless`
//! crate's.
//!
//! ```
//! use enshrine_execute::Execute;
//!
//! let execute = Execute::default();
//! let refusal = execute.run(&[0x12, 0x01], 1_000_000).unwrap_err();
//! assert!(refusal.to_string().starts_with("stateless input: 0 bytes"));
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod gas;
mod precompile;
mod rules;
mod run;

pub use gas::{DeclaredGas, GasSchedule};
pub use precompile::EXECUTE_ADDRESS;
pub use rules::{RequestPolicy, RuleViolation, Rules};
pub use run::{Circumstances, Execute, ExecuteError, Executed, Networks};
