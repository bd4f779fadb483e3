//! Flags of `enshrine devnet` after `--`.

use super::error::LocalnetError;
use clap::{Args as _, Command, FromArgMatches as _, parser::ValueSource};
use devnet::{DevnetConfig, args::DevnetArgs};
use eyre::Result;

/// Flags that change neither the state from which L1 starts nor the rules on which the rollup
/// relies. The others are flags of the localnet, or fixed.
const ACCEPTED: [&str; 30] = [
    // Pool and blocks.
    "auto-impersonate",
    "disable-min-priority-fee",
    "disable-pool-balance-checks",
    "gas-price",
    "max-transactions",
    "order",
    "slots-in-an-epoch",
    // Server.
    "allow-origin",
    "call-timeout-ms",
    "http-api",
    "http-vhosts",
    "ipc",
    "max-body-size",
    "max-connections",
    "max-connections-per-address",
    "max-held-bytes",
    "max-queued-bytes",
    "max-response-bytes",
    "max-subscriptions",
    "max-subscriptions-per-connection",
    "max-trace-bytes",
    "no-cors",
    "no-request-size-limit",
    "request-timeout-ms",
    "sync-timeout-ms",
    "threads",
    "trace-timeout-ms",
    "ws-api",
    // Traces and states of L1.
    "preserve-historical-states",
    "steps-tracing",
];

/// Converts the flags to a configuration of L1.
pub(super) fn config(flags: &[String]) -> Result<DevnetConfig> {
    if flags.is_empty() {
        return Ok(DevnetConfig { console: false, ..DevnetConfig::default() });
    }
    let command = Command::new("enshrine localnet --").no_binary_name(true);
    let command = DevnetArgs::augment_args(command);
    let names: Vec<_> = command
        .get_arguments()
        .filter_map(|argument| Some((argument.get_id().clone(), argument.get_long()?.to_owned())))
        .collect();
    let matches = command.try_get_matches_from(flags)?;
    for (id, name) in names {
        let is_given = matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        if is_given && !ACCEPTED.contains(&name.as_str()) {
            let (got, expected) = (format!("--{name}"), format!("--{}", ACCEPTED.join(", --")));
            return Err(LocalnetError::DevnetFlag { got, expected }.into());
        }
    }
    let config = DevnetArgs::from_arg_matches(&matches)?.config()?;
    Ok(DevnetConfig { console: false, ..config })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: &[&str]) -> Result<DevnetConfig> {
        config(&flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_independent_devnet_flags_are_accepted() {
        let config =
            parsed(&["--order", "fifo", "--max-connections=7", "--steps-tracing"]).unwrap();
        assert_eq!((config.server.max_connections, config.order_by_fees), (7, false));
        assert!(config.steps_tracing && !config.console);
        for refused in ["--port=1", "--chain-id=1", "--no-execute", "--block-time=2", "--json"] {
            let error = parsed(&["--steps-tracing", refused]).unwrap_err();
            let error: LocalnetError = error.downcast().unwrap();
            let LocalnetError::DevnetFlag { got, .. } = error else { panic!("{error}") };
            assert!(refused.starts_with(&got), "{got}");
        }
        assert!(parsed(&["--max-connections=-1"]).unwrap_err().is::<clap::Error>());
    }

    #[test]
    fn accepted_devnet_flags_exist() {
        let command = DevnetArgs::augment_args(Command::new("devnet"));
        let all: Vec<_> =
            command.get_arguments().filter_map(|argument| argument.get_long()).collect();
        for flag in ACCEPTED {
            assert!(all.contains(&flag), "{flag}");
        }
    }

    /// Without flags, L1 is configured as with flags that change nothing.
    #[test]
    fn absent_devnet_flags_are_defaults() {
        let config = parsed(&["--order", "fees"]).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", parsed(&[]).unwrap()));
    }
}
