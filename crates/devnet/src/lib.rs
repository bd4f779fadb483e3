//! An L1 node for development that has EXECUTE, and that anvil's users know already.
//!
//! This crate owns what only a devnet has: the flags and the banner, the test accounts, the server
//! (HTTP and WebSocket on one port, IPC), the methods that change what a real chain would not let
//! anybody change, and files of state that anvil can read and write too. It does not own the chain,
//! blocks or the `eth_` methods: those are `chain`, `node` and `rpc`, which the node of an L2 shares.

mod accounts;
mod api;
pub mod args;
mod banner;
mod cache;
mod cheats;
mod config;
mod console;
mod devnet;
mod dump;
mod error;
mod exec;
mod flags;
mod fork;
mod genesis;
mod history;
#[cfg(feature = "provider")]
mod provider;
mod registry;
mod run;
pub mod server;
mod signatures;
mod state;
pub mod state_file;
mod story;

pub use accounts::{Accounts, MnemonicSource};
pub use banner::{Continued, Facts, banner, config_out};
pub use config::{Config, Hardfork, Mining, Origin, ServerConfig, TimeOfDay, Traces};
pub use devnet::{Devnet, DevnetBuilder};
pub use error::DevnetError;
pub use fork::Fork;
pub use genesis::read_genesis;
pub use registry::{REGISTRY_ADDRESS, verification_key_hash};
pub use rpc::{STORY, allow_open_files};
pub use run::run;

/// What the node calls itself, as `web3_clientVersion` shows it: first the anvil that it does as,
/// because clients (hardhat's helpers among them) change a node's state only if its name begins so.
pub const CLIENT_VERSION: &str = concat!("anvil/v1.7.1/enshrine/v", env!("CARGO_PKG_VERSION"));
