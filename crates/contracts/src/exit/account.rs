//! ETH of accounts.

use super::{AccountKind, ExitError, proven};
use crate::{
    alias_account,
    bindings::IRollupExit::{exitAliasCall, exitCall},
};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolCall as _;
use alloy_trie::TrieAccount;
use chain::AccountProof;

/// Payment of an account's ETH on L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountExit {
    /// The L2 account.
    pub account: Address,
    /// Its kind.
    pub kind: AccountKind,
    /// L1 account that is paid.
    pub recipient: Address,
    /// Amount in wei.
    pub amount: U256,
    /// The only L1 account that may call; `None` if any account may.
    pub caller: Option<Address>,
    /// Calldata of `RollupExit.exit` or `exitAlias`.
    pub calldata: Bytes,
}

impl AccountExit {
    /// Returns the payment of an account.
    ///
    /// `l1_account` is the L1 account whose alias account it is, if it is one, and `code` its code.
    ///
    /// # Errors
    ///
    /// [`ExitError`] if the proof is not one of the account in the state with this root, or if the
    /// account cannot be paid.
    pub fn new(
        state_root: B256,
        address: Address,
        l1_account: Option<Address>,
        code: &[u8],
        proof: AccountProof,
    ) -> Result<Self, ExitError> {
        let account = proven::account(state_root, address, &proof.nodes)?;
        if account.balance.is_zero() {
            return Err(ExitError::NothingOwed(address));
        }
        let Payee { kind, recipient, delegate, caller } =
            Payee::of(address, &account, l1_account, code)?;
        let calldata = match delegate {
            Some(delegate) => {
                exitCall { account: address, delegate, accountProof: proof.nodes }.abi_encode()
            }
            None => exitAliasCall { l1Account: recipient, accountProof: proof.nodes }.abi_encode(),
        };
        let (amount, calldata) = (account.balance, calldata.into());
        Ok(Self { account: address, kind, recipient, amount, caller, calldata })
    }
}

/// L1 account that receives the assets of an L2 account, and the rules for the call.
pub(super) struct Payee {
    pub(super) kind: AccountKind,
    pub(super) recipient: Address,
    /// Address to which the account delegates, zero for none; `None` if it is paid as an alias
    /// account.
    pub(super) delegate: Option<Address>,
    /// The only L1 account that may call; `None` if any account may.
    pub(super) caller: Option<Address>,
}

impl Payee {
    pub(super) fn of(
        address: Address,
        account: &TrieAccount,
        l1_account: Option<Address>,
        code: &[u8],
    ) -> Result<Self, ExitError> {
        let (got, code_hash) = (keccak256(code), account.code_hash);
        if got != code_hash {
            return Err(ExitError::Code { address, got, expected: code_hash });
        }
        let kind = AccountKind::of(code);
        if let Some(l1_account) = l1_account {
            let expected = alias_account(l1_account);
            if address != expected {
                return Err(ExitError::OtherAlias { l1_account, got: address, expected });
            }
            return Ok(Self { kind, recipient: l1_account, delegate: None, caller: None });
        }
        let balance = account.balance;
        let delegate = match kind {
            AccountKind::Plain => Address::ZERO,
            AccountKind::Delegating(delegate) => delegate,
            AccountKind::Alias => return Err(ExitError::UnnamedAlias { address, balance }),
            AccountKind::Contract => {
                return Err(ExitError::Contract { address, balance, code_hash });
            }
        };
        // An account with nonce zero may be the alias account of an L1 contract, whose address has
        // no owner on L1. Only a caller with this address proves that it has one.
        let caller = (account.nonce == 0).then_some(address);
        Ok(Self { kind, recipient: address, delegate: Some(delegate), caller })
    }
}
