//! Trie nodes by hash, and repair of the hashes above a changed node.

use alloy_primitives::{B256, Bytes, keccak256};
use std::collections::BTreeMap;
use trie::{NodePath, NodeSource, SourceError};

/// Nodes by hash.
#[derive(Debug, Default, Clone)]
pub(crate) struct Nodes(pub(crate) BTreeMap<B256, Bytes>);

impl NodeSource for Nodes {
    type Bytes = Bytes;

    fn node(&self, _: NodePath<'_>, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.0.get(hash).cloned())
    }
}

impl FromIterator<Bytes> for Nodes {
    fn from_iter<I: IntoIterator<Item = Bytes>>(nodes: I) -> Self {
        Self(nodes.into_iter().map(|node| (keccak256(&node), node)).collect())
    }
}

/// Replaces item `at` by other bytes, and repairs the hashes in all items that refer to it directly
/// or indirectly. Returns the new hash of `root`, which is unchanged if the item is not reachable
/// from there.
///
/// Nodes of tries have no cycles, but the new bytes may contain the hash of an item above them.
/// Such a cycle cannot be repaired, so the number of repairs is limited to what a trie of these
/// items can need.
pub(crate) fn replace(items: &mut [Bytes], at: usize, bytes: Vec<u8>, mut root: B256) -> B256 {
    let mut changed = vec![(at, Bytes::from(bytes))];
    let mut left = items.len() * items.len();
    while let Some((at, new)) = changed.pop()
        && left > 0
    {
        left -= 1;
        let (old_hash, new_hash) = (keccak256(&items[at]), keccak256(&new));
        items[at] = new;
        if root == old_hash {
            root = new_hash;
        }
        for (parent, item) in items.iter().enumerate().filter(|(other, _)| *other != at) {
            let Some(place) = item.windows(32).position(|window| window == old_hash.as_slice())
            else {
                continue;
            };
            let mut item = item.to_vec();
            item[place..place + 32].copy_from_slice(new_hash.as_slice());
            changed.push((parent, item.into()));
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_repairs_hashes_of_all_ancestors() {
        let leaf = Bytes::from_static(b"leaf");
        let above = Bytes::from([&b"above"[..], keccak256(&leaf).as_slice()].concat());
        let root = Bytes::from([keccak256(&above).as_slice(), b"root"].concat());
        let mut items = [above, leaf, root.clone()];
        let new_root = replace(&mut items, 1, b"changed".to_vec(), keccak256(&root));
        assert_eq!(items[1].as_ref(), b"changed");
        assert!(items[0].ends_with(keccak256(&items[1]).as_slice()));
        assert!(items[2].starts_with(keccak256(&items[0]).as_slice()));
        assert_eq!(new_root, keccak256(&items[2]));
        let alone = replace(&mut items, 2, b"new".to_vec(), B256::ZERO);
        assert_eq!(alone, B256::ZERO);
    }

    #[test]
    fn replace_terminates_on_cyclic_references() {
        let leaf = Bytes::from_static(b"leaf");
        let root = Bytes::from([keccak256(&leaf).as_slice(), b"root"].concat());
        let mut items = [leaf, root.clone()];
        let old_root = keccak256(&root);
        let new_root = replace(&mut items, 0, old_root.to_vec(), old_root);
        assert_ne!(new_root, old_root);
    }
}
