//! Release archives: the `enshrine` command for one platform, its completions and manual pages, and
//! the licences.
//!
//! Archives are reproducible: files are sorted by name and have neither time nor owner, so that
//! builds of the same commit with the same compiler have the same hash. For the same reason, and
//! for privacy, the program does not contain the paths of the folders in which it was built.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use alloy_primitives::hex;
use eyre::{OptionExt as _, Result, WrapErr as _, bail, ensure};
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use crate::{
    built::{self, BUILD_ENSHRINE},
    files,
};

/// Files that are added to the archive unchanged.
const FILES: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Shells, and the names of their completion files.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "enshrine.bash"),
    ("zsh", "_enshrine"),
    ("fish", "enshrine.fish"),
    ("elvish", "enshrine.elv"),
    ("powershell", "_enshrine.ps1"),
];

/// Builds the command for this platform or for `target`, and packs it. Prints path and hash of the
/// archive.
pub(crate) fn run(root: &Path, target: Option<&str>) -> Result<bool> {
    let host = host()?;
    let triple = target.map_or_else(|| host.clone(), str::to_owned);
    let folders = Folders::here(root)?;
    build(root, &triple, &folders)?;
    let ordinary = built::shipped(root);
    let below = ordinary.ancestors().nth(2).ok_or_eyre("no target folder")?;
    let built = |triple: &str| below.join(triple).join("release/enshrine");
    let binary = built(&triple);
    if let Some(text) = folders.named_in(&fs::read(&binary)?) {
        bail!("{} says where it was built: {text}", binary.display());
    }
    // The command itself prints completions and manual pages, so it must run on this platform.
    let native = built(&host);
    if triple != host {
        build(root, &host, &folders)?;
    }
    let name = format!("enshrine-{}-{triple}", env!("CARGO_PKG_VERSION"));
    let dist = root.join("target/dist");
    let folder = dist.join(&name);
    files::empty(&folder)?;
    fs::create_dir_all(folder.join("completions"))?;
    fs::copy(&binary, folder.join("enshrine"))
        .wrap_err_with(|| format!("cannot copy {}", binary.display()))?;
    for file in FILES {
        fs::copy(root.join(file), folder.join(file))
            .wrap_err_with(|| format!("cannot copy {file}"))?;
    }
    for (shell, file) in COMPLETIONS {
        fs::write(folder.join("completions").join(file), said(&native, &["completions", shell])?)?;
    }
    let man = folder.join("man/man1");
    said(&native, &["completions", "--man", &man.display().to_string()])?;

    let archive = pack(&dist, &name)?;
    let hash = format!("{}  {name}.tar.gz\n", hex::encode(Sha256::digest(&archive)));
    let path = dist.join(format!("{name}.tar.gz"));
    fs::write(&path, archive).wrap_err_with(|| format!("cannot write {}", path.display()))?;
    fs::write(path.with_extension("gz.sha256"), &hash)?;
    println!("{}\n{}", path.display(), hash.trim_end());
    Ok(true)
}

/// Builds for an explicit target, even if it is this platform. Build scripts and procedural macros
/// then get no special flags, and ordinary builds stay valid.
fn build(root: &Path, triple: &str, folders: &Folders) -> Result<()> {
    let mut cargo = toolchain::cargo();
    cargo.args(BUILD_ENSHRINE).args(["--locked", "--target", triple]).current_dir(root);
    let own = match env::var("CARGO_ENCODED_RUSTFLAGS") {
        Ok(flags) => flags.split('\x1f').map(str::to_owned).collect(),
        Err(_) => env::var("RUSTFLAGS").map_or_else(
            |_| Vec::new(),
            |flags| flags.split_whitespace().map(str::to_owned).collect(),
        ),
    };
    let flags: Vec<_> = own.into_iter().chain(folders.rust_flags()).collect();
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    let name = format!("CFLAGS_{}", triple.replace('-', "_"));
    let own = env::var(&name).or_else(|_| env::var("CFLAGS")).unwrap_or_default();
    cargo.env(name, format!("{own} {}", folders.c_flags().join(" ")).trim());
    let status = cargo.status().wrap_err("cannot run cargo")?;
    ensure!(
        status.success(),
        "enshrine does not build for {triple}: another platform takes `rustup target add`, and a C compiler and a \
         linker for it"
    );
    Ok(())
}

/// Folders of this machine, and their replacements in the program. A folder inside another comes
/// after it.
struct Folders(Vec<(PathBuf, &'static str)>);

impl Folders {
    /// Returns the home directory, cargo's home with the sources of dependencies, and the checkout.
    fn here(root: &Path) -> Result<Self> {
        let home = env::home_dir().ok_or_eyre("there is no home directory")?;
        let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let all = [(home, "/home"), (cargo, "/cargo"), (root.to_owned(), "/enshrine")];
        // A top-level folder such as /root is skipped, because its name often occurs with another
        // meaning.
        Ok(Self(all.into_iter().filter(|(folder, _)| folder.components().count() > 2).collect()))
    }

    fn each(&self, flag: &str) -> Vec<String> {
        let one = |(folder, name): &(PathBuf, _)| format!("{flag}={}={name}", folder.display());
        self.0.iter().map(one).collect()
    }

    fn rust_flags(&self) -> Vec<String> {
        self.each("--remap-path-prefix")
    }

    fn c_flags(&self) -> Vec<String> {
        self.each("-ffile-prefix-map")
    }

    /// Returns the first occurrence of such a folder in a program.
    fn named_in(&self, program: &[u8]) -> Option<String> {
        self.0.iter().find_map(|(folder, _)| {
            let name = format!("{}/", folder.display()).into_bytes();
            let at = program.windows(name.len()).position(|window| window == name)?;
            let text = &program[at..program.len().min(at + 120)];
            Some(String::from_utf8_lossy(text).escape_debug().to_string())
        })
    }
}

/// Returns the default target of the compiler.
fn host() -> Result<String> {
    let said = said(Path::new("rustc"), &["-vV"])?;
    let line = said.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).ok_or_eyre("rustc names no host")
}

fn said(program: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .wrap_err_with(|| format!("cannot run {}", program.display()))?;
    ensure!(output.status.success(), "{} failed: {}", program.display(), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Packs the folder `name` below `parent` into a compressed archive.
fn pack(parent: &Path, name: &str) -> Result<Vec<u8>> {
    let zip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(zip);
    for file in files::below(&parent.join(name))? {
        let content =
            fs::read(&file).wrap_err_with(|| format!("cannot read {}", file.display()))?;
        let inside = file.strip_prefix(parent)?;
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if inside.ends_with("enshrine") { 0o755 } else { 0o644 });
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, inside, &content[..])?;
    }
    Ok(archive.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn image_uses_pinned_compiler_and_unprivileged_user() {
        let file = include_str!("../../Dockerfile").replace("\\\n", " ");
        let known = ["CMD", "COPY", "ENTRYPOINT", "EXPOSE", "FROM", "RUN", "USER", "WORKDIR"];
        let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let steps: Vec<_> = lines.filter_map(|line| line.split_once(' ')).collect();
        assert!(steps.iter().all(|(step, _)| known.contains(step)), "{steps:?}");
        let of = |wanted: &str| -> Vec<_> {
            steps.iter().filter(|(step, _)| *step == wanted).map(|(_, rest)| *rest).collect()
        };
        let [compiler, system] = of("FROM")[..] else { panic!("two stages") };
        assert!(compiler.starts_with(concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-")));
        assert!(system.contains(':') && !system.ends_with(":latest"), "{system}");
        assert_eq!(
            of("COPY"),
            [". .", "--from=build /enshrine/target/release/enshrine /usr/local/bin/enshrine"]
        );
        let build = format!("cargo {} --locked", BUILD_ENSHRINE.join(" "));
        assert!(of("RUN").contains(&&*build), "{build}");
        assert_eq!(of("USER"), ["enshrine"]);
        assert!(
            of("RUN").iter().any(|run| run.starts_with("useradd") && run.ends_with(" enshrine"))
        );
    }

    #[test]
    fn remapped_binary_contains_no_source_paths() {
        let folder = tempfile::tempdir().unwrap();
        let (registry, checkout) = (folder.path().join("cargo/registry"), folder.path().join("x"));
        for folder in [&registry, &checkout] {
            fs::create_dir_all(folder).unwrap();
        }
        let library = registry.join("library.rs");
        fs::write(&library, "#[inline(never)] pub fn f(x: Option<u8>) -> u8 { x.unwrap() }")
            .unwrap();
        let main = checkout.join("main.rs");
        let text = format!(
            "#[path = {library:?}] mod library; fn main() {{ library::f(None); panic!() }}"
        );
        fs::write(&main, text).unwrap();
        let folders = Folders(vec![
            (folder.path().to_owned(), "/home"),
            (folder.path().join("cargo"), "/cargo"),
            (checkout, "/enshrine"),
        ]);
        let compiled = |flags: &[String]| {
            let program = folder.path().join("program");
            let status =
                Command::new("rustc").arg(&main).args(flags).arg("-o").arg(&program).status();
            assert!(status.unwrap().success());
            fs::read(program).unwrap()
        };
        let found = folders.named_in(&compiled(&[])).unwrap();
        assert!(found.starts_with(&format!("{}/", folder.path().display())), "{found}");
        let program = compiled(&folders.rust_flags());
        assert_eq!(folders.named_in(&program), None);
        for named in ["/cargo/registry/library.rs", "/enshrine/main.rs"] {
            let named = named.as_bytes();
            assert!(program.windows(named.len()).any(|window| window == named));
        }
    }

    #[test]
    fn archive_is_independent_of_file_times() {
        let parent = tempfile::tempdir().unwrap();
        let write = |files: &[(&str, &str)]| {
            fs::create_dir_all(parent.path().join("x/man")).unwrap();
            for (name, text) in files {
                fs::write(parent.path().join("x").join(name), text).unwrap();
            }
            let archive = pack(parent.path(), "x").unwrap();
            fs::remove_dir_all(parent.path().join("x")).unwrap();
            archive
        };
        let files = [("enshrine", "program"), ("README.md", "text"), ("man/a.1", "page")];
        let first = write(&files);
        assert_eq!(write(&[files[2], files[0], files[1]]), first);
        assert_ne!(write(&[files[2], files[0], ("README.md", "other")]), first);

        let mut found = Vec::new();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&first[..]));
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            let mode = header.mode().unwrap();
            found.push((entry.path().unwrap().display().to_string(), text, mode));
        }
        let entry = |path: &str, text: &str, mode| (path.to_owned(), text.to_owned(), mode);
        assert_eq!(
            found,
            [
                entry("x/README.md", "text", 0o644),
                entry("x/enshrine", "program", 0o755),
                entry("x/man/a.1", "page", 0o644),
            ]
        );
    }
}
