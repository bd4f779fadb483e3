//! Reading of deployment files.

use alloy_primitives::{Address, B256};
use chain::{Chain, ChainConfig, spec_of};
use enshrine_contracts::{
    Deployment, DeploymentError, Predeploys, Verification, l2_chain_config, l2_genesis,
};
use eyre::Result;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;
use wire::ProtocolFork;

/// A folder, and the content of a deployment file as the script writes it.
struct Files {
    folder: TempDir,
    deployment: Value,
    genesis: Value,
}

impl Files {
    fn new() -> Result<Self> {
        let mut genesis =
            l2_genesis(&Predeploys::built_in(), ProtocolFork::Osaka, 10_000_000, 1_700_000_000);
        genesis.config = l2_chain_config(8_079, ProtocolFork::Osaka);
        let chain = Chain::new(&genesis, ChainConfig::new(spec_of(&genesis.config)))?;
        let deployment = json!({
            "l1ChainId": 31_337,
            "l1Block": 7,
            "l2ChainId": 8_079,
            "genesisHash": chain.head().hash,
            "genesisStateRoot": chain.head().header.state_root,
            "deployer": Address::repeat_byte(1),
            "rollup": Address::repeat_byte(2),
            "messageQueue": Address::repeat_byte(3),
            "forced": Address::repeat_byte(4),
            "policy": Address::ZERO,
            "l1Bridge": Address::repeat_byte(6),
            "l2Bridge": Address::repeat_byte(7),
        });
        let genesis = serde_json::to_value(genesis)?;
        Ok(Self { folder: tempfile::tempdir()?, deployment, genesis })
    }

    /// Writes a deployment file with an inline genesis and these fields changed, and reads it.
    fn read_with(&self, changes: &[(&str, Value)]) -> Result<Deployment, DeploymentError> {
        let mut file = self.deployment.clone();
        file["genesis"] = self.genesis.clone();
        for (pointer, value) in changes {
            match file.pointer_mut(pointer) {
                Some(place) => *place = value.clone(),
                None => panic!("no {pointer}"),
            }
        }
        self.read(&file)
    }

    /// Reads a deployment file with this field.
    fn with(&self, field: &str, value: Value) -> Result<Deployment, DeploymentError> {
        let mut file = self.deployment.clone();
        file["genesis"] = self.genesis.clone();
        file[field] = value;
        self.read(&file)
    }

    /// Asserts that deployment files with these values of a field are rejected.
    #[track_caller]
    fn assert_refused(&self, field: &'static str, values: impl IntoIterator<Item = Value>) {
        for value in values {
            let refused = self.with(field, value.clone()).unwrap_err();
            let DeploymentError::Invalid { field: got, .. } = refused else { panic!("{refused}") };
            assert_eq!(got, field, "{value}");
        }
    }

    fn read(&self, file: &Value) -> Result<Deployment, DeploymentError> {
        let path = self.folder.path().join("deployment.json");
        fs::write(&path, file.to_string()).unwrap();
        Deployment::read(&path)
    }
}

#[test]
fn registry_of_bonds_is_optional() -> Result<()> {
    let (files, bonds) = (Files::new()?, Address::repeat_byte(8));
    assert_eq!(files.read_with(&[])?.preconf_bonds, Address::ZERO);
    assert_eq!(files.with("preconfBonds", json!(bonds))?.preconf_bonds, bonds);
    files.assert_refused("preconfBonds", [json!("deploy")]);
    Ok(())
}

#[test]
fn verification_has_a_known_kind() -> Result<()> {
    let files = Files::new()?;
    for (kind, expected) in [("native", Verification::Native), ("verified", Verification::Verified)]
    {
        let read = files.with("verification", json!({ "kind": kind }))?;
        assert_eq!(read.verification, expected);
    }
    let others = [json!({ "kind": "quorum?" }), json!({}), json!("native"), Value::Null];
    files.assert_refused("verification", others);
    Ok(())
}

#[test]
fn exit_is_zero_if_absent() -> Result<()> {
    let (files, exit) = (Files::new()?, Address::repeat_byte(9));
    assert_eq!(files.read_with(&[])?.exit, Address::ZERO);
    assert_eq!(files.with("exit", json!(exit))?.exit, exit);
    files.assert_refused("exit", [json!("none"), Value::Null]);
    Ok(())
}

#[test]
fn deployment_is_read_with_inline_or_separate_genesis() -> Result<()> {
    let files = Files::new()?;
    let inside = files.read_with(&[])?;
    assert_eq!(inside.l1_chain_id, 31_337);
    assert_eq!(inside.l1_block, 7);
    assert_eq!(inside.l2_chain_id, 8_079);
    assert_eq!(inside.deployer, Address::repeat_byte(1));
    assert_eq!(inside.rollup, Address::repeat_byte(2));
    assert_eq!(inside.message_queue, Address::repeat_byte(3));
    assert_eq!(inside.forced, Address::repeat_byte(4));
    assert_eq!(inside.policy, Address::ZERO);
    assert_eq!(inside.l1_bridge, Address::repeat_byte(6));
    assert_eq!(inside.l2_bridge, Address::repeat_byte(7));
    assert_eq!(serde_json::to_value(&inside.genesis)?, files.genesis);

    assert_eq!(inside.verification, Verification::Native);

    let alone = files.read(&files.deployment).unwrap_err();
    assert!(matches!(alone, DeploymentError::NoGenesis { .. }), "{alone}");
    assert!(alone.to_string().contains("genesis.json"), "{alone}");
    fs::write(files.folder.path().join("genesis.json"), files.genesis.to_string())?;
    assert_eq!(files.read(&files.deployment)?, inside);

    // forge writes numbers that a double cannot represent as strings.
    let large = files.read_with(&[("/l1ChainId", json!("18446744073709551615"))])?;
    assert_eq!(large.l1_chain_id, u64::MAX);
    Ok(())
}

#[test]
fn invalid_field_error_names_field_and_rule() -> Result<()> {
    let files = Files::new()?;
    let hash = B256::repeat_byte(9).to_string();
    let cases = [
        ("/l1ChainId", json!("18446744073709551616"), "a number below 2^64"),
        ("/l1Block", json!(-1), "a number below 2^64"),
        ("/l2ChainId", json!(1.5), "a number below 2^64"),
        ("/l2ChainId", json!(8_080), "config.chainId is 8079"),
        ("/genesisHash", json!("0x00"), "64 hexadecimal digits"),
        ("/genesisStateRoot", json!(7), "64 hexadecimal digits"),
        ("/genesisHash", json!(hash), "another genesis"),
        ("/genesisStateRoot", json!(hash), "another genesis"),
        ("/deployer", json!("alice"), "40 hexadecimal digits"),
        ("/rollup", json!(Address::ZERO), "the address of a contract"),
        ("/messageQueue", json!(Address::ZERO), "the address of a contract"),
        ("/forced", json!(Address::ZERO), "the address of a contract"),
        ("/policy", json!("0202020202020202020202020202020202020202"), "0x and 40"),
        ("/l1Bridge", json!(null), "40 hexadecimal digits"),
        ("/l2Bridge", json!("0x02"), "40 hexadecimal digits"),
        ("/genesis", json!("genesis.json"), "cannot be read"),
        ("/genesis/gasLimit", json!("0x989681"), "another genesis"),
        ("/genesis/timestamp", json!("many"), "cannot be read"),
        ("/genesis/alloc/0x8079000000000000000000000000000000000002/balance", json!("0x1"), "root"),
        ("/genesis/config/pragueTime", json!(1_700_000_001), "Prague"),
        ("/genesis/config/londonBlock", json!(1), "London"),
        ("/genesis/config/blobSchedule/osaka/max", json!(8), "config.blobSchedule"),
    ];
    for (pointer, value, rule) in cases {
        let error = files.read_with(&[(pointer, value.clone())]).map(|_| ()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(rule), "{pointer} = {value}: {error}");
        let names_field = error.contains(pointer.rsplit('/').next().unwrap());
        assert!(
            names_field || pointer.starts_with("/genesis") || rule.contains("chainId"),
            "{error}"
        );
    }
    // A fork before Prague.
    let config = json!({ "chainId": 8_079, "londonBlock": 0, "terminalTotalDifficulty": 0 });
    let error = files.read_with(&[("/genesis/config", config)]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("a rollup starts with Prague"), "{error}");
    // A deposit contract would cause requests that EXECUTE does not expect.
    let mut config = files.genesis["config"].clone();
    config["depositContractAddress"] = json!(Address::repeat_byte(1));
    let error = files.read_with(&[("/genesis/config", config.clone())]).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("config.depositContractAddress"), "{error}");
    config["depositContractAddress"] = json!(Address::ZERO);
    files.read_with(&[("/genesis/config", config)])?;
    Ok(())
}

#[test]
fn each_missing_field_is_named() -> Result<()> {
    let files = Files::new()?;
    fs::write(files.folder.path().join("genesis.json"), files.genesis.to_string())?;
    let names: Vec<_> = files.deployment.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 12);
    for name in names {
        let mut file = files.deployment.clone();
        file.as_object_mut().unwrap().remove(&name);
        let error = files.read(&file).unwrap_err();
        assert!(
            matches!(error, DeploymentError::Missing { field, .. } if field == name),
            "{error}"
        );
    }
    files.read(&files.deployment)?;
    let nowhere = Deployment::read(&files.folder.path().join("nowhere.json")).unwrap_err();
    assert!(matches!(nowhere, DeploymentError::Io { .. }), "{nowhere}");
    Ok(())
}
