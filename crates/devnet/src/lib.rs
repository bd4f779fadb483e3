//! L1 development node with EXECUTE and anvil's interface.
//!
//! This crate contains everything that is specific to a devnet: flags and banner, test accounts,
//! the server (HTTP and WebSocket on one port, IPC), cheat methods, and state files in anvil's
//! format. The chain, block production and the `eth_` methods are in `chain`, `node` and `rpc`,
//! which the L2 node shares.

mod accounts;
mod api;
pub mod args;
mod banner;
mod builder;
mod cache;
mod cheats;
mod config;
mod console;
mod console_output;
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
mod upstream;

pub use accounts::{Accounts, MnemonicSource};
pub use banner::{Facts, ForkOrigin, banner, config_out};
pub use builder::DevnetBuilder;
pub use config::{DevnetConfig, Hardfork, MiningMode, Origin, ServerConfig, TimeOfDay, Traces};
pub use devnet::Devnet;
pub use error::DevnetError;
pub use genesis::read_genesis;
pub use registry::{REGISTRY_ADDRESS, verification_key_hash};
pub use rpc::{CONSOLE_OUTPUT, allow_open_files};
pub use run::run;
pub use upstream::Fork;

/// Client version of the anvil that the devnet is compatible with, returned by `web3_clientVersion`
/// and `anvil_metadata`. Foundry checks it, and hardhat's helpers use cheat methods only if it
/// begins with `anvil`.
pub const CLIENT_VERSION: &str = "anvil/v1.7.1";

/// Human-readable name and version of the devnet itself.
const NAME: &str = concat!("enshrine/v", env!("CARGO_PKG_VERSION"), " (answers as anvil/v1.7.1)");
