//! `NativeRollup` on a chain with the real EXECUTE, advanced by blocks of a real L2.

mod advance_plans;
mod code_references;
mod execute_tx;
mod exits;
mod fixed_gas;
mod preconf;
mod support;
