//! Reasons why a localnet does not start.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Reason why a localnet does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum LocalnetError {
    /// Other machines can reach the address.
    #[error(
        "--host: {got}, expected a loopback address: the keys of these accounts are public; \
         add --i-know-these-keys-are-public if that is what you want"
    )]
    PublicHost { got: IpAddr },
    /// Two servers have the same port.
    #[error("{flag}: port {got} is that of another server, expected one of its own")]
    SamePort { flag: &'static str, got: u16 },
    /// There is no port after that of the sequencer.
    #[error("--follower: no port follows --l2-port {got}, expected at most 65534")]
    NoFollowerPort { got: u16 },
    /// A port is in use.
    #[error(
        "{flag}: cannot listen on {address}: {source}; expected a free port: stop the program that \
         uses it, or choose another (0 selects a free one)"
    )]
    Listen { flag: &'static str, address: SocketAddr, source: io::Error },
    /// A flag of the devnet would change what the rollup on it relies on.
    #[error(
        "-- {got}: the localnet sets this itself, expected a flag of the pool, the server or the traces: \
         {expected}"
    )]
    DevnetFlag { got: String, expected: String },
    /// A file or a folder cannot be read or written.
    #[error(
        "cannot {what} {}: {source}; expected a folder that this user can write", path.display()
    )]
    File { what: &'static str, path: PathBuf, source: io::Error },
    /// Another process uses the folder.
    #[error(
        "--data-dir: another localnet uses {}, expected a folder that no other process uses: stop \
         it, or choose another folder", path.display()
    )]
    InUse { path: PathBuf },
    /// The folder has other files.
    #[error(
        "--data-dir: {} has files but no {expected}, expected a new folder, an empty one, or that \
         of an earlier localnet", path.display()
    )]
    NotOurs { path: PathBuf, expected: &'static str },
    /// The file about the localnet is malformed.
    #[error("{} is not the file of a localnet: {reason}; choose another --data-dir", path.display())]
    Format { path: PathBuf, reason: String },
    /// The chains in the folder have another fork.
    #[error(
        "--fork: {got}, but the chains in {} were started with {expected}; leave it at {expected}, \
         or choose another --data-dir", path.display()
    )]
    OtherFork { path: PathBuf, got: String, expected: String },
    /// The clock of the machine is before the time of the chains.
    #[error(
        "the system clock is at Unix time {got}, expected at least {expected}, the time of the \
         state from which L1 starts: correct the clock"
    )]
    ClockBehind { got: u64, expected: u64 },
    /// A chain is not healthy in time.
    #[error("the L2 is not healthy after {seconds} s: {fault}")]
    NotHealthy { seconds: u64, fault: String },
}
