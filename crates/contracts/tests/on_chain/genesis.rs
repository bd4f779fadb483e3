//! Genesis state of an L2.

use alloy_hardforks::{EthereumHardfork, EthereumHardforks as _};
use alloy_primitives::U256;
use chain::{Chain, ChainConfig, spec_of};
use enshrine_contracts::{
    PREMINT, Predeploys, l2_chain_config, l2_chain_config_following, l2_genesis,
};
use executor::ChainSpec;
use eyre::Result;
use testkit::Artifacts;
use wire::ProtocolFork;

const FORKS: [ProtocolFork; 5] = [
    ProtocolFork::Prague,
    ProtocolFork::Osaka,
    ProtocolFork::Bpo1,
    ProtocolFork::Bpo2,
    ProtocolFork::Amsterdam,
];

#[test]
fn built_in_predeploys_match_compiled_contracts() -> Result<()> {
    let compiled = Artifacts::load(&toolchain::progress_to_stderr)?.predeploys()?;
    let built_in = Predeploys::built_in();
    let renew = |name: &str, code: &[u8]| {
        format!("write this into crates/contracts/predeploys/{name}.hex: {}", hex(code))
    };
    assert!(built_in.l1_anchor == compiled.l1_anchor, "{}", renew("L1Anchor", &compiled.l1_anchor));
    assert!(
        built_in.l2_messenger == compiled.l2_messenger,
        "{}",
        renew("L2Messenger", &compiled.l2_messenger)
    );
    assert!(
        built_in.l2_accounts == compiled.l2_accounts,
        "{}",
        renew("L2Accounts", &compiled.l2_accounts)
    );
    assert_ne!(built_in.l1_anchor, built_in.l2_messenger);
    Ok(())
}

/// The contracts reject a forced transaction whose gas costs 2^128 wei or more at its fee cap. No
/// account can have more than the premint, so no affordable transaction is rejected for this.
#[test]
fn premint_is_below_maximum_transaction_cost() {
    assert!(PREMINT <= U256::ONE << 128);
}

fn hex(code: &[u8]) -> String {
    alloy_primitives::hex::encode(code)
}

#[test]
fn l2_chain_config_matches_execute_rules() -> Result<()> {
    for fork in FORKS {
        let own = ChainSpec::for_input(8_079, fork);
        let read = spec_of(&l2_chain_config(8_079, fork));
        assert_eq!(read.chain_id(), own.chain_id());
        assert_eq!(read.deposit_contract(), own.deposit_contract());
        for hardfork in EthereumHardfork::VARIANTS {
            let (got, expected) =
                (read.ethereum_fork_activation(*hardfork), own.ethereum_fork_activation(*hardfork));
            assert_eq!(got, expected, "{hardfork} in {}", fork.name());
        }
        assert_eq!(read.blob_params_at(0), own.blob_params_at(0), "{}", fork.name());
        assert_eq!(read.fork_at(0), Some(fork));

        // The genesis as a file has the same first block.
        let mut genesis = l2_genesis(&Predeploys::built_in(), fork, 10_000_000, 1_700_000_000);
        let expected = Chain::new(&genesis, ChainConfig::new(own))?.head().hash;
        genesis.config = l2_chain_config(8_079, fork);
        let text = serde_json::to_string(&genesis)?;
        let genesis: alloy_genesis::Genesis = serde_json::from_str(&text)?;
        let first = Chain::new(&genesis, ChainConfig::new(spec_of(&genesis.config)))?;
        assert_eq!(first.head().hash, expected, "{}", fork.name());
    }
    Ok(())
}

/// An unmodified client activates forks by its genesis file, which has the fork timestamps of L1.
#[test]
fn l2_chain_config_follows_l1_forks() -> Result<()> {
    use ProtocolFork::{Amsterdam, Bpo2, Osaka, Prague};
    let later = [(Osaka, 1_000), (Bpo2, 2_000), (Amsterdam, 3_000)];
    let l1 = ChainSpec::scheduled(1_337, Prague, &later);
    let config = l2_chain_config_following(8_079, Prague, &later);
    let read: alloy_genesis::ChainConfig = serde_json::from_str(&serde_json::to_string(&config)?)?;
    let read = spec_of(&read);
    for time in [0, 999, 1_000, 1_999, 2_000, 2_999, 3_000, u64::MAX] {
        assert_eq!(read.fork_at(time), l1.fork_at(time), "{time}");
        assert_eq!(read.blob_params_at(time), l1.blob_params_at(time), "{time}");
    }
    // BPO1, which is not scheduled, activates with BPO2.
    assert_eq!(config.bpo1_time, config.bpo2_time);
    // Clients reject a fork without blob parameters.
    let names = ["cancun", "prague", "osaka", "bpo1", "bpo2", "amsterdam"];
    assert!(names.iter().all(|name| config.blob_schedule.contains_key(*name)));
    let until_osaka = l2_chain_config_following(8_079, Prague, &later[..1]);
    assert_eq!((until_osaka.osaka_time, until_osaka.bpo1_time), (Some(1_000), None));
    assert!(!until_osaka.blob_schedule.contains_key("bpo1"));
    Ok(())
}
