//! `cargo xtask audit`: static and symbolic analysis of the contracts.
//!
//! halmos proves the `check_` functions of `test/symbolic`. Those named `check_must_fail_` must be
//! refuted, which shows that the other proofs are not vacuous. slither detects known mistakes;
//! findings above "informational" are fixed, or accepted with a reason in `audit/slither.toml`.
//! Both tools come from PyPI in the versions of `audit/requirements.txt`, and are installed below
//! `target/`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use eyre::{OptionExt as _, WrapErr as _, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use toolchain::{Toolchain, progress_to_stderr};

/// Prefix of the names of proofs that must be refuted.
const MUST_FAIL: &str = "check_must_fail_";

/// Message of halmos about a loop that it did not unroll completely.
const CUT_LOOP: &str = "loop unrolling bound";

/// Installs the analysers if they are missing, and runs them. Returns `true` if both pass.
pub(crate) fn run(root: &Path) -> eyre::Result<bool> {
    let tools = Toolchain::ensure_at(root, &progress_to_stderr)?;
    let audit = Audit::new(root, &tools)?;
    audit.install()?;
    println!("\n=== halmos ===");
    let proven = audit.prove()?;
    println!("\n=== slither ===");
    let triaged = audit.search()?;
    Ok(proven && triaged)
}

struct Audit {
    root: PathBuf,
    /// Folder of all reports.
    dir: PathBuf,
    /// `PATH` for the analysers, on which they find `forge` and one another.
    path: std::ffi::OsString,
}

impl Audit {
    fn new(root: &Path, tools: &Toolchain) -> eyre::Result<Self> {
        let dir = root.join("target").join("audit");
        fs::create_dir_all(&dir).wrap_err_with(|| format!("cannot make {}", dir.display()))?;
        let forge = tools.forge().parent().ok_or_eyre("forge lies in no directory")?;
        let own = [forge.to_owned(), dir.join("venv").join("bin")];
        let inherited = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(own.into_iter().chain(env::split_paths(&inherited)))?;
        Ok(Self { root: root.to_owned(), dir, path })
    }

    /// Returns a command that finds the tools, with build folders separate from those of forge.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, out: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("PATH", &self.path)
            .env("FOUNDRY_OUT", format!("target/audit/{out}"))
            .env("FOUNDRY_CACHE_PATH", format!("target/audit/{out}-cache"))
            // The `forge-build` stage denies warnings; this build need not.
            .env("FOUNDRY_DENY", "never");
        command
    }

    fn program(&self, name: &str) -> PathBuf {
        self.dir.join("venv").join("bin").join(name)
    }

    /// Installs the analysers, unless these versions are installed.
    fn install(&self) -> eyre::Result<()> {
        let requirements = self.root.join("audit").join("requirements.txt");
        let wanted = fs::read_to_string(&requirements)
            .wrap_err_with(|| format!("cannot read {}", requirements.display()))?;
        let stamp = self.dir.join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        progress_to_stderr("installing halmos and slither below target/audit");
        let venv = self.dir.join("venv");
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        // Compiling a solver from source takes longer than all proofs.
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let requirement = ["--prefer-binary", "-r"];
        let mut install = Command::new(self.program("python"));
        succeed(install.args(pip).args(requirement).arg(&requirements))?;
        fs::write(&stamp, wanted).wrap_err_with(|| format!("cannot write {}", stamp.display()))
    }

    /// Runs the symbolic proofs. Returns `true` if each has the outcome that its name requires.
    fn prove(&self) -> eyre::Result<bool> {
        let report = self.dir.join("halmos.json");
        let _ = fs::remove_file(&report);
        let output = self
            .command(self.program("halmos"), "halmos")
            .args(["--forge-build-out", "target/audit/halmos"])
            .args(["--match-contract", "Proof$", "--loop", "8", "--no-status"])
            // The solver in the package; halmos would download others.
            .args(["--solver", "z3", "--solver-timeout-assertion", "120000"])
            .args(["--minimal-json-output", "--json-output"])
            .arg(&report)
            .output()
            .wrap_err("cannot run halmos")?;
        let said = String::from_utf8_lossy(&output.stdout);
        // halmos fails if any proof does, and some must fail. Without a report, halmos itself
        // failed.
        let Ok(text) = fs::read_to_string(&report) else {
            bail!("halmos has not come to an end: {}\n{said}", output.status);
        };
        let proofs = proofs(&serde_json::from_str(&text)?)?;
        for proof in &proofs {
            println!("{} {}", if proof.as_expected() { "ok    " } else { "FAILED" }, proof.name);
        }
        let bad = proofs.iter().filter(|proof| !proof.as_expected()).count();
        println!("{} proofs, {bad} not as they should be", proofs.len());
        if said.contains(CUT_LOOP) {
            println!("{said}\na loop was cut off, so not all paths were seen");
            return Ok(false);
        }
        ensure!(proofs.iter().any(|p| p.name.starts_with(MUST_FAIL)), "no proof was run");
        Ok(bad == 0)
    }

    /// Runs slither. Returns `true` if the baseline matches the findings exactly.
    fn search(&self) -> eyre::Result<bool> {
        let report = self.dir.join("slither.json");
        let _ = fs::remove_file(&report);
        let status = self
            .command(self.program("slither"), "slither")
            .args([".", "--foundry-out-directory", "target/audit/slither"])
            .args(["--filter-paths", "node_modules|lib/|test/|script/"])
            .arg("--json")
            .arg(&report)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .wrap_err("cannot run slither")?;
        let Ok(text) = fs::read_to_string(&report) else {
            bail!("slither has not come to an end: {status}");
        };
        let findings = findings(&serde_json::from_str(&text)?)?;
        let file = self.root.join("audit").join("slither.toml");
        let text = fs::read_to_string(&file)
            .wrap_err_with(|| format!("cannot read {}", file.display()))?;
        let baseline: Baseline = toml::from_str(&text).wrap_err("audit/slither.toml")?;
        let complaints = baseline.compare(&findings);
        for complaint in &complaints {
            println!("{complaint}");
        }
        println!(
            "{} findings above informational, {} complaints",
            findings.len(),
            complaints.len()
        );
        Ok(complaints.is_empty())
    }
}

/// Runs a command that must succeed.
fn succeed(command: &mut Command) -> eyre::Result<()> {
    let status = command.status().wrap_err_with(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Outcome of a symbolic proof.
#[derive(Debug, PartialEq, Eq)]
struct Proof {
    name: String,
    /// Exit code: 0 if the property holds on all paths, 1 if there is a counterexample, otherwise
    /// undecided.
    exit: i64,
}

impl Proof {
    fn as_expected(&self) -> bool {
        self.exit == i64::from(self.name.starts_with(MUST_FAIL))
    }
}

fn proofs(report: &Value) -> eyre::Result<Vec<Proof>> {
    let contracts = report["test_results"].as_object().ok_or_eyre("no results of halmos")?;
    let proof = |test: &Value| {
        Ok(Proof {
            name: test["name"].as_str().ok_or_eyre("a proof without a name")?.to_owned(),
            exit: test["exitcode"].as_i64().ok_or_eyre("a proof without an end")?,
        })
    };
    contracts.values().filter_map(Value::as_array).flatten().map(proof).collect()
}

/// A finding of slither.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    check: String,
    impact: String,
    /// The first element that slither names, such as `Contract.function`.
    place: String,
    description: String,
}

fn findings(report: &Value) -> eyre::Result<Vec<Finding>> {
    ensure!(report["success"] == true, "slither: {}", report["error"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let detectors = report["results"]["detectors"].as_array().map_or(&[][..], Vec::as_slice);
    let finding = |found: &Value| {
        let element = &found["elements"][0];
        let parent = &element["type_specific_fields"]["parent"];
        let function = if element["type"] == "function" { element } else { parent };
        let contract = &function["type_specific_fields"]["parent"]["name"];
        let names = if contract.is_null() {
            [text(&parent["name"]), text(&element["name"])]
        } else {
            [text(contract), text(&function["name"])]
        };
        Finding {
            check: text(&found["check"]),
            impact: text(&found["impact"]),
            place: names.join("."),
            description: text(&found["description"]).lines().next().unwrap_or_default().to_owned(),
        }
    };
    let serious =
        |finding: &Finding| finding.impact != "Informational" && finding.impact != "Optimization";
    Ok(detectors.iter().map(finding).filter(serious).collect())
}

/// Accepted findings with their reasons.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    #[serde(default)]
    accepted: Vec<Accepted>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    /// The detector.
    check: String,
    /// Places in which its findings are accepted: `Contract.function`, `Contract.*` or `*`.
    places: Vec<String>,
    because: String,
}

impl Baseline {
    /// Returns the findings without an explanation, and the explanations without a finding.
    fn compare(&self, findings: &[Finding]) -> Vec<String> {
        let explains = |accepted: &Accepted, finding: &Finding| {
            let here = |place: &String| is_at(finding, place);
            accepted.check == finding.check && accepted.places.iter().any(here)
        };
        let unexplained = findings
            .iter()
            .filter(|finding| !self.accepted.iter().any(|accepted| explains(accepted, finding)))
            .map(|f| format!("{} {} in {}: {}", f.impact, f.check, f.place, f.description));
        let stale = self.accepted.iter().flat_map(|accepted| {
            let found = |place: &&String| {
                findings.iter().any(|f| f.check == accepted.check && is_at(f, place))
            };
            let places = accepted.places.iter().filter(move |place| !found(place));
            places.map(|place| {
                format!("baseline: {} is not found in {place} any more", accepted.check)
            })
        });
        let silent = self.accepted.iter().filter(|accepted| accepted.because.trim().is_empty());
        let silent = silent.map(|accepted| format!("baseline: no reason for {}", accepted.check));
        unexplained.chain(stale).chain(silent).collect()
    }
}

/// Returns `true` if a pattern of the baseline matches the place of a finding.
fn is_at(finding: &Finding, pattern: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(finding.place == pattern, |head| finding.place.starts_with(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn proof(name: &str, exit: i64) -> Proof {
        Proof { name: name.to_owned(), exit }
    }

    #[test]
    fn proof_must_match_outcome_in_its_name() {
        assert!(proof("check_it()", 0).as_expected());
        for undecided_or_wrong in 1..6 {
            assert!(!proof("check_it()", undecided_or_wrong).as_expected());
        }
        assert!(proof("check_must_fail_it()", 1).as_expected());
        for not_refuted in [0, 2, 3, 4, 5] {
            assert!(!proof("check_must_fail_it()", not_refuted).as_expected());
        }
    }

    #[test]
    fn proofs_of_all_contracts_are_parsed() {
        let test = |name, exit| json!({ "name": name, "exitcode": exit });
        let report = json!({ "test_results": {
            "a.sol:A": [test("check_a()", 0), test("check_b()", 2)],
            "b.sol:B": [test("check_c()", 1)],
        }});
        let read = proofs(&report).unwrap();
        let expected = [("check_a()", 0), ("check_b()", 2), ("check_c()", 1)];
        assert_eq!(read, expected.map(|(name, exit)| proof(name, exit)));
        assert!(proofs(&json!({})).is_err());
    }

    fn finding(impact: &str) -> Value {
        json!({
            "check": "timestamp",
            "impact": impact,
            "description": "looks at the clock\nreally",
            "elements": [{
                "type": "function",
                "name": "read",
                "type_specific_fields": { "parent": { "type": "contract", "name": "Clock" } },
            }],
        })
    }

    fn read(impacts: &[&str]) -> Vec<Finding> {
        let detectors: Vec<_> = impacts.iter().map(|impact| finding(impact)).collect();
        let report = json!({ "success": true, "results": { "detectors": detectors } });
        findings(&report).unwrap()
    }

    #[test]
    fn findings_above_informational_are_named_by_their_place() {
        let found = read(&["High", "Informational", "Low", "Optimization"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].place, "Clock.read");
        assert_eq!(found[0].description, "looks at the clock");
        assert!(findings(&json!({ "success": false, "error": "no" })).is_err());
    }

    #[test]
    fn the_baseline_explains_each_finding_and_nothing_else() {
        let baseline = |place: &str, because: &str| Baseline {
            accepted: vec![Accepted {
                check: "timestamp".to_owned(),
                places: vec![place.to_owned()],
                because: because.to_owned(),
            }],
        };
        let found = read(&["Low"]);
        assert_eq!(baseline("Clock.read", "it is a clock").compare(&found), [""; 0]);
        assert_eq!(baseline("Clock.*", "it is a clock").compare(&found), [""; 0]);
        assert_eq!(baseline("*", "all are").compare(&found), [""; 0]);
        assert_eq!(baseline("Watch.*", "it is no watch").compare(&found).len(), 2);
        assert_eq!(baseline("Clock.read", " ").compare(&found).len(), 1);
        assert_eq!(baseline("Clock.write", "it is a clock").compare(&found).len(), 2);
        assert_eq!(baseline("Clock.read", "it is a clock").compare(&[]).len(), 1);
    }
}
