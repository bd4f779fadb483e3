//! The methods: names, parameters, and response types.

use crate::{
    BlockCost, BlockNumHash, Budget, ClaimProof, ExplainedCall, ForcedPage, ForcedTransaction,
    MessageInfo, MessagePage, PrefixItem, RollupConfig, SignedInput, Switches, SyncStatus,
    TransactionStatus,
};
#[cfg(feature = "schema")]
use crate::{
    Direction, ForcedFilter, MessageFilter, Quantity,
    schema::{Address, BlockId, Data, Hash, Overrides, TransactionOrCall},
};
use alloy_primitives::{B256, Bytes};
use core::{fmt, marker::PhantomData};
#[cfg(feature = "schema")]
use schemars::{Schema, SchemaGenerator};

/// A method whose response has the type `T`.
pub struct Method<T> {
    /// Name of the method.
    pub name: &'static str,
    answer: PhantomData<fn() -> T>,
}

impl<T> Method<T> {
    const fn new(name: &'static str) -> Self {
        Self { name, answer: PhantomData }
    }
}

impl<T> Clone for Method<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Method<T> {}

impl<T> fmt::Debug for Method<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.name).finish()
    }
}

/// Declares the methods, and describes them if schemas are compiled. The type of a response is
/// followed by `as` and the encoding if the type itself has no schema; a parameter has only the
/// encoding.
macro_rules! methods {
    ($(
        $(#[doc = $doc:literal])+
        $method:ident = $name:literal ($($parameter:ident: $encoding:ty),*)
            -> $answer:ty $(as $schema:ty)?;
    )*) => {
        $(
            $(#[doc = $doc])+
            pub const $method: Method<$answer> = Method::new($name);
        )*

        /// Names of all methods.
        pub const METHODS: &[&str] = &[$($name),*];

        /// Describes the methods whose names pass the filter.
        #[cfg(feature = "schema")]
        pub(crate) fn describe(
            is_listed: impl Fn(&str) -> bool,
            generator: &mut SchemaGenerator,
        ) -> Vec<Description> {
            let mut descriptions = Vec::new();
            $(if is_listed($name) {
                descriptions.push(Description {
                    name: $name,
                    summary: [$($doc),+].concat().trim().to_owned(),
                    parameters: vec![$(Parameter {
                        name: stringify!($parameter),
                        is_required: !stringify!($encoding).starts_with("Option"),
                        schema: generator.subschema_for::<$encoding>(),
                    }),*],
                    answer: generator.subschema_for::<methods!(@schema $answer $(, $schema)?)>(),
                });
            })*
            descriptions
        }
    };
    (@schema $answer:ty) => { $answer };
    (@schema $answer:ty, $schema:ty) => { $schema };
}

/// Description of a method.
#[cfg(feature = "schema")]
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) name: &'static str,
    pub(crate) summary: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) answer: Schema,
}

/// Description of a parameter.
#[cfg(feature = "schema")]
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
    pub(crate) schema: Schema,
}

methods! {
    /// Returns role, heads, synchronisation and faults of the node.
    SYNC_STATUS = "rollup_syncStatus"() -> SyncStatus;
    /// Returns chain ids, contracts and rules of the rollup.
    CONFIG = "rollup_config"() -> RollupConfig;
    /// Returns a message and its state.
    GET_MESSAGE = "rollup_getMessage"(direction: Direction, index: Quantity) -> Option<MessageInfo>;
    /// Returns a page of messages, newest first.
    GET_MESSAGES = "rollup_getMessages"(direction: Direction, filter: Option<MessageFilter>)
        -> MessagePage;
    /// Returns a forced transaction and its outcome.
    GET_FORCED = "rollup_getForced"(index: Quantity) -> Option<ForcedTransaction>;
    /// Returns a page of forced transactions, newest first.
    GET_FORCED_TRANSACTIONS = "rollup_getForcedTransactions"(filter: Option<ForcedFilter>)
        -> ForcedPage;
    /// Adds a raw transaction to the pool of a node that builds blocks, and returns its hash.
    SUBMIT = "rollup_submit"(transaction: Data) -> B256 as Hash;
    /// Returns the state of an L2 transaction.
    TRANSACTION_STATUS = "rollup_transactionStatus"(hash: Hash) -> Option<TransactionStatus>;
    /// Returns the call on L1 that claims a message to L1. The fee is paid to `feeRecipient`, by
    /// default to the target of the message.
    CLAIM_PROOF = "rollup_claimProof"(index: Quantity, feeRecipient: Option<Address>) -> ClaimProof;
    /// Returns the EXECUTE inputs of the blocks after a block, at most 64.
    INPUTS_AFTER = "rollup_inputsAfter"(block: Quantity) -> Vec<Bytes> as Vec<Data>;
    /// Returns the EXECUTE inputs of the blocks after a block, with the sequencer's signatures.
    SIGNED_INPUTS_AFTER = "rollup_signedInputsAfter"(block: Quantity) -> Vec<SignedInput>;
    /// Returns the newest signed prefix of a block, without its first `first` transactions.
    PREFIX = "rollup_prefix"(block: Quantity, first: Quantity) -> Option<PrefixItem>;
    /// Returns the use of L1's limits by the block under construction.
    BUDGET = "rollup_budget"() -> Budget;
    /// Returns the L1 transaction of a block of the L2, and the block's share of its cost.
    BLOCK_COST = "rollup_blockCost"(block: BlockId) -> Option<BlockCost>;

    /// Makes the node the sequencer, and returns its head. `force` skips the check that no L1
    /// transaction of the account is pending.
    PROMOTE = "rollup_promote"(force: Option<bool>) -> BlockNumHash;
    /// Makes the node a follower, of the sequencer at a WebSocket URL if one is given, and returns
    /// its head.
    DEMOTE = "rollup_demote"(sequencer: Option<String>) -> BlockNumHash;
    /// Returns the switches of a sequencer.
    STATUS = "admin_status"() -> Switches;
    /// Starts block production of a sequencer.
    START_SEALING = "admin_startSealing"() -> Switches;
    /// Stops block production of a sequencer.
    STOP_SEALING = "admin_stopSealing"() -> Switches;
    /// Starts the posting of blocks to L1.
    START_POSTING = "admin_startPosting"() -> Switches;
    /// Stops the posting of blocks to L1.
    STOP_POSTING = "admin_stopPosting"() -> Switches;

    /// Returns the EXECUTE calls in a transaction, or in a call on the state of a block.
    EXPLAIN_EXECUTE = "enshrine_explainExecute"(
        subject: TransactionOrCall,
        block: Option<BlockId>,
        stateOverrides: Option<Overrides>,
        blockOverrides: Option<Overrides>
    ) -> Vec<ExplainedCall>;
}
