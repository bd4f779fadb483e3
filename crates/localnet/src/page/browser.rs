//! Tests of the page in a browser: what it draws, in which colours, and a screenshot of it.

use super::tests::report;
use crate::page::{html::escaped, page};
use std::{
    collections::HashSet,
    fs,
    io::ErrorKind,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};
use zune_png::{PngDecoder, zune_core::bytestream::ZCursor};

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
of('scheme', matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
of('ways', [...document.querySelectorAll('svg.way')].filter(svg => svg.getBoundingClientRect().height > 10).map(svg => svg.classList[1]).join());
of('cut', [...document.querySelectorAll('svg.way g')].filter(g => g.querySelector('rect').getBoundingClientRect().width > 0)
  .filter(g => [...g.querySelectorAll('text')].some(text => text.getBoundingClientRect().right > g.querySelector('rect').getBoundingClientRect().right)).length);
// Contrast as WCAG defines it.
const style = it => getComputedStyle(it);
const colour = text => text.match(/[\\d.]+/g).map(Number);
const luminance = rgb => rgb.slice(0, 3).map(it => it / 255)
  .map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
  .reduce((sum, it, index) => sum + it * [0.2126, 0.7152, 0.0722][index], 0);
const behind = it => {
  for (; it; it = it.parentElement) {
    const box = it.matches('svg.way g') ? style(it.querySelector('rect')).fill : style(it).backgroundColor;
    const found = colour(box);
    if (found.length < 4 || found[3] > 0) return found;
  }
  return colour(style(document.documentElement).colorScheme.includes('dark') ? '18 18 18' : '255 255 255');
};
const contrast = (front, back) => {
  const [low, high] = [luminance(colour(front)), luminance(back)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const shown = it => it.getBoundingClientRect().width > 1 && !it.closest('.hidden, style, script');
const texts = [...document.querySelectorAll('body, body *')].filter(shown)
  .filter(it => [...it.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
const front = it => it.closest('svg') ? style(it).fill : style(it).color;
of('texts', texts.length);
of('faint', texts.filter(it => contrast(front(it), behind(it)) < 4.5).length);
of('pale', [...document.querySelectorAll('svg.chart rect')].filter(drawn)
  .filter(it => contrast(style(it).fill, behind(it.parentElement)) < 3).length);
})</script>";

/// Script that copies those attributes out of the frame with the page.
const COPY: &str = "<script>addEventListener('load', () => {
for (const it of document.querySelector('iframe').contentDocument.body.attributes)
  document.body.setAttribute(it.name, it.value);
})</script>";

/// Height of the frame and of its screenshot, in pixels: more than the page with all groups open takes.
const HEIGHT: u32 = 6_000;

/// Colour scheme that the browser's user prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Setting of Chromium's renderer.
    const fn setting(self) -> &'static str {
        match self {
            Self::Light => "--blink-settings=preferredColorScheme=1",
            Self::Dark => "--blink-settings=preferredColorScheme=0",
        }
    }

    /// Colour of the page behind all that is on it (`--page` of the style).
    const fn page(self) -> [u8; 3] {
        match self {
            Self::Light => [0xf7, 0xf8, 0xfb],
            Self::Dark => [0x0f, 0x13, 0x1a],
        }
    }
}

/// Pixels of a screenshot, row by row.
struct Picture {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let mut decoder = PngDecoder::new(ZCursor::new(fs::read(path).unwrap()));
        let bytes = decoder.decode_raw().unwrap();
        let colours = decoder.colorspace().unwrap();
        assert!(colours.num_components() >= 3, "{colours:?}");
        let pixels = bytes.chunks(colours.num_components()).map(|it| [it[0], it[1], it[2]]);
        Self { width: decoder.dimensions().unwrap().0, pixels: pixels.collect() }
    }

    /// Rows that hold another colour than the background.
    fn rows_with_ink(&self, background: [u8; 3]) -> Vec<usize> {
        let rows = self.pixels.chunks(self.width).enumerate();
        rows.filter(|(_, row)| row.iter().any(|it| *it != background)).map(|(at, _)| at).collect()
    }
}

/// Result of showing a page.
struct Seen {
    /// The document after its scripts have run.
    document: String,
    /// Lines written to the console.
    console: Vec<String>,
    picture: Picture,
}

impl Seen {
    fn of(&self, name: &str) -> &str {
        let key = format!("data-{name}=\"");
        let at = self.document.find(&key).expect("the probe has run") + key.len();
        self.document[at..].split('"').next().unwrap()
    }

    fn number(&self, name: &str) -> usize {
        self.of(name).parse().unwrap()
    }
}

/// Shows a page in a headless Chromium, in a frame of this width: the one that `CHROMIUM` names, or an installed one.
/// Returns `None` and reports the skip if there is none.
fn show(page: &str, width: u32, scheme: Scheme) -> Option<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    // Chromium makes no window narrower than 500 pixels, so the page stands in a frame.
    let framed = escaped(&format!("{page}{PROBE}"));
    let style = format!("width:{width}px;height:{HEIGHT}px;border:0;display:block");
    let frame = format!("<iframe style=\"{style}\" srcdoc=\"{framed}\"></iframe>");
    fs::write(&file, format!("<!doctype html><body style=\"margin:0\">{frame}{COPY}")).unwrap();
    let picture = folder.path().join("page.png");
    let named = std::env::var("CHROMIUM").ok();
    let names = named
        .as_deref()
        .map_or(vec!["chromium", "chromium-browser", "google-chrome"], |it| vec![it]);
    for name in names {
        let mut command = Command::new(name);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .args(["--disable-quic", "--disable-sync", "--no-first-run", "--hide-scrollbars"])
            .args(["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom"])
            .arg(scheme.setting())
            .arg(format!("--window-size={},{HEIGHT}", width.max(500)))
            .arg(format!("--screenshot={}", picture.display()))
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
                return Some(Seen { document, console, picture: Picture::read(&picture) });
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
        let Some(seen) = show(&page, width, Scheme::Light) else { return };
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

#[test]
fn light_and_dark_pages_have_legible_text_and_bars_and_a_picture_of_all_of_it() {
    let page = page(&report());
    for (width, _) in WIDTHS {
        for scheme in [Scheme::Light, Scheme::Dark] {
            let Some(seen) = show(&page, width, scheme) else { return };
            assert_eq!(seen.of("scheme"), scheme.name());
            assert!(seen.number("texts") > 100, "{} texts", seen.of("texts"));
            assert_eq!(seen.of("faint"), "0", "faint text, {scheme:?}, {width}");
            assert_eq!(seen.of("pale"), "0", "pale bars, {scheme:?}, {width}");

            let Picture { width: shown, pixels } = &seen.picture;
            assert_eq!((*shown as u32, pixels.len() / shown), (width.max(500), HEIGHT as usize));
            // Beside a narrow page stands the frame's own background.
            let columns = width as usize;
            let pixels = pixels.chunks(*shown).flat_map(|row| &row[..columns]).copied().collect();
            let picture = Picture { width: columns, pixels };
            assert_eq!(picture.pixels[0], scheme.page(), "{scheme:?}");
            let rows = picture.rows_with_ink(scheme.page());
            assert!(rows.len() > 1_000, "{} rows of ink", rows.len());
            let end = rows.last().copied().unwrap();
            assert!(end + 20 < HEIGHT as usize, "the picture is cut at row {end}");
            let colours: HashSet<_> = picture.pixels.iter().collect();
            assert!(colours.len() > 50, "{} colours", colours.len());
        }
    }
}

/// The neighbour of the tests above: each fault that it looks for is seen.
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
         <svg class=\"way wide\" viewBox=\"0 0 100 50\"><g><rect width=\"9\" height=\"16\" fill=\"#fff\"/>\
         <text>too long</text></g></svg>\
         <p style=\"color:#aaa;background:#fff\">faint</p>\
         <svg class=\"chart\" viewBox=\"0 0 100 50\" style=\"background:#fff\">\
         <rect width=\"9\" height=\"16\" fill=\"#ddd\"/></svg>"
    );
    let Some(seen) = show(&page, 1_280, Scheme::Light) else { return };
    assert!(seen.console.iter().any(|line| line.contains("oh")), "{:?}", seen.console);
    assert_eq!(seen.of("loaded"), "1");
    assert_eq!(seen.of("charts"), "2");
    assert_eq!(seen.of("bars"), "2");
    assert_eq!(seen.of("fits"), "false");
    assert_eq!(seen.of("ways"), "wide");
    assert_eq!(seen.of("cut"), "1");
    assert_eq!(seen.of("faint"), "1");
    assert_eq!(seen.of("pale"), "1");
    let empty = show("<!doctype html><body style=\"background:#f7f8fb\">", 1_280, Scheme::Light);
    let picture = empty.unwrap().picture;
    assert_eq!(picture.rows_with_ink(Scheme::Light.page()), Vec::<usize>::new());
}
