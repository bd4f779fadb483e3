//! Message for skipped parts of tests.

use std::io::{self, Write as _};

/// Reports a skipped part and the reason. `cargo test` captures the output of passing tests, but
/// not this message, which bypasses `eprintln!`.
pub fn say_skipped(what: &str) {
    // An error means that nothing reads the stream.
    let _ = writeln!(io::stderr(), "\n*** SKIPPED: {what} ***");
}
