//! Finds Node and npm, checks the version of Node, and runs npm.

use std::{
    env,
    ffi::OsStr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::SetupError;

/// Minimum major version of Node for the compiler wrapper and the packages.
const REQUIRED_MAJOR: u32 = 20;

/// Path of npm, whose Node is recent enough.
#[derive(Debug)]
pub(crate) struct Npm(PathBuf);

impl Npm {
    /// Finds Node and npm on `search_path` and checks the version of Node.
    pub(crate) fn find(search_path: &OsStr) -> Result<Self, SetupError> {
        let find = |program| {
            find_program(search_path, program)
                .ok_or(SetupError::NodeMissing { program, required: REQUIRED_MAJOR })
        };
        let node = find("node")?;
        let npm = find("npm")?;
        let output = run(Command::new(&node).arg("--version"))?;
        let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if major_version(&found).is_none_or(|major| major < REQUIRED_MAJOR) {
            return Err(SetupError::NodeTooOld { program: node, found, required: REQUIRED_MAJOR });
        }
        Ok(Self(npm))
    }

    /// Runs npm in `dir`, so that the npm settings of the checkout apply.
    pub(crate) fn run(&self, dir: &Path, args: &[&OsStr]) -> Result<(), SetupError> {
        run(Command::new(&self.0).args(args).current_dir(dir)).map(drop)
    }
}

/// Runs a command without input, and returns its output if it succeeds.
fn run(command: &mut Command) -> Result<Output, SetupError> {
    let program = command.get_program().to_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(SetupError::io("run", program.clone()))?;
    if output.status.success() {
        return Ok(output);
    }
    let words = std::iter::once(program.as_os_str()).chain(command.get_args());
    Err(SetupError::CommandFailed {
        command: words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" "),
        status: output.status,
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Returns the major version in the output of `node --version`, such as `v20.20.2`.
fn major_version(text: &str) -> Option<u32> {
    text.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Returns the first executable file called `name` in the directories of `search_path`.
fn find_program(search_path: &OsStr, name: &str) -> Option<PathBuf> {
    env::split_paths(search_path)
        // An empty entry would mean the current directory, from which nothing must be run.
        .filter(|dir| !dir.as_os_str().is_empty())
        .map(|dir| dir.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_node_error_names_required_version() {
        let error = Npm::find(OsStr::new("")).unwrap_err();
        assert!(matches!(error, SetupError::NodeMissing { program: "node", required: 20 }));
        let message = error.to_string();
        assert!(message.contains("`node` was not found on the PATH"), "{message}");
        assert!(message.contains("install Node.js 20 or newer"), "{message}");

        Npm::find(&env::var_os("PATH").unwrap()).unwrap();
    }

    #[test]
    fn find_rejects_node_older_than_required() {
        let dir = tempfile::tempdir().unwrap();
        // A child process writes the files. If this process wrote them, a child that another test
        // spawns at that moment could inherit the open file, which then could not be executed
        // (ETXTBSY).
        let install = |name: &str, prints: &str, mode: &str| {
            let script = format!("#!/bin/sh\necho {prints}\n");
            let write = "printf %s \"$1\" > \"$2\" && chmod \"$3\" \"$2\"";
            let args = ["-c", write, "sh", &script, name, mode];
            run(Command::new("/bin/sh").args(args).current_dir(dir.path())).unwrap();
        };
        install("node", "v20.0.0", "755");
        let missing = Npm::find(dir.path().as_os_str()).unwrap_err();
        assert!(matches!(missing, SetupError::NodeMissing { program: "npm", .. }), "{missing}");
        install("npm", "11.0.0", "644");
        let not_executable = Npm::find(dir.path().as_os_str()).unwrap_err();
        assert!(matches!(not_executable, SetupError::NodeMissing { program: "npm", .. }));
        install("npm", "11.0.0", "755");
        Npm::find(dir.path().as_os_str()).unwrap();

        for old in ["v19.9.0", "v4.0.0", "nonsense"] {
            install("node", old, "755");
            let error = Npm::find(dir.path().as_os_str()).unwrap_err();
            assert!(
                matches!(&error, SetupError::NodeTooOld { found, required: 20, .. } if found == old)
            );
        }
    }

    #[test]
    fn failed_command_is_reported_with_arguments_and_stderr() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let SetupError::CommandFailed { command, status, output } = error else {
            panic!("{error}");
        };
        assert_eq!(command, "sh -c echo why >&2; exit 3");
        assert_eq!((status.code(), output.as_str()), (Some(3), "why"));
    }
}
