//! Merkle proofs, verified as in `contracts/libraries/StateProof.sol`.

use alloy_primitives::{B256, Bytes, keccak256, map::B256Map};
use alloy_rlp::Decodable;
use core::cell::RefCell;
use trie::{NodePath, NodeSource, SourceError, Trie, TrieError};

/// Reason why nodes do not prove a value.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// A node is missing or malformed.
    #[error(transparent)]
    Node(#[from] TrieError),
    /// The nodes are not exactly those of the path, from the root down.
    #[error("{got} nodes, expected the {expected} of the path, from the root down")]
    Nodes {
        /// Number of nodes.
        got: usize,
        /// Number of nodes on the path.
        expected: usize,
    },
    /// The value is malformed.
    #[error("malformed value: {0}")]
    Value(alloy_rlp::Error),
}

/// Returns the decoded value to which the nodes lead, or the default if they prove that there is
/// none. Like L1, accepts exactly the nodes of the path, in their order.
///
/// # Errors
///
/// [`Unproven`] if the nodes prove neither.
pub fn read<T: Decodable + Default>(root: B256, key: B256, nodes: &[Bytes]) -> Result<T, Unproven> {
    let Some(value) = read_bytes(root, &key, nodes)? else { return Ok(T::default()) };
    alloy_rlp::decode_exact(&value).map_err(Unproven::Value)
}

fn read_bytes(root: B256, key: &B256, nodes: &[Bytes]) -> Result<Option<Vec<u8>>, Unproven> {
    let known = Known::new(nodes);
    let value = known.get(root, key)?;
    let path = known.read.into_inner();
    if path.len() != nodes.len()
        || !nodes.iter().zip(&path).all(|(it, hash)| keccak256(it) == *hash)
    {
        return Err(Unproven::Nodes { got: nodes.len(), expected: path.len() });
    }
    Ok(value)
}

/// Nodes of a proof, by hash.
struct Known<'p> {
    nodes: B256Map<&'p Bytes>,
    /// Hashes of the nodes that were read, in order.
    read: RefCell<Vec<B256>>,
}

impl<'p> Known<'p> {
    fn new(nodes: &'p [Bytes]) -> Self {
        let nodes = nodes.iter().map(|node| (keccak256(node), node)).collect();
        Self { nodes, read: RefCell::default() }
    }

    fn get(&self, root: B256, key: &B256) -> Result<Option<Vec<u8>>, TrieError> {
        Ok(Trie::new(root).get(self, key)?.map(<[u8]>::to_vec))
    }
}

impl<'p> NodeSource for Known<'p> {
    type Bytes = &'p [u8];

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<&'p [u8]>, SourceError> {
        let node = self.nodes.get(hash).map(|node| &node[..]);
        self.read.borrow_mut().extend(node.map(|_| *hash));
        Ok(node)
    }
}
