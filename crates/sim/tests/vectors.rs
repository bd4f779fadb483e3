//! The Python reader of the conformance vectors, run as by an implementer.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const SIM: &str = env!("CARGO_BIN_EXE_sim");

/// Writes the vectors into a folder.
fn write(folder: &Path) {
    let written = Command::new(SIM).args(["vectors", "--out"]).arg(folder).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
}

/// Runs the reader next to the vectors. Returns `None` without Python.
fn read(folder: &Path, arguments: &[&str]) -> Option<Output> {
    let reader = folder.join("vectors.py");
    let ran = Command::new("python3").arg(reader).arg(folder).args(arguments).output();
    if ran.is_err() {
        testkit::say_skipped("the reader of the vectors needs python3");
    }
    ran.ok()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}

#[test]
fn reader_runs_command_and_reports_differences() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let Some(all) = read(folder.path(), &[]) else { return };
    assert!(all.status.success() && said(&all).contains(" 0 malformed"), "{}", said(&all));

    // This implementation gives the expected answers in each dialect; one that fails every call
    // does not. Only few cases have blobs, because each process loads the KZG trusted setup.
    for only in [
        "specs: osaka block",
        "drake: osaka batch",
        "headers: osaka batch",
        "blobs: osaka block, a call",
    ] {
        let ours = ["--only", only, "--run", SIM, "vectors", "--answer"];
        let ours = read(folder.path(), &ours).unwrap();
        assert!(ours.status.success() && said(&ours).contains(" 0 differ"), "{}", said(&ours));
        let lazy = read(folder.path(), &["--only", only, "--run", "echo", "failed"]).unwrap();
        assert!(!lazy.status.success() && !said(&lazy).contains(" 0 differ"), "{}", said(&lazy));
    }

    // A file with a changed byte in an answer is well-formed, and this implementation differs from
    // it.
    let path = folder.path().join("blocks.json");
    let text = fs::read_to_string(&path).unwrap();
    let answer = "\"answer\": \"0x";
    let at = text.find(answer).unwrap() + answer.len();
    let other = if &text[at..=at] == "0" { "1" } else { "0" };
    fs::write(&path, [&text[..at], other, &text[at + 1..]].concat()).unwrap();
    let only = "specs: cancun block, 2 transfers";
    let ours = ["--only", only, "--run", SIM, "vectors", "--answer"];
    let ours = read(folder.path(), &ours).unwrap();
    assert!(!ours.status.success() && said(&ours).contains(" 1 differ"), "{}", said(&ours));

    // An answer with a wrong flag is malformed, and so are a rejection without a neighbour and an
    // unknown format.
    let neighbour = "\"neighbour\": \"";
    for bad in [
        text.replacen(answer, "\"answer\": \"0x00", 1),
        text.replacen(neighbour, "\"neighbour\": \"no ", 1),
        text.replacen("\"format\": 1", "\"format\": 2", 1),
    ] {
        assert_ne!(bad, text);
        fs::write(&path, bad).unwrap();
        assert!(!read(folder.path(), &[]).unwrap().status.success());
    }
}
