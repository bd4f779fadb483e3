//! Retention options of a chain on disk.

/// Retention and other options of a [`DiskStore`](crate::DiskStore). The defaults are meant for a
/// rollup node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// Number of newest canonical blocks, including the head, whose states are kept. Proofs and
    /// calls at older blocks are not possible, and the chain cannot be rewound beyond them.
    pub states: u64,
    /// Minimum number of newest canonical blocks whose witnesses are kept.
    pub witnesses: u64,
    /// Maximum number of commits queued for the state store; a further commit blocks. After a kill,
    /// up to this many blocks are executed again.
    pub queue: usize,
    /// Number of commits that the state store applies before it is synced. After a loss of power,
    /// up to this many blocks are executed again, in addition to the queued ones.
    pub lag: u64,
    /// Length in bytes at which the log starts a new segment.
    pub segment_bytes: u64,
    /// Size of the state store's block cache, in bytes.
    pub cache_bytes: u64,
    /// Size of the cache for recently read or written trie nodes, in bytes.
    pub node_cache_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> Self {
        // Claims are proven against the last 8,191 heads on L1, which does not have the latest
        // blocks yet.
        let states = 8_191 + 1_024;
        Self {
            states,
            witnesses: states,
            queue: 32,
            lag: 32,
            segment_bytes: 128 << 20,
            cache_bytes: 64 << 20,
            node_cache_bytes: 64 << 20,
        }
    }
}
