//! Strict reader of the node stream.

use super::tag;
use crate::{DecodeError, StreamError};
use alloc::{vec, vec::Vec};
use alloy_primitives::{B256, KECCAK256_EMPTY, b256};
use alloy_rlp::{Encodable as _, Header};

/// Number of nibbles in a key.
pub const KEY_NIBBLES: usize = 64;
/// Root of an empty trie.
pub const EMPTY_ROOT: B256 =
    b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Length of a hash in RLP, in bytes.
const HASH: usize = 33;

/// Nibbles, packed two to a byte. If their number is odd, the first nibble has a byte of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// Number of nibbles.
    pub nibbles: usize,
    /// The packed nibbles.
    pub packed: &'a [u8],
}

/// A branch of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch<'a> {
    /// Bit mask of the carried children; they follow in the stream.
    pub carried: u16,
    /// Bit mask of the children given as hashes.
    pub hashed: u16,
    /// The hashes, in order.
    pub hashes: &'a [[u8; 32]],
}

/// The child of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child<'a> {
    /// The next node of the stream.
    Carried,
    /// A child given as a hash.
    Hash(&'a [u8; 32]),
}

/// The storage of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage<'a> {
    /// Empty storage.
    Empty,
    /// A trie with this root.
    Hash(&'a [u8; 32]),
    /// A trie whose root is the next node of the stream.
    Carried,
}

/// The code of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code<'a> {
    /// Empty code.
    Empty,
    /// Code with this hash.
    Hash(&'a [u8; 32]),
    /// The code at this position of the witness.
    Carried(usize),
}

/// An account of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    /// RLP of the nonce followed by RLP of the balance.
    pub numbers: &'a [u8],
    /// The storage.
    pub storage: Storage<'a>,
    /// The code.
    pub code: Code<'a>,
}

impl Account<'_> {
    /// Appends the RLP of the account. If the storage trie is carried, leaves out its root and
    /// returns the position at which the RLP of the root must be inserted. `code` returns the hash
    /// of the code at a position; the positions have been checked against the witness.
    pub fn encode(
        &self,
        code: impl FnOnce(usize) -> Option<B256>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let code = match self.code {
            Code::Empty => KECCAK256_EMPTY,
            Code::Hash(hash) => hash.into(),
            Code::Carried(position) => code(position).unwrap_or_default(),
        };
        let root = match self.storage {
            Storage::Empty => Some(EMPTY_ROOT),
            Storage::Hash(hash) => Some(hash.into()),
            Storage::Carried => None,
        };
        // The payload always has two hashes, so the length of the header does not depend on the
        // storage root that is inserted later.
        let payload_length = self.numbers.len() + 2 * HASH;
        Header { list: true, payload_length }.encode(out);
        out.extend_from_slice(self.numbers);
        let place = out.len();
        if let Some(root) = root {
            root.encode(out);
        }
        code.encode(out);
        root.is_none().then_some(place)
    }
}

/// A node of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamNode<'a> {
    /// A branch, of either trie.
    Branch(Branch<'a>),
    /// An extension, of either trie.
    Extension {
        /// The nibbles that it adds.
        path: Path<'a>,
        /// The child: always a branch.
        child: Child<'a>,
    },
    /// A leaf of the account trie.
    Account {
        /// The remaining nibbles of the key.
        path: Path<'a>,
        /// The account.
        account: Account<'a>,
    },
    /// A leaf of a storage trie.
    Slot {
        /// The remaining nibbles of the key.
        path: Path<'a>,
        /// The value, as RLP.
        value: &'a [u8],
    },
}

impl StreamNode<'_> {
    /// Upper bound for the length of the node's RLP, with each carried child counted as a hash.
    pub(super) const fn rlp_bound(&self) -> usize {
        /// Flag of the hex prefix, and header of its string.
        const PREFIX: usize = 2;
        /// Header of the list.
        const LIST: usize = 2;
        match self {
            StreamNode::Branch(branch) => {
                // An absent child costs one byte, and each present one 32 more; 3 is the longest
                // header of a branch.
                let children = (branch.carried | branch.hashed).count_ones() as usize;
                3 + 17 + (HASH - 1) * children
            }
            StreamNode::Extension { path, .. } => LIST + PREFIX + path.packed.len() + HASH,
            // The value is a list inside a string, with two hashes after the numbers.
            StreamNode::Account { path, account } => {
                LIST + PREFIX + path.packed.len() + 2 + 2 + account.numbers.len() + 2 * HASH
            }
            StreamNode::Slot { path, value } => LIST + PREFIX + path.packed.len() + 1 + value.len(),
        }
    }

    const fn is_branch(&self) -> bool {
        matches!(self, StreamNode::Branch(_))
    }
}

/// A node with children that have not been read yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Number of carried children still to be read.
    left: u32,
    /// Depth of the children, in nibbles.
    depth: usize,
    /// `true` if the children belong to a storage trie.
    in_storage: bool,
    /// `true` if the children must be branches.
    below_extension: bool,
}

/// Reads the nodes of a stream one after another.
#[derive(Debug, Clone)]
pub struct StreamReader<'a> {
    rest: &'a [u8],
    read: usize,
    declared: usize,
    codes: usize,
    /// Ancestors with unread children; at most as many as there are nodes on a path through both
    /// tries.
    open: Vec<Open>,
}

impl<'a> StreamReader<'a> {
    pub(super) fn new(stream: &'a [u8], declared: usize, codes: usize) -> Self {
        let root = Open { left: 1, depth: 0, in_storage: false, below_extension: false };
        let open = if declared == 0 { Vec::new() } else { vec![root] };
        Self { rest: stream, read: 0, declared, codes, open }
    }

    /// Reads the next node; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the next node is not canonical, or if bytes follow the last node.
    pub fn next_node(&mut self) -> Result<Option<StreamNode<'a>>, DecodeError> {
        let node = self.read;
        self.read_node().map_err(|reason| DecodeError::State { node, reason })
    }

    fn read_node(&mut self) -> Result<Option<StreamNode<'a>>, StreamError> {
        let Some(mut place) = self.open.pop() else {
            // Both must end together: a stream must have the declared number of nodes and no bytes
            // after them.
            return match (self.rest.len(), self.read == self.declared) {
                (0, true) => Ok(None),
                (0, false) => Err(StreamError::Fewer { got: self.read, declared: self.declared }),
                (got, _) => Err(StreamError::Surplus { got }),
            };
        };
        // Stops before the node is read, so that the declared number of nodes bounds the work.
        if self.read == self.declared {
            return Err(StreamError::More { declared: self.declared });
        }
        let (node, children) = self.node_at(&place)?;
        // Two extensions in a row, or an extension before a leaf, have a shorter form, so the trie
        // cannot contain them.
        if place.below_extension && !node.is_branch() {
            return Err(StreamError::BelowExtension);
        }
        // A node with unread children stays on the stack below its child: this is preorder without
        // recursion, and a hostile stream cannot exhaust the call stack.
        place.left -= 1;
        if place.left > 0 {
            self.open.push(place);
        }
        self.open.extend(children);
        self.read += 1;
        Ok(Some(node))
    }

    /// Reads the node at this position, and the position of its children if it has any.
    fn node_at(&mut self, place: &Open) -> Result<(StreamNode<'a>, Option<Open>), StreamError> {
        let Open { depth, in_storage, .. } = *place;
        let [got] = *self.take("tag")?;
        let below = |left, depth, below_extension| {
            (left > 0).then_some(Open { left, depth, in_storage, below_extension })
        };
        match got {
            // A key has 64 nibbles in either trie, so no branch can be below them.
            tag::BRANCH => {
                if depth >= KEY_NIBBLES {
                    return Err(StreamError::BelowKey);
                }
                let branch = self.branch()?;
                let children = below(branch.carried.count_ones(), depth + 1, false);
                Ok((StreamNode::Branch(branch), children))
            }
            tag::EXTENSION | tag::EXTENSION_OF_HASH => {
                let [nibbles] = *self.take("length of a path")?;
                let nibbles = usize::from(nibbles);
                // A branch with one nibble must still fit below the extension.
                let limit = KEY_NIBBLES.saturating_sub(depth + 1);
                if nibbles == 0 || nibbles > limit {
                    return Err(StreamError::PathLength { got: nibbles, limit });
                }
                let path = self.path(nibbles)?;
                let child = match got {
                    tag::EXTENSION => Child::Carried,
                    _ => Child::Hash(self.take("hash")?),
                };
                let carried = u32::from(child == Child::Carried);
                let children = below(carried, depth + nibbles, true);
                Ok((StreamNode::Extension { path, child }, children))
            }
            tag::SLOT if in_storage => {
                let path = self.path(KEY_NIBBLES - depth)?;
                let value = self.integer("value", 32)?;
                // A slot of zero is an absent slot: carrying it would give one state two encodings.
                if value == [0x80] {
                    return Err(StreamError::NoValue);
                }
                Ok((StreamNode::Slot { path, value }, None))
            }
            0x10..=0x1f if !in_storage => self.account(got, depth),
            _ => Err(StreamError::Tag { got, in_storage }),
        }
    }

    fn branch(&mut self) -> Result<Branch<'a>, StreamError> {
        let carried = u16::from_le_bytes(*self.take("mask")?);
        let hashed = u16::from_le_bytes(*self.take("mask")?);
        // A child is either a hash or carried; with both, the hash could contradict the content.
        if carried & hashed != 0 {
            return Err(StreamError::Masks { carried, hashed });
        }
        let got = (carried | hashed).count_ones();
        // A branch with a single child would be an extension or a leaf in a canonical trie.
        if got < 2 {
            return Err(StreamError::Children { got });
        }
        let hashes = self.bytes("hashes", 32 * hashed.count_ones() as usize)?;
        Ok(Branch { carried, hashed, hashes: hashes.as_chunks().0 })
    }

    fn account(
        &mut self,
        got: u8,
        depth: usize,
    ) -> Result<(StreamNode<'a>, Option<Open>), StreamError> {
        let (storage, code) = (got >> 2 & 3, got & 3);
        // Storage and code have two bits each; the fourth value is undefined and is rejected.
        if storage.max(code) > tag::CARRIED {
            return Err(StreamError::Tag { got, in_storage: false });
        }
        let path = self.path(KEY_NIBBLES - depth)?;
        let numbers = self.rest;
        let (nonce, balance) = (self.integer("nonce", 8)?, self.integer("balance", 32)?);
        let numbers = &numbers[..nonce.len() + balance.len()];
        let storage = match storage {
            tag::EMPTY => Storage::Empty,
            tag::HASH => Storage::Hash(self.hash_except("storage root", &EMPTY_ROOT)?),
            _ => Storage::Carried,
        };
        let code = match code {
            tag::EMPTY => Code::Empty,
            tag::HASH => Code::Hash(self.hash_except("code hash", &KECCAK256_EMPTY)?),
            _ => Code::Carried(self.code()?),
        };
        let trie = Open { left: 1, depth: 0, in_storage: true, below_extension: false };
        let children = (storage == Storage::Carried).then_some(trie);
        let account = Account { numbers, storage, code };
        Ok((StreamNode::Account { path, account }, children))
    }

    /// Reads the position of a code.
    fn code(&mut self) -> Result<usize, StreamError> {
        // Four bytes suffice for every position in a list with 32-bit offsets.
        let item = self.integer("code", 4)?;
        let digits = if let [digit @ 0..=0x7f] = item { &[*digit][..] } else { &item[1..] };
        let got = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        let codes = self.codes;
        if got < codes { Ok(got) } else { Err(StreamError::Code { got, codes }) }
    }

    /// Reads a hash that must differ from `nothing`, the hash of the empty value.
    fn hash_except(
        &mut self,
        what: &'static str,
        nothing: &B256,
    ) -> Result<&'a [u8; 32], StreamError> {
        let hash = self.take(what)?;
        // Emptiness has its own tag, so its hash must not be a second encoding.
        if hash == &nothing.0 { Err(StreamError::HashOfNothing { what }) } else { Ok(hash) }
    }

    /// Reads a path of `nibbles` nibbles.
    fn path(&mut self, nibbles: usize) -> Result<Path<'a>, StreamError> {
        let packed = self.bytes("path", nibbles.div_ceil(2))?;
        match packed {
            // The unused half of the first byte must be zero, or one path would have sixteen
            // encodings.
            [first @ 0x10..=0xff, ..] if nibbles % 2 == 1 => {
                Err(StreamError::Padding { got: *first })
            }
            _ => Ok(Path { nibbles, packed }),
        }
    }

    /// Reads the RLP of an integer of at most `limit` bytes.
    fn integer(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], StreamError> {
        let first = self.rest.first().copied();
        // A list header (0xc0 and above) yields a length above every limit and is rejected by the
        // check below.
        let len = usize::from(first.unwrap_or_default().saturating_sub(0x80));
        if len > limit {
            return Err(StreamError::TooLarge { what, got: len, limit });
        }
        let item = self.bytes(what, 1 + len)?;
        match *item {
            // RLP integers have no leading zero, and a single byte below 0x80 is its own encoding.
            [0] | [_, 0, ..] | [0x81, 0..=0x7f] => Err(StreamError::NotShortest { what }),
            _ => Ok(item),
        }
    }

    fn take<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N], StreamError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(StreamError::End {
            what,
            got: self.rest.len(),
            expected: N,
        })?;
        self.rest = rest;
        Ok(bytes)
    }

    fn bytes(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], StreamError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(StreamError::End {
            what,
            got: self.rest.len(),
            expected: len,
        })?;
        self.rest = rest;
        Ok(bytes)
    }
}
