//! A devnet process as L1, and a rollup that is deployed on it.

use super::path;
use alloy_primitives::Address;
use contracts::Deployment;
use serde_json::json;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};
use tempfile::TempDir;
use testkit::{
    CHAIN_ID, ETHER, Key, NodeProcess, RollupFixture, enrich, head_time, write_deployment,
};
use wire::ProtocolFork;

/// An L1, and a rollup on it whose deployment is in a file of a temporary folder.
pub(crate) struct Deployed {
    pub(crate) l1: NodeProcess,
    pub(crate) folder: TempDir,
    pub(crate) deployment: Deployment,
    /// Path of the deployment.
    pub(crate) file: String,
}

impl Deployed {
    /// Starts an L1 where these accounts are rich, as is the deployer, and deploys the fixture.
    pub(crate) fn new(
        on_l1: &[Address],
        change: impl FnOnce(RollupFixture) -> RollupFixture,
    ) -> Self {
        let (l1, deployer) = (devnet(&[]), Key::named("deployer"));
        let accounts = on_l1.iter().copied().chain([deployer.address()]);
        enrich(l1.client(), accounts, 100_000 * ETHER).unwrap();
        let time = head_time(l1.client()).unwrap();
        let fixture = change(RollupFixture::new(CHAIN_ID, ProtocolFork::Osaka, time).unwrap());
        let deployment = fixture.deploy_over_rpc(l1.client(), &deployer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = write_deployment(&deployment, folder.path()).unwrap().display().to_string();
        Self { l1, folder, deployment, file }
    }
}

/// Starts a devnet with mainnet's rules and these flags.
pub(crate) fn devnet(flags: &[&str]) -> NodeProcess {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
    NodeProcess::start(command.args(["devnet", "--mainnet"]).args(flags)).unwrap()
}

/// Writes a file of keys that only its owner can read, and returns its path.
pub(crate) fn write_keys(folder: &Path, name: &str, advance: &Key, operator: &Key) -> String {
    let key = |key: &Key| json!({ "address": key.address(), "key": key.secret() });
    let keys = json!({ "advance": key(advance), "operator": key(operator) });
    let file = path(folder, name);
    fs::write(&file, keys.to_string()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}
