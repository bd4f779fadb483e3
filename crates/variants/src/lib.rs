//! Variants of EXECUTE that an L1 or a tool may choose: gas schedules and calling conventions in
//! addition to the default ones, and a [`market`] for its gas.
//!
//! [`ExecuteExtension`] adds EXECUTE, default or not, to a chain built from the crates of this
//! project.
//!
//! A client with the default EXECUTE does not depend on this crate. In a client that offers a
//! variant, its file here is part of the trusted code: a schedule decides whether work is paid for,
//! a dialect decides which bytes are the input, and the market decides how much EXECUTE gas a call
//! receives for its gas.
//!
//! ```
//! use enshrine_variants::GasSchedule;
//! use execute::Execute;
//!
//! let schedule: GasSchedule = "25000+16".parse()?;
//! let execute = Execute { gas: schedule.into(), ..Execute::default() };
//! assert_eq!(execute.gas.bytes(1_000), 25_000 + 16_000);
//! # Ok::<(), enshrine_variants::UnknownSchedule>(())
//! ```

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod blob_tail;
mod dialect_call;
mod dialects;
mod draft8079;
mod drake;
mod ethrex;
mod execute_tail;
mod extension;
mod flat;
mod headers;
mod legacy;
mod located;
pub mod market;
mod nested;
mod planning;
mod schedule;
mod system_call;
mod verdicts;

pub use blob_tail::{BLOB_EXECUTE_ADDRESS, BlobRefusal, BlobSource, BlobTail};
pub use codec::{ExecuteTx, ExecuteTxError, ExecuteTxVersion, SignedExecuteTx};
pub use dialect_call::{DialectCall, DialectEncodeError};
pub use dialects::{DialectName, Dialects, DialectsError};
pub use draft8079::{
    ANCHOR_ADDRESS, ANCHOR_CODE, ANCHOR_CODE_HASH, DRAFT_REVISION, Draft8079, DraftBlock,
};
pub use drake::Drake;
pub use ethrex::Ethrex;
pub use execute_tail::{ExecuteTail, TailRefusal};
pub use extension::ExecuteExtension;
pub use flat::Flat;
pub use headers::Headers;
pub use legacy::{LegacyCallError, LegacyExecuteCall};
pub use nested::{NESTED_REVISION, Nested};
pub use planning::{cost_of, declared_of, declared_of_input};
pub use schedule::{GasSchedule, UnknownSchedule};
pub use verdicts::{VerdictCounts, Verdicts};
