//! The genesis block of a chain.

use super::{
    abi::{
        IL2::{Genesis as Request, Head, receiptsCall},
        StoredBody, StoredState,
    },
    draft::{anchor_contract, genesis_header, is_draft},
    fork_of,
    store::{head, save},
};
use crate::{ForgeError, Workspace};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall;
use chain::store::StoredNodes;
use chain::{Chain, ChainConfig, empty_genesis};
use executor::ChainSpec;
use keccak::keccak256;
use variants::ANCHOR_ADDRESS;
use wire::ProtocolFork;

/// Creates the genesis that the request describes, with the system contracts of all forks, because
/// a test may choose each block's fork.
pub(super) fn create(workspace: &Workspace, request: &Request) -> Result<Head, ForgeError> {
    let fork = fork_of(request.schema)?;
    let mut genesis = empty_genesis(ProtocolFork::Amsterdam);
    genesis.number = Some(request.number);
    genesis.timestamp = request.timestamp;
    genesis.gas_limit = request.gasLimit;
    genesis.base_fee_per_gas = Some(request.baseFee.into());
    genesis.coinbase = request.feeRecipient;
    if is_draft(request.schema) {
        genesis.alloc.insert(ANCHOR_ADDRESS, anchor_contract());
    }
    for account in &request.accounts {
        let described = GenesisAccount {
            nonce: Some(account.nonce),
            balance: account.balance,
            code: Some(account.code.clone()),
            storage: Some(account.slots.iter().map(|slot| (slot.slot, slot.value)).collect()),
            ..Default::default()
        };
        if genesis.alloc.insert(account.account, described).is_some() {
            return Err(twice(account.account));
        }
    }
    let config = ChainConfig::new(ChainSpec::for_input(request.chainId, fork));
    let mut chain = Chain::new(&genesis, config.clone())?;
    if !request.anchor.is_zero() {
        let mut header = chain.head().header.clone();
        header.parent_beacon_block_root = Some(request.anchor);
        chain = Chain::from_header(header, &genesis, config)?;
    }
    let plain = &chain.head().header;
    let header = genesis_header(plain, request.schema);
    let hash = keccak256(&header);
    let StoredNodes { nodes, codes } = chain.store().everything()?;
    let state = StoredState {
        distance: 0,
        chainId: request.chainId,
        schema: request.schema,
        header,
        ancestors: Vec::new(),
        nodes,
        codes,
    };
    let body = StoredBody {
        input: Bytes::new(),
        receipts: receiptsCall::abi_encode_returns(&Vec::new()).into(),
    };
    save(workspace, &hash, &state, &body)?;
    Ok(head(plain, hash, request.chainId, request.schema))
}

fn twice(address: Address) -> ForgeError {
    ForgeError::Refused(format!(
        "genesis: account {address} is given twice, or is that of a system contract"
    ))
}
