//! Descriptions of the values of a `rollup.toml`, which `enshrine init` prints.

use super::plan::ForkMode;
use alloy_primitives::Address;
use clap::ValueEnum as _;
use eyre::{Result, WrapErr as _};
use std::fmt;
use toml::{Table, Value};

/// Returns one line for each parameter of the contracts.
///
/// # Errors
///
/// If the text is not valid TOML.
pub(crate) fn lines(plan: &str) -> Result<Vec<String>> {
    let plan: Table = plan.parse().wrap_err("rollup.toml")?;
    let plan = Values(&plan);
    let mut rows = plan.governance();
    rows.extend(plan.times());
    rows.extend(plan.amounts());
    let width = rows.iter().map(|(name, value, _)| name.len() + value.len()).max().unwrap_or(0);
    let line = |(name, value, meaning): (&str, String, String)| {
        let gap = " ".repeat(width - name.len() - value.len());
        format!("{name} = {value}{gap}   {meaning}")
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Name, value and description.
type Row = (&'static str, String, String);

/// The values of a plan.
#[derive(Debug, Clone, Copy)]
struct Values<'a>(&'a Table);

impl Values<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        let (section, key) = name.split_once('.')?;
        self.0.get(section)?.get(key)
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name)
            .and_then(Value::as_integer)
            .and_then(|number| number.try_into().ok())
            .unwrap_or(0)
    }

    fn is_zero_address(&self, name: &str) -> bool {
        self.text(name).parse() == Ok(Address::ZERO)
    }

    fn row(&self, name: &'static str, meaning: impl Into<String>) -> Row {
        let value = self.get(name).map(ToString::to_string).unwrap_or_default();
        (name, value, meaning.into())
    }

    fn time(&self, name: &'static str, meaning: &str) -> Row {
        self.row(name, format!("{}: {meaning}", Duration(self.number(name))))
    }

    /// Accounts and policies that govern the rollup.
    fn governance(&self) -> Vec<Row> {
        let ownerless = self.is_zero_address("rollup.owner");
        let owner = if ownerless {
            "no owner: no rule of the rollup ever changes"
        } else {
            "can change the policy and the gas limit, each after a delay in which anyone can exit"
        };
        let forks =
            ForkMode::from_str(self.text("rollup.forks"), false).unwrap_or(ForkMode::Follow);
        let open = Duration(self.number("rollup.open_after"));
        let policy = match self.text("sequencing.policy") {
            "permissioned" => {
                let timeout = Duration(self.number("sequencing.timeout"));
                format!(
                    "the sequencer has a head start: anyone may advance once the head is {timeout} old"
                )
            }
            "hybrid" => {
                let timeout = Duration(self.number("sequencing.timeout"));
                format!(
                    "the sequencer has a head start, and anyone may post blocks that it has signed: anyone may \
                     advance once the head is {timeout} old"
                )
            }
            "open" => {
                "anyone may advance; a contract, which an owner can replace, decides who receives the fees"
                    .to_owned()
            }
            "rotating" => {
                format!("the members take turns; anyone may advance once the head is {open} old")
            }
            _ => "anyone may advance; the builder of a block decides who receives the fees".to_owned(),
        };
        let guardian = if self.is_zero_address("guardian.account") {
            "no guardian: no account can pause deposits or delay claims"
        } else {
            "can pause deposits and delay large claims for a limited time if EXECUTE has a bug, and nothing else"
        };
        let mut rows = vec![
            self.row("rollup.owner", owner),
            self.row("guardian.account", guardian),
            self.row("rollup.forks", forks.consequence(ownerless)),
            self.row("sequencing.policy", policy),
        ];
        if self.get("sequencing.sequencer").is_some() {
            rows.push(self.row("sequencing.sequencer", "the account that posts blocks to L1"));
        }
        if self.get("sequencing.post_delay").is_some() {
            rows.push(self.time(
                "sequencing.post_delay",
                "anyone may post a block that the sequencer has signed once it is this old",
            ));
        }
        if self.get("sequencing.bonds").is_some() {
            rows.push(self.row(
                "sequencing.bonds",
                "registry of the bond that the sequencer loses if it breaks a signed promise",
            ));
            rows.push(self.row(
                "sequencing.min_bond_gwei",
                "minimum bond; without it, the sequencer may not advance",
            ));
        }
        rows
    }

    /// Values in seconds.
    fn times(&self) -> Vec<Row> {
        vec![
            self.time("rollup.max_lag", "a block is included on L1 within this time of its timestamp, or never"),
            self.time(
                "rollup.open_after",
                "anyone may advance under any policy once the head is this old, or an obligation has been overdue for \
                 this long",
            ),
            self.time("rollup.relay_deadline", "messages from L1 are relayed to the L2 within this time"),
            self.time(
                "exit.lost_after",
                "anyone may close the rollup permanently once no block was added for this long; the escrow then pays the \
                 accounts of the L2",
            ),
            self.time("rollup.upgrade_delay", "minimum time from the announcement of a change to the change"),
            self.time(
                "guardian.pause",
                "duration of a guardian's pause; the next one can begin only after four times as long",
            ),
            self.time("forced.delay", "a transaction submitted on L1 is due after this time"),
            self.time("forced.grace", "for this long, a block with too little gas left may omit a due transaction"),
            self.time("forced.expiry", "a transaction that no block has included for this long is dropped"),
        ]
    }

    /// Values in gas, bytes and percent.
    fn amounts(&self) -> Vec<Row> {
        let bridge = match self.get("bridge.enabled").and_then(Value::as_bool) {
            Some(true) => {
                "a bridge for ERC-20 tokens; forced transactions may call it with more gas"
            }
            _ => "no bridge for ERC-20 tokens",
        };
        vec![
            self.row(
                "rollup.l1_slot_millis",
                "minimum time between two L1 blocks, in milliseconds; half of the slots of L1",
            ),
            self.row(
                "messages.checkpoints",
                "states of the message queue that are stored; each L1 block with a message uses one",
            ),
            self.row("messages.max_gas", "maximum gas of a message from L1"),
            self.row("messages.max_data", "maximum size of a message's data, in bytes"),
            self.row(
                "messages.fee_percent",
                "percentage of its delivery's cost on L1 that a message pays",
            ),
            self.row(
                "guardian.limit_gwei",
                "total amount of claims without a call during a guardian's pause",
            ),
            self.row("forced.max_gas", "maximum gas of a forced transfer"),
            self.row(
                "forced.max_bounded_gas",
                "maximum gas of a forced call to the messenger or the bridge",
            ),
            self.row(
                "forced.fee_percent",
                "percentage of its cost on L1 that a forced transaction pays; the fee is burned",
            ),
            self.row("bridge.enabled", bridge),
        ]
    }
}

/// A number of seconds, displayed in the largest unit that divides it.
struct Duration(u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        let (count, unit) = units
            .into_iter()
            .find(|(length, _)| self.0 >= *length && self.0.is_multiple_of(*length))
            .map_or((self.0, "second"), |(length, unit)| (self.0 / length, unit));
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_uses_largest_whole_unit() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (5_400, "90 minutes"),
            (3_600, "1 hour"),
            (604_800, "7 days"),
            (86_401, "86401 seconds"),
        ] {
            assert_eq!(Duration(seconds).to_string(), expected);
        }
    }
}
