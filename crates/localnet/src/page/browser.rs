//! Tests of the page in a browser.

use super::tests::report;
use crate::page::{html::escaped, page};
use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    process::{Command, Stdio},
};

/// Script that notes what a page has loaded and drawn, as attributes of the body. It opens all groups first.
const PROBE: &str = "<script>addEventListener('load', () => {
document.querySelectorAll('details').forEach(it => it.open = true);
const drawn = rect => { const box = rect.getBoundingClientRect();
  return box.width > 0.5 && box.height > 10 && getComputedStyle(rect).fill.startsWith('rgb'); };
const of = (name, value) => document.body.setAttribute('data-' + name, value);
of('loaded', performance.getEntriesByType('resource').length);
of('charts', [...document.querySelectorAll('svg.chart')].filter(svg => svg.getBoundingClientRect().height > 10).length);
of('bars', [...document.querySelectorAll('svg.chart rect')].filter(drawn).length);
of('fits', document.documentElement.scrollWidth <= innerWidth);
of('inner', innerWidth);
of('ways', [...document.querySelectorAll('svg.way')].filter(svg => svg.getBoundingClientRect().height > 10).map(svg => svg.classList[1]).join());
of('cut', [...document.querySelectorAll('svg.way g')].filter(g => g.querySelector('rect').getBoundingClientRect().width > 0)
  .filter(g => [...g.querySelectorAll('text')].some(text => text.getBoundingClientRect().right > g.querySelector('rect').getBoundingClientRect().right)).length);
})</script>";

/// Script that copies those attributes out of the frame with the page.
const COPY: &str = "<script>addEventListener('load', () => {
for (const it of document.querySelector('iframe').contentDocument.body.attributes)
  document.body.setAttribute(it.name, it.value);
})</script>";

/// Result of showing a page.
struct Seen {
    /// The document after its scripts have run.
    document: String,
    /// Lines written to the console.
    console: Vec<String>,
}

impl Seen {
    fn of(&self, name: &str) -> &str {
        let key = format!("data-{name}=\"");
        let at = self.document.find(&key).expect("the probe has run") + key.len();
        self.document[at..].split('"').next().unwrap()
    }
}

/// Shows a page in a headless Chromium, in a frame of this width: the one that `CHROMIUM` names, or an installed one.
/// Returns `None` and reports the skip if there is none.
fn show(page: &str, width: u32) -> Option<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    // Chromium makes no window narrower than 500 pixels, so the page stands in a frame.
    let framed = escaped(&format!("{page}{PROBE}"));
    let style = format!("width:{width}px;height:900px;border:0");
    let frame = format!("<iframe style=\"{style}\" srcdoc=\"{framed}\"></iframe>");
    fs::write(&file, format!("<!doctype html><body>{frame}{COPY}")).unwrap();
    let named = std::env::var("CHROMIUM").ok();
    let names = named
        .as_deref()
        .map_or(vec!["chromium", "chromium-browser", "google-chrome"], |it| vec![it]);
    for name in names {
        let mut command = Command::new(name);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--no-first-run", "--enable-logging=stderr"])
            .args(["--window-size=1400,1000", "--virtual-time-budget=2000", "--dump-dom"])
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

/// Width of a desktop's window and of a telephone, in pixels.
const WIDTHS: [(u32, &str); 2] = [(1_280, "wide"), (390, "narrow")];

#[test]
fn a_browser_draws_all_charts_and_loads_nothing_on_a_desktop_and_on_a_telephone() {
    let page = page(&report());
    let charts = page.matches("<svg class=\"chart\"").count();
    let bars = page.split("<svg class=\"chart\"").skip(1);
    let bars: usize =
        bars.filter_map(|it| it.split("</svg>").next()).map(|it| it.matches("<rect").count()).sum();
    for (width, way) in WIDTHS {
        let Some(seen) = show(&page, width) else { return };
        assert_eq!(seen.of("inner"), width.to_string());
        assert_eq!(seen.console, Vec::<String>::new());
        assert_eq!(seen.of("loaded"), "0");
        assert_eq!(seen.of("charts"), charts.to_string());
        assert_eq!(seen.of("bars"), bars.to_string());
        assert_eq!(seen.of("fits"), "true", "{width}");
        assert_eq!(seen.of("ways"), way);
        assert_eq!(seen.of("cut"), "0", "text leaves its box at {width}");
    }
}

/// The neighbour of the test above: each fault that it looks for is seen.
#[test]
fn a_browser_shows_what_a_page_loads_what_fails_in_it_and_what_it_does_not_draw() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let page = format!(
        "<!doctype html><img src=\"http://{address}/image\"><script>throw new Error('oh')</script>\
         <div style=\"width:5000px\">wide</div>\
         <svg class=\"chart\" viewBox=\"0 0 100 50\"><rect width=\"0\" height=\"16\"/>\
         <rect width=\"9\" height=\"16\"/></svg>\
         <svg class=\"way wide\" viewBox=\"0 0 100 50\"><g><rect width=\"9\" height=\"16\"/>\
         <text>too long</text></g></svg>"
    );
    let Some(seen) = show(&page, 1_280) else { return };
    assert!(seen.console.iter().any(|line| line.contains("oh")), "{:?}", seen.console);
    assert_eq!(seen.of("loaded"), "1");
    assert_eq!(seen.of("charts"), "1");
    assert_eq!(seen.of("bars"), "1");
    assert_eq!(seen.of("fits"), "false");
    assert_eq!(seen.of("ways"), "wide");
    assert_eq!(seen.of("cut"), "1");
}
