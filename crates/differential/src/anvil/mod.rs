//! Parity tests: the same JSON-RPC sequences are sent to two nodes, and their responses compared.
//!
//! One node is the reference (stock anvil), the other is the subject. A [`Script`] is a list of
//! [`Step`]s, read from a file or generated from a seed. The [`Player`] sends each step to both
//! nodes, each with the values of *its* earlier responses, and [`compare`] returns the differences
//! after the declared [normalisations](compare::NORMALISATIONS). The remaining differences are
//! matched against the known [reasons]; [`report`] writes the result as a document.
//!
//! This module only uses the JSON-RPC interface of both nodes.

pub mod compare;
pub mod node;
pub mod play;
pub mod random;
pub mod reasons;
pub mod report;
pub mod script;
pub mod times;
pub mod values;

pub use compare::{Comparison, Difference};
pub use node::{Launch, Node};
pub use play::{Player, Record};
pub use script::{Script, Step};
