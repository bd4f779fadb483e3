//! Where the last state is read from.

use crate::rollup::{Node, prove::account_proof};
use ::rollup::LastState;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256};
use alloy_rpc_types_eth::EIP1186AccountProofResponse;
use chain::AccountProof;
use eyre::{Result, WrapErr as _, eyre};

/// Source of proofs against one state.
pub(super) enum Source {
    /// A node of the L2, at the block with this number.
    Node(Box<Node>, u64),
    /// Files of a stopped node.
    Files(Box<LastState>),
}

impl Source {
    /// Proves an account and some of its slots. The proof is not verified here.
    pub(super) fn prove(&self, address: Address, slots: &[U256]) -> Result<AccountProof> {
        match self {
            Self::Node(l2, number) => {
                let keys: Vec<_> = slots.iter().map(|slot| B256::from(*slot)).collect();
                let params = (address, keys, U64::from(*number));
                let answer: EIP1186AccountProofResponse = l2.request("eth_getProof", params)?;
                Ok(account_proof(answer))
            }
            Self::Files(state) => Ok(state.prove(address, slots)?),
        }
    }

    /// Proves an account, and returns its code.
    pub(super) fn prove_with_code(&self, address: Address) -> Result<(AccountProof, Bytes)> {
        let proof = self.prove(address, &[])?;
        let hash = proof.account.map_or(KECCAK256_EMPTY, |account| account.code_hash);
        // Some nodes return a zero hash for an account that does not exist.
        if hash == KECCAK256_EMPTY || hash.is_zero() {
            return Ok((proof, Bytes::new()));
        }
        let code = match self {
            Self::Node(l2, number) => l2.request("eth_getCode", (address, U64::from(*number)))?,
            Self::Files(state) => {
                state.code(&hash)?.ok_or_else(|| eyre!("the files lack the code of {address}"))?
            }
        };
        Ok((proof, code))
    }

    /// Adds the source to the error of a proof, because an invalid proof is a fault of its source.
    pub(super) fn context<T>(&self, result: Result<T>) -> Result<T> {
        match self {
            Self::Node(l2, number) => result.wrap_err_with(|| {
                format!("proof of the L2 node at {} from block {number}", l2.client.address())
            }),
            Self::Files(_) => result,
        }
    }
}
