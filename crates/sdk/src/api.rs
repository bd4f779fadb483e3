//! The methods of rollup nodes as an extension of alloy's providers.

use alloy_json_rpc::{RpcRecv, RpcSend};
use alloy_primitives::{Address, B256};
use alloy_provider::{
    Provider,
    network::{Ethereum, Network},
};
use alloy_transport::TransportResult;
use rpc_types::{
    BlockCost, Budget, ClaimProof, Direction, ForcedFilter, ForcedPage, ForcedTransaction,
    MessageFilter, MessageInfo, MessagePage, Quantity, RollupConfig, SyncStatus, TransactionStatus,
    methods::{self, Method},
};

/// The `rollup_` methods of any node of a rollup. The responses are not verified: see
/// [`verify_message`](crate::verify_message) for what can be checked against L1.
#[cfg_attr(target_family = "wasm", async_trait::async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait::async_trait)]
pub trait RollupApi<N: Network = Ethereum>: Provider<N> {
    /// Returns role, heads, synchronisation and faults of the node.
    async fn rollup_sync_status(&self) -> TransportResult<SyncStatus> {
        request(self, methods::SYNC_STATUS, ()).await
    }

    /// Returns chain ids, contracts and rules of the rollup.
    async fn rollup_config(&self) -> TransportResult<RollupConfig> {
        request(self, methods::CONFIG, ()).await
    }

    /// Returns a message and its state, or `None` if no such message was sent.
    async fn rollup_message(
        &self,
        direction: Direction,
        index: u64,
    ) -> TransportResult<Option<MessageInfo>> {
        request(self, methods::GET_MESSAGE, (direction, Quantity(index))).await
    }

    /// Returns a page of messages, newest first. A page may be short, or empty, although more
    /// follow: clients must follow `next`.
    async fn rollup_messages(
        &self,
        direction: Direction,
        filter: MessageFilter,
    ) -> TransportResult<MessagePage> {
        request(self, methods::GET_MESSAGES, (direction, filter)).await
    }

    /// Returns a forced transaction and its outcome, or `None` if it was not submitted.
    async fn rollup_forced(&self, index: u64) -> TransportResult<Option<ForcedTransaction>> {
        request(self, methods::GET_FORCED, (Quantity(index),)).await
    }

    /// Returns a page of forced transactions, newest first.
    async fn rollup_forced_transactions(
        &self,
        filter: ForcedFilter,
    ) -> TransportResult<ForcedPage> {
        request(self, methods::GET_FORCED_TRANSACTIONS, (filter,)).await
    }

    /// Returns the state of an L2 transaction, or `None` if the node does not know it.
    async fn rollup_transaction_status(
        &self,
        hash: B256,
    ) -> TransportResult<Option<TransactionStatus>> {
        request(self, methods::TRANSACTION_STATUS, (hash,)).await
    }

    /// Returns the call on L1 that claims a message to L1.
    async fn rollup_claim_proof(
        &self,
        index: u64,
        fee_recipient: Option<Address>,
    ) -> TransportResult<ClaimProof> {
        request(self, methods::CLAIM_PROOF, (Quantity(index), fee_recipient)).await
    }

    /// Returns the use of L1's limits by the block under construction.
    async fn rollup_budget(&self) -> TransportResult<Budget> {
        request(self, methods::BUDGET, ()).await
    }

    /// Returns the L1 transaction of an L2 block and its cost, or `None` for a block that is not on
    /// L1.
    async fn rollup_block_cost(&self, number: u64) -> TransportResult<Option<BlockCost>> {
        request(self, methods::BLOCK_COST, (Quantity(number),)).await
    }
}

impl<P: Provider<N>, N: Network> RollupApi<N> for P {}

/// Sends a request, whose method determines the type of the response.
async fn request<N, P, T>(
    provider: &P,
    method: Method<T>,
    parameters: impl RpcSend,
) -> TransportResult<T>
where
    N: Network,
    P: Provider<N> + ?Sized,
    T: RpcRecv,
{
    provider.client().request(method.name, parameters).await
}
