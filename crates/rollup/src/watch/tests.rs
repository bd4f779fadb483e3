use super::{
    book::tests::{DOMAIN, ROLLUP, update_of},
    *,
};
use crate::{L1Client, batcher::tests::RULES, l2::signed_blocks::PolicyTrust};
use alloy_primitives::{B256, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use std::sync::Weak;

/// Returns a sealed block signed by this key, and the account of the key.
fn signed(key: u8) -> (PrefixUpdate, Address) {
    let update = update_of(7, B256::ZERO, &[], 0, true);
    let key = PrivateKeySigner::from_bytes(&U256::from(key).into()).unwrap();
    let signature = key.sign_hash_sync(&update.message.digest(&DOMAIN)).unwrap();
    (PrefixUpdate { signature: signature.as_bytes().into(), ..update }, key.address())
}

#[test]
fn admitted_signer_counts_while_l1_is_silent() {
    let watch = Watch::open(None, ROLLUP, DOMAIN).unwrap();
    let client: Weak<L1Client> = Weak::new();
    let policy = PolicyTrust { client, rollup: ROLLUP, rules: RULES, cache: Mutex::default() };
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
