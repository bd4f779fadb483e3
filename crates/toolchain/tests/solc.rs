//! The interface of `tools/solc` that forge uses.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use enshrine_toolchain::{Toolchain, progress_to_stderr};
use serde_json::{Value, json};

fn tools() -> Toolchain {
    Toolchain::ensure(&progress_to_stderr).unwrap()
}

fn solc(args: &[&str]) -> Command {
    let mut command = Command::new(tools().solc());
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts the compiler and writes `input` from another thread, since it may exceed the pipe's
/// buffer.
fn start(command: &mut Command, input: Vec<u8>) -> Child {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A compiler that rejects its arguments does not read its input.
    thread::spawn(move || stdin.write_all(&input).ok());
    child
}

fn run(args: &[&str], input: impl Into<Vec<u8>>) -> Output {
    start(&mut solc(args), input.into()).wait_with_output().unwrap()
}

fn request(sources: &Value) -> String {
    json!({
        "language": "Solidity",
        "sources": sources,
        "settings": { "outputSelection": { "*": { "*": ["abi", "evm.bytecode.object"] } } },
    })
    .to_string()
}

/// Returns the JSON output. The process must succeed and write nothing to standard error.
fn compile(args: &[&str], input: impl Into<Vec<u8>>) -> Value {
    let output = run(&[&["--standard-json"], args].concat(), input);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the messages of errors, without warnings, in a JSON output.
fn errors(answer: &Value) -> Vec<&str> {
    let all = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter()
        .filter(|e| e["severity"] == "error")
        .map(|e| e["message"].as_str().unwrap())
        .collect()
}

const PRELUDE: &str = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.30;\n";

fn main_importing(import: &str) -> String {
    request(&json!({ "Main.sol": { "content":
        format!("{PRELUDE}import {{Base}} from \"{import}\";\ncontract Main is Base {{}}\n") } }))
}

fn write_base(dir: &Path, function: &str) {
    fs::create_dir_all(dir).unwrap();
    let source = format!("{PRELUDE}contract Base {{ function {function}() external {{}} }}\n");
    fs::write(dir.join("Base.sol"), source).unwrap();
}

#[test]
fn version_matches_package_in_native_format() {
    let pinned: Value =
        serde_json::from_slice(&fs::read(tools().root().join("package.json")).unwrap()).unwrap();
    let pinned = pinned["dependencies"]["solc"].as_str().unwrap();
    let output = run(&["--version"], "");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with(&format!("Version: {pinned}+commit.")), "{text}");
}

#[test]
fn forge_compiles_with_solc_wrapper() {
    let tools = tools();
    let project = tempfile::tempdir().unwrap();
    let solc = tools.solc();
    fs::write(
        project.path().join("foundry.toml"),
        format!("[profile.default]\nsrc = \"src\"\nsolc = {:?}\n", solc.to_str().unwrap()),
    )
    .unwrap();
    write_base(&project.path().join("src"), "marker");
    let output =
        Command::new(tools.forge()).arg("build").current_dir(project.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let artifact = fs::read(project.path().join("out/Base.sol/Base.json")).unwrap();
    let artifact: Value = serde_json::from_slice(&artifact).unwrap();
    assert_eq!(artifact["abi"][0]["name"], "marker");
}

#[test]
fn inline_and_file_imports_compile() {
    let inline = request(&json!({
        "Main.sol": { "content": format!("{PRELUDE}import \"./Base.sol\"; contract Main is Base {{}}") },
        "Base.sol": { "content": format!("{PRELUDE}contract Base {{ function f() external {{}} }}") },
    }));
    let answer = compile(&[], inline);
    assert_eq!(errors(&answer), [""; 0]);
    assert_eq!(answer["contracts"]["Main.sol"]["Main"]["abi"][0]["name"], "f");

    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("project");
    let include = dir.path().join("include");
    write_base(&base.join("inner"), "fromBasePath");
    write_base(&include.join("package"), "fromIncludePath");
    let args = |words: [&'static str; 2]| {
        vec![words[0], base.to_str().unwrap(), words[1], include.to_str().unwrap()]
    };
    for (import, function) in
        [("inner/Base.sol", "fromBasePath"), ("package/Base.sol", "fromIncludePath")]
    {
        let answer = compile(&args(["--base-path", "--include-path"]), main_importing(import));
        assert_eq!(errors(&answer), [""; 0]);
        assert_eq!(answer["contracts"]["Main.sol"]["Main"]["abi"][0]["name"], function);
        assert!(
            !answer["contracts"]["Main.sol"]["Main"]["evm"]["bytecode"]["object"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }

    write_base(&include.join("inner"), "second");
    let answer =
        compile(&args(["--base-path", "--include-path"]), main_importing("inner/Base.sol"));
    assert!(errors(&answer)[0].contains("Ambiguous import"), "{answer}");
    let answer = compile(&args(["--base-path", "--include-path"]), main_importing("no/Base.sol"));
    assert!(errors(&answer)[0].contains("File not found"), "{answer}");
}

#[test]
fn files_outside_the_allowed_directories_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("project");
    let outside = dir.path().join("outside");
    fs::create_dir(&project).unwrap();
    write_base(&outside, "secret");
    // A directory whose name only starts with that of an allowed one is not inside it.
    write_base(&dir.path().join("project-two"), "secret");
    std::os::unix::fs::symlink(&outside, project.join("link")).unwrap();
    let base_path = project.to_str().unwrap();
    let absolute = outside.join("Base.sol").to_str().unwrap().to_owned();

    let imports = [
        "x/../../outside/Base.sol",
        "x/../../project-two/Base.sol",
        "link/Base.sol",
        absolute.as_str(),
    ];
    for import in imports {
        let answer = compile(&["--base-path", base_path], main_importing(import));
        let all = errors(&answer).join("\n");
        assert!(all.contains("outside of allowed directories"), "{import}: {answer}");

        let allow = format!("{base_path},{}", dir.path().display());
        let answer = compile(
            &["--base-path", base_path, &format!("--allow-paths={allow}")],
            main_importing(import),
        );
        assert_eq!(errors(&answer), [""; 0], "{import}");
    }
}

#[test]
fn large_output_survives_slow_pipe() {
    let functions: String = (0..6_000)
        .map(|i| format!("function someRatherLongName{i}(uint256 argument) external {{}}\n"))
        .collect();
    let source = format!(
        "{PRELUDE}interface Empty {{}}\ninterface Wide {{ {} }}",
        functions.replace("{}", ";")
    );
    let input = json!({
        "language": "Solidity",
        "sources": { "Wide.sol": { "content": source } },
        "settings": { "outputSelection": { "*": { "*": ["abi"] } } },
    });
    let mut child = start(&mut solc(&["--standard-json"]), input.to_string().into_bytes());
    let mut stdout = child.stdout.take().unwrap();
    let mut output = Vec::new();
    let mut piece = vec![0; 48 * 1024];
    loop {
        let read = stdout.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        output.extend_from_slice(&piece[..read]);
        thread::sleep(Duration::from_millis(10));
    }
    assert!(child.wait().unwrap().success());
    let answer: Value = serde_json::from_slice(&output).unwrap();
    assert!(output.len() > 1_000_000, "{} bytes are too few to test with", output.len());
    assert_eq!(errors(&answer), [""; 0]);
    assert_eq!(answer["contracts"]["Wide.sol"]["Wide"]["abi"].as_array().unwrap().len(), 6_000);
}

#[test]
fn source_errors_are_reported_in_json_output() {
    let of = |body: &str| {
        compile(&[], request(&json!({ "A.sol": { "content": format!("{PRELUDE}{body}") } })))
    };
    let answer = of("contract A { uint256 x = true; }");
    assert_eq!(answer["errors"][0]["type"], "TypeError");
    assert_eq!(errors(&answer).len(), 1);
    assert_eq!(errors(&of("contract A { bool x = true; }")), [""; 0]);

    let answer = compile(&[], "this is not JSON");
    assert_eq!(answer["errors"][0]["type"], "JSONError");
}

#[test]
fn unsupported_arguments_are_rejected_with_usage() {
    let refused: [(&[&str], &str); 9] = [
        (&["--bin"], "unsupported argument `--bin`"),
        (&["--standard-json", "--optimize"], "unsupported argument `--optimize`"),
        (&["--standard-json", "input.json"], "unsupported argument `input.json`"),
        (&["--standard-json", "--base-path"], "--base-path needs a value"),
        (&["--standard-json", "--base-path="], "--base-path needs a value"),
        (&["--standard-json", "--include-path", "x"], "--include-path needs --base-path"),
        (&["--standard-json=yes"], "--standard-json takes no value"),
        (&["--standard-json", "--version"], "exclude each other"),
        (&[], "neither --version nor --standard-json is given"),
    ];
    for (args, message) in refused {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("solc: ") && stderr.contains(message), "{args:?}: {stderr}");
        assert!(stderr.contains("usage: solc"), "{args:?}: {stderr}");
    }
    assert_eq!(errors(&compile(&["--base-path", "."], request(&json!({})))).len(), 1);
}
