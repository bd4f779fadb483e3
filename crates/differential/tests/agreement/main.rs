//! ethrex and EXECUTE judge the same inputs.
//!
//! Neither may accept what the other refuses. Where the two differ for a known reason, that reason
//! is a test of its own in `differences`.

mod built;
mod constants;
mod differences;
mod judges;
mod minimal;
mod official;
mod precompiles;
mod program;
mod programs;
mod real;
mod scenario;
mod specification;
mod tampered;
mod world;
