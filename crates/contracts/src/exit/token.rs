//! Tokens of accounts.

use super::{AccountKind, ExitError, account::Payee, proven};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall as _, sol};
use chain::AccountProof;

sol! {
    /// Proofs of an account's units of a token.
    #[derive(Debug, PartialEq, Eq)]
    struct TokenProof {
        bytes[] accountProof;
        bytes[] tokenProof;
        bytes[] storageProof;
    }

    /// Exits of `L1TokenBridge`.
    interface ITokenExit {
        function exitToken(
            address l1Token,
            address account,
            address delegate,
            TokenProof calldata proof
        ) external;
        function exitTokenAlias(address l1Token, address l1Account, TokenProof calldata proof)
            external;
        function l2TokenOf(address l1Token) external view returns (address);
    }
}

/// Returns the storage slot of a bridged token with an account's balance (solady's `ERC20`).
pub fn balance_slot(owner: Address) -> U256 {
    const SEED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0x87, 0xa2, 0x11, 0xa2];
    keccak256([owner.as_slice(), &SEED].concat()).into()
}

/// Proofs of an account, and of a token with the account's [balance](balance_slot).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenProofs {
    /// Proof of the account.
    pub account: AccountProof,
    /// Proof of the token on the L2 and of the slot with the balance.
    pub token: AccountProof,
}

/// Payment of an account's units of a token on L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExit {
    /// The L2 account.
    pub account: Address,
    /// Its kind.
    pub kind: AccountKind,
    /// L1 account that is paid.
    pub recipient: Address,
    /// Amount in the token's smallest unit.
    pub amount: U256,
    /// The only L1 account that may call; `None` if any account may.
    pub caller: Option<Address>,
    /// Calldata of `L1TokenBridge.exitToken` or `exitTokenAlias`.
    pub calldata: Bytes,
}

impl TokenExit {
    /// Returns the payment of an account's units of a token. `l1_token` and `token` are its
    /// addresses on L1 and on the L2, and `l1_account` and `code` as for
    /// [`AccountExit::new`](super::AccountExit::new).
    ///
    /// # Errors
    ///
    /// [`ExitError`] if the proofs are not for the account and the token in the state with this
    /// root, or if the account cannot be paid.
    pub fn new(
        state_root: B256,
        (l1_token, token): (Address, Address),
        address: Address,
        l1_account: Option<Address>,
        code: &[u8],
        proofs: TokenProofs,
    ) -> Result<Self, ExitError> {
        let account = proven::account(state_root, address, &proofs.account.nodes)?;
        let Payee { kind, recipient, delegate, caller } =
            Payee::of(address, &account, l1_account, code)?;
        let storage_root = proven::account(state_root, token, &proofs.token.nodes)?.storage_root;
        let slots = [balance_slot(address)];
        let [amount] = proven::slots(token, storage_root, slots, &proofs.token)?;
        if amount.is_zero() {
            return Err(ExitError::NoTokens { account: address, token });
        }
        let proof = TokenProof {
            accountProof: proofs.account.nodes,
            tokenProof: proofs.token.nodes,
            storageProof: proofs.token.slots.into_iter().flat_map(|slot| slot.nodes).collect(),
        };
        let calldata = match delegate {
            Some(delegate) => {
                let account = address;
                ITokenExit::exitTokenCall { l1Token: l1_token, account, delegate, proof }
                    .abi_encode()
            }
            None => {
                ITokenExit::exitTokenAliasCall { l1Token: l1_token, l1Account: recipient, proof }
                    .abi_encode()
            }
        };
        Ok(Self { account: address, kind, recipient, amount, caller, calldata: calldata.into() })
    }
}

#[cfg(test)]
mod tests {
    /// `sol!` does not resolve the types of an imported interface, so the interface is repeated.
    #[test]
    fn interface_has_functions_of_contract() {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let contract = words(include_str!("../../../../contracts/interfaces/ITokenExit.sol"));
        for function in [
            "exitToken( address l1Token, address account, address delegate, TokenProof calldata proof ) external;",
            "exitTokenAlias(address l1Token, address l1Account, TokenProof calldata proof) external;",
        ] {
            assert!(contract.contains(&format!("function {function}")), "{function}");
            let copy = words(include_str!("token.rs"));
            assert!(copy.contains(&format!("function {function}")), "{function}");
        }
    }
}
