//! ethrex as an execution client: its published crates, assembled by
//! `crates/differential/ethrex-client`. `cargo xtask ethrex` builds
//! that separate workspace and passes its path to the tests.

use super::driven::DrivenClient;
use alloy_genesis::Genesis;
use alloy_primitives::Address;
use eyre::Result;
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Environment variable with the path of the executable.
const PROGRAM: &str = "ENSHRINE_ETHREX";

/// Returns the executable, or reports that `what` is skipped if there is none.
pub(crate) fn program(what: &str) -> Option<PathBuf> {
    let program = env::var_os(PROGRAM);
    if program.is_none() {
        testkit::say_skipped(&format!(
            "{what}: {PROGRAM} is not set, `cargo xtask ethrex` sets it"
        ));
    }
    program.map(PathBuf::from)
}

/// Starts ethrex on a new chain.
pub(crate) async fn start(program: &Path, genesis: &Genesis) -> Result<DrivenClient> {
    let mut genesis = genesis.clone();
    // ethrex rejects a genesis without this address. An L2 has no validator deposits, and no
    // contract at this address emits logs.
    genesis.config.deposit_contract_address = Some(Address::ZERO);
    DrivenClient::start("ethrex", &genesis, |places| {
        let mut command = Command::new(program);
        command.arg(&places.genesis).arg(&places.secret);
        command.args([places.rpc, places.engine].map(|port| port.to_string()));
        command
    })
    .await
}
