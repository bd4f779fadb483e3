//! `eth_config` (EIP-7910): configurations of the current, next and last fork.

use crate::{Api, Registry, RpcError};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B256, U64};
use chain::ChainConfig;
use executor::{ChainSpec, SYSTEM_CONTRACTS};
use revm::precompile::{PrecompileId, PrecompileSpecId, Precompiles};
use serde_json::{Map, Value, json};
use variants::ExecuteExtension;

pub(crate) fn register(methods: &mut Registry<Api>) {
    methods.inline("eth_config", |api, _| config(api));
}

fn config(api: &Api) -> Result<Value, RpcError> {
    let chain = api.chain();
    let now = chain.head().header.timestamp;
    let config = chain.config();
    let times = activations(&config.spec);
    let genesis = chain.canonical_block(chain.first_number())?;
    let current = times.iter().copied().rfind(|time| *time <= now).unwrap_or_default();
    let next = times.iter().copied().find(|time| *time > now);
    let last = times.last().copied().filter(|time| *time > now);
    let at = |time: u64| describe(config, genesis.as_deref(), time);
    Ok(json!({ "current": at(current), "next": next.map(at), "last": last.map(at) }))
}

/// Timestamps at which the rules change, ascending.
fn activations(spec: &ChainSpec) -> Vec<u64> {
    let mut times: Vec<u64> = EthereumHardfork::VARIANTS
        .iter()
        .filter_map(|fork| spec.ethereum_fork_activation(*fork).as_timestamp())
        .collect();
    times.sort_unstable();
    times.dedup();
    times
}

fn describe(config: &ChainConfig, genesis: Option<&chain::Block>, time: u64) -> Value {
    let spec = &config.spec;
    let fork = spec.hardfork_at(u64::MAX, time);
    let blobs = spec.blob_params_at(time).map(|params| {
        json!({
            "target": params.target_blob_count, "max": params.max_blob_count,
            "baseFeeUpdateFraction": params.update_fraction,
        })
    });
    let genesis_hash = genesis.map_or(B256::ZERO, |block| block.hash);
    let genesis_time = genesis.map_or(0, |block| block.header.timestamp);
    json!({
        "activationTime": time,
        "blobSchedule": blobs,
        "chainId": U64::from(spec.chain_id()),
        "forkId": format!("{:#010x}", fork_id(spec, genesis_hash, genesis_time, time)),
        "precompiles": precompiles(config, fork),
        "systemContracts": system_contracts(config, fork),
    })
}

/// Returns the fork id checksum (EIP-2124) over the genesis hash and all forks up to a time.
fn fork_id(spec: &ChainSpec, genesis: B256, genesis_time: u64, time: u64) -> u32 {
    let (mut blocks, mut times) = (Vec::new(), Vec::new());
    for fork in EthereumHardfork::VARIANTS {
        match spec.ethereum_fork_activation(*fork) {
            ForkCondition::Block(number) if number > 0 => blocks.push(number),
            ForkCondition::TTD { fork_block: Some(number), .. } if number > 0 => {
                blocks.push(number);
            }
            ForkCondition::Timestamp(at) if at > genesis_time && at <= time => times.push(at),
            _ => {}
        }
    }
    for list in [&mut blocks, &mut times] {
        list.sort_unstable();
        list.dedup();
    }
    let mut checksum = crc32(u32::MAX, genesis.as_slice());
    for passed in blocks.into_iter().chain(times) {
        checksum = crc32(checksum, &passed.to_be_bytes());
    }
    !checksum
}

/// Updates a CRC-32 (IEEE) with more bytes, without the final inversion.
fn crc32(checksum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(checksum, |checksum, byte| {
        (0..8).fold(checksum ^ u32::from(*byte), |checksum, _| {
            (checksum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(checksum & 1))
        })
    })
}

/// Names and addresses of the precompiles, in EIP-7910's spelling.
fn precompiles(config: &ChainConfig, fork: EthereumHardfork) -> Map<String, Value> {
    let id = match fork {
        fork if fork >= EthereumHardfork::Osaka => PrecompileSpecId::OSAKA,
        fork if fork >= EthereumHardfork::Prague => PrecompileSpecId::PRAGUE,
        fork if fork >= EthereumHardfork::Cancun => PrecompileSpecId::CANCUN,
        fork if fork >= EthereumHardfork::Berlin => PrecompileSpecId::BERLIN,
        fork if fork >= EthereumHardfork::Istanbul => PrecompileSpecId::ISTANBUL,
        fork if fork >= EthereumHardfork::Byzantium => PrecompileSpecId::BYZANTIUM,
        _ => PrecompileSpecId::HOMESTEAD,
    };
    let mut named: Map<String, Value> = Precompiles::new(id)
        .inner()
        .values()
        .map(|precompile| (name(precompile.id()), json!(precompile.address())))
        .collect();
    if config.extension::<ExecuteExtension>().is_some() {
        named.insert("EXECUTE".to_owned(), json!(execute::EXECUTE_ADDRESS));
    }
    named
}

fn name(id: &PrecompileId) -> String {
    match id {
        PrecompileId::EcRec => "ECREC",
        PrecompileId::Sha256 => "SHA256",
        PrecompileId::Ripemd160 => "RIPEMD160",
        PrecompileId::Identity => "ID",
        PrecompileId::ModExp => "MODEXP",
        PrecompileId::Bn254Add => "BN254_ADD",
        PrecompileId::Bn254Mul => "BN254_MUL",
        PrecompileId::Bn254Pairing => "BN254_PAIRING",
        PrecompileId::Blake2F => "BLAKE2F",
        PrecompileId::KzgPointEvaluation => "KZG_POINT_EVALUATION",
        PrecompileId::Bls12G1Add => "BLS12_G1ADD",
        PrecompileId::Bls12G1Msm => "BLS12_G1MSM",
        PrecompileId::Bls12G2Add => "BLS12_G2ADD",
        PrecompileId::Bls12G2Msm => "BLS12_G2MSM",
        PrecompileId::Bls12Pairing => "BLS12_PAIRING_CHECK",
        PrecompileId::Bls12MapFpToGp1 => "BLS12_MAP_FP_TO_G1",
        PrecompileId::Bls12MapFp2ToGp2 => "BLS12_MAP_FP2_TO_G2",
        PrecompileId::P256Verify => "P256VERIFY",
        PrecompileId::Custom(name) => return name.clone().into_owned(),
    }
    .to_owned()
}

fn system_contracts(config: &ChainConfig, fork: EthereumHardfork) -> Map<String, Value> {
    let names = [
        "HISTORY_STORAGE_ADDRESS",
        "BEACON_ROOTS_ADDRESS",
        "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS",
        "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS",
        "BUILDER_DEPOSIT_CONTRACT_ADDRESS",
        "BUILDER_EXIT_CONTRACT_ADDRESS",
    ];
    let active = |since: wire::ProtocolFork| match since {
        wire::ProtocolFork::Cancun => fork >= EthereumHardfork::Cancun,
        wire::ProtocolFork::Prague => fork >= EthereumHardfork::Prague,
        _ => fork >= EthereumHardfork::Amsterdam,
    };
    let mut contracts: Map<String, Value> = SYSTEM_CONTRACTS
        .iter()
        .zip(names)
        .filter(|(contract, _)| active(contract.since))
        .map(|(contract, name)| (name.to_owned(), json!(contract.address)))
        .collect();
    if fork >= EthereumHardfork::Prague {
        let deposits = config.spec.deposit_contract().unwrap_or(Address::ZERO);
        contracts.insert("DEPOSIT_CONTRACT_ADDRESS".to_owned(), json!(deposits));
    }
    contracts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_matches_crc32() {
        assert_eq!(!crc32(u32::MAX, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn mainnet_fork_ids_match_eip_2124() {
        let genesis = alloy_primitives::b256!(
            "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"
        );
        // Shanghai and Cancun.
        let of = |time| fork_id(&ChainSpec::mainnet(), genesis, 0, time);
        assert_eq!(of(1_681_338_455), 0xdce9_6c2d);
        assert_eq!(of(1_710_338_135), 0x9f3d_2254);
    }
}
