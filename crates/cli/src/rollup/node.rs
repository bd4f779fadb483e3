//! `enshrine node`: configuration, checks, start and shutdown of a rollup node.

mod config;
mod flags;
mod lease;
mod values;

use super::{key_source::refuse_secret, keys::read_short};
use crate::output::{self, say};
use ::rollup::{Check, CheckOutcome, Config, RollupNode, WatchConfig, WatchReport};
use clap::{Args, ValueEnum};
use eyre::{Report, Result, WrapErr as _};
use serde::{Deserialize, Serialize};
use std::{env, path::PathBuf, process::ExitCode, sync::mpsc::Sender, time::Duration};
use tokio::time;
use values::Values;

/// Maximum time for a graceful shutdown. [`RollupNode::stop`] waits up to one second each for its
/// threads and its background tasks, and resigns the lease in between.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Prefix of the environment variables.
const PREFIX: &str = "ENSHRINE_";

/// Each value is taken from its flag, else from ENSHRINE_NAME in the environment, else from the
/// file of --config, else from its default.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    sources: Sources,
    /// Print the resulting configuration without secrets, and exit.
    #[arg(long)]
    print_config: bool,
    /// Check the configuration against L1, print each check, and exit: with 0 if all passed, else
    /// with 1.
    #[arg(long, conflicts_with = "print_config")]
    check: bool,
    /// Print the checks as JSON.
    #[arg(long, requires = "check")]
    json: bool,
}

/// Flags and file with the values of a node's configuration.
#[derive(Debug, Args)]
pub(super) struct Sources {
    /// TOML file with values under the names of the flags (`http_port` for --http-port).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    values: Values,
}

/// Role of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoleName {
    /// Builds blocks and posts them to L1.
    Sequencer,
    /// Derives the L2 from L1.
    Follower,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let values = arguments.sources.values()?;
    if arguments.print_config {
        let text = toml::to_string(&values.redacted())
            .wrap_err("cannot serialise the configuration as TOML")?;
        output::write(format_args!("{text}"));
        return Ok(ExitCode::SUCCESS);
    }
    let config = values.config()?;
    if arguments.check {
        return check(&config, arguments.json);
    }
    start(config)
}

/// Runs a follower that watches the sequencer, and sends its reports to this channel.
pub(super) fn watch(sources: &Sources, reports: Sender<WatchReport>) -> Result<ExitCode> {
    let values = sources.values()?;
    let watching = values.watching()?;
    let config = values.config()?;
    start(Config { watch: Some(WatchConfig { reports: Some(reports), ..watching }), ..config })
}

fn start(config: Config) -> Result<ExitCode> {
    rpc::allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config));
    // Blocking tasks may be waiting for an L1 node that does not respond.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Returns the configuration with these values, under the names of the flags, and the defaults of
/// all others.
pub(crate) fn configured(values: toml::Table) -> Result<Config> {
    let mut all = toml::Table::try_from(Values::defaults()).wrap_err("invalid defaults")?;
    all.extend(checked(values)?);
    all.try_into::<Values>().wrap_err("invalid configuration")?.config()
}

/// Runs the checks of a node's start and prints them.
fn check(config: &Config, json: bool) -> Result<ExitCode> {
    let checks = ::rollup::preflight(config)?;
    if json {
        say!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for Check { name, verdict, got, expected, advice } in &checks {
            let mark = match verdict {
                CheckOutcome::Passed => "passed ",
                CheckOutcome::Warning => "WARNING",
                CheckOutcome::Refused => "REFUSED",
            };
            say!("{mark}  {name}: {got}");
            if let Some(advice) = advice {
                say!("         expected {expected}");
                say!("         {advice}");
            }
        }
    }
    let has_passed = checks.iter().all(|check| check.verdict == CheckOutcome::Passed);
    Ok(if has_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs a node until the process receives a termination signal.
async fn serve(config: Config) -> Result<()> {
    let mut end = rpc::termination().wrap_err("cannot listen for signals")?;
    let node = tokio::select! {
        started = RollupNode::start(config) => started?,
        _ = &mut end => return Ok(()),
    };
    for address in node.server().addresses() {
        say!("Listening on {address}");
    }
    if let Some(address) = node.engine_address() {
        say!("Engine API on {address}");
    }
    // A closed channel is treated as a termination signal.
    let panicked = tokio::select! {
        _ = end => None,
        panicked = node.failed() => Some(panicked),
    };
    tracing::info!("stopping");
    if time::timeout(SHUTDOWN_TIMEOUT, node.stop()).await.is_err() {
        tracing::warn!("shutdown timed out, abandoning remaining tasks");
    }
    // Exit with an error, so that a service manager restarts the node. Everything that it has
    // acknowledged is on disk.
    panicked.map_or(Ok(()), |panicked| Err(panicked.into()))
}

impl Sources {
    /// Merges the values of all sources. Flags take precedence over the environment, the file and
    /// the defaults.
    fn values(&self) -> Result<Values> {
        refuse_secret("--advance-key", self.values.advance_key.as_deref())?;
        refuse_secret("--operator-key", self.values.operator_key.as_deref())?;
        refuse_secret("--reporter-key", self.values.reporter_key.as_deref())?;
        let flags = toml::Table::try_from(&self.values).wrap_err("invalid flags")?;
        let mut all = toml::Table::try_from(Values::defaults()).wrap_err("invalid defaults")?;
        all.extend(match &self.config {
            Some(path) => {
                let context = || format!("cannot read {}", path.display());
                let text = read_short(path).wrap_err_with(context)?;
                let text = String::from_utf8(text).wrap_err_with(context)?;
                let values = text.parse::<toml::Table>().map_err(Report::new);
                values.and_then(checked).wrap_err_with(|| path.display().to_string())?
            }
            None => toml::Table::new(),
        });
        for (name, value) in from_environment() {
            let variable = format!("{PREFIX}{}", name.to_uppercase());
            let value = checked([(name, value)].into_iter().collect()).wrap_err(variable)?;
            all.extend(value);
        }
        all.extend(flags);
        all.try_into().wrap_err("invalid configuration")
    }
}

/// Returns the table if the configuration has all its keys, with values of their types. Each source
/// is checked separately, so that an error contains the file or the variable.
fn checked(table: toml::Table) -> Result<toml::Table> {
    let _: Values = table.clone().try_into()?;
    Ok(table)
}

/// Returns the values in the environment, parsed as numbers, booleans or lists where the
/// configuration has such values.
fn from_environment() -> toml::Table {
    let known = toml::Table::try_from(Values::all()).unwrap_or_default();
    known
        .into_iter()
        .filter_map(|(name, example)| {
            let text = env::var(format!("{PREFIX}{}", name.to_uppercase())).ok()?;
            let number = text.parse::<i64>().ok().filter(|_| example.is_integer());
            let flag = text.parse::<bool>().ok().filter(|_| example.is_bool());
            let value = match number {
                Some(number) => number.into(),
                None if flag.is_some() => flag.unwrap_or_default().into(),
                None if example.is_array() => text.split(',').collect::<Vec<_>>().into(),
                None => text.into(),
            };
            Some((name, value))
        })
        .collect()
}
