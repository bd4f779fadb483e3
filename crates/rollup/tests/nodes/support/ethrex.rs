//! ethrex as an execution client: its published crates, assembled by
//! `crates/differential/ethrex-client`. That is a workspace of its own, which `cargo xtask ethrex`
//! builds and names to the tests.

use super::driven::DrivenClient;
use alloy_genesis::Genesis;
use alloy_primitives::Address;
use eyre::Result;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Environment variable that names the executable.
const PROGRAM: &str = "ENSHRINE_ETHREX";

/// Returns the executable; without one, says that `what` is skipped.
pub(crate) fn program(what: &str) -> Option<PathBuf> {
    let program = env::var_os(PROGRAM);
    if program.is_none() {
        testkit::say_skipped(&format!(
            "{what}: {PROGRAM} is not set, `cargo xtask ethrex` sets it"
        ));
    }
    program.map(PathBuf::from)
}

/// Starts ethrex on a chain of its own.
pub(crate) async fn start(program: &Path, genesis: &Genesis) -> Result<DrivenClient> {
    let mut genesis = genesis.clone();
    // It refuses a file without one. An L2 takes no deposits of validators, and nothing logs at
    // this address.
    genesis.config.deposit_contract_address = Some(Address::ZERO);
    DrivenClient::start("ethrex", &genesis, |places| {
        let mut command = Command::new(program);
        command.arg(&places.genesis).arg(&places.secret);
        command.args([places.rpc, places.engine].map(|it| it.to_string()));
        command
    })
    .await
}
