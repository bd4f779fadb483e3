//! The dialects of EXECUTE, their names in tools and their addresses.

use crate::{
    BLOB_EXECUTE_ADDRESS, BlobSource, BlobTail, Draft8079, Drake, ExecuteTail, Headers, Nested,
    located::located,
};
use alloy_primitives::Address;
use codec::ExecuteTx;
use core::{fmt, str::FromStr};
use execute::{Dialect, EXECUTE_ADDRESS, Execute, ExecutionSpecs};
use revm::precompile::Precompiles;
use std::sync::Arc;

/// Name of a dialect.
///
/// To add a dialect, add a file to this crate, a variant here, and a row in docs/formats.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DialectName {
    /// The execution-specs dialect: [`ExecutionSpecs`].
    Specs,
    /// The claim of Drake's proposal: [`Drake`].
    Drake,
    /// Inputs whose tail is in blobs of the transaction: [`BlobTail`]. Together with
    /// [`Self::Nested`] these may also be of an L2 that has EXECUTE.
    Blobs,
    /// The execution-specs dialect, also for blocks of an L2 that has EXECUTE: [`Nested`].
    Nested,
    /// The dialect of the EIP's draft, for chains whose headers contain burned fees: [`Draft8079`].
    Draft8079,
    /// Inputs whose witness is in the surrounding transaction of type `0x05`: [`ExecuteTail`].
    ExecuteTx,
    /// The execution-specs dialect, with the verified headers in the return data: [`Headers`].
    /// Together with [`Self::Nested`] its inputs may also be of an L2 that has EXECUTE.
    Headers,
    /// As [`Self::Headers`], for the inputs of [`Self::Blobs`].
    HeadersBlobs,
}

impl DialectName {
    /// All dialects.
    pub const ALL: [Self; 8] = [
        Self::Specs,
        Self::Drake,
        Self::Blobs,
        Self::Nested,
        Self::Draft8079,
        Self::ExecuteTx,
        Self::Headers,
        Self::HeadersBlobs,
    ];

    /// Dialects that are called in ordinary Ethereum transactions.
    pub const OF_ETHEREUM: [Self; 7] = [
        Self::Specs,
        Self::Drake,
        Self::Blobs,
        Self::Nested,
        Self::Draft8079,
        Self::Headers,
        Self::HeadersBlobs,
    ];

    /// Returns the name, as used in flags.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Specs => "specs",
            Self::Drake => "drake",
            Self::Blobs => "blobs",
            Self::Nested => "nested",
            Self::Draft8079 => "draft-8079",
            Self::ExecuteTx => "execute-tx",
            Self::Headers => "headers",
            Self::HeadersBlobs => "headers-blobs",
        }
    }

    /// Returns the default address of the precompile.
    pub const fn address(self) -> Address {
        match self {
            Self::Specs | Self::Nested => EXECUTE_ADDRESS,
            Self::Drake => Drake::ADDRESS,
            Self::Blobs => BLOB_EXECUTE_ADDRESS,
            Self::Draft8079 => Draft8079::ADDRESS,
            Self::ExecuteTx => ExecuteTx::PRECOMPILE,
            Self::Headers => Headers::ADDRESS,
            Self::HeadersBlobs => Headers::BLOB_ADDRESS,
        }
    }

    /// Returns the dialect for an L1 with this EXECUTE, on a node with this source of blobs;
    /// `has_nested` is `true` if the L1 also has [`Self::Nested`].
    fn dialect(
        self,
        l1: &Execute,
        blobs: &Arc<dyn BlobSource>,
        has_nested: bool,
    ) -> Arc<dyn Dialect> {
        let nested = || has_nested.then(|| Nested::new(l1));
        let tails = || {
            let dialect = BlobTail::new(Arc::clone(blobs));
            match nested() {
                Some(nested) => dialect.with_nested(nested),
                None => dialect,
            }
        };
        match self {
            Self::Specs => Arc::new(ExecutionSpecs),
            Self::Drake => Arc::new(Drake),
            Self::Blobs => Arc::new(tails()),
            Self::Nested => Arc::new(Nested::new(l1)),
            Self::Draft8079 => Arc::new(Draft8079),
            Self::ExecuteTx => Arc::new(ExecuteTail::default()),
            Self::Headers => Arc::new(Headers::of_calldata(nested())),
            Self::HeadersBlobs => Arc::new(Headers::of_blobs(tails())),
        }
    }
}

impl fmt::Display for DialectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DialectName {
    type Err = DialectsError;

    fn from_str(name: &str) -> Result<Self, DialectsError> {
        let known = Self::ALL.into_iter().find(|dialect| dialect.name() == name);
        known.ok_or_else(|| DialectsError::Unknown { got: name.to_owned() })
    }
}

/// Dialects of an EXECUTE with their addresses; at least one.
///
/// They parse from, and print as, the form that all tools use: names separated by commas, each
/// followed by `@` and an address if that is not the default one, for example
/// `specs,drake@0x0000000000000000000000000000000000000112`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialects(Vec<(DialectName, Address)>);

/// Reason why a list of dialects is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialectsError {
    /// No dialect has this name.
    #[error("dialect {got:?} is not known, expected {}", DialectName::ALL.map(DialectName::name).join(" or "))]
    Unknown {
        /// The name.
        got: String,
    },
    /// The text after `@` is not an address.
    #[error(
        "{got:?} is not an address for dialect {dialect}, expected 0x and 40 hexadecimal digits"
    )]
    NoAddress {
        /// The dialect.
        dialect: DialectName,
        /// The text.
        got: String,
    },
    /// A dialect is named twice.
    #[error("dialect {dialect} is named twice, expected once")]
    Twice {
        /// The dialect.
        dialect: DialectName,
    },
    /// An address is already in use.
    #[error("{address} of dialect {dialect} is already used by {by}")]
    Taken {
        /// The address.
        address: Address,
        /// The dialect for which it was requested.
        dialect: DialectName,
        /// Name of the dialect or precompile that uses it.
        by: String,
    },
}

impl Default for Dialects {
    fn default() -> Self {
        Self::usual(&[DialectName::Specs])
    }
}

impl Dialects {
    /// Returns these dialects, each at most once and at its default address.
    /// [`DialectName::Nested`] includes [`DialectName::Specs`].
    pub fn usual(names: &[DialectName]) -> Self {
        let nested = names.contains(&DialectName::Nested);
        let is_meant = |dialect: &DialectName| {
            names.contains(dialect) && !(nested && *dialect == DialectName::Specs)
        };
        let all = DialectName::ALL.into_iter().filter(is_meant);
        Self(all.map(|dialect| (dialect, dialect.address())).collect())
    }

    /// Adds a dialect.
    ///
    /// # Errors
    ///
    /// [`DialectsError`] if the list already contains the dialect, or if its address is in use by
    /// another dialect or by a precompile of Ethereum.
    pub fn add(&mut self, dialect: DialectName, address: Address) -> Result<(), DialectsError> {
        if self.has(dialect) {
            return Err(DialectsError::Twice { dialect });
        }
        let other = self.0.iter().find(|(_, taken)| *taken == address);
        let by = match other {
            Some((other, _)) => format!("dialect {other}"),
            None if is_precompile(&address) => "a precompile of Ethereum".to_owned(),
            None if address.is_zero() => "contract creation".to_owned(),
            None => {
                self.0.push((dialect, address));
                return Ok(());
            }
        };
        Err(DialectsError::Taken { address, dialect, by })
    }

    /// Returns the list with this dialect, added at its default address if it was missing.
    ///
    /// # Errors
    ///
    /// [`DialectsError::Taken`].
    pub fn with(mut self, dialect: DialectName) -> Result<Self, DialectsError> {
        if !self.has(dialect) {
            self.add(dialect, dialect.address())?;
        }
        Ok(self)
    }

    /// Returns `true` if the list contains the dialect.
    pub fn has(&self, dialect: DialectName) -> bool {
        self.address(dialect).is_some()
    }

    /// Returns the address of a dialect in the list.
    pub fn address(&self, dialect: DialectName) -> Option<Address> {
        self.0.iter().find(|(installed, _)| *installed == dialect).map(|(_, address)| *address)
    }

    /// Returns `l1` with these dialects instead of its own, on a node with this source of blobs.
    #[must_use]
    pub fn of(&self, l1: Execute, blobs: &Arc<dyn BlobSource>) -> Execute {
        let at = |(name, address): &(DialectName, Address)| -> Arc<dyn Dialect> {
            located(name.dialect(&l1, blobs, self.has(DialectName::Nested)), *address)
        };
        let dialects = self.0.iter().map(at).collect();
        Execute { dialects, ..l1 }
    }
}

impl fmt::Display for Dialects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (dialect, address)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{dialect}")?;
            if *address != dialect.address() {
                write!(f, "@{address}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Dialects {
    type Err = DialectsError;

    fn from_str(text: &str) -> Result<Self, DialectsError> {
        let mut dialects = Self(Vec::new());
        for item in text.split(',') {
            let (name, address) = item.split_once('@').map_or((item, None), |(a, b)| (a, Some(b)));
            let dialect: DialectName = name.parse()?;
            let address = match address {
                // An address without its prefix would be accepted too.
                Some(got) => got
                    .starts_with("0x")
                    .then(|| got.parse().ok())
                    .flatten()
                    .ok_or_else(|| DialectsError::NoAddress { dialect, got: got.to_owned() })?,
                None => dialect.address(),
            };
            dialects.add(dialect, address)?;
        }
        Ok(dialects)
    }
}

/// Returns `true` for the address of an Ethereum precompile in the latest fork.
fn is_precompile(address: &Address) -> bool {
    Precompiles::latest().contains(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Dialects, DialectsError> {
        text.parse()
    }

    #[test]
    fn dialects_round_trip_through_text() {
        let elsewhere = "specs,drake@0x0000000000000000000000000000000000000112,blobs";
        for text in [
            "specs",
            "drake",
            "blobs,specs",
            "nested,drake",
            "specs,draft-8079",
            "specs,execute-tx",
            "headers,headers-blobs",
            elsewhere,
        ] {
            assert_eq!(parsed(text).unwrap().to_string(), text);
        }
        assert_eq!(Dialects::default().to_string(), "specs");
        assert_eq!(Dialects::default().with(DialectName::Drake), parsed("specs,drake"));
        let usual = "drake@0x0000000000000000000000000000000000000102";
        assert_eq!(parsed(usual).unwrap().to_string(), "drake");
    }

    #[test]
    fn malformed_dialect_lists_are_refused() {
        for text in ["", "specs,", "Specs", "specs,l2", " specs", "specs;drake"] {
            assert!(matches!(parsed(text), Err(DialectsError::Unknown { .. })), "{text:?}");
        }
        for text in ["drake@", "drake@0x12", "drake@0000000000000000000000000000000000000112"] {
            assert!(matches!(parsed(text), Err(DialectsError::NoAddress { .. })), "{text:?}");
        }
        let twice = DialectsError::Twice { dialect: DialectName::Drake };
        assert_eq!(parsed("drake,specs,drake"), Err(twice));
    }

    #[test]
    fn occupied_address_is_refused() {
        let at = |address: u64| {
            parsed(&format!("specs,drake@{}", Address::from_word(address_word(address))))
        };
        // Contract creation, ECRECOVER, the last one of BLS12-381, P256VERIFY, and the other
        // dialect.
        for taken in [0, 1, 0x11, 0x100, 0x101] {
            assert!(matches!(at(taken), Err(DialectsError::Taken { .. })), "{taken:#x}");
        }
        for free in [0x12, 0xff, 0x102, 0x8079] {
            assert!(at(free).is_ok(), "{free:#x}");
        }
        // It accepts all inputs of the other dialect, at the same address.
        assert!(matches!(parsed("specs,nested"), Err(DialectsError::Taken { .. })));
        assert_eq!(
            Dialects::usual(&DialectName::ALL),
            parsed("drake,blobs,nested,draft-8079,execute-tx,headers,headers-blobs").unwrap()
        );
    }

    fn address_word(address: u64) -> alloy_primitives::B256 {
        alloy_primitives::U256::from(address).into()
    }
}
