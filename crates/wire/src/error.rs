//! Reasons for which an input cannot be decoded.

use alloc::string::String;
use alloy_primitives::B256;

/// A stateless input, or a part of one, that is not in the format it claims to be in.
///
/// Every variant contains the value found and the value expected; `what` names the field in the
/// terms of the specification.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the fixed part does.
    #[error("{what}: {got} bytes, expected at least {expected}")]
    TooShort {
        /// The container or field.
        what: &'static str,
        /// Bytes present.
        got: usize,
        /// Bytes that the fixed part takes.
        expected: usize,
    },
    /// A field of fixed length has the wrong length.
    #[error("{what}: {got} bytes, expected exactly {expected}")]
    Length {
        /// The field.
        what: &'static str,
        /// Bytes present.
        got: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The schema id does not belong to a known fork.
    #[error("schema id {got:#06x} is not one of 0x0e01 (Paris) to 0x1501 (Amsterdam)")]
    UnknownSchema {
        /// The id found.
        got: u16,
    },
    /// The schema id does not belong to a batch.
    #[error("schema id {got:#06x} is not one of 0x0eba (Paris) to 0x15ba (Amsterdam)")]
    NoBatchSchema {
        /// The id found.
        got: u16,
    },
    /// A list that must have an element is empty.
    #[error("{what}: none, expected at least one")]
    Empty {
        /// The list.
        what: &'static str,
    },
    /// The input is in an older dialect of the same schema id.
    #[error(
        "older dialect of the stateless input: {dialect}; re-encode it without {surplus} \
         (dialect 4, tests-zkevm v21.0.1 and later)"
    )]
    OlderDialect {
        /// The dialect, by the fixture releases that used it.
        dialect: &'static str,
        /// Fields of the older dialect that the current one does not have.
        surplus: &'static str,
    },
    /// The first offset is not the length of the fixed part.
    #[error("{what}: first offset is {got}, expected {expected}")]
    FirstOffset {
        /// The container or list.
        what: &'static str,
        /// Offset found.
        got: usize,
        /// Length of the fixed part.
        expected: usize,
    },
    /// The first offset of a list of variable-size elements is not a positive multiple of four
    /// within the list.
    #[error("{what}: first offset {got} is not a multiple of 4 in 4..={len}")]
    ListOffset {
        /// The list.
        what: &'static str,
        /// Offset found.
        got: usize,
        /// Length of the list in bytes.
        len: usize,
    },
    /// An offset is less than its predecessor, so that fields would overlap.
    #[error("{what}: offset {index} is {got}, before its predecessor {previous}")]
    OffsetOrder {
        /// The container or list.
        what: &'static str,
        /// Index of the offset, counted from zero.
        index: usize,
        /// Offset found.
        got: usize,
        /// The offset before it.
        previous: usize,
    },
    /// An offset is beyond the end.
    #[error("{what}: offset {index} is {got}, beyond the end at {len}")]
    OffsetBeyondEnd {
        /// The container or list.
        what: &'static str,
        /// Index of the offset, counted from zero.
        index: usize,
        /// Offset found.
        got: usize,
        /// Length of the container or list in bytes.
        len: usize,
    },
    /// The length of a list of fixed-size records is not a multiple of the record length.
    #[error("{what}: {got} bytes do not divide into records of {record}")]
    PartialRecord {
        /// The list.
        what: &'static str,
        /// Bytes present.
        got: usize,
        /// Bytes per record.
        record: usize,
    },
    /// A list has more elements than the specification allows.
    #[error("{what}: {got} elements, at maximum {limit} are allowed")]
    TooMany {
        /// The list.
        what: &'static str,
        /// Elements present.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// A byte list is longer than the specification allows.
    #[error("{what}[{index}]: {got} bytes, at maximum {limit} are allowed")]
    TooLong {
        /// The list that holds the element, or the field itself (then `index` is zero).
        what: &'static str,
        /// Index of the element, counted from zero.
        index: usize,
        /// Bytes present.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// A boolean is neither zero nor one.
    #[error("{what}: {got:#04x} is not a boolean")]
    Boolean {
        /// The field.
        what: &'static str,
        /// Byte found.
        got: u8,
    },
    /// An RLP structure is malformed.
    #[error("{what}: {reason}")]
    Rlp {
        /// The structure that was being decoded.
        what: &'static str,
        /// The decoder's reason.
        reason: alloy_rlp::Error,
    },
    /// A JSON document is malformed.
    #[error("{what}: {message}")]
    Json {
        /// The document that was being decoded.
        what: &'static str,
        /// The parser's reason.
        message: String,
    },
    /// The parts of a block and its witness do not belong together.
    #[error("{what}: got {got}, expected {expected}")]
    Mismatch {
        /// The value that was being compared.
        what: &'static str,
        /// Value found.
        got: String,
        /// Value expected.
        expected: String,
    },
    /// The state of a batch's witness is not in canonical form.
    #[error("state of the batch, node {node}: {reason}")]
    State {
        /// Index of the node in the stream, counted from zero.
        node: usize,
        /// The violation at this node.
        reason: StreamError,
    },
    /// A code of a batch's witness is listed twice.
    #[error("codes of the batch: code {index} duplicates code {first}")]
    DuplicateCode {
        /// Index of the duplicate.
        index: usize,
        /// Index of its first occurrence.
        first: usize,
    },
    /// An item that a witness lists as a trie node is not a valid node at its position.
    #[error("trie node {index} in preorder: {reason}")]
    TrieNode {
        /// Position of the node in preorder, counted from one.
        index: usize,
        /// The violation at this node.
        reason: &'static str,
    },
    /// A witness lists trie nodes that are unreachable from the root.
    #[error("{reached} of {nodes} trie nodes are reached from the root, and {hash} is not")]
    Unreachable {
        /// Hash of the first unreachable node.
        hash: B256,
        /// Number of reachable nodes.
        reached: usize,
        /// Number of listed nodes.
        nodes: usize,
    },
}

/// Reasons for which a stream of trie nodes is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The stream ends within a node.
    #[error("{what}: {got} bytes are left, expected {expected}")]
    End {
        /// The part that was being read.
        what: &'static str,
        /// Bytes left.
        got: usize,
        /// Bytes that the part takes.
        expected: usize,
    },
    /// The stream ends before the declared number of nodes.
    #[error("{got} nodes, but {declared} are declared")]
    Fewer {
        /// Nodes read.
        got: usize,
        /// Nodes declared.
        declared: usize,
    },
    /// The stream needs more nodes than it declares.
    #[error("another node is required, but only {declared} are declared")]
    More {
        /// Nodes declared.
        declared: usize,
    },
    /// Bytes follow the last node.
    #[error("{got} bytes behind the last node")]
    Surplus {
        /// Bytes left.
        got: usize,
    },
    /// The byte is not a tag of a node in this trie.
    #[error("{got:#04x} is not a node tag of {}", if *.in_storage { "a storage trie" } else { "the account trie" })]
    Tag {
        /// The byte found.
        got: u8,
        /// `true` if the node is in a storage trie.
        in_storage: bool,
    },
    /// Children of a branch are marked both as carried and as hashes.
    #[error("children {carried:#06x} are carried and {hashed:#06x} hashes, expected none in both")]
    Masks {
        /// Bit mask of the carried children.
        carried: u16,
        /// Bit mask of the children given as hashes.
        hashed: u16,
    },
    /// A branch has fewer than two children.
    #[error("a branch with {got} children, expected at minimum 2")]
    Children {
        /// Number of its children.
        got: u32,
    },
    /// A branch is at the end of a key.
    #[error("a branch below the end of a key")]
    BelowKey,
    /// An extension has no nibbles, or too many for a branch to fit below it.
    #[error("an extension by {got} nibbles, expected 1 to {limit}")]
    PathLength {
        /// Nibbles found.
        got: usize,
        /// Maximum number of nibbles.
        limit: usize,
    },
    /// The first byte of a path with an odd number of nibbles contains two nibbles.
    #[error("a path of an odd number of nibbles begins with {got:#04x}, expected less than 0x10")]
    Padding {
        /// The byte found.
        got: u8,
    },
    /// The child of an extension is not a branch.
    #[error("the child of an extension is not a branch")]
    BelowExtension,
    /// A number has too many bytes.
    #[error("{what}: {got} bytes, at maximum {limit} are allowed")]
    TooLarge {
        /// The number.
        what: &'static str,
        /// Bytes found.
        got: usize,
        /// Maximum number of bytes.
        limit: usize,
    },
    /// An integer is not in its shortest form.
    #[error("{what}: not the shortest RLP of a number")]
    NotShortest {
        /// The number.
        what: &'static str,
    },
    /// A slot has the value zero; it must be absent instead.
    #[error("a slot with the value zero")]
    NoValue,
    /// The hash of empty storage or empty code is given instead of the tag for emptiness.
    #[error("{what}: the hash of nothing is spelled out")]
    HashOfNothing {
        /// The field with the hash.
        what: &'static str,
    },
    /// An account refers to a code that the witness does not have.
    #[error("code index {got} of a witness with {codes} codes")]
    Code {
        /// Position of the code.
        got: usize,
        /// Number of codes in the witness.
        codes: usize,
    },
}
