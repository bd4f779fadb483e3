//! Text of the configuration files that `enshrine init` writes: `rollup.toml` for
//! `script/Deploy.s.sol`, and `node.toml`.

use alloy_primitives::{Address, Bytes, U256};
use clap::ValueEnum;
use eyre::{Result, ensure};
use wire::ProtocolFork;

/// Template of `rollup.toml`, without the values that are specific to a rollup.
const EXAMPLE: &str = include_str!("../../../../script/rollup.example.toml");

/// Duration of a guardian's pause, in seconds: time to fix a bug in L1.
const PAUSE: u64 = 3 * 86_400;

/// Minimum time between two L1 blocks in the template, in milliseconds.
pub(crate) const L1_SLOT_MILLIS: u64 = 6_000;

/// Number of checkpoints in the template.
const CHECKPOINTS: u64 = 16_382;

/// Policy that decides which accounts may advance the rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Anyone may advance; the builder of a block decides who receives the fees.
    None,
    /// Anyone may advance; a contract, which an owner can replace, decides who receives the fees.
    Open,
    /// One account has a head start; anyone may advance once the head is too old.
    Permissioned,
    /// Like `permissioned`, with a bond of the sequencer for its preconfirmations. Anyone may post
    /// a block that it has signed.
    Preconfirmed,
}

impl Policy {
    /// Returns `true` if the policy has one sequencer.
    pub(crate) const fn has_sequencer(self) -> bool {
        matches!(self, Self::Permissioned | Self::Preconfirmed)
    }
}

/// Registry of bonds as in `rollup.toml`: the one that all rollups on an L1 share.
pub(crate) const SHARED_BONDS: &str = "deploy";

/// Source of the rollup's forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForkMode {
    /// The fork that L1 had at the timestamp of each block; no account has to act.
    Follow,
    /// The current entry of L1's registry (EIP-8357); blocks that are not posted before a fork of
    /// L1 are lost.
    Registry,
    /// A fixed schedule that only an owner can extend; the next fork of L1 stops the rollup until
    /// the owner has added it.
    Pinned,
}

impl ForkMode {
    /// Returns the name in `rollup.toml`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Registry => "registry",
            Self::Pinned => "pinned",
        }
    }

    /// Describes the effect of L1's forks on the rollup.
    pub(crate) const fn consequence(self, ownerless: bool) -> &'static str {
        match (self, ownerless) {
            (Self::Follow, _) => {
                "blocks have the fork that L1 had at their timestamp; no account has to act when L1 forks"
            }
            (Self::Registry, _) => {
                "blocks have the fork of L1's registry (EIP-8357); blocks that are not posted before a fork of \
                 L1 are lost"
            }
            (Self::Pinned, true) => {
                "a fixed fork, and no owner to add another: THE NEXT FORK OF L1 STOPS THE ROLLUP PERMANENTLY, and \
                 locks its deposits"
            }
            (Self::Pinned, false) => {
                "a schedule of its own: the next fork of L1 stops the rollup until the owner has added it"
            }
        }
    }
}

/// Delays of the contracts, in seconds. `contracts/governance/RollupRules.sol` defines how they
/// constrain each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delays {
    pub(crate) max_lag: u64,
    /// Timeout of a policy with a sequencer. It has an effect only between `max_lag` and
    /// `open_after`. For preconfirmations it is at least 7/4 of `max_lag`.
    pub(crate) timeout: u64,
    /// Age from which any account may post a block that the sequencer signed.
    pub(crate) post_delay: u64,
    pub(crate) open_after: u64,
    pub(crate) relay_deadline: u64,
    pub(crate) upgrade_delay: u64,
    pub(crate) forced_delay: u64,
    pub(crate) grace: u64,
    pub(crate) expiry: u64,
}

impl Delays {
    /// Default delays, which are those of the template.
    pub(crate) const USUAL: Self = Self {
        max_lag: 3_600,
        timeout: 6_300,
        post_delay: 300,
        open_after: 7_200,
        relay_deadline: 43_200,
        upgrade_delay: 604_800,
        forced_delay: 86_400,
        grace: 7_200,
        expiry: 172_800,
    };

    /// Delays for development: everything is due within two minutes. The minimum times for an exit,
    /// which the contract enforces, remain: a day each to notice an upgrade, to claim before it,
    /// and to rescue a forced transaction.
    pub(crate) const DEV: Self = {
        const DAY: u64 = 86_400;
        let (max_lag, open_after, forced_delay, grace) = (60, 120, 90, 30);
        Self {
            max_lag,
            timeout: 105,
            post_delay: 10,
            open_after,
            relay_deadline: 75,
            upgrade_delay: DAY + forced_delay + grace + max_lag + 2 * open_after + DAY,
            forced_delay,
            grace,
            expiry: max_lag + open_after + DAY,
        }
    };
}

/// Values of `rollup.toml`.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) salt: &'a str,
    pub(crate) deployment: &'a str,
    pub(crate) genesis: &'a str,
    pub(crate) chain_id: u64,
    pub(crate) fork: ProtocolFork,
    pub(crate) header: Bytes,
    pub(crate) owner: Address,
    pub(crate) fork_mode: ForkMode,
    pub(crate) guardian: Address,
    pub(crate) policy: Policy,
    pub(crate) sequencer: Address,
    /// Minimum bond of the sequencer in gwei, with [`Policy::Preconfirmed`].
    pub(crate) min_bond_gwei: u64,
    pub(crate) delays: Delays,
    /// Minimum time between two L1 blocks in milliseconds, or `None` for that of the template.
    pub(crate) l1_slot_millis: Option<u64>,
}

impl Plan<'_> {
    /// Returns the number of checkpoints for an L1 with these slots: at least that of the template,
    /// and enough for the longest time in which no account has to relay a message, if each L1 block
    /// has one (`RollupRules`).
    const fn checkpoints(&self, l1_slot_millis: u64) -> u64 {
        let Delays { relay_deadline, max_lag, open_after, .. } = self.delays;
        let needed = (1_000 * (relay_deadline + max_lag + open_after)).div_ceil(l1_slot_millis);
        if needed > CHECKPOINTS { needed } else { CHECKPOINTS }
    }

    /// Returns the template with these values.
    pub(crate) fn to_toml(&self) -> Result<String> {
        let delays = &self.delays;
        let mut file = Toml(EXAMPLE.to_owned());
        file.set("deployment", "salt", &quoted(self.salt))?;
        file.set("deployment", "file", &quoted(self.deployment))?;
        file.set("l2", "chain_id", &self.chain_id.to_string())?;
        file.set("l2", "schema", &quoted(self.fork.name()))?;
        file.set("l2.genesis", "header", &quoted(&self.header.to_string()))?;
        file.set("l2.genesis", "file", &quoted(self.genesis))?;
        file.set("rollup", "owner", &quoted(&self.owner.to_string()))?;
        file.set("rollup", "forks", &quoted(self.fork_mode.name()))?;
        file.set("guardian", "account", &quoted(&self.guardian.to_string()))?;
        // An exit may have to wait for the end of a pause, so the notice is extended by it.
        let pause = if self.guardian.is_zero() { 0 } else { PAUSE };
        for (section, key, value) in [
            ("guardian", "pause", PAUSE),
            ("rollup", "max_lag", delays.max_lag),
            ("rollup", "open_after", delays.open_after),
            ("rollup", "relay_deadline", delays.relay_deadline),
            ("rollup", "upgrade_delay", delays.upgrade_delay + pause),
            ("forced", "delay", delays.forced_delay),
            ("forced", "grace", delays.grace),
            ("forced", "expiry", delays.expiry),
        ] {
            file.set(section, key, &value.to_string())?;
        }
        if let Some(millis) = self.l1_slot_millis {
            file.set("rollup", "l1_slot_millis", &millis.to_string())?;
            file.set("messages", "checkpoints", &self.checkpoints(millis).to_string())?;
        }
        let zero = quoted(&Address::ZERO.to_string());
        match self.policy {
            Policy::None => {
                file.set("sequencing", "policy", "\"none\"")?;
                for key in ["timeout", "sequencer", "fee_recipient"] {
                    file.unset("sequencing", key)?;
                }
            }
            Policy::Open => {
                file.set("sequencing", "policy", "\"open\"")?;
                for key in ["timeout", "sequencer"] {
                    file.unset("sequencing", key)?;
                }
                file.set("sequencing", "fees", "0")?;
                file.set("sequencing", "fee_recipient", &zero)?;
            }
            Policy::Permissioned | Policy::Preconfirmed => {
                let is_preconfirmed = self.policy == Policy::Preconfirmed;
                let name = if is_preconfirmed { "hybrid" } else { "permissioned" };
                file.set("sequencing", "policy", &quoted(name))?;
                file.set("sequencing", "fee_recipient", &zero)?;
                file.set("sequencing", "timeout", &delays.timeout.to_string())?;
                file.set("sequencing", "sequencer", &quoted(&self.sequencer.to_string()))?;
                if is_preconfirmed {
                    file.set("sequencing", "post_delay", &delays.post_delay.to_string())?;
                    file.set("sequencing", "bonds", &quoted(SHARED_BONDS))?;
                    file.set("sequencing", "min_bond_gwei", &self.min_bond_gwei.to_string())?;
                }
            }
        }
        Ok(file.0)
    }
}

/// Values of `node.toml`.
#[derive(Debug)]
pub(crate) struct NodeConfig<'a> {
    pub(crate) l1: &'a str,
    pub(crate) deployment: &'a str,
    pub(crate) data_dir: &'a str,
    pub(crate) keys: &'a str,
    pub(crate) http_port: u16,
    pub(crate) block_time_ms: u64,
    pub(crate) idle_block_time_ms: u64,
    pub(crate) submit_interval_ms: u64,
    pub(crate) l1_confirmations: u64,
    /// Whether the sequencer signs prefixes.
    pub(crate) preconfirm: bool,
    /// Account with ETH at genesis, and its balance in wei.
    pub(crate) float: Option<(Address, U256)>,
}

impl NodeConfig<'_> {
    pub(crate) fn to_toml(&self) -> String {
        let (l1, deployment) = (quoted(self.l1), quoted(self.deployment));
        let (data_dir, keys) = (quoted(self.data_dir), quoted(self.keys));
        let Self { http_port, block_time_ms, idle_block_time_ms, .. } = self;
        let Self { submit_interval_ms, l1_confirmations, .. } = self;
        let allowed = self.float.map_or_else(String::new, |(account, wei)| {
            format!(
                "# ETH at genesis that no deposit on L1 backs: the operator's float. A node rejects a genesis with other\n\
                 # unbacked ETH, so followers need the same line, or --allow-balance.\n\
                 allow_balance = [\"{account}={wei}\"]\n"
            )
        });
        let preconfirm = if self.preconfirm {
            "# Sign prefixes of each block while it is built, in the domain of the registry of bonds that the deployment\n\
             # file names.\n\
             preconfirm = true\n"
        } else {
            ""
        };
        format!(
            "# Configuration of a rollup node. Paths are relative to its working directory.\n\
             \n\
             # \"sequencer\" builds blocks; \"follower\" derives them from L1 and needs no keys.\n\
             role = \"sequencer\"\n\
             # JSON-RPC URL of an L1 node.\n\
             l1 = {l1}\n\
             # Deployment file, which script/Deploy.s.sol writes.\n\
             deployment = {deployment}\n\
             {allowed}\
             data_dir = {data_dir}\n\
             http_port = {http_port}\n\
             # Block time in milliseconds, while there is anything to include and while there is nothing.\n\
             # The policy lets others advance when the head is older than its timeout.\n\
             block_time_ms = {block_time_ms}\n\
             idle_block_time_ms = {idle_block_time_ms}\n\
             # Maximum time in milliseconds for which blocks are collected before they are posted to L1.\n\
             submit_interval_ms = {submit_interval_ms}\n\
             # Confirmations of an L1 block before its messages are included in the L2.\n\
             l1_confirmations = {l1_confirmations}\n\
             {preconfirm}\
             \n\
             # Key file of `enshrine init`: the `advance` key pays on L1, the `operator` key on the L2.\n\
             advance_key = {keys}\n\
             operator_key = {keys}\n"
        )
    }
}

/// Quotes a text as a TOML string; JSON strings are valid TOML strings.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text of a TOML file whose values can be replaced without changing its comments.
struct Toml(String);

impl Toml {
    /// Sets a key of a section, which may be commented out.
    fn set(&mut self, section: &str, key: &str, value: &str) -> Result<()> {
        self.replace(section, key, &format!("{key} = {value}"))
    }

    /// Comments out a key of a section.
    fn unset(&mut self, section: &str, key: &str) -> Result<()> {
        self.replace(section, key, &format!("# {key} ="))
    }

    /// Replaces the first line with this key in a section.
    fn replace(&mut self, section: &str, key: &str, by: &str) -> Result<()> {
        let head = format!("[{section}]");
        let mut inside = false;
        let mut found = false;
        let lines: Vec<String> = self
            .0
            .lines()
            .map(|line| {
                let shown = line.strip_prefix("# ").unwrap_or(line);
                if shown.starts_with('[') {
                    inside = line == head;
                }
                let is_key = shown.split_once(" =").is_some_and(|(name, _)| name == key);
                if inside && is_key && !found {
                    found = true;
                    return by.to_owned();
                }
                line.to_owned()
            })
            .collect();
        ensure!(found, "the template has no {key} in [{section}]");
        self.0 = lines.join("\n") + "\n";
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_changes_one_section_and_keeps_comments() {
        let text = "[a]\n# What it is.\nkey = 1\n[b]\nkey = 1\n# other = 2\n# key = 3\n";
        let mut file = Toml(text.to_owned());
        file.set("b", "key", "7").unwrap();
        file.set("b", "other", "8").unwrap();
        assert_eq!(file.0, "[a]\n# What it is.\nkey = 1\n[b]\nkey = 7\nother = 8\n# key = 3\n");
        file.unset("b", "key").unwrap();
        assert_eq!(file.0, "[a]\n# What it is.\nkey = 1\n[b]\n# key =\nother = 8\n# key = 3\n");
        assert!(file.set("a", "other", "8").is_err());
        assert!(file.set("c", "key", "8").is_err());
    }

    #[test]
    fn defaults_match_template() {
        let Delays {
            max_lag,
            timeout,
            post_delay,
            open_after,
            relay_deadline,
            upgrade_delay,
            forced_delay,
            grace,
            expiry,
        } = Delays::USUAL;
        for line in [
            format!("\nmax_lag = {max_lag}\n"),
            format!("\ntimeout = {timeout}\n"),
            format!("\n# post_delay = {post_delay}\n"),
            format!("\nopen_after = {open_after}\n"),
            format!("\nrelay_deadline = {relay_deadline}\n"),
            format!("\nupgrade_delay = {upgrade_delay}\n"),
            format!("\ndelay = {forced_delay}\n"),
            format!("\ngrace = {grace}\n"),
            format!("\nexpiry = {expiry}\n"),
            format!("\nl1_slot_millis = {L1_SLOT_MILLIS}\n"),
            format!("\ncheckpoints = {CHECKPOINTS}\n"),
        ] {
            assert!(EXAMPLE.contains(&line), "{line}");
        }
    }

    /// The bounds of `script/SequencingChecks.sol`.
    #[test]
    fn delays_allow_preconfirmations() {
        for Delays { max_lag, timeout, post_delay, open_after, .. } in [Delays::USUAL, Delays::DEV]
        {
            assert!(7 * max_lag <= 4 * timeout && timeout <= open_after);
            assert!(post_delay < max_lag / 2);
        }
    }
}
