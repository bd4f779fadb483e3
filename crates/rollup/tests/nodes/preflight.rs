//! Configuration mistakes, reported before the node serves requests.

use crate::support::{ADVANCE, DevnetRollup};
use alloy_primitives::{Address, B256, U256};
use alloy_provider::ext::AnvilApi as _;
use enshrine_rollup::{
    Check, CheckOutcome, Config, Role, RollupError, RollupNode, ServiceError, Signer, preflight,
};
use eyre::{OptionExt as _, Result, bail};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};
use testkit::Key;

/// Runs the checks on a thread that may block.
async fn checks(config: &Config) -> Result<Vec<Check>> {
    let config = config.clone();
    Ok(tokio::task::spawn_blocking(move || preflight(&config)).await??)
}

fn named<'c>(checks: &'c [Check], name: &str) -> Result<&'c Check> {
    checks.iter().find(|check| check.name == name).ok_or_eyre("no such check")
}

/// Starts a node that must fail its preflight, and returns the failed check.
async fn refused(config: Config) -> Result<Check> {
    match RollupNode::start(config).await {
        Err(RollupError::Service(ServiceError::Preflight(check))) => Ok(*check),
        Err(error) => Err(error.into()),
        Ok(_) => bail!("the node starts"),
    }
}

fn sequencer(rollup: &DevnetRollup) -> Result<Config> {
    Ok(rollup.config(rollup.sequencer_role()?))
}

/// Returns a configuration with a changed field in its deployment file.
fn with_field(
    mut config: Config,
    field: &str,
    value: Value,
) -> Result<(tempfile::TempDir, Config)> {
    let folder = tempfile::tempdir()?;
    let mut deployment: Value = serde_json::from_slice(&fs::read(&config.deployment)?)?;
    deployment[field] = value;
    if let Ok(genesis) = fs::read(config.deployment.with_file_name("genesis.json")) {
        fs::write(folder.path().join("genesis.json"), genesis)?;
    }
    config.deployment = folder.path().join("deployment.json");
    fs::write(&config.deployment, deployment.to_string())?;
    Ok((folder, config))
}

/// Starts a beacon API that reports this execution chain id and returns its URL.
fn consensus_client(chain: u64) -> Result<String> {
    consensus_client_from(chain, 0)
}

/// Starts a beacon API that also reports this genesis time.
fn consensus_client_from(chain: u64, genesis_time: u64) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let data = match first.split(' ').nth(1).unwrap_or_default() {
                "/eth/v1/beacon/genesis" => json!({ "genesis_time": genesis_time.to_string() }),
                "/eth/v1/config/spec" => json!({ "SECONDS_PER_SLOT": "1" }),
                _ => json!({ "chain_id": chain.to_string() }),
            };
            let body = json!({ "data": data }).to_string();
            let length = body.len();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let _ = write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        }
    });
    Ok(url)
}

#[tokio::test(flavor = "multi_thread")]
async fn correct_configuration_passes_all_checks() -> Result<()> {
    let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
    let config = Config { l1_beacon: vec![consensus_client(31_337)?], ..sequencer(&rollup)? };
    let checks = checks(&config).await?;
    for name in [
        "genesis state",
        "L1",
        "first L1 block",
        "sequencing policy",
        "float on L1",
        "consensus client",
    ] {
        let check = named(&checks, name)?;
        assert_eq!((check.verdict, check.advice), (CheckOutcome::Passed, None), "{check}");
    }
    RollupNode::start(config).await?.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_keys_are_rejected() -> Result<()> {
    let rollup = DevnetRollup::with_sequencer(ADVANCE).await?;
    let mut config = rollup.sequencer_config()?;
    core::mem::swap(&mut config.advance_key, &mut config.operator_key);
    let check = refused(rollup.config(Role::Sequencer(Box::new(config)))).await?;
    assert_eq!(check.name, "sequencing policy");
    assert!(check.got.contains(&ADVANCE.to_string()), "{check}");
    assert!(check.to_string().contains("exchange --advance-key"), "{check}");
    Ok(())
}

/// No error, since the policy may admit the account later.
#[tokio::test(flavor = "multi_thread")]
async fn account_outside_sequencing_policy_is_a_warning() -> Result<()> {
    let rollup = DevnetRollup::with_sequencer(Address::repeat_byte(9)).await?;
    let config = sequencer(&rollup)?;
    let checks = checks(&config).await?;
    let check = named(&checks, "sequencing policy")?;
    assert_eq!(check.verdict, CheckOutcome::Warning);
    assert!(check.got.contains("not admitted"), "{check}");
    RollupNode::start(config).await?.stop().await;
    Ok(())
}

/// An earlier first block only makes the node read more of L1.
#[tokio::test(flavor = "multi_thread")]
async fn first_block_after_deployment_is_rejected() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let config = sequencer(&rollup)?;
    let deployed: Value = serde_json::from_slice(&fs::read(&config.deployment)?)?;
    let deployed = deployed["l1Block"].as_u64().ok_or_eyre("a number")?;
    rollup.provider.anvil_mine(Some(10), None).await?;
    let head = alloy_provider::Provider::get_block_number(&rollup.provider).await?;
    let (_folder, late) = with_field(config.clone(), "l1Block", json!(head))?;
    let check = refused(late).await?;
    assert_eq!(check.name, "first L1 block");
    assert!(check.got.starts_with(&format!("block {head}, but they have logs")), "{check}");
    for early in [0, deployed] {
        let (_folder, config) = with_field(config.clone(), "l1Block", json!(early))?;
        let checks = checks(&config).await?;
        assert_eq!(named(&checks, "first L1 block")?.verdict, CheckOutcome::Passed, "{early}");
    }
    let (_folder, ahead) = with_field(config, "l1Block", json!(head + 1_000))?;
    let checks = checks(&ahead).await?;
    assert_eq!(named(&checks, "first L1 block")?.verdict, CheckOutcome::Warning);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn account_without_ether_is_a_warning() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let poor = Key::named("poor");
    let mut config = rollup.sequencer_config()?;
    config.advance_key = Signer::new("advance_key", B256::from(poor.secret()))?;
    let config = rollup.config(Role::Sequencer(Box::new(config)));
    let before = checks(&config).await?;
    let check = named(&before, "float on L1")?;
    assert_eq!(check.verdict, CheckOutcome::Warning);
    assert!(check.to_string().contains(&format!("{} has 0 wei", poor.address())), "{check}");
    rollup.provider.anvil_set_balance(poor.address(), U256::from(1)).await?;
    let after = checks(&config).await?;
    assert_eq!(named(&after, "float on L1")?.verdict, CheckOutcome::Passed);
    Ok(())
}

/// It is only a warning if another one is usable, or if it does not respond.
#[tokio::test(flavor = "multi_thread")]
async fn consensus_client_of_another_l1_is_rejected() -> Result<()> {
    let rollup = DevnetRollup::new().await?;
    let with =
        |url: String| Ok::<_, eyre::Report>(Config { l1_beacon: vec![url], ..sequencer(&rollup)? });
    let check = refused(with(consensus_client(1)?)?).await?;
    assert_eq!(check.name, "consensus client");
    assert!(check.got.contains("of chain 1"), "{check}");
    // If others are usable, a client of another L1 or with a later genesis is only a warning.
    let several = vec![consensus_client(1)?, consensus_client(31_337)?];
    let config = Config { l1_beacon: several, ..sequencer(&rollup)? };
    let verdicts = |checks: &[Check]| -> Vec<_> {
        let ours = checks.iter().filter(|check| check.name == "consensus client");
        ours.map(|check| check.verdict).collect()
    };
    assert_eq!(verdicts(&checks(&config).await?), [CheckOutcome::Warning, CheckOutcome::Passed]);
    let later = with(consensus_client_from(31_337, u64::from(u32::MAX))?)?;
    assert_eq!(verdicts(&checks(&later).await?), [CheckOutcome::Warning]);
    RollupNode::start(later).await?.stop().await;
    let silent = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let checks = checks(&with(format!("http://{silent}"))?).await?;
    assert_eq!(named(&checks, "consensus client")?.verdict, CheckOutcome::Warning);
    Ok(())
}
