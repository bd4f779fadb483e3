//! ethrex and EXECUTE verify the same inputs.
//!
//! Neither may accept an input that the other rejects. Each known difference has a test in
//! `differences`.

mod built;
mod constants;
mod differences;
mod judges;
mod minimal;
mod official;
mod precompiles;
mod program;
mod programs;
mod random_genesis;
mod real;
mod scenario;
mod specification;
mod tampered;
