//! How much a chain on disk keeps.

/// How much a [`DiskStore`](crate::DiskStore) keeps, and how. The default is that of a rollup node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// States of how many of the newest canonical blocks are kept, the head's among them. Nothing can be
    /// proven or called at older blocks, nor can the chain go back behind them.
    pub states: u64,
    /// Witnesses of how many of the newest canonical blocks are kept at least.
    pub witnesses: u64,
    /// How many commits the state store may be behind the log after a loss of power: as many blocks are
    /// executed again then. A process that is killed loses nothing of them.
    pub lag: u64,
    /// Bytes from which on a segment of the log gets no further record.
    pub segment_bytes: u64,
    /// Bytes of memory for what was read lately from the state store.
    pub cache_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> Self {
        // Claims are proven against the last 8,191 heads that L1 knows; the newest blocks are not
        // there yet.
        let states = 8_191 + 1_024;
        Self {
            states,
            witnesses: states,
            lag: 32,
            segment_bytes: 128 << 20,
            cache_bytes: 128 << 20,
        }
    }
}
