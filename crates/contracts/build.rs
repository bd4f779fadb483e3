//! Writes the binding of a rollup's interface, merged with its base: `sol!` ignores imports and
//! inheritance, and takes no path outside of the sources.

use std::{env, error::Error, fs, path::Path};

const INTERFACES: &str = "../../contracts/interfaces";
const BASE: &str = "IRollup";
const DERIVED: &str = "INativeRollup";

fn main() -> Result<(), Box<dyn Error>> {
    let source = |name: &str| {
        let path = format!("{INTERFACES}/{name}.sol");
        println!("cargo::rerun-if-changed={path}");
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
    };
    let merged = merge(&source(BASE)?, &source(DERIVED)?)
        .ok_or_else(|| format!("{DERIVED} is not an interface that derives from {BASE} only"))?;
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let binding =
        format!("sol!(\n#[sol(rpc, extra_derives(Debug, PartialEq, Eq))]\n{merged}\n);\n");
    fs::write(Path::new(&out).join(format!("{DERIVED}.rs")), binding)?;
    Ok(())
}

/// Returns the derived interface with the members of both.
fn merge(base: &str, derived: &str) -> Option<String> {
    let (_, members) = base.split_once(&format!("\ninterface {BASE} {{\n"))?;
    let (_, own) = derived.split_once(&format!("\ninterface {DERIVED} is {BASE} {{\n"))?;
    let members = members.trim_end().strip_suffix('}')?;
    Some(format!("interface {DERIVED} {{\n{members}\n{own}"))
}
