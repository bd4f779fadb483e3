//! What a localnet prints once both chains are healthy.

use super::{Arguments, running::Running, state::LocalnetDir};
use crate::output::say;
use alloy_primitives::{Address, B256};
use contracts::L2_MESSENGER;
use rpc_types::{Quantity, RollupConfig};
use serde::Serialize;
use std::path::PathBuf;

/// Signature of `L1MessageQueue.send` and of `L2Messenger.send`.
const SEND: &str = "'send(address,address,uint64,uint128,bytes)'";

/// URLs, accounts and test tokens of a localnet, and the result of `rollup_config`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    l1_url: String,
    l1_web_socket_url: String,
    l2_url: String,
    l2_web_socket_url: String,
    follower_url: Option<String>,
    /// Fork of both chains.
    fork: &'static str,
    /// Seconds between two L1 blocks.
    block_time: Quantity,
    /// The deployment file.
    deployment: PathBuf,
    /// Account that pays for blocks on L1.
    sequencer: Option<Address>,
    /// Account that pays for anchors and deliveries on the L2.
    operator: Option<Address>,
    /// The test token on L1.
    l1_token: Address,
    /// The test token on the L2.
    l2_token: Address,
    mnemonic: String,
    accounts: Vec<Account>,
    #[serde(flatten)]
    config: RollupConfig,
}

/// An account whose key is public.
#[derive(Debug, Serialize)]
struct Account {
    address: Address,
    key: B256,
}

impl Report {
    /// Collects the values of a running localnet.
    pub(super) async fn of(
        arguments: &Arguments,
        running: &Running,
        dir: &LocalnetDir,
    ) -> eyre::Result<Self> {
        let l2 = running.l2_authority();
        let follower = running.follower_authority();
        let accounts = running.l1.keys().iter();
        Ok(Self {
            l1_url: running.l1.endpoint(),
            l1_web_socket_url: running.l1.ws_endpoint(),
            l2_url: format!("http://{l2}"),
            l2_web_socket_url: format!("ws://{l2}"),
            follower_url: follower.map(|authority| format!("http://{authority}")),
            fork: dir.fork.name(),
            block_time: Quantity(arguments.block_time),
            deployment: dir.deployment(),
            sequencer: running.sequencer_account(),
            operator: running.operator_account(),
            l1_token: dir.l2.token.l1,
            l2_token: dir.l2.token.l2,
            mnemonic: running.accounts.mnemonic.to_string(),
            accounts: accounts
                .map(|key| Account { address: key.address(), key: key.to_bytes() })
                .collect(),
            config: running.config().await?,
        })
    }

    /// Returns the values as one JSON object.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        Ok(format!("{}\n", serde_json::to_string_pretty(self)?))
    }

    /// Prints the values as text.
    pub(super) fn print(&self) {
        say!("Accounts: 10,000 ether each on L1, 100 on the L2. THESE KEYS ARE PUBLIC.");
        say!("");
        for Account { address, key } in &self.accounts {
            say!("  {address}  {key}");
        }
        say!("");
        let RollupConfig { l1_chain_id, l2_chain_id, contracts, .. } = &self.config;
        say!("L1             {}  (chain {l1_chain_id}, {})", self.l1_url, self.fork);
        say!("L2             {}  (chain {l2_chain_id})", self.l2_url);
        if let Some(follower) = &self.follower_url {
            say!("L2, follower   {follower}");
        }
        for (name, address) in [
            ("rollup", Some(contracts.rollup)),
            ("message queue", Some(contracts.message_queue)),
            ("forced inbox", Some(contracts.forced)),
            ("exit", contracts.exit),
            ("policy", contracts.policy),
            ("token bridge", contracts.l1_bridge),
            ("test token", Some(self.l1_token)),
            ("L2 messenger", Some(contracts.l2_messenger)),
            ("L2 bridge", contracts.l2_bridge),
            ("L2 test token", Some(self.l2_token)),
        ] {
            if let Some(address) = address {
                say!("{name:<14} {address}");
            }
        }
        say!("deployment     {}", self.deployment.display());
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
        let Some(Account { address, key }) = self.accounts.first() else { return Vec::new() };
        let Self { l1_url, l2_url, .. } = self;
        let queue = self.config.contracts.message_queue;
        let file = self.deployment.display();
        vec![
            format!(
                "cast send {queue} {SEND} {address} {address} 0 10000000000000000 0x \
                 --value 1.01ether --rpc-url {l1_url} --private-key {key}"
            ),
            format!(
                "cast send {L2_MESSENGER} {SEND} {address} {address} 0 0 0x --value 0.5ether \
                 --rpc-url {l2_url} --private-key {key}"
            ),
            format!(
                "cast send {queue} $(enshrine prove --message 0 --l1 {l1_url} --l2 {l2_url} \
                 --deployment {file}) --rpc-url {l1_url} --private-key {key}"
            ),
        ]
    }
}
