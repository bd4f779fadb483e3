//! Ethereum JSON-RPC over a node.
