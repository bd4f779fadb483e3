//! Header validation against the parent, for all forks.
//!
//! Since the merge, the rules are those of `stateless`; before it, headers have difficulties and
//! ommers. Seals are not checked.

use crate::store::{Block, Store};
use crate::{ChainError, genesis::INITIAL_BASE_FEE};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::{B256, U256};
use stateless::{ChainSpec, Invalid, next_base_fee, validate_header};
use wire::ProtocolFork;

/// Minimum difficulty of a block.
const MIN_DIFFICULTY: u64 = 131_072;
/// A gas limit differs from the parent's by less than the parent's divided by this.
const GAS_LIMIT_DIVISOR: u64 = 1_024;
/// Extra data of the first blocks from the DAO fork on, on the chain that activated it.
const DAO_EXTRA_DATA: &[u8] = b"dao-hard-fork";
const DAO_EXTRA_BLOCKS: u64 = 10;
/// Maximum number of generations from a block up to the parent of an ommer.
const OMMER_DEPTH: u64 = 7;
const MAX_OMMERS: usize = 2;

fn equal(field: &'static str, got: u64, expected: u64) -> Result<(), Invalid> {
    equal_wide(field, U256::from(got), U256::from(expected))
}

fn equal_wide(field: &'static str, got: U256, expected: U256) -> Result<(), Invalid> {
    (got == expected).then_some(()).ok_or(Invalid::Header { field, got, expected })
}

fn within(field: &'static str, got: u64, min: u64, max: u64) -> Result<(), Invalid> {
    let wide = U256::from;
    (min <= got && got <= max).then_some(()).ok_or(Invalid::HeaderRange {
        field,
        got: wide(got),
        min: wide(min),
        max: wide(max),
    })
}

/// Checks a header against its parent by the active rules.
pub(crate) fn check_header(
    header: &Header,
    parent: &Header,
    spec: &ChainSpec,
) -> Result<(), Invalid> {
    let fork = spec.hardfork_at(header.number, header.timestamp);
    check_fields(header, fork)?;
    if fork >= EthereumHardfork::Paris {
        equal_wide("difficulty", header.difficulty, U256::ZERO)?;
        equal("nonce", u64::from_be_bytes(header.nonce.0), 0)?;
        let fork = spec.fork_at(header.timestamp).unwrap_or(ProtocolFork::Paris);
        return validate_header(header, parent, fork, spec);
    }
    equal("number", header.number, parent.number.saturating_add(1))?;
    within("timestamp", header.timestamp, parent.timestamp.saturating_add(1), u64::MAX)?;
    within("extra data length", header.extra_data.len() as u64, 0, 32)?;
    if let Some(dao) = spec.ethereum_fork_activation(EthereumHardfork::Dao).block_number()
        && (dao..dao.saturating_add(DAO_EXTRA_BLOCKS)).contains(&header.number)
        && *header.extra_data != *DAO_EXTRA_DATA
    {
        let what = "extra data after the DAO fork";
        let got = B256::right_padding_from(&header.extra_data);
        let expected = B256::right_padding_from(DAO_EXTRA_DATA);
        return Err(Invalid::Commitment { what, got, expected });
    }
    // London doubles the gas limit, so that the gas target, half of the limit, stays the same
    // (EIP-1559).
    let starts_base_fee = header.base_fee_per_gas.is_some() && parent.base_fee_per_gas.is_none();
    let limit = parent.gas_limit.saturating_mul(if starts_base_fee { 2 } else { 1 });
    let slack = (limit / GAS_LIMIT_DIVISOR).saturating_sub(1);
    within("gas limit", header.gas_limit, (limit - slack).max(5_000), limit.saturating_add(slack))?;
    within("gas used", header.gas_used, 0, header.gas_limit)?;
    if let Some(base_fee) = header.base_fee_per_gas {
        equal("base fee", base_fee, base_fee_after(parent)?)?;
    }
    equal_wide("difficulty", header.difficulty, difficulty(header, parent, fork))
}

/// Returns the base fee of a child of `parent` that has one, in wei.
pub(crate) fn base_fee_after(parent: &Header) -> Result<u64, Invalid> {
    if parent.base_fee_per_gas.is_none() { Ok(INITIAL_BASE_FEE) } else { next_base_fee(parent) }
}

/// Checks that a header has exactly the fields of its fork.
fn check_fields(header: &Header, fork: EthereumHardfork) -> Result<(), Invalid> {
    use EthereumHardfork::{Amsterdam, Cancun, London, Prague, Shanghai};
    for (field, present, since) in [
        ("base fee present", header.base_fee_per_gas.is_some(), London),
        ("withdrawals root present", header.withdrawals_root.is_some(), Shanghai),
        ("blob gas used present", header.blob_gas_used.is_some(), Cancun),
        ("excess blob gas present", header.excess_blob_gas.is_some(), Cancun),
        ("parent beacon block root present", header.parent_beacon_block_root.is_some(), Cancun),
        ("requests hash present", header.requests_hash.is_some(), Prague),
        ("block access list hash present", header.block_access_list_hash.is_some(), Amsterdam),
        ("slot number present", header.slot_number.is_some(), Amsterdam),
    ] {
        equal(field, present.into(), (fork >= since).into())?;
    }
    Ok(())
}

/// Returns the difficulty of a proof-of-work block by the rules of its fork.
fn difficulty(header: &Header, parent: &Header, fork: EthereumHardfork) -> U256 {
    let minimum = U256::from(MIN_DIFFICULTY);
    let step = parent.difficulty / U256::from(2_048);
    let passed = header.timestamp.saturating_sub(parent.timestamp);
    // Number of steps by which the difficulty rises and falls.
    let (up, down) = if fork < EthereumHardfork::Homestead {
        if passed < 13 { (1, 0) } else { (0, 1) }
    } else if fork < EthereumHardfork::Byzantium {
        (1, (passed / 10).min(100))
    } else {
        let with_ommers = parent.ommers_hash != EMPTY_OMMER_ROOT_HASH;
        let up = if with_ommers { 2 } else { 1 };
        (up, (passed / 9).min(99 + up))
    };
    let raised = parent.difficulty.saturating_add(step * U256::from(up));
    let difficulty = raised.saturating_sub(step * U256::from(down)).max(minimum);
    let delay = match fork {
        fork if fork >= EthereumHardfork::GrayGlacier => 11_400_000,
        fork if fork >= EthereumHardfork::ArrowGlacier => 10_700_000,
        fork if fork >= EthereumHardfork::London => 9_700_000,
        fork if fork >= EthereumHardfork::MuirGlacier => 9_000_000,
        fork if fork >= EthereumHardfork::Constantinople => 5_000_000,
        fork if fork >= EthereumHardfork::Byzantium => 3_000_000,
        _ => 0,
    };
    let period = header.number.saturating_sub(delay) / 100_000;
    if period < 2 {
        return difficulty;
    }
    let bomb = U256::ONE.checked_shl(usize::try_from(period - 2).unwrap_or(usize::MAX));
    difficulty.saturating_add(bomb.unwrap_or(U256::MAX)).max(minimum)
}

/// Checks the ommers of a block: each is valid for its parent, within the maximum depth, not an
/// ancestor, and included only once.
pub(crate) fn check_ommers(
    ommers: &[Header],
    parent: &Block,
    store: &dyn Store,
    spec: &ChainSpec,
) -> Result<(), ChainError> {
    if ommers.is_empty() {
        return Ok(());
    }
    within("ommers", ommers.len() as u64, 0, MAX_OMMERS as u64)?;
    let number = parent.header.number + 1;
    let (mut ancestors, mut seen) = (Vec::new(), Vec::new());
    let mut next = store.block(&parent.hash)?;
    while let Some(block) = next.filter(|block| block.header.number + OMMER_DEPTH >= number) {
        seen.push(block.hash);
        seen.extend(block.ommers.iter().map(Header::hash_slow));
        next = store.block(&block.header.parent_hash)?;
        ancestors.push(block);
    }
    for ommer in ommers {
        let hash = ommer.hash_slow();
        let known = |what| Invalid::Commitment { what, got: hash, expected: B256::ZERO };
        if seen.contains(&hash) {
            return Err(known("duplicate ommer").into());
        }
        seen.push(hash);
        let elder = ancestors
            .iter()
            .find(|block| block.hash == ommer.parent_hash && block.hash != parent.hash)
            .ok_or_else(|| known("ommer without a parent among the ancestors"))?;
        check_header(ommer, &elder.header, spec)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(passed: u64, parent: &Header) -> Header {
        let (number, timestamp) = (parent.number + 1, parent.timestamp + passed);
        Header { number, timestamp, ..Default::default() }
    }

    #[test]
    fn difficulty_matches_mainnet() {
        // Blocks 1 and 2 of mainnet.
        for (number, before, passed, expected) in [
            (1, 17_179_869_184_u64, 1_438_269_988, 17_171_480_576_u64),
            (2, 17_171_480_576, 29, 17_163_096_064),
        ] {
            let parent = Header {
                number: number - 1,
                difficulty: U256::from(before),
                ommers_hash: EMPTY_OMMER_ROOT_HASH,
                ..Default::default()
            };
            let fork = EthereumHardfork::Frontier;
            let header = child(passed, &parent);
            assert_eq!(difficulty(&header, &parent, fork), U256::from(expected), "{number}");
        }
    }

    #[test]
    fn difficulty_bomb_doubles_every_100000_blocks_after_delay() {
        let of = |number: u64, fork| {
            let parent = Header {
                number: number - 1,
                difficulty: U256::from(MIN_DIFFICULTY),
                ommers_hash: EMPTY_OMMER_ROOT_HASH,
                ..Default::default()
            };
            difficulty(&child(13, &parent), &parent, fork).to::<u64>() - MIN_DIFFICULTY
        };
        let homestead = EthereumHardfork::Homestead;
        assert_eq!([199_999, 200_000, 300_000, 400_000].map(|at| of(at, homestead)), [0, 1, 2, 4]);
        let byzantium = EthereumHardfork::Byzantium;
        assert_eq!([3_199_999, 3_200_000, 3_300_000].map(|at| of(at, byzantium)), [0, 1, 2]);
    }

    #[test]
    fn parent_ommers_raise_difficulty_since_byzantium() {
        let parent =
            Header { number: 1, difficulty: U256::from(1_u64 << 40), ..Default::default() };
        let with = Header { ommers_hash: B256::repeat_byte(1), ..parent.clone() };
        let of = |parent, fork| difficulty(&child(5, &parent), &parent, fork);
        let fork = EthereumHardfork::Byzantium;
        assert!(of(with.clone(), fork) > of(parent.clone(), fork));
        let fork = EthereumHardfork::Homestead;
        assert_eq!(of(with, fork), of(parent, fork));
    }
}
