//! The text of the files that people edit: the configuration of `script/Deploy.s.sol`, and that of
//! the node.

use alloy_primitives::{Address, Bytes, U256};
use clap::ValueEnum;
use eyre::{Result, ensure};
use wire::ProtocolFork;

/// The configuration of `script/Deploy.s.sol`, without the values that are a rollup's own.
const EXAMPLE: &str = include_str!("../../../../script/rollup.example.toml");

/// Seconds of a guardian's pause: time to repair a bug of L1.
const PAUSE: u64 = 3 * 86_400;

/// Policy that decides which accounts may advance the rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Anyone; fees go where the builder of a block says.
    None,
    /// Anyone, as a contract says that an owner can replace.
    Open,
    /// One account, and anyone once the head has grown old.
    Permissioned,
}

/// Source of the rollup's forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForkMode {
    /// The fork that L1 had at the timestamp of each block; no account has to act.
    Follow,
    /// The current entry of L1's registry (EIP-8357); blocks that are not posted before a fork are
    /// lost.
    Registry,
    /// A schedule that only an owner can extend; the next fork of L1 stops the rollup until then.
    Pinned,
}

impl ForkMode {
    /// The name in `rollup.toml`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Registry => "registry",
            Self::Pinned => "pinned",
        }
    }

    /// Describes what the forks of L1 do to the rollup.
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
                "a fixed fork, and no owner to add another: THE NEXT FORK OF L1 STOPS THE ROLLUP FOR GOOD, and \
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
    /// Timeout of a permissioned policy. It has an effect only between `max_lag` and `open_after`.
    pub(crate) timeout: u64,
    pub(crate) open_after: u64,
    pub(crate) relay_deadline: u64,
    pub(crate) upgrade_delay: u64,
    pub(crate) forced_delay: u64,
    pub(crate) grace: u64,
    pub(crate) expiry: u64,
}

impl Delays {
    /// The delays of the example.
    pub(crate) const USUAL: Self = Self {
        max_lag: 3_600,
        timeout: 5_400,
        open_after: 7_200,
        relay_deadline: 43_200,
        upgrade_delay: 604_800,
        forced_delay: 86_400,
        grace: 7_200,
        expiry: 172_800,
    };

    /// For trying things out: all is due within two minutes. What the contract demands for the way
    /// out stays as long as it is: a day each to see an upgrade, to claim before it, and to rescue
    /// a forced transaction.
    pub(crate) const DEV: Self = {
        const DAY: u64 = 86_400;
        let (max_lag, open_after, forced_delay, grace) = (60, 120, 90, 30);
        Self {
            max_lag,
            timeout: 90,
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
    pub(crate) delays: Delays,
}

impl Plan<'_> {
    /// The example with these values in it.
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
        // An exit may have to wait for the end of a pause, and has as much notice as without.
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
            Policy::Permissioned => {
                file.set("sequencing", "policy", "\"permissioned\"")?;
                file.set("sequencing", "fee_recipient", &zero)?;
                file.set("sequencing", "timeout", &delays.timeout.to_string())?;
                file.set("sequencing", "sequencer", &quoted(&self.sequencer.to_string()))?;
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
                "# ETH at genesis that no deposit on L1 backs: the operator's float. A node refuses any that is not\n\
                 # named, so followers need the same line, or --allow-balance.\n\
                 allow_balance = [\"{account}={wei}\"]\n"
            )
        });
        format!(
            "# A node of the rollup. Paths are relative to where the node is started.\n\
             \n\
             # \"sequencer\" makes blocks; \"follower\" rebuilds them from L1, and needs no keys.\n\
             role = \"sequencer\"\n\
             # JSON-RPC address of a node of L1.\n\
             l1 = {l1}\n\
             # What script/Deploy.s.sol writes.\n\
             deployment = {deployment}\n\
             {allowed}\
             data_dir = {data_dir}\n\
             http_port = {http_port}\n\
             # From one L2 block to the next, if there is anything to put into it, and if there is nothing.\n\
             # The policy lets others advance when the head is older than its timeout.\n\
             block_time_ms = {block_time_ms}\n\
             idle_block_time_ms = {idle_block_time_ms}\n\
             # For how long blocks are collected before they go to L1.\n\
             submit_interval_ms = {submit_interval_ms}\n\
             # How deep an L1 block has to lie before the L2 acts on it.\n\
             l1_confirmations = {l1_confirmations}\n\
             \n\
             # A file of `enshrine init`: its `advance` key pays on L1, its `operator` key on the L2.\n\
             advance_key = {keys}\n\
             operator_key = {keys}\n"
        )
    }
}

/// Text as TOML has it; what JSON writes is a part of that.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text of a TOML file whose values are replaced and whose comments stay.
struct Toml(String);

impl Toml {
    /// Sets a key that stands in a section, in force or as a comment.
    fn set(&mut self, section: &str, key: &str, value: &str) -> Result<()> {
        self.replace(section, key, &format!("{key} = {value}"))
    }

    /// Makes a comment of a key that stands in a section.
    fn unset(&mut self, section: &str, key: &str) -> Result<()> {
        self.replace(section, key, &format!("# {key} ="))
    }

    /// Puts a line in the place of the first that has this key in this section.
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
        ensure!(found, "the example has no {key} in [{section}]");
        self.0 = lines.join("\n") + "\n";
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_set_in_its_section_alone_and_comments_stay() {
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
    fn the_usual_delays_are_those_of_the_example() {
        let Delays {
            max_lag,
            timeout,
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
            format!("\nopen_after = {open_after}\n"),
            format!("\nrelay_deadline = {relay_deadline}\n"),
            format!("\nupgrade_delay = {upgrade_delay}\n"),
            format!("\ndelay = {forced_delay}\n"),
            format!("\ngrace = {grace}\n"),
            format!("\nexpiry = {expiry}\n"),
        ] {
            assert!(EXAMPLE.contains(&line), "{line}");
        }
    }
}
