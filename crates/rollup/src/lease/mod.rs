//! Leader election between the nodes of a rollup, in etcd.
//!
//! A candidate has an etcd lease, which it keeps alive, and creates the *election key* attached to
//! it if there is none. The key's creation revision is the *fencing token* of its term. Each second
//! the candidate *renews* its term: a transaction that compares the token and writes a second key,
//! the *renewal*, which is attached to no lease. [`Fence`] checks the token immediately before each
//! seal and each submission to L1.
//!
//! # Time bounds
//!
//! Two candidates never hold the lease at the same time:
//!
//! - A renewal lets a candidate hold the lease for [`HOLD`] from before the request was sent.
//! - A candidate that has created the election key holds the lease only [`TAKEOVER_WAIT`] after it
//!   first saw the last renewal of the previous holder. That renewal was sent before it was seen,
//!   and no later one can succeed, because the token has changed. The previous holder's term has
//!   therefore ended, provided that the rates of their clocks differ by less than 10%.
//! - Only a holder that resigns deletes the renewal, after it has stopped building blocks, so its
//!   successor need not wait. It never continues a term from which it has resigned, even if its key
//!   still exists, since the resignation may arrive later.
//!
//! The simulation in `model` finds two holders if the wait, the margin for clock rates, or the rule
//! on resigned terms is removed. It also bounds the time of a takeover.
//!
//! These rules only require that etcd's transactions are linearizable. They do not depend on when
//! etcd expires a lease, because that is not a safe bound: a member that was suspended or blocked
//! by its disk, and is no longer the leader when it resumes, may answer keep-alives from stale
//! state, and may revoke leases that were renewed in the meantime (as etcd 3.4 does). In addition,
//! a new leader of etcd extends all leases, so the key of a dead holder may exist for more than
//! twice [`TTL_SECONDS`]. A candidate therefore deletes the key itself once it has seen no renewal
//! for [`TAKEOVER_WAIT`], in a transaction that fails if there was one in the meantime. A takeover
//! takes up to about 6.5 seconds, and up to 8 if etcd elects a leader at the same time.
//!
//! A process that is suspended between the check of its token and the action may still act. But no
//! node accepts its block without a signature, for which the time is checked again, and L1 orders
//! the transactions of both nodes.
//!
//! # Records
//!
//! The leader also stores [records](SharedRecords) in etcd for its successors: the blocks whose
//! prefixes it signs. Each request compares the fencing token, so a former leader cannot add any.

mod agent;
mod error;
mod fence;
mod gateway;
mod messages;
#[cfg(test)]
mod model;
mod records;
mod state;
mod tenure;

pub use agent::{Lease, LeaseTask};
pub use error::LeaseError;
pub use fence::Fence;
pub use gateway::Credentials;
pub use messages::{CandidateId, Leader, LeaseName, Record};
pub use records::{MAX_RECORD, SharedRecords};
pub use tenure::{HOLD, TAKEOVER_WAIT, TTL_SECONDS};

use std::time::Duration;

/// Configuration of a candidate.
#[derive(Debug, Clone)]
pub struct LeaseConfig {
    /// URLs of etcd members. Without TLS they must be loopback addresses.
    pub endpoints: Vec<String>,
    /// User and password, if etcd requires them.
    pub credentials: Option<Credentials>,
    /// CA certificates that sign etcd's certificates, in PEM; by default those of the system.
    pub ca: Option<Vec<u8>>,
    /// Client certificate and its key, in PEM.
    pub identity: Option<Vec<u8>>,
    /// WebSocket URL at which other nodes follow this one while it leads.
    pub url: String,
    /// Time after which a leader that cannot work resigns, if another candidate requests the lease.
    pub work_timeout: Duration,
}
