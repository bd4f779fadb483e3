//! Transactions per second that a sequencer accepts, beside devnets that are sent the same ones.

use super::{row, send_all, transfers};
use alloy_primitives::Bytes;
use eyre::Result;
use localnet::{
    processes::{Deploying, Design, L2_CHAIN, Rollup},
    report::Report,
};
use serde::Serialize;
use serde_json::Value;
use testkit::{ETHER, Key, rich};

/// Accounts that pay.
const PAYERS: usize = 32;
/// Transfers of each in a round.
const EACH: u64 = 50;
/// Rounds: in each all nodes are sent the same, in turn, and each time another one is the first.
/// What else this machine does meanwhile so comes to all of them.
const ROUNDS: u64 = 12;

/// Transfers that are taken in a second.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Accepted {
    sequencer: f64,
    /// By a devnet that makes a block each second, as the sequencer does.
    devnet: f64,
    /// By one that makes none.
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

/// Measures it.
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
        "each has taken {many} transfers: {sequencer:.0}, {devnet:.0} and {idle_devnet:.0} a second"
    ));
    Ok(Accepted { sequencer, devnet, idle_devnet })
}
