//! Flags of `enshrine node` that are checked before the node starts.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

/// Key of the first devnet account, which is public.
const DEV_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Runs `enshrine node` with arguments with which it does not start; returns success and output.
fn node(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_enshrine")).arg("node").args(arguments).output();
    let output = output.expect("runs");
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn lease_requires_endpoints_and_url() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let (good, open) =
        (write("good", "user:password", 0o600), write("open", "user:password", 0o644));
    let colonless = write("colonless", "password", 0o600);
    let nowhere = folder.path().join("nothing.json").display().to_string();
    let common = ["--deployment", &nowhere, "--l1", "http://127.0.0.1:1"];
    let endpoints = ["--lease-endpoints", "http://127.0.0.1:1,http://127.0.0.1:2"];
    let url = ["--lease-url", "ws://127.0.0.1:3"];
    let both = [endpoints, url].concat();
    for (flags, expected) in [
        (endpoints.to_vec(), "--lease-url is missing"),
        (url.to_vec(), "--lease-endpoints is missing"),
        (vec!["--lease-credentials", &good], "--lease-endpoints is missing"),
        (vec!["--lease-ca", &good], "--lease-endpoints is missing"),
        (vec!["--lease-cert", &good], "--lease-endpoints is missing"),
        ([&both[..], &["--lease-credentials", &open]].concat(), "has mode 0644"),
        ([&both[..], &["--lease-cert", &open]].concat(), "has mode 0644"),
        ([&both[..], &["--lease-credentials", &colonless]].concat(), "expected user:password"),
        ([&both[..], &["--lease-ca", "/nowhere/ca.pem"]].concat(), "/nowhere/ca.pem"),
        // All lease flags are valid, so the first error is the missing deployment.
        (both.clone(), "nothing.json"),
        ([&both[..], &["--lease-credentials", &good]].concat(), "nothing.json"),
    ] {
        let (succeeded, said) = node(&[&common, &flags[..]].concat());
        assert!(!succeeded && said.contains(expected), "{flags:?}: {said}");
    }
}

#[test]
fn engine_api_and_jwt_secret_require_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = write("good.hex", &format!("0x{}\n", "5a".repeat(32)));
    let short = write("short.hex", "5a5a");
    let nowhere = folder.path().join("nothing.json").display().to_string();
    let common = ["--deployment", &nowhere, "--l1", "http://127.0.0.1:1"];
    let (serve, drive) = (["--engine-addr", "127.0.0.1:0"], ["--engine", "http://127.0.0.1:8551"]);
    for (flags, expected) in [
        (&serve[..], "--jwt-secret is missing"),
        (&drive, "--jwt-secret is missing"),
        (&["--jwt-secret", &good], "neither --engine-addr nor --engine"),
        (
            &[&serve[..], &["--jwt-secret", &short]].concat(),
            "has 4 hexadecimal digits, expected 64",
        ),
        (&[&drive[..], &["--jwt-secret", "/nowhere/jwt.hex"]].concat(), "/nowhere/jwt.hex"),
        (&["--engine-addr", "here", "--jwt-secret", &good], "invalid socket address"),
        // All Engine API flags are valid, so the first error is the missing deployment.
        (&[&serve[..], &drive, &["--jwt-secret", &good]].concat(), "nothing.json"),
    ] {
        let (succeeded, said) = node(&[&common, flags].concat());
        assert!(!succeeded && said.contains(expected), "{flags:?}: {said}");
    }

    let shown = [&common[..], &serve, &drive, &["--jwt-secret", &good, "--print-config"]].concat();
    let (succeeded, said) = node(&shown);
    assert!(succeeded, "{said}");
    let shown: toml::Table = said.parse().unwrap();
    assert_eq!(shown["engine_addr"].as_str(), Some("127.0.0.1:0"));
    assert_eq!(shown["engine"].as_str(), Some("http://127.0.0.1:8551"));
    assert_eq!(shown["jwt_secret"].as_str(), Some(&*good));
    assert!(!said.contains("5a5a"), "the path is printed, not the secret");
}

#[test]
fn l1_limit_errors_contain_flag() {
    let key = DEV_KEY;
    let common = ["--role", "sequencer", "--deployment", "/nowhere/nothing.json"];
    let keys = ["--l1", "http://127.0.0.1:1", "--advance-key", key, "--operator-key", key];
    for (flags, expected) in [
        (["--l1-transaction-bytes", "131071"], "--l1-transaction-bytes: at least 131072"),
        (["--l1-transaction-gas", "16777215"], "--l1-transaction-gas: at least 16777216"),
        // Valid values, so the first error is the missing deployment.
        (["--l1-transaction-bytes", "131072"], "nothing.json"),
        (["--l1-transaction-gas", "16777216"], "nothing.json"),
        (["--l1-transaction-bytes", "6000000"], "nothing.json"),
        (["--l1-execute-gas", "cheap"], "--l1-execute-gas"),
        (["--l1-execute-gas", "25000+60"], "nothing.json"),
        (["--backlog-slow-percent", "100"], "--backlog-slow-percent: less than 100"),
        (["--backlog-slow-percent", "99"], "nothing.json"),
    ] {
        let (succeeded, said) = node(&[&common[..], &keys, &flags].concat());
        assert!(!succeeded && said.contains(expected), "{flags:?}: {said}");
    }
}

#[test]
fn type_error_contains_name_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.toml");
    let file = path.display().to_string();
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enshrine"));
        command.args(["node", "--print-config", "--config", &file]);
        command
    };
    let said = |command: &mut Command| {
        let output = command.output().expect("runs");
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    fs::write(&path, "http_port = \"high\"").unwrap();
    let (succeeded, text) = said(&mut command());
    assert!(!succeeded && text.contains(&file) && text.contains("http_port"), "{text}");
    fs::write(&path, "http_prot = 1").unwrap();
    let (succeeded, text) = said(&mut command());
    assert!(!succeeded && text.contains(&file) && text.contains("http_prot"), "{text}");

    fs::write(&path, "http_port = 1").unwrap();
    let (succeeded, text) = said(command().env("ENSHRINE_HTTP_PORT", "high"));
    assert!(!succeeded && text.contains("ENSHRINE_HTTP_PORT") && !text.contains(&file), "{text}");
    let (succeeded, text) = said(command().env("ENSHRINE_HTTP_PORT", "2"));
    assert!(succeeded && text.contains("http_port = 2"), "{text}");
    let (succeeded, text) = said(&mut command());
    assert!(succeeded && text.contains("http_port = 1"), "{text}");
}

#[test]
fn default_namespaces_exclude_traces_and_pool() {
    let api = |flags: &[&str]| {
        let (succeeded, shown) = node(&[flags, &["--print-config"]].concat());
        assert!(succeeded, "{shown}");
        let shown: toml::Table = shown.parse().unwrap();
        ["http_api", "ws_api"].map(|name| shown[name].as_str().unwrap().to_owned())
    };
    for served in api(&[]) {
        let names: Vec<_> = served.split(',').collect();
        assert!(names.contains(&"eth") && names.contains(&"rollup"), "{served}");
        for secret in ["all", "debug", "testing", "trace", "txpool"] {
            assert!(!names.contains(&secret), "{served}");
        }
    }
    assert_eq!(api(&["--http-api", "eth,debug"])[0], "eth,debug");
}

#[test]
fn help_matches_default_values() {
    let (succeeded, shown) = node(&["--print-config"]);
    assert!(succeeded, "{shown}");
    let shown: toml::Table = shown.parse().unwrap();
    let (succeeded, help) = node(&["--help"]);
    assert!(succeeded, "{help}");
    // The help of each flag is a paragraph that contains its default.
    let flags = help.split("\n      --").skip(1);
    let named: toml::Table = flags
        .filter_map(|flag| {
            let name = flag.split([' ', '\n']).next()?.replace('-', "_");
            // A global flag, which is not part of the node's configuration.
            if name == "log_format" {
                return None;
            }
            let said = flag.split_whitespace().collect::<Vec<_>>().join(" ");
            let (_, default) = said.split_once("[default: ")?;
            let default = default.split(']').next()?;
            let number = default.parse::<i64>().map(toml::Value::from);
            Some((name, number.unwrap_or_else(|_| default.into())))
        })
        .collect();
    assert_eq!(named, shown);
}

/// Test vector of Web3 Secret Storage with the password `testpassword`.
const KEYSTORE: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,
"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
"id":"3198bc9c-6672-5ab9-d995-4942343ae5b6","version":3}"#;

#[test]
fn key_sources_are_accepted_except_raw_flags() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let (store, right, wrong) = (
        write("keystore.json", KEYSTORE),
        write("right.txt", "testpassword\n"),
        write("wrong.txt", "password"),
    );
    let costly = |parameters| KEYSTORE.replace(r#""c":262144"#, parameters);
    let large = write("large.json", &costly(r#""n":268435456,"r":8,"p":1"#));
    let slow = write("slow.json", &costly(r#""c":4000000000"#));
    let long = write("long.txt", &"a".repeat((1 << 20) + 1));
    let device = "/dev/zero";
    let raw = format!("0x{}", "11".repeat(32));
    let common = ["--role", "sequencer", "--deployment", "/nowhere/nothing.json"];
    let rest = ["--l1", "http://127.0.0.1:1", "--operator-key", DEV_KEY];
    let (signer, url) = ("--advance-signer", "http://127.0.0.1:9000");
    let address = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";
    for (flags, expected) in [
        (&["--advance-key", &*raw][..], "visible to all users of the machine"),
        (&["--advance-key", &store], "--advance-password-file is missing"),
        (&["--advance-key", &store, "--advance-password-file", &wrong], "cannot decrypt"),
        (&["--advance-key", &large, "--advance-password-file", &right], "n = 268435456"),
        (&["--advance-key", &slow, "--advance-password-file", &right], "rounds of PBKDF2"),
        (&["--advance-key", device], "not a regular file"),
        (&["--advance-key", &long], "longer than 1048576 bytes"),
        (&["--advance-key", &store, "--advance-password-file", &long], "longer than 1048576 bytes"),
        (&["--config", device, "--advance-key", DEV_KEY], "not a regular file"),
        (&[signer, url], "--advance-address is missing"),
        (&[signer, "ftp://127.0.0.1", "--advance-address", address], "expected http://"),
        (&[signer, url, "--advance-address", address, "--advance-key", DEV_KEY], "both given"),
        // Valid keys, so the first error is the missing deployment.
        (&["--advance-key", &store, "--advance-password-file", &right], "nothing.json"),
        (&[signer, url, "--advance-address", address], "nothing.json"),
        (&["--advance-key", DEV_KEY], "nothing.json"),
    ] {
        let (succeeded, said) = node(&[&common[..], &rest, flags].concat());
        assert!(!succeeded && said.contains(expected), "{flags:?}: {said}");
        assert!(!said.contains("1111111111"), "the secret is not repeated: {said}");
    }
}

#[test]
fn harmful_values_are_rejected_with_range() {
    let common = ["--role", "sequencer", "--deployment", "/nowhere/nothing.json"];
    let keys = ["--l1", "http://127.0.0.1:1", "--advance-key", DEV_KEY, "--operator-key", DEV_KEY];
    for (flag, bad, good) in [
        ("--poll-interval-ms", "0", "10"),
        ("--poll-interval-ms", "60001", "60000"),
        ("--block-time-ms", "0", "10"),
        ("--idle-block-time-ms", "86400001", "86400000"),
        ("--submit-interval-ms", "86400001", "0"),
        ("--l1-confirmations", "1000", "256"),
        ("--l1-drift-ms", "0", "1000"),
        ("--daily-limit-gwei", "0", "1"),
        ("--l1-tx-fee-cap-gwei", "0", "1000000"),
        ("--pool-transactions", "0", "1"),
        ("--pool-per-account", "0", "1"),
        ("--backlog-age-ms", "0", "1000"),
        ("--l1-slot-ms", "0", "100"),
        ("--sequencer", "http://127.0.0.1:9546", "ws://127.0.0.1:9546"),
        // The node's own default address.
        ("--sequencer", "ws://localhost:9545", "ws://127.0.0.2:9545"),
    ] {
        let (succeeded, said) = node(&[&common[..], &keys, &[flag, bad]].concat());
        assert!(!succeeded && said.contains(&format!("{flag}: ")), "{flag} {bad}: {said}");
        assert!(said.contains("expected"), "{flag} {bad}: {said}");
        // The value is valid, so the first error is the missing deployment.
        let (succeeded, said) = node(&[&common[..], &keys, &[flag, good]].concat());
        assert!(!succeeded && said.contains("nothing.json"), "{flag} {good}: {said}");
    }
    // A follower without keys has a pool too.
    let follower = ["--role", "follower", "--deployment", "/nowhere/nothing.json"];
    let follower = [&follower[..], &keys[..2]].concat();
    for (value, expected) in [("0", "--pool-transactions: "), ("1", "nothing.json")] {
        let (succeeded, said) = node(&[&follower[..], &["--pool-transactions", value]].concat());
        assert!(!succeeded && said.contains(expected), "{value}: {said}");
    }
}

#[test]
fn secrets_readable_by_others_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    fs::write(&path, "{}").unwrap();
    let keys = path.display().to_string();
    let flags =
        ["--role", "sequencer", "--deployment", "/nowhere/nothing.json", "--l1", "http://a"];
    let flags = [&flags[..], &["--advance-key", &keys, "--operator-key", &keys]].concat();
    for (mode, refused) in
        [(0o644, true), (0o640, true), (0o602, true), (0o600, false), (0o400, false)]
    {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let (succeeded, said) = node(&flags);
        assert!(!succeeded && said.contains("chmod 600") == refused, "{mode:o}: {said}");
    }
}
