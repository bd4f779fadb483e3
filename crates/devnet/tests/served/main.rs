//! A devnet behind its port, tested with clients and tools.

mod allowance;
mod alloy;
mod anvils_rules;
mod anvils_words;
mod as_anvil;
mod before_the_fork;
mod blobs;
mod cast;
mod early_forks;
mod execute_tx;
mod flags;
mod forge;
mod fork;
mod going_back;
mod habits;
mod javascript;
mod market;
mod providers;
mod refusals;
mod registry;
mod schedule;
mod state_file;
mod support;
mod unsigned;
mod upstream;
mod verified;
