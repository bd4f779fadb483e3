//! Rollups under the market for EXECUTE gas: what price, waiting and load come to.
//!
//! ```text
//! cargo xtask market              prints the figures of docs/market.md
//! cargo xtask market --write      writes them and the plots there
//! cargo xtask market --check      fails if they are not what is there
//! ```

mod l1;
mod plot;
mod random;
mod report;
mod world;

use report::{Report, placed, report};
use std::{
    fs,
    io::{self, Error},
    path::Path,
};

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let Report { text, plots } = report();
    let document = docs.join("market.md");
    let now = fs::read_to_string(&document)?;
    let new = placed(&now, &text).ok_or_else(|| Error::other("docs/market.md has no marks"))?;
    match argument.as_deref() {
        None => print!("{text}"),
        Some("--write") => {
            fs::write(document, new)?;
            for (name, svg) in plots {
                fs::write(docs.join(name), svg)?;
            }
        }
        Some("--check") => {
            let mut same = now == new;
            for (name, svg) in plots {
                same &= fs::read_to_string(docs.join(name))? == svg;
            }
            if !same {
                return Err(Error::other(
                    "docs/market.md is not what cargo xtask market --write makes",
                ));
            }
        }
        Some(other) => return Err(Error::other(format!("{other}: write --write or --check"))),
    }
    Ok(())
}
