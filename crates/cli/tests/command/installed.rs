//! Completions, manual pages and the command reference, and the contents of the installed program.

use crate::support::{enshrine, run};
use std::{fs, path::Path, process::Command};

/// Returns all commands and subcommands that `--help` lists.
fn commands() -> Vec<Vec<String>> {
    fn below(path: &[String], found: &mut Vec<Vec<String>>) {
        let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = run(&arguments);
        let Some((_, listed)) = help.split_once("\nCommands:\n") else { return };
        let listed = listed.lines().take_while(|line| line.starts_with("  "));
        for name in listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()) {
            if !name.is_empty() && name != "help" {
                let path = [path, &[name.to_owned()]].concat();
                below(&path, found);
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    below(&[], &mut found);
    found
}

#[test]
fn every_shell_completes_every_command() {
    let commands = commands();
    assert!(commands.len() > 15, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]);
        for name in commands.iter().flatten() {
            assert!(script.contains(name.as_str()), "{shell}: {name}");
        }
        assert!(script.contains("fork-url"), "{shell}: a flag of the devnet");
    }
    let refused = enshrine(&["completions", "tcsh"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("bash"), "{refused:?}");
    assert!(!enshrine(&["completions"]).status.success());
}

#[test]
fn bash_completes_commands_and_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("enshrine.bash");
    fs::write(&script, run(&["completions", "bash"])).expect("writes");
    let complete = |words: &str| {
        let position = words.split(' ').count() - 1;
        let source = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={position}; _enshrine enshrine \
             \"${{COMP_WORDS[$COMP_CWORD]}}\" \"${{COMP_WORDS[$COMP_CWORD-1]}}\"; \
             echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["-c", &source]).output().expect("bash runs");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    assert_eq!(complete("enshrine gen"), "genesis");
    assert_eq!(complete("enshrine execute ver"), "verify");
    assert_eq!(complete("enshrine devnet --fork-u"), "--fork-url");
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("share/man/man1");
    let path = pages.display().to_string();
    assert!(run(&["completions", "--man", &path]).contains(&path));
    for command in commands() {
        let name = format!("enshrine-{}.1", command.join("-"));
        let page = fs::read_to_string(pages.join(&name)).unwrap_or_else(|_| panic!("{name}"));
        assert!(page.contains(".SH NAME") && page.contains("SYNOPSIS"), "{name}");
    }
    let devnet = fs::read_to_string(pages.join("enshrine-devnet.1")).expect("there");
    assert!(devnet.contains("fork\\-url"), "{devnet}");
    assert!(pages.join("enshrine.1").is_file());
    // The path of the folder is a file.
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writes");
    let refused = enshrine(&["completions", "--man", &file.display().to_string()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("manual pages"), "{refused:?}");
}

#[test]
fn program_contains_no_build_path_or_lgpl_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = root.canonicalize().expect("there").display().to_string();
    let program = fs::read(env!("CARGO_BIN_EXE_enshrine")).expect("readable");
    let found = |text: &str| {
        let text = text.as_bytes();
        program.windows(text.len()).position(|window| window == text)
    };
    let shown = |at: usize| {
        let end = (at + 200).min(program.len());
        String::from_utf8_lossy(&program[at.saturating_sub(40)..end]).into_owned()
    };
    assert_eq!(found(&root).map(shown), None);
    // ethrex's curve is linked, but not its big integers (LGPL): neither a function, which would be
    // in the symbol table, nor a panic location.
    for part in ["12malachite_nz", "malachite-nz"] {
        assert_eq!(found(part).map(shown), None);
    }
    assert!(found("13ethrex_crypto").is_some());
    // The search finds texts that the program does contain.
    assert!(found("Native rollups: EXECUTE").is_some());
}

#[test]
fn markdown_reference_contains_every_command() {
    let page = run(&["completions", "--markdown"]);
    assert!(page.starts_with("# Commands and flags\n"));
    for command in commands() {
        let heading = format!("\n## enshrine {}\n", command.join(" "));
        let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("{heading}"));
        let help = section.split("```").nth(1).expect("a block");
        assert!(help.contains("Usage: enshrine "), "{heading}{help}");
    }
    assert!(page.contains("--fork-url"));
    assert!(!enshrine(&["completions", "--markdown", "bash"]).status.success());
}
