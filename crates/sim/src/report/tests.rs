//! The report of this checkout: its pages, one HTML file, and the PDF.

use super::{
    data::FOLDER,
    html::page,
    pages::{Report, differences},
    pdf::print,
};
use std::{fs, path::PathBuf};

fn root() -> PathBuf {
    toolchain::find_root().unwrap()
}

#[test]
fn report_follows_from_templates_and_data() {
    let found = differences(&root()).unwrap();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn html_is_deterministic_and_has_every_id() {
    let root = root();
    let make = || page(&Report::read(&root).unwrap(), &root).unwrap();
    let html = make();
    assert_eq!(html, make());
    for line in fs::read_to_string(root.join(FOLDER).join("ids.txt")).unwrap().lines() {
        assert!(html.contains(&format!("id=\"{}\"", &line[..4])), "{line}");
    }
    // One file: nothing that a browser would load, and no script.
    let head = html.split("<main>").next().unwrap();
    for part in ["<link", "<script", "<img", "<iframe", "<object", "<embed", "<base", "<form"] {
        assert!(!html.contains(part), "{part}");
    }
    for part in [" src=", " srcset=", "url(", "@import", "http-equiv", "xlink:href", "<use"] {
        assert!(!html.contains(part), "{part}");
    }
    assert!(!head.contains("http"), "{head}");
    let mut links = html.split("href=\"#").skip(1).filter_map(|link| link.split('"').next());
    let lost: Vec<_> =
        links.by_ref().filter(|link| !html.contains(&format!("id=\"{link}\""))).collect();
    assert!(lost.is_empty(), "links without a target: {lost:?}");
}

#[test]
fn printed_report_has_every_finding() {
    let root = root();
    let report = Report::read(&root).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let html = folder.path().join("report.html");
    fs::write(&html, page(&report, &root).unwrap()).unwrap();
    let titles: Vec<_> =
        report.findings.iter().map(|finding| format!("{}: ", finding.id)).collect();
    match print(&html, &titles).unwrap() {
        Some((_, pages)) => assert!(pages > 10, "{pages} pages"),
        None => eprintln!("\n*** SKIPPED: the report as PDF: no Chromium ***"),
    }
}
