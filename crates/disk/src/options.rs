//! Retention options of a chain on disk.

/// Retention and other options of a [`DiskStore`](crate::DiskStore). The default is that of a
/// rollup node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// States of how many of the newest canonical blocks are kept, the head's among them. Nothing
    /// can be proven or called at older blocks, nor can the chain go back behind them.
    pub states: u64,
    /// Witnesses of how many of the newest canonical blocks are kept at least.
    pub witnesses: u64,
    /// Maximum number of commits that wait to be applied to the state store; the next one waits for
    /// room. A process that is killed leaves that many blocks to be executed again.
    pub queue: usize,
    /// Number of commits that the state store applies before it is synced: after a loss of power
    /// that many blocks are executed again, besides those that waited.
    pub lag: u64,
    /// Bytes from which on a segment of the log gets no further record.
    pub segment_bytes: u64,
    /// Bytes of memory for recently read items of the state store.
    pub cache_bytes: u64,
    /// Bytes of memory for trie nodes that were read or written lately.
    pub node_cache_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> Self {
        // Claims are proven against the last 8,191 heads that L1 knows; the newest blocks are not
        // there yet.
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
