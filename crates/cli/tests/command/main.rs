//! Tests that run the `enshrine` command as a process.

mod as_documented;
mod bond;
mod browser;
mod calldata;
mod checks;
mod console_output;
mod devnet;
mod ending;
mod execute;
mod exit;
mod failover;
mod forge;
mod init;
mod installed;
mod ipc;
mod kills;
mod lease;
mod node_flags;
mod printing;
mod rollup;
mod secrets;
mod snapshot;
mod support;
mod unread;
mod worst;
mod yielding;
