//! The crates are of use to other workspaces, not only to their own.

use std::{
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use toml::Table;
use wire::StatelessInput;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The crates that are meant for others, by the names that they have in the workspace.
const FOR_OTHERS: [&str; 5] = ["execute", "keccak", "stateless", "trie", "wire"];

/// Crates of others that the program calls. It has to name the versions that the workspace has,
/// since their types are in its interfaces.
const SHARED: [&str; 3] = ["alloy-evm", "alloy-primitives", "revm"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The manifest of a project elsewhere that depends on the crates by their paths.
fn outside_manifest() -> Result<String> {
    let root = root().canonicalize()?;
    let workspace = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut manifest = "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
        # A workspace of its own, independent of the folders above; and quick to build.\n\
        [workspace]\n[profile.dev]\ndebug = false\n[dependencies]\n"
        .to_owned();
    for name in FOR_OTHERS {
        let path = root.join("crates").join(name);
        writeln!(manifest, "{name} = {{ package = \"enshrine-{name}\", path = {path:?} }}")?;
    }
    for name in SHARED {
        let mut lines = workspace.lines().filter(|line| line.starts_with(&format!("{name} = ")));
        writeln!(manifest, "{}", lines.next().ok_or("not a dependency of the workspace")?)?;
    }
    Ok(manifest)
}

/// The features that crates have here are those that they ask for themselves: one that is missing
/// and that another member of the workspace happens to bring shows only in a project like this one.
/// That is also why it cannot share what the workspace has built; what it builds stays below
/// `target/`.
#[test]
fn outside_project_verifies_block_and_runs_execute() -> Result<()> {
    let project = tempfile::tempdir()?;
    fs::create_dir(project.path().join("src"))?;
    fs::write(project.path().join("Cargo.toml"), outside_manifest()?)?;
    fs::copy(root().join("Cargo.lock"), project.path().join("Cargo.lock"))?;
    fs::write(project.path().join("src/main.rs"), include_str!("program.rs"))?;
    let block = enshrine_examples::l2_block()?;
    let input = project.path().join("input.ssz");
    fs::write(&input, &block)?;

    let run = |input: &Path| {
        toolchain::cargo()
            .current_dir(project.path())
            // What the lockfile names is here already, or this test could not have been built.
            .args(["run", "--quiet", "--offline", "--target-dir"])
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("outside"))
            .arg("--")
            .arg(input)
            .output()
    };
    let output = run(&input)?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let hash = StatelessInput::decode(&block)?.request.payload.block_hash;
    assert_eq!(said, format!("verified {hash}\nexecuted 43\n"));

    let mut forged = block;
    forged[200] ^= 1;
    fs::write(&input, &forged)?;
    let output = run(&input)?;
    assert!(!output.status.success() && output.stdout.is_empty(), "a forged block is verified");
    Ok(())
}

#[test]
fn crates_for_others_say_what_they_are() -> Result<()> {
    for name in FOR_OTHERS {
        let dir = root().join("crates").join(name);
        let manifest: Table = fs::read_to_string(dir.join("Cargo.toml"))?.parse()?;
        let package = manifest["package"].as_table().ok_or("no package")?;
        for key in ["description", "license", "repository", "rust-version"] {
            assert!(package.contains_key(key), "{name} has no {key}");
        }
        for (key, most) in [("keywords", 5), ("categories", 5)] {
            let list = package.get(key).and_then(toml::Value::as_array);
            let len = list.ok_or_else(|| format!("{name} has no {key}"))?.len();
            assert!((1..=most).contains(&len), "{name} has {len} {key}");
        }
        let readme = package.get("readme").and_then(toml::Value::as_str);
        let readme = fs::read_to_string(dir.join(readme.ok_or("no readme")?))?;
        assert!(readme.starts_with(&format!("# enshrine-{name}\n")), "{name}: {readme}");
    }
    Ok(())
}
