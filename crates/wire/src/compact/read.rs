//! Reading the stream, strictly.

use super::tag;
use crate::{DecodeError, StreamError};
use alloy_primitives::{B256, KECCAK256_EMPTY, b256};
use alloy_rlp::{Encodable as _, Header};

/// Nibbles of a key.
pub(super) const KEY_NIBBLES: usize = 64;
/// Root of a trie that holds nothing.
pub(super) const EMPTY_ROOT: B256 =
    b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Bytes of a hash as RLP.
const HASH: usize = 33;

/// Nibbles, two to a byte; of an odd number, the first stands alone in the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// How many there are.
    pub nibbles: usize,
    /// The bytes.
    pub packed: &'a [u8],
}

/// A branch of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch<'a> {
    /// Which children are carried, by bit; they follow in the stream.
    pub carried: u16,
    /// Which are hashes.
    pub hashed: u16,
    /// The hashes, in order.
    pub hashes: &'a [[u8; 32]],
}

/// The child of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child<'a> {
    /// The next node of the stream.
    Carried,
    /// This hash.
    Hash(&'a [u8; 32]),
}

/// The storage of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage<'a> {
    /// There is none.
    Empty,
    /// A trie with this root.
    Hash(&'a [u8; 32]),
    /// A trie whose root is the next node of the stream.
    Carried,
}

/// The code of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code<'a> {
    /// There is none.
    Empty,
    /// Code with this hash.
    Hash(&'a [u8; 32]),
    /// The code at this position of the witness.
    Carried(usize),
}

/// An account of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    /// Nonce and balance, each as RLP, one behind the other.
    pub numbers: &'a [u8],
    /// The storage.
    pub storage: Storage<'a>,
    /// The code.
    pub code: Code<'a>,
}

impl Account<'_> {
    /// Appends the RLP of the account, but for the root of its storage if that is carried: then where the
    /// RLP of the root belongs. `code` finds the hash of a code by its position, and is asked for none that
    /// the witness does not have.
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
pub enum Node<'a> {
    /// A branch, of either trie.
    Branch(Branch<'a>),
    /// An extension, of either trie.
    Extension {
        /// The nibbles that it adds.
        path: Path<'a>,
        /// What it leads to: a branch.
        child: Child<'a>,
    },
    /// A leaf of the account trie.
    Account {
        /// What is left of the key.
        path: Path<'a>,
        /// The account.
        account: Account<'a>,
    },
    /// A leaf of a storage trie.
    Slot {
        /// What is left of the key.
        path: Path<'a>,
        /// The value, as RLP.
        value: &'a [u8],
    },
}

impl Node<'_> {
    /// Bytes of its RLP, in which each child that is carried counts as a hash.
    pub(super) const fn rlp_bound(&self) -> usize {
        /// Flag of the hex prefix, and header of its string.
        const PREFIX: usize = 2;
        /// Header of the list.
        const LIST: usize = 2;
        match self {
            Node::Branch(branch) => {
                let children = (branch.carried | branch.hashed).count_ones() as usize;
                3 + 17 + (HASH - 1) * children
            }
            Node::Extension { path, .. } => LIST + PREFIX + path.packed.len() + HASH,
            // The value is a list in a string, with two hashes behind the numbers.
            Node::Account { path, account } => {
                LIST + PREFIX + path.packed.len() + 2 + 2 + account.numbers.len() + 2 * HASH
            }
            Node::Slot { path, value } => LIST + PREFIX + path.packed.len() + 1 + value.len(),
        }
    }

    const fn is_branch(&self) -> bool {
        matches!(self, Node::Branch(_))
    }
}

/// A node whose children are still to come.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// How many of those that are carried have not been read.
    left: u32,
    /// Nibbles above them.
    depth: usize,
    /// Whether they belong to a storage trie.
    in_storage: bool,
    /// Whether they must be branches.
    below_extension: bool,
}

/// Reads the nodes of a stream one after another.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    read: usize,
    declared: usize,
    codes: usize,
    /// No more than a path through both tries is long.
    open: Vec<Open>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(stream: &'a [u8], declared: usize, codes: usize) -> Self {
        let root = Open { left: 1, depth: 0, in_storage: false, below_extension: false };
        let open = if declared == 0 { Vec::new() } else { vec![root] };
        Self { rest: stream, read: 0, declared, codes, open }
    }

    /// The next node; `None` behind the last, where nothing may be left.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the stream does not go on as it must.
    pub fn next_node(&mut self) -> Result<Option<Node<'a>>, DecodeError> {
        let node = self.read;
        self.read_node().map_err(|reason| DecodeError::State { node, reason })
    }

    fn read_node(&mut self) -> Result<Option<Node<'a>>, StreamError> {
        let Some(mut place) = self.open.pop() else {
            return match (self.rest.len(), self.read == self.declared) {
                (0, true) => Ok(None),
                (0, false) => Err(StreamError::Fewer { got: self.read, declared: self.declared }),
                (got, _) => Err(StreamError::Surplus { got }),
            };
        };
        if self.read == self.declared {
            return Err(StreamError::More { declared: self.declared });
        }
        let (node, children) = self.node_at(&place)?;
        if place.below_extension && !node.is_branch() {
            return Err(StreamError::BelowExtension);
        }
        place.left -= 1;
        if place.left > 0 {
            self.open.push(place);
        }
        self.open.extend(children);
        self.read += 1;
        Ok(Some(node))
    }

    /// The node that stands there, and where its children do.
    fn node_at(&mut self, place: &Open) -> Result<(Node<'a>, Option<Open>), StreamError> {
        let Open { depth, in_storage, .. } = *place;
        let [got] = *self.take("tag")?;
        let below = |left, depth, below_extension| {
            (left > 0).then_some(Open { left, depth, in_storage, below_extension })
        };
        match got {
            tag::BRANCH => {
                if depth >= KEY_NIBBLES {
                    return Err(StreamError::BelowKey);
                }
                let branch = self.branch()?;
                let children = below(branch.carried.count_ones(), depth + 1, false);
                Ok((Node::Branch(branch), children))
            }
            tag::EXTENSION | tag::EXTENSION_OF_HASH => {
                let [nibbles] = *self.take("length of a path")?;
                let nibbles = usize::from(nibbles);
                // A branch and a nibble of it come behind.
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
                Ok((Node::Extension { path, child }, children))
            }
            tag::SLOT if in_storage => {
                let path = self.path(KEY_NIBBLES - depth)?;
                let value = self.integer("value", 32)?;
                if value == [0x80] {
                    return Err(StreamError::NoValue);
                }
                Ok((Node::Slot { path, value }, None))
            }
            0x10..=0x1f if !in_storage => self.account(got, depth),
            _ => Err(StreamError::Tag { got, in_storage }),
        }
    }

    fn branch(&mut self) -> Result<Branch<'a>, StreamError> {
        let carried = u16::from_le_bytes(*self.take("mask")?);
        let hashed = u16::from_le_bytes(*self.take("mask")?);
        if carried & hashed != 0 {
            return Err(StreamError::Masks { carried, hashed });
        }
        let got = (carried | hashed).count_ones();
        if got < 2 {
            return Err(StreamError::Children { got });
        }
        let hashes = self.bytes("hashes", 32 * hashed.count_ones() as usize)?;
        Ok(Branch { carried, hashed, hashes: hashes.as_chunks().0 })
    }

    fn account(&mut self, got: u8, depth: usize) -> Result<(Node<'a>, Option<Open>), StreamError> {
        let (storage, code) = (got >> 2 & 3, got & 3);
        if storage.max(code) > tag::CARRIED {
            return Err(StreamError::Tag { got, in_storage: false });
        }
        let path = self.path(KEY_NIBBLES - depth)?;
        let numbers = self.rest;
        let (nonce, balance) = (self.integer("nonce", 8)?, self.integer("balance", 32)?);
        let numbers = &numbers[..nonce.len() + balance.len()];
        let storage = match storage {
            tag::EMPTY => Storage::Empty,
            tag::HASH => Storage::Hash(self.hash_but("storage root", &EMPTY_ROOT)?),
            _ => Storage::Carried,
        };
        let code = match code {
            tag::EMPTY => Code::Empty,
            tag::HASH => Code::Hash(self.hash_but("code hash", &KECCAK256_EMPTY)?),
            _ => Code::Carried(self.code()?),
        };
        let trie = Open { left: 1, depth: 0, in_storage: true, below_extension: false };
        let children = (storage == Storage::Carried).then_some(trie);
        let account = Account { numbers, storage, code };
        Ok((Node::Account { path, account }, children))
    }

    /// Position of a code.
    fn code(&mut self) -> Result<usize, StreamError> {
        let item = self.integer("code", 4)?;
        let digits = if let [digit @ 0..=0x7f] = item { &[*digit][..] } else { &item[1..] };
        let got = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        let codes = self.codes;
        if got < codes { Ok(got) } else { Err(StreamError::Code { got, codes }) }
    }

    /// A hash that is not that of nothing.
    fn hash_but(
        &mut self,
        what: &'static str,
        nothing: &B256,
    ) -> Result<&'a [u8; 32], StreamError> {
        let hash = self.take(what)?;
        if hash == &nothing.0 { Err(StreamError::HashOfNothing { what }) } else { Ok(hash) }
    }

    /// So many nibbles.
    fn path(&mut self, nibbles: usize) -> Result<Path<'a>, StreamError> {
        let packed = self.bytes("path", nibbles.div_ceil(2))?;
        match packed {
            [first @ 0x10..=0xff, ..] if nibbles % 2 == 1 => {
                Err(StreamError::Padding { got: *first })
            }
            _ => Ok(Path { nibbles, packed }),
        }
    }

    /// The RLP of a number of so many bytes at most.
    fn integer(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], StreamError> {
        let first = self.rest.first().copied();
        let len = usize::from(first.unwrap_or_default().saturating_sub(0x80));
        if len > limit {
            return Err(StreamError::TooLarge { what, got: len, limit });
        }
        let item = self.bytes(what, 1 + len)?;
        match *item {
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
