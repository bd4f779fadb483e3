//! The crates of the workspace and their dependencies on one another.

use std::{fmt::Write as _, path::Path};

use eyre::{OptionExt as _, Result, WrapErr as _, bail};
use serde_json::Value;

/// Returns `cargo metadata` of the workspace, with these additional arguments.
pub(crate) fn metadata(root: &Path, more: &[&str]) -> Result<Value> {
    let output = toolchain::cargo()
        .args(["metadata", "--format-version", "1"])
        .args(more)
        .current_dir(root)
        .output()
        .wrap_err("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).wrap_err("cargo metadata")
}

/// Returns a page that lists the crates, each after its dependencies.
pub(crate) fn page(root: &Path) -> Result<String> {
    let metadata = metadata(root, &["--no-deps"])?;
    let crates = read(&metadata).ok_or_eyre("cargo metadata has another form")?;
    let mut text =
        "# Crates\n\nEach stands after those that it builds on; `cargo doc --open` has their \
                    documentation, which begins with what a crate owns and what it does not.\n\n\
                    | crate | what it is | builds on |\n|---|---|---|\n"
            .to_owned();
    for Crate { name, description, builds_on } in in_order(crates) {
        let builds_on: Vec<_> = builds_on.into_iter().map(short).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{}` | {description} | {} |", short(name), builds_on.join(", "));
    }
    Ok(text)
}

/// A crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Crate<'m> {
    name: &'m str,
    description: &'m str,
    /// Dependencies in the workspace, except dev-dependencies.
    builds_on: Vec<&'m str>,
}

fn read(metadata: &Value) -> Option<Vec<Crate<'_>>> {
    let mut crates = Vec::new();
    for package in metadata["packages"].as_array()? {
        // Crates without a description are examples.
        let Some(description) = package["description"].as_str() else { continue };
        let mut builds_on = Vec::new();
        for dependency in package["dependencies"].as_array()? {
            if dependency["path"].is_string() && dependency["kind"].as_str() != Some("dev") {
                builds_on.push(dependency["name"].as_str()?);
            }
        }
        crates.push(Crate { name: package["name"].as_str()?, description, builds_on });
    }
    Some(crates)
}

/// Sorts crates so that each follows its dependencies; otherwise by name.
fn in_order(mut crates: Vec<Crate<'_>>) -> Vec<Crate<'_>> {
    crates.sort_by_key(|it| it.name);
    let mut ordered: Vec<Crate<'_>> = Vec::new();
    while !crates.is_empty() {
        let is_waited_for = |name: &&str| crates.iter().any(|it| it.name == *name);
        let next = crates.iter().position(|it| !it.builds_on.iter().any(is_waited_for));
        // Cargo does not allow cycles.
        ordered.push(crates.remove(next.unwrap_or_default()));
    }
    ordered
}

/// Returns the name of a crate without the prefix of the project.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix("enshrine-").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn crates_are_listed_after_their_dependencies() {
        let on =
            |name: &str, kind: Option<&str>| json!({ "name": name, "path": "/", "kind": kind });
        let package = |name: &str, dependencies: Vec<Value>| json!({ "name": name, "description": "a crate", "dependencies": dependencies });
        let metadata = json!({ "packages": [
            package("enshrine-a", vec![on("enshrine-b", None), json!({ "name": "serde" })]),
            package("enshrine-b", vec![on("enshrine-c", Some("build")), on("enshrine-a", Some("dev"))]),
            package("enshrine-c", vec![]),
            { "name": "an-example", "description": null, "dependencies": [on("enshrine-a", None)] },
        ] });
        let ordered = in_order(read(&metadata).unwrap());
        let names: Vec<_> = ordered.iter().map(|it| short(it.name)).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(ordered[1].builds_on, ["enshrine-c"]);
        assert_eq!(ordered[2].builds_on, ["enshrine-b"]);
    }

    #[test]
    fn page_lists_all_workspace_crates() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let page = page(root).unwrap();
        let place = |name: &str| page.find(&format!("\n| `{name}` |")).expect(name);
        assert!(place("wire") < place("stateless") && place("execute") < place("cli"));
    }
}
