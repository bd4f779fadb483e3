//! Message of a test that skips a part.

use std::io::{self, Write as _};

/// Says that something is skipped, and why. Tests that pass keep back what they print; this stands in what `cargo test`
/// says all the same.
pub fn say_skipped(what: &str) {
    // A closed stream has no reader.
    let _ = writeln!(io::stderr(), "\n*** SKIPPED: {what} ***");
}
