//! TLS, certificates, users and passwords.

use crate::{Candidate, config, until};
use enshrine_rollup::{Credentials, LeaseConfig, LeaseError};
use serde_json::json;
use testkit::{Certificates, Etcd, Identity};

fn with_tls(etcd: &Etcd, authority: &Certificates, client: Option<&Identity>) -> LeaseConfig {
    LeaseConfig {
        ca: Some(authority.authority().into_bytes()),
        identity: client.map(|certificate| certificate.pem().into_bytes()),
        ..config(etcd.urls())
    }
}

/// Waits until a candidate reports an error with this text.
fn until_error(candidate: &Candidate, text: &str) {
    let mut error = None;
    until(text, || {
        assert!(!candidate.holds());
        error = candidate.lease.error();
        error.is_some()
    });
    assert!(error.as_ref().is_some_and(|error| error.contains(text)), "{error:?}");
}

#[test]
fn only_valid_certificates_reach_etcd() {
    let (authority, other) = (Certificates::new().unwrap(), Certificates::new().unwrap());
    let server = authority.issue().unwrap();
    let started = Etcd::start_with_tls(3, "TLS of etcd", &authority, &server).unwrap();
    let Some(etcd) = started else { return };
    let client = authority.issue().unwrap();
    let holder = Candidate::with(with_tls(&etcd, &authority, Some(&client))).unwrap();
    until("a holder over TLS", || holder.holds());
    until("a check of the token", || holder.fence().check().is_ok());
    for (what, config, expected) in [
        ("no client certificate", with_tls(&etcd, &authority, None), "etcd at https"),
        (
            "an expired one",
            with_tls(&etcd, &authority, Some(&authority.issue_expired().unwrap())),
            "etcd at https",
        ),
        (
            "one of another authority",
            with_tls(&etcd, &authority, Some(&other.issue().unwrap())),
            "etcd at https",
        ),
        ("another authority", with_tls(&etcd, &other, Some(&client)), "certificate"),
    ] {
        let candidate = Candidate::with(config).unwrap();
        until_error(&candidate, expected);
        eprintln!("{what}: {:?}", candidate.lease.error());
    }
    assert!(holder.holds());
}

#[test]
fn expired_certificate_of_etcd_is_refused() {
    let authority = Certificates::new().unwrap();
    let server = authority.issue_expired().unwrap();
    let what = "an expired certificate of etcd";
    let started = Etcd::start_with_tls(1, what, &authority, &server).unwrap();
    let Some(etcd) = started else { return };
    let client = authority.issue().unwrap();
    let candidate = Candidate::with(with_tls(&etcd, &authority, Some(&client))).unwrap();
    until_error(&candidate, "expired");
}

#[test]
fn user_and_password_are_required_and_renewed() {
    let Some(mut etcd) = Etcd::start(3, "users of etcd").unwrap() else { return };
    let post = |etcd: &Etcd, path: &str, body| {
        let response = etcd.post(0, path, &body).unwrap();
        assert!(response["header"].is_object(), "{path}: {response}");
    };
    let prefix = |text: &str| {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.encode(text)
    };
    let permission = json!({
        "permType": "READWRITE",
        "key": prefix("enshrine/lease/1/"),
        "range_end": prefix("enshrine/lease/10"),
    });
    for (path, body) in [
        ("/v3/auth/user/add", json!({ "name": "root", "password": "secret" })),
        ("/v3/auth/user/grant", json!({ "user": "root", "role": "root" })),
        ("/v3/auth/role/add", json!({ "name": "node" })),
        ("/v3/auth/role/grant", json!({ "name": "node", "perm": permission })),
        ("/v3/auth/user/add", json!({ "name": "node", "password": "pass:word" })),
        ("/v3/auth/user/grant", json!({ "user": "node", "role": "node" })),
        ("/v3/auth/enable", json!({})),
    ] {
        if path == "/v3/auth/user/grant" && body["user"] == "root" {
            post(&etcd, "/v3/auth/role/add", json!({ "name": "root" }));
        }
        post(&etcd, path, body);
    }
    let with = |text: &str| LeaseConfig {
        credentials: Some(Credentials::parse(text).unwrap()),
        ..config(etcd.urls())
    };
    let (right, wrong) = (with("node:pass:word\n"), with("node:word"));
    let (anonymous, wrong) = (Candidate::start(etcd.urls()), Candidate::with(wrong).unwrap());
    until_error(&anonymous, "user name is empty");
    until_error(&wrong, "authentication failed");
    let holder = Candidate::with(right).unwrap();
    until("a holder with a password", || holder.holds());
    // A restarted member does not know its tokens any more.
    for member in 0..3 {
        etcd.kill(member);
        etcd.restart(member).unwrap();
        etcd.until_healthy().unwrap();
    }
    until("a check with a new token", || holder.fence().check().is_ok());
}

#[test]
fn unusable_configuration_is_refused() {
    let urls = |urls: &[&str]| config(urls.iter().map(|url| (*url).to_owned()).collect());
    let refused = |config: LeaseConfig| Candidate::with(config).map(drop).unwrap_err();
    assert!(matches!(refused(urls(&[])), LeaseError::NoEndpoints));
    for plain in ["http://10.0.0.1:2379", "http://etcd.example:2379", "http://[2001:db8::1]:2379"] {
        assert!(matches!(refused(urls(&[plain])), LeaseError::Plain(_)), "{plain}");
    }
    for accepted in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
        Candidate::with(urls(&[accepted])).unwrap();
    }
    Candidate::with(LeaseConfig {
        ca: Some(Certificates::new().unwrap().authority().into_bytes()),
        ..urls(&["https://10.0.0.1:2379"])
    })
    .unwrap();
    for wrong in ["ftp://127.0.0.1:1", "127.0.0.1:1", "http://user:password@127.0.0.1:1"] {
        let error = refused(urls(&[wrong]));
        assert!(matches!(error, LeaseError::Url { .. }), "{wrong}");
        assert!(!error.to_string().contains("password@"), "{error}");
    }
    let twice = refused(urls(&["http://127.0.0.1:1", "http://127.0.0.1:1/"]));
    assert!(matches!(twice, LeaseError::Twice(_)));
    let https = || urls(&["https://127.0.0.1:1"]);
    for ca in ["", "no PEM"] {
        let config = LeaseConfig { ca: Some(ca.into()), ..https() };
        assert!(matches!(refused(config), LeaseError::Pem { .. }), "{ca:?}");
    }
    let config = LeaseConfig { identity: Some("no PEM".into()), ..https() };
    assert!(matches!(refused(config), LeaseError::Pem { .. }));
    let config = LeaseConfig { url: "x".repeat(257), ..https() };
    assert!(matches!(refused(config), LeaseError::UrlTooLong { got: 257, limit: 256 }));
    assert!(matches!(Credentials::parse("root"), Err(LeaseError::Credentials)));
}
