//! Tokens of deposits to the L2.

use super::{
    ExitError, FoundMessage, MessageStatus,
    message::{Undelivered, alias_owner, refund_recipient},
    proven,
};
use crate::bindings::IL1MessageQueue;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall as _, sol};
use chain::AccountProof;

sol! {
    /// A deposit of tokens, as in `IL2TokenBridge`.
    #[derive(Debug, PartialEq, Eq)]
    struct Deposit {
        address l1Token;
        address from;
        address to;
        address refundTo;
        uint256 amount;
        uint128 fee;
        uint64 gasLimit;
        uint64 index;
    }

    /// State of the queue, as in `IL1MessageQueue`.
    #[derive(Debug, PartialEq, Eq)]
    struct Checkpoint {
        uint64 id;
        uint64 count;
        uint64 l1Block;
        uint64 timestamp;
        bytes32 root;
    }

    /// Message of a deposit to the bridge on the L2.
    interface IL2TokenBridge {
        function mint(address l1Token, address from, address to, address refundTo, uint256 amount)
            external;
    }

    /// Exits of `L1TokenBridge` for deposits.
    interface IDepositExit {
        function returnDeposit(
            Deposit calldata deposit_,
            Checkpoint calldata before,
            Checkpoint calldata next,
            bytes32[] calldata hashes,
            bytes[] calldata bridgeProof
        ) external;
        function returnKeptDeposit(
            Deposit calldata deposit_,
            bytes[] calldata storageProof,
            bytes[] calldata bridgeProof
        ) external;
    }
}

impl From<&IL1MessageQueue::Checkpoint> for Checkpoint {
    fn from(checkpoint: &IL1MessageQueue::Checkpoint) -> Self {
        let IL1MessageQueue::Checkpoint { id, count, l1Block, timestamp, root } = *checkpoint;
        Self { id, count, l1Block, timestamp, root }
    }
}

/// Return of a deposit's tokens and fee on L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DepositReturn {
    /// Index of the message.
    pub index: u64,
    /// Status of the message.
    pub status: MessageStatus,
    /// Token on L1.
    pub l1_token: Address,
    /// L1 account that is paid.
    pub recipient: Address,
    /// Depositor on L1.
    pub depositor: Address,
    /// L1 accounts that may call.
    pub callers: Vec<Address>,
    /// Amount in the token's smallest unit.
    pub amount: U256,
    /// Fee that the relayer has not received, in wei; zero if the L2 bridge was never deployed.
    pub fee: u128,
    /// Calldata of `L1TokenBridge.returnDeposit` or `returnKeptDeposit`.
    pub calldata: Bytes,
}

impl DepositReturn {
    /// Returns the payment of a deposit. `l1_bridge` and `l2_bridge` are the addresses of the token
    /// bridge, `proof` as for [`MessageReturn::new`](super::MessageReturn::new), and `bridge`
    /// the proof of the account of the L2 bridge, and its code.
    ///
    /// # Errors
    ///
    /// [`ExitError`] if the message is not a deposit of this bridge, if the nodes do not prove
    /// exactly that, or if the deposit cannot be returned.
    pub fn new(
        state_root: B256,
        (l1_bridge, l2_bridge): (Address, Address),
        found: &FoundMessage,
        proof: &AccountProof,
        bridge: (AccountProof, Bytes),
    ) -> Result<Self, ExitError> {
        let message = &found.message;
        let (index, sender, to) = (message.index, message.sender, message.to);
        let deposited = IL2TokenBridge::mintCall::abi_decode(&message.data)
            .ok()
            .filter(|_| (sender, to) == (l1_bridge, l2_bridge));
        let IL2TokenBridge::mintCall { l1Token, from, to, refundTo, amount } =
            deposited.ok_or(ExitError::NotDeposit { index, sender, to })?;
        let undelivered = Undelivered::prove(state_root, found, proof)?;
        let (bridge_proof, is_deployed) = proven::code(state_root, l2_bridge, bridge)?;
        let deposit = Deposit {
            l1Token,
            from,
            to,
            refundTo,
            amount,
            fee: message.fee,
            gasLimit: u64::from(message.gas_limit),
            index,
        };
        let calldata = match undelivered.status {
            MessageStatus::Unrelayed => IDepositExit::returnDepositCall {
                deposit_: deposit,
                before: (&found.before).into(),
                next: (&found.next).into(),
                hashes: found.hashes.clone(),
                bridgeProof: bridge_proof,
            }
            .abi_encode(),
            MessageStatus::Failed | MessageStatus::Parked => IDepositExit::returnKeptDepositCall {
                deposit_: deposit,
                storageProof: undelivered.storage_proof.clone(),
                bridgeProof: bridge_proof,
            }
            .abi_encode(),
        };
        let recipient = refund_recipient(from, refundTo);
        let mut callers = vec![recipient, from];
        callers.dedup();
        Ok(Self {
            index,
            status: undelivered.status,
            l1_token: l1Token,
            recipient,
            depositor: from,
            callers,
            amount,
            fee: if is_deployed { undelivered.fee() } else { 0 },
            calldata: calldata.into(),
        })
    }

    /// Returns the payment to the L1 account whose alias account the refund account is. It must
    /// send the calldata itself.
    ///
    /// # Errors
    ///
    /// [`ExitError::OtherAlias`] if the deposit is not returned to its alias account.
    pub fn to_alias_owner(mut self, l1_account: Address) -> Result<Self, ExitError> {
        self.recipient = alias_owner(self.recipient, l1_account)?;
        self.callers = vec![l1_account];
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    /// `sol!` does not resolve the types of an imported interface, so the functions are repeated.
    #[test]
    fn functions_are_those_of_contracts() {
        let words = |text: &str| {
            let text = text.split_whitespace().filter(|word| !word.starts_with("///"));
            text.collect::<Vec<_>>().join(" ").replace("IL2TokenBridge.", "")
        };
        let contracts = [
            include_str!("../../../../contracts/interfaces/ITokenExit.sol"),
            include_str!("../../../../contracts/interfaces/IL2TokenBridge.sol"),
        ];
        let contracts = words(&contracts.concat()).replace("IL1MessageQueue.", "");
        let copy = words(include_str!("deposit.rs"));
        for function in [
            "returnDeposit( Deposit calldata deposit_, Checkpoint calldata before, Checkpoint calldata next, \
             bytes32[] calldata hashes, bytes[] calldata bridgeProof ) external;",
            "returnKeptDeposit( Deposit calldata deposit_, bytes[] calldata storageProof, \
             bytes[] calldata bridgeProof ) external;",
            "mint(address l1Token, address from, address to, address refundTo, uint256 amount) external;",
        ] {
            assert!(contracts.contains(&format!("function {function}")), "{function}");
            assert!(copy.contains(&format!("function {function}")), "{function}");
        }
    }
}
