//! The run as one page: all figures of the report, with charts drawn into it. It loads nothing.

use crate::report::{Advanced, Figures, RealBlock, Report};
use std::fmt::Write as _;

const STYLE: &str = "\
:root{color-scheme:light dark;--execute:#3b6fb5;--calldata:#d08a2e;--overhead:#7a9a4f;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child,td.text,th.text{text-align:left}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}
svg text{fill:currentColor}
.execute{fill:var(--execute)}.calldata{fill:var(--calldata)}.overhead{fill:var(--overhead)}
ol{padding-left:1.5rem}
";

/// Width of the charts, of the names in them, and of the figures behind the bars.
const WIDTH: f64 = 900.0;
const NAMES: f64 = 250.0;
const FIGURES: f64 = 110.0;
const ROW: f64 = 24.0;

/// A bar of a chart: its name, its parts with the class of each, and what stands behind it.
struct Bar<'r> {
    name: &'r str,
    parts: Vec<(&'static str, f64)>,
    figure: String,
}

/// The page.
pub(crate) fn page(report: &Report) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    let version = env!("CARGO_PKG_VERSION");
    page += "<title>A native rollup, end to end</title>\n";
    let _ = write!(page, "<style>\n{STYLE}</style>\n<h1>A native rollup, end to end</h1>\n");
    let _ = write!(page, "<p>enshrine {version}. Each of these was shown to be true:</p>\n<ol>\n");
    for step in report.steps() {
        let _ = writeln!(page, "<li>{}</li>", escaped(step));
    }
    page += "</ol>\n";
    if !report.versions.is_empty() {
        let row = |(name, version): &(String, String)| vec![escaped(name), escaped(version)];
        page += "<h2>Versions</h2>\n";
        page += &table(&["what", "version"], report.versions.iter().map(row));
    }
    if let Some(figures) = &report.figures {
        page += &of_processes(figures);
    }
    if !report.advanced.is_empty() {
        page += &advanced(&report.advanced);
    }
    if !report.real_blocks.is_empty() {
        page += &real_blocks(&report.real_blocks);
    }
    page + "</html>\n"
}

fn of_processes(figures: &Figures) -> String {
    let (latencies, rates) = (figures.latencies(), figures.rates());
    let bar = |(name, length): &(&'static str, f64), figure: String| Bar {
        name,
        parts: vec![("execute", *length)],
        figure,
    };
    let mut text = String::from(
        "<h2>The L2 of processes on this machine</h2>\n<p>How long it takes, in seconds.</p>\n",
    );
    let bars = latencies.iter().map(|it| bar(it, format!("{:.2} s", it.1)));
    text += &chart("Seconds by what is waited for", bars.collect());
    text += "<p>Transfers per second.</p>\n";
    let bars = rates.iter().map(|it| bar(it, format!("{:.0} per second", it.1)));
    text += &chart("Transfers per second", bars.collect());
    let row = |unit: &'static str| {
        move |(name, figure): &(&'static str, f64)| {
            vec![escaped(name), figure.to_string(), unit.to_owned()]
        }
    };
    let rows =
        latencies.iter().map(row("seconds")).chain(rates.iter().map(row("transfers per second")));
    text + &table(&["what", "figure", "unit"], rows)
}

fn advanced(rows: &[Advanced]) -> String {
    let gas = rows.iter().map(|row| {
        // Where calldata alone decides, the floor is all that the transaction costs.
        let parts = match row.overhead_gas() {
            Some(overhead) => vec![
                ("execute", row.execute_gas as f64),
                ("calldata", row.calldata_gas as f64),
                ("overhead", overhead as f64),
            ],
            None => vec![("calldata", row.l1_gas as f64)],
        };
        Bar { name: &row.name, parts, figure: format!("{} gas", row.l1_gas) }
    });
    let time = rows.iter().map(|row| Bar {
        name: &row.name,
        parts: vec![("execute", row.ms)],
        figure: format!("{:.1} ms", row.ms),
    });
    let mut text = String::from(
        "<h2>Blocks advanced on L1</h2>\n<p>What the L1 transaction costs: EXECUTE (blue), calldata \
         (orange), the rest (green).</p>\n",
    );
    text += &chart("L1 gas by block", gas.collect());
    text += "<p>How long the L1 block with it took to build.</p>\n";
    text += &chart("Milliseconds by block", time.collect());
    let heads = [
        "block",
        "L2 gas",
        "witness, bytes",
        "input, bytes",
        "L1 gas",
        "EXECUTE, gas",
        "calldata, gas",
        "floor, gas",
        "time, ms",
    ];
    text + &table(
        &heads,
        rows.iter().map(|row| {
            let Advanced {
                name,
                gas,
                witness_bytes,
                input_bytes,
                l1_gas,
                execute_gas,
                calldata_gas,
                floor_gas,
                ms,
            } = row;
            vec![
                escaped(name),
                gas.to_string(),
                witness_bytes.to_string(),
                input_bytes.to_string(),
                l1_gas.to_string(),
                execute_gas.to_string(),
                calldata_gas.to_string(),
                floor_gas.to_string(),
                ms.to_string(),
            ]
        }),
    )
}

fn real_blocks(rows: &[RealBlock]) -> String {
    let charged = rows.iter().map(|row| Bar {
        name: &row.name,
        parts: vec![
            ("overhead", row.gas.min(row.execute_gas) as f64),
            ("execute", row.execute_gas.saturating_sub(row.gas) as f64),
        ],
        figure: format!("{} gas", row.execute_gas),
    });
    let mut text = String::from(
        "<h2>Real blocks through the same EXECUTE</h2>\n<p>What EXECUTE charges: the gas of the block \
         (green), and what comes on top (blue).</p>\n",
    );
    text += &chart("EXECUTE's charge by block", charged.collect());
    let heads = [
        "block",
        "gas",
        "transactions",
        "witness, bytes",
        "input, bytes",
        "EXECUTE, gas",
        "time, ms",
        "under L2 rules",
    ];
    text + &table(
        &heads,
        rows.iter().map(|row| {
            let RealBlock {
                name,
                gas,
                transactions,
                witness_bytes,
                input_bytes,
                execute_gas,
                ms,
                refused_under_l2_rules,
            } = row;
            vec![
                escaped(name),
                gas.to_string(),
                transactions.to_string(),
                witness_bytes.to_string(),
                input_bytes.to_string(),
                execute_gas.to_string(),
                ms.to_string(),
                escaped(refused_under_l2_rules.as_deref().unwrap_or("valid")),
            ]
        }),
    )
}

/// Bars below one another, the longest as long as there is room.
fn chart(title: &str, bars: Vec<Bar<'_>>) -> String {
    let length = |bar: &Bar<'_>| bar.parts.iter().map(|(_, part)| part).sum::<f64>();
    let longest = bars.iter().map(length).fold(0.0, f64::max);
    let scale = if longest > 0.0 { (WIDTH - NAMES - FIGURES) / longest } else { 0.0 };
    let height = ROW * bars.len() as f64;
    let title = escaped(title);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n"
    );
    for (index, bar) in bars.into_iter().enumerate() {
        let top = ROW * index as f64;
        let base = top + 16.0;
        let name = escaped(bar.name);
        let _ = writeln!(svg, "<text x=\"0\" y=\"{base}\">{name}</text>");
        let mut left = NAMES;
        for (class, part) in bar.parts {
            let width = part * scale;
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" \
                 height=\"16\"/>",
                top + 4.0,
            );
            left += width;
        }
        let figure = escaped(&bar.figure);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{base}\">{figure}</text>", left + 6.0);
    }
    svg + "</svg>\n"
}

/// A table of cells that are escaped already.
fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = String::from("<table>\n<tr>");
    for head in heads {
        let _ = write!(text, "<th>{}</th>", escaped(head));
    }
    text += "</tr>\n";
    for row in rows {
        text += "<tr>";
        for cell in row {
            let _ = write!(text, "<td>{cell}</td>");
        }
        text += "</tr>\n";
    }
    text + "</table>\n"
}

/// Text as it stands in a page.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod browser;
#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const HOSTILE: &str = "</td><script>alert(\"1\")</script> & 'more'";

    pub(super) fn report() -> Report {
        let mut report = Report::new(true);
        report.versions = vec![("tool".to_owned(), "1.2.3".to_owned())];
        report.figures = Some(Figures {
            deposit_seconds: 1.25,
            transfer_seconds: 2.25,
            transfer_on_l1_seconds: 3.25,
            withdrawal_seconds: 4.25,
            accepted_per_second: 501.5,
            included_per_second: 502.5,
            settled_per_second: 503.5,
        });
        report.step("Bob has 1 ETH".to_owned());
        report.step(HOSTILE.to_owned());
        for (name, seed) in [("deposit", 1_000_003), (HOSTILE, 70_000_001)] {
            report.advanced.push(Advanced {
                name: name.to_owned(),
                gas: seed,
                witness_bytes: seed as usize + 1,
                input_bytes: seed as usize + 2,
                l1_gas: 10 * seed,
                execute_gas: 5 * seed,
                calldata_gas: 3 * seed,
                floor_gas: seed + 7,
                ms: seed as f64 / 7.0,
            });
            report.real_blocks.push(RealBlock {
                name: name.to_owned(),
                gas: seed + 11,
                transactions: seed as usize + 12,
                witness_bytes: seed as usize + 13,
                input_bytes: seed as usize + 14,
                execute_gas: 2 * seed + 15,
                ms: seed as f64 / 13.0,
                refused_under_l2_rules: (seed > 2_000_000).then(|| HOSTILE.to_owned()),
            });
        }
        report
    }

    /// What is told in a document, wherever it stands there.
    fn leaves(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.values().for_each(|field| leaves(field, found)),
            Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
            Value::String(text) => found.push(escaped(text)),
            Value::Number(number) => found.push(number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    #[test]
    fn all_that_the_json_says_stands_on_the_page() {
        let report = report();
        let page = page(&report);
        let mut told = Vec::new();
        leaves(&serde_json::from_str(&report.to_json()).unwrap(), &mut told);
        assert_eq!(told.len(), 2 + 7 + 2 + 2 * 9 + 2 * 8 - 1);
        for told in told {
            assert!(page.contains(&told), "{told} is not in {page}");
        }
        assert_eq!(page.matches("<svg").count(), 5);
        // A bar of each part, and a name and a figure for each bar.
        assert_eq!(page.matches("<rect").count(), 7 + 2 * 3 + 2 + 2 * 2);
        assert_eq!(page.matches("<text").count(), 7 * 2 + 2 * 3 * 2);
    }

    #[test]
    fn the_page_loads_nothing_and_holds_no_markup_of_others() {
        let page = page(&report());
        for loading in ["<script", "http:", "https:", "src=", "url(", "<link", "@import", "<iframe"]
        {
            assert!(!page.contains(loading), "{loading}");
        }
        assert!(
            page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;")
        );
        for tag in ["table", "svg", "tr", "ol"] {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            assert_eq!(page.matches(&open).count(), page.matches(&close).count(), "{tag}");
        }
    }

    #[test]
    fn the_longest_bar_has_all_the_room_and_the_others_their_part_of_it() {
        let bar =
            |name, length| Bar { name, parts: vec![("execute", length)], figure: String::new() };
        let svg = chart("lengths", vec![bar("half", 5.0), bar("whole", 10.0)]);
        let room = WIDTH - NAMES - FIGURES;
        assert!(svg.contains(&format!("width=\"{room:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("width=\"{:.1}\"", room / 2.0)), "{svg}");
        // Nothing at all is no longer than it is.
        let nothing = chart("nothing", vec![bar("none", 0.0)]);
        assert!(nothing.contains("width=\"0.0\"") && !nothing.contains("NaN"), "{nothing}");
    }
}
