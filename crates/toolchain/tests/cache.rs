//! forge beside other forges.

use enshrine_toolchain::{Toolchain, progress_to_stderr};
use std::thread;

#[test]
fn forges_that_run_side_by_side_find_all_compiled_and_leave_it_so() {
    let tools = Toolchain::ensure(&progress_to_stderr).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |name: usize| {
        let file =
            if name.is_multiple_of(2) { "script/Deploy.s.sol" } else { "script/Operate.s.sol" };
        let folder = folder.path().join(name.to_string());
        let mut forge = tools.forge_beside_others(file, &folder).unwrap();
        // Neither script has this function: forge has compiled them when it says so.
        let output = forge.args(["script", file, "--sig", "none()"]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    // Both are compiled.
    (0..2).for_each(|name| drop(run(name)));
    let mut said: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = (2..10).map(|name| scope.spawn(move || run(name))).collect();
        runs.into_iter().map(|it| it.join().unwrap()).collect()
    });
    said.extend((10..12).map(run));
    for said in said {
        assert!(said.contains("No files changed"), "{said}");
    }
}
