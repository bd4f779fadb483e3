//! Transactions per second that a sequencer accepts, compared with devnets.

use super::{row, send_all, transfers};
use alloy_primitives::Bytes;
use eyre::Result;
use serde::Serialize;
use serde_json::Value;
use testkit::localnet::{
    processes::{Deploying, Design, L2_CHAIN, Rollup},
    report::Report,
};
use testkit::{ETHER, Key, rich};

/// Number of sending accounts.
const PAYERS: usize = 32;
/// Number of transfers per account and round.
const EACH: u64 = 50;
/// Number of rounds. In each round, all nodes get the same transfers in turn, starting with a
/// different node, so that other load on this machine affects all of them.
const ROUNDS: u64 = 12;

/// Transfers that nodes accept per second.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    sequencer: f64,
    /// A devnet that mines a block per second, as the sequencer does.
    devnet: f64,
    /// A devnet that mines no blocks.
    idle_devnet: f64,
}

impl Accepted {
    pub(super) fn print(&self) {
        let Self { sequencer, devnet, idle_devnet } = self;
        row(
            "accepted by the sequencer / a devnet / an idle one, per s",
            format!("{sequencer:.0} / {devnet:.0} / {idle_devnet:.0}"),
        );
    }
}

/// Runs this measurement.
pub(super) fn run(report: &mut Report) -> Result<Accepted> {
    report.part("A sequencer and two devnets");
    let payers: Vec<Key> = (0..PAYERS).map(|index| Key::named(&format!("payer {index}"))).collect();
    let accounts = payers.iter().map(|key| (key.address(), rich(ETHER))).collect();
    let rollup = Rollup::create(Design { accounts, ..Deploying::Plainly.into() }, report)?;
    let many = (PAYERS as u64 * EACH * ROUNDS).to_string();
    let sequencer =
        rollup.sequencer_with(&["--pool-transactions", &many, "--pool-per-account", &many])?;
    let [devnet, idle_devnet] = [&["--block-time", "1"][..], &["--no-mining"]].map(|mining| {
        let devnet = rollup.devnet(&[mining, &["--chain-id", &L2_CHAIN.to_string()]].concat())?;
        for key in &payers {
            let request = (key.address(), rich(ETHER).balance);
            devnet.client().request::<_, Value>("anvil_setBalance", request)?;
        }
        eyre::Ok(devnet)
    });
    let nodes = [sequencer, devnet?, idle_devnet?];

    let mut seconds = [0.0; 3];
    for round in 0..ROUNDS {
        let nonces = || round * EACH..(round + 1) * EACH;
        let raw: Vec<Vec<Bytes>> = payers.iter().map(|key| transfers(key, nonces())).collect();
        for turn in 0..nodes.len() {
            let node = (round as usize + turn) % nodes.len();
            seconds[node] += send_all(nodes[node].client().url(), &raw)?.as_secs_f64();
        }
    }
    let count = PAYERS as f64 * (EACH * ROUNDS) as f64;
    let [sequencer, devnet, idle_devnet] = seconds.map(|seconds| count / seconds);
    report.shown(format!(
        "each accepts {many} transfers: {sequencer:.0}, {devnet:.0} and {idle_devnet:.0} per second"
    ));
    Ok(Accepted { sequencer, devnet, idle_devnet })
}
