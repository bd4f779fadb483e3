//! Proofs of transactions against a transactions root, in the format of `TransactionProof.sol`.

use alloy_primitives::{B256, Bytes, b256, keccak256};
use alloy_rlp::Header;
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};

/// Root of a trie without entries.
pub const EMPTY_TRIE: B256 =
    b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Maximum number of nibbles of a key, which is the RLP of an index below 2^16.
const MAX_NIBBLES: usize = 6;

/// Returns the trie nodes from the transactions root to the transaction at `index`, or to the node
/// at which the path ends if there is none. Empty for the empty trie. `transactions` are all
/// transactions of the block, as EIP-2718 encodings.
pub fn prove_transaction(transactions: &[Bytes], index: usize) -> Vec<Bytes> {
    if transactions.is_empty() {
        return Vec::new();
    }
    let key = |index: usize| Nibbles::unpack(alloy_rlp::encode(index));
    let target = key(index);
    let mut leaves: Vec<_> = (0..transactions.len()).map(|index| (key(index), index)).collect();
    leaves.sort_unstable();
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![target]));
    for (path, at) in leaves {
        builder.add_leaf(path, &transactions[at]);
    }
    builder.root();
    let nodes = builder.take_proof_nodes().matching_nodes_sorted(&target);
    nodes.into_iter().map(|(_, node)| node).collect()
}

/// Returns the hash of the transaction at an index, or `None` if the block has none there.
///
/// `nodes` are the trie nodes from the root to the leaf, or to the node at which the path ends. The
/// empty trie has none. No block has 2^16 transactions.
///
/// # Errors
///
/// [`ProofError`] if the nodes prove neither.
pub fn transaction_hash_at(
    root: B256,
    index: u32,
    nodes: &[Bytes],
) -> Result<Option<B256>, ProofError> {
    if root == EMPTY_TRIE && nodes.is_empty() {
        return Ok(None);
    }
    let key = alloy_rlp::encode(index);
    let mut path: Vec<_> = key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect();
    if path.len() > MAX_NIBBLES {
        return Ok(None);
    }
    let mut expected = root;
    for (node, rlp) in nodes.iter().enumerate() {
        let got = keccak256(rlp);
        if got != expected {
            return Err(ProofError::Hash { node, got, expected });
        }
        match step(rlp, &mut path).ok_or(ProofError::Malformed { node })? {
            Step::Next(hash) => expected = hash,
            Step::Nothing => return Ok(None),
            Step::Transaction(hash) if node + 1 == nodes.len() => return Ok(Some(hash)),
            Step::Transaction(_) => {
                return Err(ProofError::TooLong { used: node + 1, nodes: nodes.len() });
            }
        }
    }
    Err(ProofError::Incomplete { nodes: nodes.len() })
}

/// Result of following the path through a node.
enum Step {
    Next(B256),
    Nothing,
    Transaction(B256),
}

/// Follows the path through a node. Returns `None` if the node is malformed.
fn step(mut rlp: &[u8], path: &mut Vec<u8>) -> Option<Step> {
    let header = Header::decode(&mut rlp).ok()?;
    if !header.list || rlp.len() != header.payload_length {
        return None;
    }
    let first = item(&mut rlp)?;
    let mut rest = rlp;
    let second = item(&mut rest)?;
    let (child, count) = if rest.is_empty() {
        let (nibbles, is_leaf) = short_path(first)?;
        let is_on_path = path.starts_with(&nibbles);
        if is_leaf {
            let is_found = is_on_path && nibbles.len() == path.len();
            let hash = || keccak256(second);
            return Some(if is_found { Step::Transaction(hash()) } else { Step::Nothing });
        }
        if !is_on_path {
            return Some(Step::Nothing);
        }
        (second, nibbles.len())
    } else {
        let index = *path.first()?;
        let mut child = first;
        for _ in 0..index {
            child = item(&mut rlp)?;
        }
        (child, 1)
    };
    if child.is_empty() {
        return Some(Step::Nothing);
    }
    path.drain(..count);
    B256::try_from(child).ok().map(Step::Next)
}

/// Reads the payload of an item.
fn item<'a>(rlp: &mut &'a [u8]) -> Option<&'a [u8]> {
    let header = Header::decode(rlp).ok()?;
    let (payload, rest) = rlp.split_at_checked(header.payload_length)?;
    *rlp = rest;
    Some(payload)
}

/// Reads the hex-prefix path of a leaf or an extension.
fn short_path(bytes: &[u8]) -> Option<(Vec<u8>, bool)> {
    if bytes.len() > 1 + MAX_NIBBLES / 2 {
        return None;
    }
    let (first, rest) = bytes.split_first()?;
    let mut nibbles = Vec::with_capacity(MAX_NIBBLES + 1);
    if first & 0x10 != 0 {
        nibbles.push(first & 0x0f);
    }
    nibbles.extend(rest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]));
    Some((nibbles, first & 0x20 != 0))
}

/// Reasons why a proof is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The hash of a node differs from that in its parent, or from the root.
    #[error("node {node} of the proof: hash {got}, expected {expected}")]
    Hash {
        /// Index of the node.
        node: usize,
        /// Its hash.
        got: B256,
        /// Hash in its parent.
        expected: B256,
    },
    /// A node cannot be part of a trie of transactions.
    #[error("node {node} of the proof is malformed")]
    Malformed {
        /// Index of the node.
        node: usize,
    },
    /// The path continues beyond the last node.
    #[error("the path continues after the {nodes} nodes of the proof")]
    Incomplete {
        /// Number of nodes.
        nodes: usize,
    },
    /// Nodes follow the leaf.
    #[error("the path ends after {used} of the {nodes} nodes of the proof")]
    TooLong {
        /// Number of nodes on the path.
        used: usize,
        /// Number of nodes.
        nodes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the hash that a trie of one leaf with this hex-prefix path has at index 0, whose key
    /// is `0x80`.
    fn at_index_zero(path: &[u8]) -> Result<Option<B256>, ProofError> {
        let leaf = alloy_rlp::encode(vec![Bytes::copy_from_slice(path), Bytes::from_static(b"tx")]);
        transaction_hash_at(keccak256(&leaf), 0, &[leaf.into()])
    }

    /// A real trie has no such leaves, but a signer may sign the root of a forged one.
    #[test]
    fn leaf_path_must_be_the_whole_key() {
        assert_eq!(at_index_zero(&[0x20, 0x80]), Ok(Some(keccak256("tx"))));
        assert_eq!(at_index_zero(&[0x38]), Ok(None));
        assert_eq!(at_index_zero(&[0x38, 0x00]), Ok(None));
        assert_eq!(at_index_zero(&[0x20]), Ok(None));
        assert_eq!(at_index_zero(&[]), Err(ProofError::Malformed { node: 0 }));
        assert_eq!(at_index_zero(&[0x20, 0, 0, 0, 0]), Err(ProofError::Malformed { node: 0 }));
    }
}
