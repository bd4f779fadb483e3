//! Contracts that every block calls outside its gas limit.

use crate::{BlockError, Invalid, ReadError};
use alloy_eips::{eip2935, eip4788, eip7002, eip7251, eip8282};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, b256, hex};
use revm::Database;
use wire::ProtocolFork;

/// Code that is allowed at the addresses that the block executor itself calls.
///
/// Such a call gets 30 million gas that no block pays for. If the pre-state comes from an
/// adversary, foreign code there is work that no block pays for either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SystemCode {
    /// The code of the EIPs, or none at the two addresses where the rules allow its absence.
    #[default]
    Canonical,
    /// Any code, as far as the rules of the fork allow it.
    Any,
}

/// Code of the consolidation request contract, as EIP-7251 deploys it.
///
/// The constant in `alloy-eips` is the code of an earlier draft.
const CONSOLIDATION_REQUEST_CODE: &[u8] = &hex!(
    "3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff1461019a57600182026001905f5b5f82111560685781019083028483029004916001019190604d565b9093900492505050366060146088573661019a573461019a575f5260205ff35b341061019a57600154600101600155600354806004026004013381556001015f358155600101602035815560010160403590553360601b5f5260605f60143760745fa0600101600355005b6003546002548082038060021160e7575060025b5f5b8181146101295782810160040260040181607402815460601b815260140181600101548152602001816002015481526020019060030154905260010160e9565b910180921461013b5790600255610146565b90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff141561017357505f5b6001546001828201116101885750505f61018e565b01600190035b5f555f6001556074025ff35b5f5ffd"
);

/// A contract that every block calls outside its gas limit.
#[derive(Debug, Clone, Copy)]
pub struct SystemContract {
    /// Its address.
    pub address: Address,
    /// First fork whose blocks call it.
    pub since: ProtocolFork,
    /// Keccak-256 of its code.
    pub code_hash: B256,
    /// `true` if a block without it is valid.
    pub optional: bool,
}

impl SystemContract {
    /// Returns its code.
    pub fn code(&self) -> Bytes {
        match self.address {
            eip2935::HISTORY_STORAGE_ADDRESS => eip2935::HISTORY_STORAGE_CODE.clone(),
            eip4788::BEACON_ROOTS_ADDRESS => eip4788::BEACON_ROOTS_CODE.clone(),
            eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS => {
                eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()
            }
            eip8282::BUILDER_DEPOSIT_CONTRACT_ADDRESS => {
                eip8282::BUILDER_DEPOSIT_CONTRACT_CODE.clone()
            }
            eip8282::BUILDER_EXIT_CONTRACT_ADDRESS => eip8282::BUILDER_EXIT_CONTRACT_CODE.clone(),
            _ => Bytes::from_static(CONSOLIDATION_REQUEST_CODE),
        }
    }
}

/// The canonical system contracts.
pub const SYSTEM_CONTRACTS: [SystemContract; 6] = [
    SystemContract {
        address: eip2935::HISTORY_STORAGE_ADDRESS,
        since: ProtocolFork::Prague,
        code_hash: b256!("0x6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d"),
        optional: true,
    },
    SystemContract {
        address: eip4788::BEACON_ROOTS_ADDRESS,
        since: ProtocolFork::Cancun,
        code_hash: b256!("0xf57acd40259872606d76197ef052f3d35588dadf919ee1f0e3cb9b62d3f4b02c"),
        optional: true,
    },
    SystemContract {
        address: eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        since: ProtocolFork::Prague,
        code_hash: b256!("0x0345a365d2f4c5975b9f1599abe0a2ee76b7a3a731bc68781bd04c84e4858f50"),
        optional: false,
    },
    SystemContract {
        address: eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
        since: ProtocolFork::Prague,
        code_hash: b256!("0x78c6cb5202685228bbcbfb992b1c4e116c7ec5ef11e25b8e92716cfc628ddd60"),
        optional: false,
    },
    SystemContract {
        address: eip8282::BUILDER_DEPOSIT_CONTRACT_ADDRESS,
        since: ProtocolFork::Amsterdam,
        code_hash: b256!("0x1dd29c1e0dbc3ab670d229dbd3438003ec9015c1df9058beeb64ff301b60b98d"),
        optional: false,
    },
    SystemContract {
        address: eip8282::BUILDER_EXIT_CONTRACT_ADDRESS,
        since: ProtocolFork::Amsterdam,
        code_hash: b256!("0x90a0b24eb190d6c50f00f6f751dc4c2778658abf3631aceb80586c43f8bd9f2f"),
        optional: false,
    },
];

/// When a block calls a system contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemCalls {
    /// Before its transactions: the contracts that receive data, which may be absent.
    First,
    /// After its transactions: the contracts that return requests, which a transaction of the same
    /// block may have deployed.
    Last,
}

/// Checks the code at all system addresses that blocks of `fork` call.
///
/// A required contract without code makes the block invalid under the rules themselves (EIP-7002,
/// EIP-7251, EIP-8282).
pub fn check_system_code(
    state: &mut impl Database<Error = ReadError>,
    fork: ProtocolFork,
    allowed: SystemCode,
) -> Result<(), BlockError> {
    check_called_code(state, fork, allowed, SystemCalls::First)?;
    check_called_code(state, fork, allowed, SystemCalls::Last)
}

/// Checks the code of the contracts that are about to be called.
pub(crate) fn check_called_code(
    state: &mut impl Database<Error = ReadError>,
    fork: ProtocolFork,
    allowed: SystemCode,
    calls: SystemCalls,
) -> Result<(), BlockError> {
    let called = |contract: &&SystemContract| {
        contract.since <= fork && contract.optional == (calls == SystemCalls::First)
    };
    for contract in SYSTEM_CONTRACTS.iter().filter(called) {
        let got =
            state.basic(contract.address)?.map_or(KECCAK256_EMPTY, |account| account.code_hash);
        let present = got != KECCAK256_EMPTY;
        let accepted = match allowed {
            // With either policy, the rules decide whether the contract may be absent.
            SystemCode::Canonical if present => got == contract.code_hash,
            _ => present || contract.optional,
        };
        if !accepted {
            let (address, expected) = (contract.address, contract.code_hash);
            return Err(Invalid::SystemCode { address, got, expected }.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;

    #[test]
    fn canonical_code_hashes_match_eip_code() {
        for contract in SYSTEM_CONTRACTS {
            assert_eq!(contract.code_hash, keccak256(contract.code()), "{}", contract.address);
        }
    }
}
