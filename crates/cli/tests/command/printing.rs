//! Commands exit silently when the reader of their output has closed the pipe.

use crate::support::{block, feed, forced, path, place, run, unread};
use alloy_eips::eip2718::Encodable2718 as _;
use std::{fs, path::Path};
use wire::ProtocolFork;

#[test]
fn commands_exit_silently_on_closed_pipe() {
    let (parent, folder) = place();
    run(&["init", &folder, "--timestamp", "1700000000"]);
    let genesis = fs::read(path(Path::new(&folder), "genesis.json")).expect("there");
    let input = block(ProtocolFork::Osaka).input().expect("encodes");
    let raw = forced(0).encoded_2718();
    let (file, again) = (path(parent.path(), "out.ssz"), path(parent.path(), "again"));
    for (arguments, fed) in [
        (&["execute", "inspect", "-"][..], &input),
        (&["execute", "inspect", "--json", "-"], &input),
        (&["execute", "verify", "-"], &input),
        (&["execute", "verify", "--json", "-"], &input),
        (&["execute", "encode", "-", "-o", "-"], &input),
        (&["execute", "encode", "-", "-o", &file], &input),
        (&["calldata", "advance", "-"], &input),
        (&["calldata", "advance", "--json", "-"], &input),
        (&["calldata", "keep", "-"], &input),
        (&["calldata", "force", "-"], &raw),
        (&["calldata", "force", "--json", "-"], &raw),
        (&["genesis", "-"], &genesis),
        (&["genesis", "--json", "-"], &genesis),
        (&["completions", "bash"], &Vec::new()),
        (&["completions", "--markdown"], &Vec::new()),
        (&["init", &again, "--timestamp", "1700000000"], &Vec::new()),
    ] {
        let output = unread(arguments, fed);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
        if arguments[0] != "init" {
            assert!(feed(arguments, fed).status.success(), "{arguments:?}");
        }
    }
}
