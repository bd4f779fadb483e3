//! The copy of the workspace that has switches in it, and its compilation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    ops::Range,
    path::{Path, PathBuf},
    process::Stdio,
};

use eyre::{WrapErr as _, bail, ensure};
use keccak::keccak256;
use serde_json::Value;

use super::{Drawn, Executable, Options, TESTED, TESTS, switches};

/// Files and folders of the checkout that are copied. All others are linked, but for what cargo and git keep there.
const COPIED: [&str; 5] = ["Cargo.toml", "Cargo.lock", "crates", "examples", "xtask"];
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// Folders that forge writes to, which it does not do through links.
const OWN: [&str; 2] = ["cache", "deployments"];

/// Profile under which the workspace's own crates are compiled soon and dependencies are fast, as for all that is only
/// checked, and its setting under which a mutant that goes costs no whole crate.
const QUICKLY: [&str; 4] = ["--profile", "checks", "--config", "profile.checks.incremental=true"];

/// A copy of the workspace.
#[derive(Debug)]
pub(super) struct Workspace {
    root: PathBuf,
    copy: PathBuf,
    target: PathBuf,
}

/// Places of switches, by file of the copy.
type Places = BTreeMap<String, Vec<(u64, Range<usize>)>>;

impl Workspace {
    /// Makes a copy, or what has changed of it.
    pub(super) fn new(root: &Path, folder: &Path) -> eyre::Result<Self> {
        let copy = folder.join("workspace");
        fs::create_dir_all(&copy)?;
        for entry in fs::read_dir(root)? {
            let name = entry?.file_name();
            let known = |names: &[&str]| names.iter().any(|known| name == *known);
            if known(&COPIED) || known(&LEFT_OUT) || copy.join(&name).exists() {
                continue;
            }
            if known(&OWN) {
                fs::create_dir(copy.join(name))?;
            } else {
                std::os::unix::fs::symlink(root.join(&name), copy.join(&name))?;
            }
        }
        Ok(Self { root: root.to_owned(), copy, target: folder.join("target") })
    }

    /// Compiles the tests that are asked, with switches for all mutants. Those that the compiler does not take are none,
    /// and go.
    pub(super) fn compile(
        &self,
        drawn: &mut Vec<Drawn>,
        options: &Options,
    ) -> eyre::Result<Vec<Executable>> {
        let kept = self.target.with_file_name("refused");
        let known = fs::read_to_string(&kept).unwrap_or_default();
        let known: BTreeSet<_> = known.lines().collect();
        drawn.retain(|one| !known.contains(&*one.key()));
        loop {
            let places = self.write(drawn)?;
            println!("compiling {} mutants", drawn.len());
            let mutated: BTreeSet<_> = drawn.iter().map(|one| one.package().to_owned()).collect();
            let mutated: Vec<_> = mutated.iter().map(String::as_str).collect();
            let (built, messages) = self.cargo(&["build", "--lib", "--keep-going"], &mutated)?;
            if built {
                break;
            }
            let refused = refused(&messages, &places, drawn)?;
            let mut kept = fs::File::options().create(true).append(true).open(&kept)?;
            for one in drawn.iter().filter(|one| refused.contains(&one.id)) {
                println!("does not compile: {}: {}", one.file(), one.name());
                writeln!(kept, "{}", one.key())?;
            }
            drawn.retain(|one| !refused.contains(&one.id));
        }
        let tested: Vec<_> = TESTED.into_iter().filter(|package| options.asks(package)).collect();
        ensure!(!tested.is_empty(), "no crate with tests has such a name");
        let mut arguments = vec!["test", "--no-run", "--lib"];
        let tests = TESTS.into_iter().filter(|test| !options.without.iter().any(|it| it == test));
        let tests = tests.filter(|test| has_test(&self.root, &tested, test));
        arguments.extend(tests.flat_map(|test| ["--test", test]));
        let (built, messages) = self.cargo(&arguments, &tested)?;
        ensure!(built, "the tests do not compile: {}", rendered(&messages).join("\n"));
        executables(&messages, &self.root)
    }

    /// Writes all files that are not there as they have to be, and removes those that are too many.
    fn write(&self, drawn: &[Drawn]) -> eyre::Result<Places> {
        let mut mutants: BTreeMap<&str, (Vec<_>, &str)> = BTreeMap::new();
        let mut crates = BTreeSet::new();
        for one in drawn {
            let (mutants, source_hash) = mutants.entry(one.file()).or_default();
            mutants.push(&one.mutant);
            *source_hash = &one.source_hash;
            crates.insert(format!("crates/{}/src/lib.rs", one.package()));
        }
        let (mut places, mut written) = (Places::new(), BTreeSet::new());
        for part in COPIED {
            for path in files(&self.root.join(part))? {
                let file = path.strip_prefix(&self.root)?.to_string_lossy().into_owned();
                let to = self.copy.join(&file);
                let mut content = fs::read(&path)?;
                if let Some((mutants, source_hash)) = mutants.get(&*file) {
                    ensure!(keccak256(&content).to_string() == *source_hash, "{file} has changed");
                    let (text, ranges) =
                        switches::with_switches(&String::from_utf8(content)?, mutants);
                    content = text.into_bytes();
                    places.insert(file.clone(), ranges);
                }
                if crates.contains(&file) {
                    content.extend_from_slice(switches::SWITCH.as_bytes());
                }
                // What is left alone is not compiled again.
                if fs::read(&to).ok().as_ref() != Some(&content) {
                    fs::create_dir_all(to.parent().unwrap_or(&self.copy))?;
                    fs::write(&to, content).wrap_err_with(|| to.display().to_string())?;
                }
                written.insert(to);
            }
        }
        for part in COPIED {
            for path in files(&self.copy.join(part))? {
                if !written.contains(&path) {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(places)
    }

    /// Runs cargo over crates; whether it succeeds, and its messages.
    fn cargo(&self, arguments: &[&str], crates: &[&str]) -> eyre::Result<(bool, Vec<Value>)> {
        let mut cargo = toolchain::cargo();
        cargo.current_dir(&self.copy).args(arguments);
        cargo.args(["--message-format", "json"]).args(QUICKLY);
        // Crates that have features of dependencies that these do not: with them, what was compiled for the whole
        // workspace is compiled already.
        for name in crates.iter().chain(&["differential", "cli"]) {
            cargo.args(["-p", &format!("enshrine-{name}")]);
        }
        let output = cargo
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .wrap_err("cannot run cargo")?;
        let lines = String::from_utf8_lossy(&output.stdout);
        let messages = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok((output.status.success(), messages))
    }
}

/// Returns `true` if one of these crates has a test of this name, without which cargo takes no such argument.
fn has_test(root: &Path, crates: &[&str], test: &str) -> bool {
    crates.iter().any(|package| {
        let tests = root.join("crates").join(package).join("tests");
        tests.join(test).join("main.rs").exists() || tests.join(test).with_extension("rs").exists()
    })
}

/// The mutants that the compiler refuses.
fn refused(messages: &[Value], places: &Places, drawn: &[Drawn]) -> eyre::Result<BTreeSet<u64>> {
    let mut refused = BTreeSet::new();
    for message in errors(messages) {
        let spans = message["spans"].as_array().into_iter().flatten();
        let guilty: BTreeSet<u64> = spans.filter_map(|span| mutant_at(span, places)).collect();
        if guilty.is_empty() {
            // A constant elsewhere needs a function whose `const` was taken away.
            let text = message["message"].as_str().unwrap_or_default();
            let name = text.split('`').nth(1).unwrap_or_default();
            let name = name.split("::<").next().unwrap_or_default();
            let name = name.rsplit("::").next().unwrap_or_default();
            let constant = drawn.iter().filter(|one| {
                one.mutant.is_in_const_fn() && one.mutant.function.rsplit("::").next() == Some(name)
            });
            refused.extend(constant.map(|one| one.id));
        }
        refused.extend(guilty);
    }
    if refused.is_empty() {
        bail!("the copy does not compile: {}", rendered(messages).join("\n"));
    }
    Ok(refused)
}

/// The innermost mutant around a place of the copy.
fn mutant_at(span: &Value, places: &Places) -> Option<u64> {
    let here = places.get(span["file_name"].as_str()?)?;
    let (start, end) = (span["byte_start"].as_u64()? as usize, span["byte_end"].as_u64()? as usize);
    here.iter()
        .filter(|(_, place)| place.start <= start && end <= place.end)
        .min_by_key(|(_, place)| place.len())
        .map(|(id, _)| *id)
}

fn errors(messages: &[Value]) -> impl Iterator<Item = &Value> {
    messages
        .iter()
        .filter(|message| message["reason"] == "compiler-message")
        .map(|message| &message["message"])
        .filter(|message| message["level"] == "error")
}

fn rendered(messages: &[Value]) -> Vec<String> {
    let text = |message: &Value| message["rendered"].as_str().unwrap_or_default().to_owned();
    errors(messages).map(text).collect()
}

/// The programs with tests that cargo has built.
fn executables(messages: &[Value], root: &Path) -> eyre::Result<Vec<Executable>> {
    let mut found = Vec::new();
    for message in messages {
        let (true, Some(path)) =
            (message["profile"]["test"] == true, message["executable"].as_str())
        else {
            continue;
        };
        let manifest = PathBuf::from(message["manifest_path"].as_str().unwrap_or_default());
        let folder = manifest.parent().unwrap_or(Path::new("")).to_owned();
        let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_library = message["target"]["kind"][0] == "lib";
        let target = message["target"]["name"].as_str().filter(|_| !is_library).unwrap_or("lib");
        let (target, path, checkout) = (target.to_owned(), path.into(), root.to_owned());
        found.push(Executable { package, target, path, folder, checkout });
    }
    ensure!(!found.is_empty(), "cargo has built no tests");
    let rank = |names: &[&str], name: &str| names.iter().position(|known| *known == name);
    found.retain(|executable: &Executable| rank(&TESTED, &executable.package).is_some());
    found.sort_by_key(|executable| {
        (rank(&TESTED, &executable.package), rank(&TESTS, &executable.target))
    });
    Ok(found)
}

/// All files of a folder and of those in it; a file itself.
pub(super) fn files(path: &Path) -> eyre::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(if path.exists() { vec![path.to_owned()] } else { Vec::new() });
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).wrap_err_with(|| path.display().to_string())? {
        found.append(&mut files(&entry?.path())?);
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn drawn(function: &str, constant: Option<Range<usize>>) -> Drawn {
        let mutant = switches::tests::mutant("crates/a/src/a.rs", function, "x", 0..1, constant);
        Drawn { id: mutant.id(), mutant, source_hash: String::new() }
    }

    fn error(text: &str, spans: &Value) -> Value {
        let message =
            json!({ "level": "error", "message": text, "spans": spans, "rendered": text });
        json!({ "reason": "compiler-message", "message": message })
    }

    #[test]
    fn the_innermost_mutant_around_an_error_goes() {
        let places = Places::from([("a.rs".to_owned(), vec![(1, 0..90), (2, 10..30)])]);
        let span = |start: usize| json!([{ "file_name": "a.rs", "byte_start": start, "byte_end": start + 1 }]);
        let messages = [error("no such operator", &span(20)), error("none either", &span(40))];
        assert_eq!(refused(&messages, &places, &[]).unwrap(), BTreeSet::from([1, 2]));
        assert_eq!(refused(&messages[..1], &places, &[]).unwrap(), BTreeSet::from([2]));
        assert!(refused(&[error("elsewhere", &span(100))], &places, &[]).is_err());
    }

    #[test]
    fn functions_that_constants_need_stay_constant() {
        let drawn = [drawn("T::f", Some(0..5)), drawn("T::g", Some(0..5)), drawn("f", None)];
        let text = "cannot call non-const associated function `a::T::f` in constants";
        let refused = refused(&[error(text, &json!([]))], &Places::new(), &drawn).unwrap();
        assert_eq!(refused, BTreeSet::from([drawn[0].id]));
    }

    #[test]
    fn a_test_is_asked_for_where_a_crate_has_it() {
        let root = toolchain::find_root().unwrap();
        assert!(TESTS.into_iter().all(|test| has_test(&root, &TESTED, test)));
        assert!(has_test(&root, &["wire", "node"], "pool"));
        assert!(!has_test(&root, &["wire", "codec"], "pool"));
    }

    #[test]
    fn libraries_and_tests_are_told_apart() {
        let built = |kind: &str, name: &str, test: bool| {
            json!({ "profile": { "test": test }, "executable": "/x", "manifest_path": "/w/crates/wire/Cargo.toml",
                    "target": { "kind": [kind], "name": name } })
        };
        let messages =
            [built("lib", "wire", true), built("test", "formats", true), built("bin", "b", false)];
        let names: Vec<_> =
            executables(&messages, Path::new("/w")).unwrap().iter().map(Executable::name).collect();
        assert_eq!(names, ["wire lib", "wire formats"]);
    }
}
