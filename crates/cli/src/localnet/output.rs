//! What a localnet prints once both chains are healthy.

use super::{Arguments, running::Running, state::LocalnetDir};
use crate::output::say;
use alloy_primitives::Address;
use contracts::{Deployment, L1_ANCHOR, L2_ACCOUNTS, L2_MESSENGER};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Signature of `L1MessageQueue.send` and of `L2Messenger.send`.
const SEND: &str = "'send(address,address,uint64,uint128,bytes)'";

/// Addresses, keys and URLs of a localnet.
#[derive(Debug)]
pub(super) struct Report {
    value: Value,
    accounts: Vec<(Address, String)>,
    deployment: Deployment,
    file: PathBuf,
    urls: (String, String),
}

impl Report {
    /// Collects the values of a running localnet.
    pub(super) fn of(
        arguments: &Arguments,
        running: &Running,
        dir: &LocalnetDir,
    ) -> eyre::Result<Self> {
        let file = dir.deployment();
        let deployment = Deployment::read(&file)?;
        let l2 = running.l2_authority();
        let urls = (running.l1.endpoint(), format!("http://{l2}"));
        let users = running.l1.keys().iter();
        let accounts: Vec<_> =
            users.map(|key| (key.address(), key.to_bytes().to_string())).collect();
        let follower = running.follower_authority();
        let value = json!({
            "l1ChainId": deployment.l1_chain_id,
            "l1Url": urls.0,
            "l1WebSocketUrl": running.l1.ws_endpoint(),
            "l2ChainId": deployment.l2_chain_id,
            "l2Url": urls.1,
            "l2WebSocketUrl": format!("ws://{l2}"),
            "followerUrl": follower.map(|authority| format!("http://{authority}")),
            "fork": dir.fork.name(),
            "blockTime": arguments.block_time,
            "genesisHash": deployment.genesis_hash,
            "deployment": file,
            "rollup": deployment.rollup,
            "messageQueue": deployment.message_queue,
            "forced": deployment.forced,
            "exit": deployment.exit,
            "policy": deployment.policy,
            "sequencer": running.sequencer_account(),
            "operator": running.operator_account(),
            "l1Bridge": deployment.l1_bridge,
            "l2Bridge": deployment.l2_bridge,
            "l2Messenger": L2_MESSENGER,
            "l2Anchor": L1_ANCHOR,
            "l2Accounts": L2_ACCOUNTS,
            "l1Token": dir.l2.token.l1,
            "l2Token": dir.l2.token.l2,
            "mnemonic": running.accounts.mnemonic,
            "accounts": accounts
                .iter()
                .map(|(address, key)| json!({ "address": address, "key": key }))
                .collect::<Vec<_>>(),
        });
        Ok(Self { value, accounts, deployment, file, urls })
    }

    /// Returns the values as one JSON object.
    pub(super) fn json(&self) -> String {
        format!("{:#}\n", self.value)
    }

    /// Prints the values as JSON or as text.
    pub(super) fn print(&self, json: bool) {
        if json {
            say!("{:#}", self.value);
            return;
        }
        say!("Accounts: 10,000 ether each on L1, 100 on the L2. EVERYBODY KNOWS THESE KEYS.");
        say!("");
        for (address, key) in &self.accounts {
            say!("  {address}  {key}");
        }
        say!("");
        let text = |key: &str| self.value[key].as_str().unwrap_or_default().to_owned();
        let Deployment { l1_chain_id, l2_chain_id, .. } = self.deployment;
        say!("L1             {}  (chain {l1_chain_id}, {})", self.urls.0, text("fork"));
        say!("L2             {}  (chain {l2_chain_id})", self.urls.1);
        if let Some(follower) = self.value["followerUrl"].as_str() {
            say!("L2, follower   {follower}");
        }
        for (name, key) in [
            ("rollup", "rollup"),
            ("message queue", "messageQueue"),
            ("forced inbox", "forced"),
            ("exit", "exit"),
            ("policy", "policy"),
            ("token bridge", "l1Bridge"),
            ("test token", "l1Token"),
            ("L2 messenger", "l2Messenger"),
            ("L2 bridge", "l2Bridge"),
            ("L2 test token", "l2Token"),
            ("deployment", "deployment"),
        ] {
            say!("{name:<14} {}", text(key));
        }
        say!("");
        say!("Deposit an ether, withdraw half of it, and claim the withdrawal:");
        say!("");
        for command in self.commands() {
            say!("  {command}");
        }
        say!("");
        say!("Ready. Stop with Ctrl-C.");
    }

    /// Returns commands to try: a deposit, a withdrawal and its claim.
    fn commands(&self) -> Vec<String> {
        let Some((account, key)) = self.accounts.first() else { return Vec::new() };
        let (l1, l2) = &self.urls;
        let queue = self.deployment.message_queue;
        let file = self.file.display();
        vec![
            format!(
                "cast send {queue} {SEND} {account} {account} 0 10000000000000000 0x \
                 --value 1.01ether --rpc-url {l1} --private-key {key}"
            ),
            format!(
                "cast send {L2_MESSENGER} {SEND} {account} {account} 0 0 0x --value 0.5ether \
                 --rpc-url {l2} --private-key {key}"
            ),
            format!(
                "cast send {queue} $(enshrine prove --message 0 --l1 {l1} --l2 {l2} --deployment \
                 {file}) --rpc-url {l1} --private-key {key}"
            ),
        ]
    }
}
