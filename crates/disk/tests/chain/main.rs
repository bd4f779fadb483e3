//! Chains on disk: opened again, killed, torn, damaged, full, pruned, behind their log.

mod damage;
mod execute_tx;
mod full;
mod killing;
mod lost;
mod pruning;
mod queue;
mod reopening;
mod scene;
mod snapshot;
