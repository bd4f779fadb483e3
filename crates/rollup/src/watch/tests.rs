use super::*;
use crate::{L1Client, batcher::tests::RULES, l2::signed_blocks::PolicyTrust};
use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use preconf::Preconfirmation;
use std::sync::Weak;
use wire::SchemaId;

const ROLLUP: Address = Address::repeat_byte(0xa0);
const DOMAIN: Domain = Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) };

fn signed(key: u8) -> (PrefixUpdate, Address) {
    let header = Header {
        number: 7,
        base_fee_per_gas: Some(7),
        withdrawals_root: Some(B256::ZERO),
        ..Header::default()
    };
    let message = Preconfirmation {
        rollup: ROLLUP,
        block_hash: header.hash_slow(),
        schema: SchemaId::OSAKA,
        is_sealed: true,
        l1_block: 0,
        l1_hash: B256::ZERO,
    };
    let key = PrivateKeySigner::from_bytes(&U256::from(key).into()).unwrap();
    let update = PrefixUpdate {
        message,
        signature: key.sign_hash_sync(&message.digest(&DOMAIN)).unwrap().as_bytes().into(),
        header: alloy_rlp::encode(&header).into(),
        first: 0,
        transactions: Vec::new(),
        tip: 0,
        floor: 0,
    };
    (update, key.address())
}

#[test]
fn admitted_signer_counts_while_l1_is_silent() {
    let watch = Watch::open(None, ROLLUP, DOMAIN).unwrap();
    let client: Weak<L1Client> = Weak::new();
    let policy = PolicyTrust { client, rollup: ROLLUP, rules: RULES, known: Mutex::default() };
    let silent = FeedTrust::Policy(policy);
    let ((known, signer), (other, _)) = (signed(7), signed(8));
    assert!(watch.admit(&known, &silent).is_err(), "not admitted before");
    let (header, _) = watch.admit(&known, &FeedTrust::Accounts(vec![signer])).unwrap();
    watch.book.lock().keep(&known, header, signer, true, &|_, _| true).unwrap();
    assert_eq!(watch.admit(&known, &silent).unwrap().1, signer);
    assert!(watch.admit(&other, &silent).is_err());
    // L1 has responded.
    let removed = FeedTrust::Accounts(Vec::new());
    let refused = watch.admit(&known, &removed);
    assert!(matches!(refused, Err(FeedError::WrongSigner { .. })), "{refused:?}");
}
