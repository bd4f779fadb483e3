//! The signed message, and recovery of its signer.

use alloy_primitives::{Address, B256, Signature};
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain};
use wire::SchemaId;

/// Length of a signature: r, s and v.
const SIGNATURE_LEN: usize = 65;

mod typed {
    #![allow(missing_docs, reason = "the structs above document the fields")]

    alloy_sol_types::sol! {
        struct Preconfirmation {
            address rollup;
            bytes32 blockHash;
            uint16 schema;
            bool isSealed;
            uint64 l1Block;
            bytes32 l1Hash;
        }

        struct Signer {
            address account;
        }
    }
}

/// EIP-712 domain of a signature: an L1 and a contract on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Domain {
    /// Chain id of L1.
    pub l1_chain_id: u64,
    /// `PreconfBonds` if the rollup's sequencer has a bond there, otherwise the rollup.
    pub contract: Address,
}

impl Domain {
    const fn eip712(&self) -> Eip712Domain {
        eip712_domain! {
            name: "Enshrine preconfirmations",
            version: "1",
            chain_id: self.l1_chain_id,
            verifying_contract: self.contract,
        }
    }

    /// Returns the domain separator.
    pub fn separator(&self) -> B256 {
        self.eip712().separator()
    }
}

/// Promise of a sequencer about a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Preconfirmation {
    /// The rollup's contract on L1.
    pub rollup: Address,
    /// Hash of a complete header, of the block that would be posted if no transaction followed.
    pub block_hash: B256,
    /// Schema id of the single input under which the outcomes in the header hold. A header does not
    /// contain its fork.
    pub schema: SchemaId,
    /// `true` if this is the block; `false` if the block will have the same environment and begin
    /// with exactly these transactions.
    pub is_sealed: bool,
    /// Number of the L1 block on which the promise depends; zero with a zero hash for none.
    pub l1_block: u64,
    /// Hash of that block. The promise is void on an L1 chain that does not contain it.
    pub l1_hash: B256,
}

impl Preconfirmation {
    const fn typed(&self) -> typed::Preconfirmation {
        typed::Preconfirmation {
            rollup: self.rollup,
            blockHash: self.block_hash,
            schema: self.schema.get(),
            isSealed: self.is_sealed,
            l1Block: self.l1_block,
            l1Hash: self.l1_hash,
        }
    }

    /// Returns the EIP-712 struct hash, which does not include the domain.
    pub fn struct_hash(&self) -> B256 {
        self.typed().eip712_hash_struct()
    }

    /// Returns the hash that is signed.
    pub fn digest(&self, domain: &Domain) -> B256 {
        self.typed().eip712_signing_hash(&domain.eip712())
    }

    /// Returns the account that has signed this message.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] if the contracts reject the signature.
    pub fn signer(&self, domain: &Domain, signature: &[u8]) -> Result<Address, SignatureError> {
        recover(self.digest(domain), signature)
    }

    /// Returns `true` if the promise does not depend on an L1 block.
    pub fn is_unconditional(&self) -> bool {
        self.l1_block == 0 && self.l1_hash.is_zero()
    }
}

/// Returns the hash that a key signs so that `account` is liable for its messages.
pub fn signer_digest(account: Address, domain: &Domain) -> B256 {
    typed::Signer { account }.eip712_signing_hash(&domain.eip712())
}

/// Returns the account whose key has signed a digest.
///
/// Accepts exactly the signatures that the contracts accept: 65 bytes r, s and v, where s is in the
/// lower half of the group order and v is 27 or 28.
///
/// # Errors
///
/// [`SignatureError`] for any other signature.
pub fn recover(digest: B256, signature: &[u8]) -> Result<Address, SignatureError> {
    let Ok(bytes) = <&[u8; SIGNATURE_LEN]>::try_from(signature) else {
        return Err(SignatureError::Length { got: signature.len(), expected: SIGNATURE_LEN });
    };
    let v = bytes[SIGNATURE_LEN - 1];
    if v != 27 && v != 28 {
        return Err(SignatureError::Parity { got: v });
    }
    let signature = Signature::from_bytes_and_parity(&bytes[..SIGNATURE_LEN - 1], v == 28);
    if signature.normalize_s().is_some() {
        return Err(SignatureError::HighS { s: signature.s().into() });
    }
    signature.recover_address_from_prehash(&digest).map_err(|_| SignatureError::NoKey)
}

/// Reasons why a signature is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature has another length.
    #[error("signature: {got} bytes, expected {expected}")]
    Length {
        /// Bytes found.
        got: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The last byte is not a recovery id.
    #[error("signature: v is {got}, expected 27 or 28")]
    Parity {
        /// The byte found.
        got: u8,
    },
    /// s is in the upper half of the group order, so the signature is malleable.
    #[error("signature: s {s} is above half of the group order")]
    HighS {
        /// The value found.
        s: B256,
    },
    /// No key yields this signature.
    #[error("signature: cannot recover a public key")]
    NoKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{U256, b256};
    use alloy_signer::SignerSync as _;
    use alloy_signer_local::PrivateKeySigner;

    /// Order of secp256k1.
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    fn domain() -> Domain {
        Domain { l1_chain_id: 1, contract: Address::repeat_byte(0xb0) }
    }

    fn message() -> Preconfirmation {
        Preconfirmation {
            rollup: Address::repeat_byte(0xa0),
            block_hash: B256::repeat_byte(0x11),
            schema: SchemaId::OSAKA,
            is_sealed: true,
            l1_block: 100,
            l1_hash: B256::repeat_byte(0x22),
        }
    }

    /// The values were computed by an independent Python program.
    #[test]
    fn digests_match_known_values() {
        assert_eq!(
            domain().separator(),
            b256!("07857033733a4d97d2925061320feab950da0f782cb21b29c173057f3b14aa93")
        );
        assert_eq!(
            message().typed().eip712_type_hash(),
            b256!("4f9c9534f0d0d3fa77d2dde5d6b5d42001f20f8d7bde7c57650d99ac5cb23054")
        );
        assert_eq!(
            message().struct_hash(),
            b256!("4bd8486fe2bcba106f057d952f8e257679d6db97ae28c5ab3ffecb42ccf0b82f")
        );
        assert_eq!(
            message().digest(&domain()),
            b256!("fbe70d2006cb342dab12d83d77458cfc94c43ddb451c1f72bbf2da1c384b3deb")
        );
        let account = Address::repeat_byte(0xcc);
        assert_eq!(
            typed::Signer { account }.eip712_type_hash(),
            b256!("ec2ed276b311ecf5088d475916ea3ac3b5e876c836b5498994b7e28944994685")
        );
        assert_eq!(
            signer_digest(account, &domain()),
            b256!("30836d7297ea9863e86281e66857ce1d4ec4b0789466bb2a2a497dc730707896")
        );
    }

    #[test]
    fn each_field_changes_the_digest() {
        let base = message();
        let other = [
            Preconfirmation { rollup: Address::ZERO, ..base },
            Preconfirmation { block_hash: B256::ZERO, ..base },
            Preconfirmation { schema: SchemaId::AMSTERDAM, ..base },
            Preconfirmation { is_sealed: false, ..base },
            Preconfirmation { l1_block: 101, ..base },
            Preconfirmation { l1_hash: B256::ZERO, ..base },
        ];
        for changed in other {
            assert_ne!(changed.digest(&domain()), base.digest(&domain()), "{changed:?}");
        }
        let contract = Address::repeat_byte(0xb1);
        assert_ne!(base.digest(&Domain { contract, ..domain() }), base.digest(&domain()));
        assert_ne!(base.digest(&Domain { l1_chain_id: 2, ..domain() }), base.digest(&domain()));
    }

    #[test]
    fn only_canonical_signatures_are_accepted() {
        let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
        let good = key.sign_hash_sync(&message().digest(&domain())).unwrap().as_bytes();
        assert_eq!(message().signer(&domain(), &good), Ok(key.address()));

        let high = U256::from_str_radix(ORDER, 16).unwrap() - U256::from_be_slice(&good[32..64]);
        let mut mirrored = good;
        mirrored[32..64].copy_from_slice(&high.to_be_bytes::<32>());
        mirrored[64] = 55 - good[64];
        let refused = message().signer(&domain(), &mirrored);
        assert_eq!(refused, Err(SignatureError::HighS { s: high.into() }));

        for v in [0, 1, 26, 29] {
            let mut other = good;
            other[64] = v;
            assert_eq!(message().signer(&domain(), &other), Err(SignatureError::Parity { got: v }));
        }
        let short = message().signer(&domain(), &good[..64]);
        assert_eq!(short, Err(SignatureError::Length { got: 64, expected: 65 }));
        let mut zero = [0; 65];
        zero[64] = 27;
        assert_eq!(message().signer(&domain(), &zero), Err(SignatureError::NoKey));
    }
}
