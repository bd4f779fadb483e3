#!/usr/bin/env python3
"""Analyses the contracts with halmos and slither; `cargo xtask audit` starts it.

halmos proves the `check_` functions of `test/symbolic`. Those named `check_must_fail_` must be
refuted, which shows that the other proofs are not vacuous. slither detects known mistakes; findings
above "informational" are fixed, or accepted with a reason in `audit/slither.toml`.
"""

import fnmatch
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "target/audit"
TOOLS = FOLDER / "venv/bin"
REQUIREMENTS = ROOT / "audit/requirements.txt"


def install():
    stamp, wanted = FOLDER / "installed.txt", REQUIREMENTS.read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing halmos and slither below target/audit", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", TOOLS.parent], check=True)
    # Compiling a solver from source takes longer than all proofs.
    pip = [TOOLS / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary"]
    subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
    stamp.write_text(wanted)


def report(tool, *arguments, option):
    """Runs a tool with build folders of its own. Returns its output and its report."""
    path = FOLDER / f"{tool}.json"
    path.unlink(missing_ok=True)
    environment = {
        **os.environ,
        # The tools find forge, which the caller puts on the path, and one another.
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
        "FOUNDRY_OUT": f"target/audit/{tool}",
        "FOUNDRY_CACHE_PATH": f"target/audit/{tool}-cache",
        # The stage `forge-build` denies warnings; this build need not.
        "FOUNDRY_DENY": "never",
    }
    command = [TOOLS / tool, *arguments, option, path]
    ran = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True)
    # Both exit with an error if they find anything. Without a report, the tool itself failed.
    if not path.exists():
        raise SystemExit(f"{tool} left no report: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran.stdout, json.loads(path.read_text())


def prove():
    """Returns whether each proof has the outcome that its name requires."""
    output, results = report(
        "halmos", "--forge-build-out", "target/audit/halmos", "--match-contract", "Proof$", "--loop", "8",
        # The solver in the package; halmos would download others.
        "--no-status", "--solver", "z3", "--solver-timeout-assertion", "120000", "--minimal-json-output",
        option="--json-output",
    )
    # Exit code: 0 if the property holds on all paths, 1 if there is a counterexample, otherwise undecided.
    proofs = {
        f"{contract.split(':')[-1]}.{test['name']}": test["exitcode"]
        for contract, tests in results["test_results"].items() for test in tests
    }
    wanted = {name: int(".check_must_fail_" in name) for name in proofs}
    for name in proofs:
        print("ok    " if proofs[name] == wanted[name] else "FAILED", name)
    if "loop unrolling bound" in output:
        print(f"{output}\na loop was cut off, so not all paths were seen")
        return False
    return proofs == wanted and set(wanted.values()) == {0, 1}


def place(finding):
    """Returns the function of the first element that slither names, as `Contract.function`."""
    element = finding["elements"][0]
    parent = element["type_specific_fields"]["parent"]
    function = element if element["type"] == "function" else parent
    contract = function.get("type_specific_fields", {}).get("parent", {}).get("name")
    return f"{contract}.{function['name']}" if contract else f"{parent['name']}.{element['name']}"


def search():
    """Returns whether audit/slither.toml explains each finding and nothing else."""
    _, results = report(
        "slither", ".", "--foundry-out-directory", "target/audit/slither",
        "--filter-paths", "node_modules|lib/|test/|script/", "--exclude-informational", "--exclude-optimization",
        option="--json",
    )
    if not results["success"]:
        raise SystemExit(f"slither: {results['error']}")
    findings = results["results"].get("detectors", [])
    accepted = tomllib.loads((ROOT / "audit/slither.toml").read_text())["accepted"]
    unused = {(entry["check"], pattern) for entry in accepted for pattern in entry["places"]}
    complaints = [f"no reason for {entry['check']}" for entry in accepted if not entry["because"].strip()]
    patterns = set(unused)
    for finding in findings:
        matching = {
            (check, pattern) for check, pattern in patterns
            if check == finding["check"] and fnmatch.fnmatchcase(place(finding), pattern)
        }
        unused -= matching
        if not matching:
            complaints.append(f"{finding['impact']} {finding['check']} in {place(finding)}: {finding['description']}")
    complaints += [f"{check} is not found in {pattern} any more" for check, pattern in sorted(unused)]
    print("\n".join(complaints))
    print(f"{len(findings)} findings above informational, {len(complaints)} complaints")
    return not complaints


if __name__ == "__main__":
    install()
    print("\n=== halmos ===", flush=True)
    proven = prove()
    print("\n=== slither ===", flush=True)
    sys.exit(not (search() and proven))
