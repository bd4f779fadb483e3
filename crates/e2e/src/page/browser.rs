//! The page as a browser has it.

use super::tests::report;
use crate::page::page;
use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    process::{Command, Stdio},
};

/// What is asked of the browser once a page is there: what it has loaded, and how large the charts are that
/// it has drawn, as attributes of the body.
const PROBE: &str = "<script>addEventListener('load', () => {
const drawn = rect => { const box = rect.getBoundingClientRect();
  return box.width > 0.5 && box.height > 10 && getComputedStyle(rect).fill.startsWith('rgb'); };
const of = (name, value) => document.body.setAttribute('data-' + name, value);
of('loaded', performance.getEntriesByType('resource').length);
of('charts', [...document.querySelectorAll('svg')].filter(svg => svg.getBoundingClientRect().height > 10).length);
of('bars', [...document.querySelectorAll('rect')].filter(drawn).length);
of('wide', document.documentElement.scrollWidth <= innerWidth);
})</script>";

/// What a browser makes of a page.
struct Seen {
    /// The document after its scripts have run.
    document: String,
    /// What was written to the console.
    console: Vec<String>,
}

impl Seen {
    fn of(&self, name: &str) -> &str {
        let key = format!("data-{name}=\"");
        let at = self.document.find(&key).expect("the probe has run") + key.len();
        self.document[at..].split('"').next().unwrap()
    }
}

/// Shows a page to a headless Chromium, the one that `CHROMIUM` names or that is installed; `None`, said
/// loudly, if there is none.
fn show(page: &str) -> Option<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    fs::write(&file, format!("{page}{PROBE}")).unwrap();
    let named = std::env::var("CHROMIUM").ok();
    let names = named
        .as_deref()
        .map_or(vec!["chromium", "chromium-browser", "google-chrome"], |it| vec![it]);
    for name in names {
        let mut command = Command::new(name);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--no-first-run", "--enable-logging=stderr"])
            .args(["--window-size=1200,900", "--virtual-time-budget=2000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("file://{}", file.display()))
            .stdin(Stdio::null());
        match command.output() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{name}: {error}"),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let console = said.lines().filter(|line| line.contains(":CONSOLE"));
                let console = console.map(str::to_owned).collect();
                let document = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(document.contains("data-bars"), "{name} shows nothing: {said}");
                return Some(Seen { document, console });
            }
        }
    }
    testkit::say_skipped(
        "the page in a browser: no Chromium (install Debian's `chromium`, or name one in CHROMIUM)",
    );
    None
}

#[test]
fn a_browser_draws_all_charts_and_loads_nothing() {
    let page = page(&report());
    let Some(seen) = show(&page) else { return };
    assert_eq!(seen.console, Vec::<String>::new());
    assert_eq!(seen.of("loaded"), "0");
    assert_eq!(seen.of("charts"), page.matches("<svg").count().to_string());
    assert_eq!(seen.of("bars"), page.matches("<rect").count().to_string());
    assert_eq!(seen.of("wide"), "true");
}

/// What the test above looks for would be seen.
#[test]
fn a_browser_shows_what_a_page_loads_what_fails_in_it_and_what_it_does_not_draw() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let Some(seen) = show(&format!(
        "<!doctype html><img src=\"http://{address}/image\"><script>throw new Error('oh')</script>\
         <div style=\"width:5000px\">wide</div>\
         <svg viewBox=\"0 0 100 50\"><rect width=\"0\" height=\"16\"/><rect width=\"9\" height=\"16\"/></svg>"
    )) else {
        return;
    };
    assert!(seen.console.iter().any(|line| line.contains("oh")), "{:?}", seen.console);
    assert_eq!(seen.of("loaded"), "1");
    assert_eq!(seen.of("charts"), "1");
    assert_eq!(seen.of("bars"), "1");
    assert_eq!(seen.of("wide"), "false");
}
