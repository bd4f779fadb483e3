//! Shared test utilities:
//!
//! - keys and data: [named keys](Key), [reproducible choices](Random), genesis accounts, the [test
//!   vectors](vectors), the compiled contracts of the checkout ([`Artifacts`]), [points] for
//!   precompiles, a [heap](CountingHeap) that counts bytes;
//! - chains in this process: an [`L1`] with EXECUTE, an [`L2`] or a [`DraftL2`], and a
//!   [rollup](InProcessRollup) from a [fixture](RollupFixture), which can also be deployed on a node;
//! - invalid inputs: [nearly valid](mutations) and [tampered] ones, and blocks on an attacker's
//!   [forged](Forgery) or [compact](hostile_states) states;
//! - processes: [nodes](NodeProcess) at [free ports](free_port), a [proxy](Proxy) that changes
//!   messages between them, a [slow link](DelayedLink), a [link that can be cut](Cable), a
//!   [signer](Web3Signer) that fails, an [etcd](Etcd) cluster with [certificates](Certificates),
//!   [plain HTTP](http), and a [time limit](Timeout);
//! - [`localnet`]: a rollup whose nodes are processes, and the report of a run with them;
//! - [`charts`] as SVG, for documents, the report and the pages of runs.
//!
//! The crate depends on the path of the checkout that it was built in, so shipped crates must not
//! depend on it: it is for tests, examples and measurements. It does not implement rules of a chain
//! or a rollup.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod artifacts;
mod blobs;
mod cable;
mod certificates;
pub mod charts;
mod compact;
mod delayed_link;
mod draft;
mod error;
mod etcd;
mod execute_tx;
mod fixture;
mod forged;
mod genesis;
mod heap;
mod http;
mod keys;
mod l1;
mod l2;
mod later_fork;
pub mod localnet;
mod mutated;
mod peers;
pub mod points;
mod ports;
mod process;
mod proxy;
mod random;
mod rollup;
mod skip;
pub mod tampered;
mod timeout;
mod transactions;
pub mod vectors;
mod web3signer;

pub use artifacts::{Artifact, Artifacts};
pub use blobs::Blobs;
pub use cable::Cable;
pub use certificates::{Certificates, Identity};
pub use compact::hostile_states;
pub use delayed_link::DelayedLink;
pub use draft::{DraftBuilt, DraftL2, draft_resealed};
pub use error::HarnessError;
pub use etcd::Etcd;
pub use execute_tx::{execute_tx_calling, execute_tx_of, idle_execute_tx, with_allowance};
pub use fixture::{
    FORCED_FEE, FORCED_GAS, RollupFixture, advance_logs, bare_deployment, enrich, head_time,
    pinned_code, write_deployment,
};
pub use forged::{Forgery, deep_storage, uniform_storage};
pub use genesis::{
    CHAIN_ID, ETHER, FORKS, GWEI, LOGGER, allow_all, allowed_balances, fill_system_rings, logger,
    rich, rich_genesis,
};
pub use heap::CountingHeap;
pub use http::{Socket, http, read_http, send_http};
pub use keys::{Key, Transaction};
pub use l1::{L1, Sent, TRANSACTION_GAS_CAP};
pub use l2::L2;
pub use later_fork::{LaterFork, LaterRules};
pub use mutated::{mutations, mutations_of_batch, mutations_of_draft, relinked, resealed};
pub use ports::free_port;
pub use process::{NodeProcess, enshrine};
pub use proxy::{Interception, Proxy, id_of};
pub use random::Random;
pub use rollup::{InProcessRollup, Rollup};
pub use skip::say_skipped;
pub use timeout::Timeout;
pub use transactions::eip1559;
pub use web3signer::{SignerMode, Web3Signer};
