//! Chains on disk: opened again, killed, torn, damaged, full, pruned.

mod damage;
mod full;
mod killing;
mod pruning;
mod reopening;
mod scene;
