//! Sums over all accounts of a state, by what an exit does with their ETH.

use ::rollup::LastState;
use alloy_primitives::{B256, KECCAK256_EMPTY, U256, keccak256, map::B256Map};
use chain::each_account;
use contracts::{L2_MESSENGER, exit::AccountKind};
use eyre::{Result, eyre};

/// Maximum number of codes whose kind is held.
const MAX_KINDS: usize = 1 << 16;

/// Number of accounts with ETH, and their sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::rollup) struct Sum {
    pub(in crate::rollup) accounts: u64,
    pub(in crate::rollup) wei: U256,
}

impl Sum {
    pub(in crate::rollup) const fn add(&mut self, wei: U256) {
        self.accounts += 1;
        self.wei = self.wei.saturating_add(wei);
    }

    pub(in crate::rollup) const fn plus(self, other: Self) -> Self {
        Self { accounts: self.accounts + other.accounts, wei: self.wei.saturating_add(other.wei) }
    }

    pub(in crate::rollup) const fn minus(self, other: Self) -> Self {
        Self {
            accounts: self.accounts.saturating_sub(other.accounts),
            wei: self.wei.saturating_sub(other.wei),
        }
    }
}

/// ETH of a state, outside of the messenger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::rollup) struct Totals {
    /// Accounts without code or with a delegation, and alias accounts with code.
    pub(in crate::rollup) payable: Sum,
    /// Other contracts.
    pub(in crate::rollup) contracts: Sum,
}

impl Totals {
    /// Visits all accounts of a state.
    pub(in crate::rollup) fn of(last: &LastState) -> Result<Self> {
        let messenger = keccak256(L2_MESSENGER);
        let mut totals = Self::default();
        let (mut kinds, mut failed) = (B256Map::default(), None);
        each_account(last.state(), |address, account| {
            if account.balance.is_zero() || address == messenger {
                return true;
            }
            match kind(last, account.code_hash, &mut kinds) {
                Ok(AccountKind::Contract) => totals.contracts.add(account.balance),
                Ok(_) => totals.payable.add(account.balance),
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(totals), Err)
    }
}

fn kind(
    last: &LastState,
    code_hash: B256,
    kinds: &mut B256Map<AccountKind>,
) -> Result<AccountKind> {
    if code_hash == KECCAK256_EMPTY {
        return Ok(AccountKind::Plain);
    }
    if let Some(kind) = kinds.get(&code_hash) {
        return Ok(*kind);
    }
    let code =
        last.code(&code_hash)?.ok_or_else(|| eyre!("the files lack the code {code_hash}"))?;
    let kind = AccountKind::of(&code);
    // Each delegation is a code of its own.
    if kinds.len() < MAX_KINDS {
        kinds.insert(code_hash, kind);
    }
    Ok(kind)
}
