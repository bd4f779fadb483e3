//! Conversion of EXECUTE's calldata into ethrex's block and witness.

use super::{EthrexError, equal};
use alloy_primitives::{B256, Bytes};
use ethrex_common::{
    Bloom, H160, H256, InvalidBlockError, U256,
    constants::DEFAULT_OMMERS_HASH,
    types::{
        Block, BlockBody, BlockHeader, ChainConfig, Fork, Transaction, TxType, Withdrawal,
        block_execution_witness::{
            ExecutionWitness, RpcExecutionWitness, decode_witness_headers,
            validate_witness_headers_chain,
        },
        compute_transactions_root, compute_withdrawals_root,
        requests::compute_requests_hash,
        stateless_ssz::{
            Bytes20, ExecutionPayload, ExecutionRequests, NewPayloadRequest,
            STATELESS_INPUT_SCHEMA_ID, SszStatelessInput, Withdrawal as SszWithdrawal,
        },
    },
};
use ethrex_crypto::{Crypto, NativeCrypto};
use libssz::{SszDecode, SszEncode};
use libssz_merkle::{HashTreeRoot, Sha2Hasher};
use wire::{ByteLists, ExecutionWitness as WitnessView, ProtocolFork, Records, StatelessInput};

/// A decoded input.
pub(super) enum Input<'a> {
    /// Decoded by ethrex.
    Amsterdam(Box<SszStatelessInput>),
    /// Decoded by `wire`; the request is converted to ethrex's type for Amsterdam.
    Earlier {
        fork: Fork,
        chain_id: u64,
        request: Box<NewPayloadRequest>,
        witness: WitnessView<'a>,
        calldata: &'a Bytes,
    },
}

/// Returns the root of an Amsterdam input's request, by ethrex's SSZ.
pub fn request_root(calldata: &Bytes) -> Result<B256, EthrexError> {
    let Input::Amsterdam(input) = Input::decode(calldata)? else {
        return Err(malformed("schema id")("not Amsterdam's"));
    };
    Ok(input.new_payload_request.hash_tree_root(&Sha2Hasher).into())
}

/// Decodes and re-encodes an Amsterdam input with ethrex's SSZ.
pub fn encode_again(calldata: &Bytes) -> Result<Vec<u8>, EthrexError> {
    let Input::Amsterdam(input) = Input::decode(calldata)? else {
        return Err(malformed("schema id")("not Amsterdam's"));
    };
    let mut bytes = STATELESS_INPUT_SCHEMA_ID.to_be_bytes().to_vec();
    input.ssz_append(&mut bytes);
    Ok(bytes)
}

impl<'a> Input<'a> {
    pub(super) fn decode(calldata: &'a Bytes) -> Result<Self, EthrexError> {
        if let Some(body) = calldata.strip_prefix(&STATELESS_INPUT_SCHEMA_ID.to_be_bytes()) {
            let input = SszStatelessInput::from_ssz_bytes(body)
                .map_err(|reason| malformed("input")(&format!("{reason:?}")))?;
            return Ok(Self::Amsterdam(Box::new(input)));
        }
        let input = StatelessInput::decode(calldata)?;
        Ok(Self::Earlier {
            fork: fork_of(input.fork),
            chain_id: input.chain_id,
            request: Box::new(request_of(&input)?),
            witness: input.witness,
            calldata,
        })
    }

    pub(super) const fn fork(&self) -> Fork {
        match self {
            Self::Amsterdam(_) => Fork::Amsterdam,
            Self::Earlier { fork, .. } => *fork,
        }
    }

    pub(super) const fn chain_id(&self) -> u64 {
        match self {
            Self::Amsterdam(input) => input.chain_id,
            Self::Earlier { chain_id, .. } => *chain_id,
        }
    }

    const fn request(&self) -> &NewPayloadRequest {
        match self {
            Self::Amsterdam(input) => &input.new_payload_request,
            Self::Earlier { request, .. } => request,
        }
    }

    /// Returns the block of the request, after checking the claimed block hash and blob hashes.
    pub(super) fn block(&self, config: &ChainConfig) -> Result<Block, EthrexError> {
        let request = self.request();
        let payload = &request.execution_payload;
        let (claimed, active) = (self.fork(), config.fork(payload.timestamp));
        if claimed != active {
            return Err(EthrexError::Fork { claimed, active });
        }
        let block = block_of(request, active)?;
        equal("block hash", H256(payload.block_hash), block.hash())?;
        let hashes = block.body.transactions.iter().flat_map(Transaction::blob_versioned_hashes);
        if !hashes.map(|hash| hash.0).eq(request.versioned_hashes.iter().copied()) {
            return Err(EthrexError::VersionedHashes);
        }
        Ok(block)
    }

    /// Converts the witness, with its nodes linked to tries.
    pub(super) fn into_witness(self, config: ChainConfig) -> Result<ExecutionWitness, EthrexError> {
        match self {
            Self::Amsterdam(input) => Ok(ExecutionWitness {
                chain_config: config,
                ..ExecutionWitness::from_ssz(&input, &NativeCrypto)?
            }),
            Self::Earlier { request, witness, calldata, .. } => {
                let items = |list: ByteLists<'_>| {
                    list.iter().map(|item| calldata.slice_ref(item).0).collect::<Vec<_>>()
                };
                let witness = RpcExecutionWitness {
                    state: items(witness.state),
                    keys: Vec::new(),
                    codes: items(witness.codes),
                    headers: items(witness.headers),
                };
                let headers = decode_witness_headers(&witness.headers)?;
                validate_witness_headers_chain(&headers, &NativeCrypto)?;
                let number = request.execution_payload.block_number;
                Ok(witness.into_execution_witness(config, number, &headers, &NativeCrypto)?)
            }
        }
    }
}

fn malformed(what: &'static str) -> impl FnOnce(&str) -> EthrexError {
    move |reason| EthrexError::Malformed { what, reason: reason.to_owned() }
}

/// Builds the block of a request under the rules of `fork`.
fn block_of(request: &NewPayloadRequest, fork: Fork) -> Result<Block, EthrexError> {
    let payload = &request.execution_payload;
    let transactions = payload.transactions.iter().map(|bytes| transaction(bytes));
    let transactions = transactions.collect::<Result<Vec<_>, _>>()?;
    let withdrawals: Vec<_> = payload.withdrawals.iter().map(withdrawal).collect();
    let base_fee = U256::from_little_endian(&payload.base_fee_per_gas);
    let base_fee = base_fee.try_into().map_err(malformed("base fee"))?;
    let since = |first| fork >= first;
    let header = BlockHeader {
        parent_hash: H256(payload.parent_hash),
        ommers_hash: *DEFAULT_OMMERS_HASH,
        coinbase: H160(payload.fee_recipient.0),
        state_root: H256(payload.state_root),
        transactions_root: compute_transactions_root(&transactions, &NativeCrypto),
        receipts_root: H256(payload.receipts_root),
        logs_bloom: Bloom::from_slice(&payload.logs_bloom),
        number: payload.block_number,
        gas_limit: payload.gas_limit,
        gas_used: payload.gas_used,
        timestamp: payload.timestamp,
        extra_data: payload.extra_data.to_vec().into(),
        prev_randao: H256(payload.prev_randao),
        base_fee_per_gas: Some(base_fee),
        withdrawals_root: since(Fork::Shanghai)
            .then(|| compute_withdrawals_root(&withdrawals, &NativeCrypto)),
        blob_gas_used: since(Fork::Cancun).then_some(payload.blob_gas_used),
        excess_blob_gas: since(Fork::Cancun).then_some(payload.excess_blob_gas),
        parent_beacon_block_root: since(Fork::Cancun)
            .then_some(H256(request.parent_beacon_block_root)),
        requests_hash: since(Fork::Prague)
            .then(|| compute_requests_hash(&request.execution_requests.to_encoded_requests())),
        block_access_list_hash: since(Fork::Amsterdam)
            .then(|| H256(NativeCrypto.keccak256(&payload.block_access_list))),
        slot_number: since(Fork::Amsterdam).then_some(payload.slot_number),
        ..Default::default()
    };
    let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(withdrawals) };
    Ok(Block::new(header, body))
}

/// Decodes a transaction of a type that Ethereum has, excluding ethrex's own types for its L2 and
/// for later forks.
fn transaction(bytes: &[u8]) -> Result<Transaction, EthrexError> {
    let transaction = Transaction::decode_canonical(bytes)
        .map_err(|reason| malformed("transaction")(&reason.to_string()))?;
    match transaction.tx_type() {
        TxType::Legacy | TxType::EIP2930 | TxType::EIP1559 | TxType::EIP4844 | TxType::EIP7702 => {
            Ok(transaction)
        }
        other => Err(InvalidBlockError::UnsupportedTransactionType(other as u8).into()),
    }
}

const fn withdrawal(withdrawal: &SszWithdrawal) -> Withdrawal {
    Withdrawal {
        index: withdrawal.index,
        validator_index: withdrawal.validator_index,
        address: H160(withdrawal.address.0),
        amount: withdrawal.amount,
    }
}

/// Returns ethrex's constant for a fork.
pub const fn fork_of(fork: ProtocolFork) -> Fork {
    match fork {
        ProtocolFork::Paris => Fork::Paris,
        ProtocolFork::Shanghai => Fork::Shanghai,
        ProtocolFork::Cancun => Fork::Cancun,
        ProtocolFork::Prague => Fork::Prague,
        ProtocolFork::Osaka => Fork::Osaka,
        ProtocolFork::Bpo1 => Fork::BPO1,
        ProtocolFork::Bpo2 => Fork::BPO2,
        ProtocolFork::Amsterdam => Fork::Amsterdam,
    }
}

/// Converts a request of an earlier fork to the shape of Amsterdam, with later fields empty.
fn request_of(input: &StatelessInput<'_>) -> Result<NewPayloadRequest, EthrexError> {
    let request = &input.request;
    let payload = &request.payload;
    let requests = &request.execution_requests;
    let withdrawals = records::<SszWithdrawal, _>(&payload.withdrawals)?;
    let execution_payload = ExecutionPayload {
        parent_hash: payload.parent_hash.0,
        fee_recipient: Bytes20(payload.fee_recipient.into_array()),
        state_root: payload.state_root.0,
        receipts_root: payload.receipts_root.0,
        logs_bloom: vector("logs bloom", payload.logs_bloom)?,
        prev_randao: payload.prev_randao.0,
        block_number: payload.block_number,
        gas_limit: payload.gas_limit,
        gas_used: payload.gas_used,
        timestamp: payload.timestamp,
        extra_data: vector("extra data", payload.extra_data)?,
        base_fee_per_gas: payload.base_fee_per_gas.to_le_bytes(),
        block_hash: payload.block_hash.0,
        transactions: payload
            .transactions
            .iter()
            .map(|tx| tx.to_vec().into())
            .collect::<Vec<_>>()
            .into(),
        withdrawals: withdrawals.into(),
        blob_gas_used: payload.blob_gas_used,
        excess_blob_gas: payload.excess_blob_gas,
        block_access_list: Vec::new().into(),
        slot_number: 0,
    };
    Ok(NewPayloadRequest {
        execution_payload,
        versioned_hashes: request.versioned_hashes.iter().copied().collect::<Vec<_>>().into(),
        parent_beacon_block_root: request.parent_beacon_block_root.0,
        execution_requests: ExecutionRequests {
            deposits: records(&requests.deposits)?.into(),
            withdrawals: records(&requests.withdrawals)?.into(),
            consolidations: records(&requests.consolidations)?.into(),
            builder_deposits: Vec::new().into(),
            builder_exits: Vec::new().into(),
        },
    })
}

fn vector<T: TryFrom<Vec<u8>>>(what: &'static str, bytes: &[u8]) -> Result<T, EthrexError> {
    bytes.to_vec().try_into().map_err(|_| malformed(what)("too long"))
}

fn records<T: SszDecode, const N: usize>(records: &Records<'_, N>) -> Result<Vec<T>, EthrexError> {
    let decode = |record: &[u8; N]| {
        T::from_ssz_bytes(record).map_err(|reason| malformed("record")(&format!("{reason:?}")))
    };
    records.iter().map(decode).collect()
}
