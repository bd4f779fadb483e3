//! Chains on disk: reopening, kills, damage, full disks, pruning and replay.

mod damage;
mod execute_tx;
mod full;
mod killing;
mod log_index;
mod lost;
mod pruning;
mod queue;
mod reopening;
mod snapshot;
mod twin;
