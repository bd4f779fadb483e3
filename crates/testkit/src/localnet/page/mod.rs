//! The run as a self-contained HTML page: headline figures, the path of a block, the steps by part,
//! and charts. The page loads nothing.

mod html;
mod journey;

use crate::charts::{FluidBar, escaped, fluid_bars, legend};
use crate::localnet::{
    report::{Advanced, Figures, Mark, Part, RealBlock, Report},
    units::{self, grouped},
};
use html::{short_hashes, table};
use journey::journey;
use std::{cmp::Reverse, fmt::Write as _, thread};

const STYLE: &str = include_str!("style.css");

/// Symbols of the marks, in the order of [`MARKS`].
const SYMBOLS: &str = "<svg class=\"hidden\" aria-hidden=\"true\">\n\
<symbol id=\"built\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"5\"/></symbol>\n\
<symbol id=\"shown\" viewBox=\"0 0 16 16\"><path d=\"M3 8.5l3.5 3.5L13 4.5\"/></symbol>\n\
<symbol id=\"refused\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"6\"/><path d=\"M4 4l8 8\"/></symbol>\n\
<symbol id=\"survived\" viewBox=\"0 0 16 16\"><path d=\"M13 8a5 5 0 1 1-1.5-3.6M13 1.5v3.2H9.8\"/></symbol>\n\
</svg>\n";

/// Marks with their CSS class, which is also the id of the symbol, and their names in the singular
/// and plural.
const MARKS: [(Mark, &str, &str, &str); 4] = [
    (Mark::Shown, "shown", "check passed", "checks passed"),
    (Mark::Refused, "refused", "invalid input refused", "invalid inputs refused"),
    (Mark::Survived, "survived", "fault survived", "faults survived"),
    (Mark::Built, "built", "step of set-up", "steps of set-up"),
];

/// Returns the page of a report.
pub fn page(report: &Report) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>A native rollup, end to end</title>\n",
    );
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n{SYMBOLS}");
    page += &header(report);
    page += "<main>\n";
    if let Some(block) = report.advanced.first() {
        page += "<h2>The path of a block</h2>\n<p>L1 trusts no operator: it executes the L2 block again, in the \
                 precompile EXECUTE, from the state that comes with it.</p>\n";
        page += &journey(block);
        page += "<p class=\"legend\"><span><i class=\"swatch l2\"></i>on the L2</span> <span><i class=\"swatch \
                 l1\"></i>on L1</span></p>\n";
    }
    if !report.real_blocks.is_empty() {
        page += &real_blocks(&report.real_blocks);
    }
    if !report.advanced.is_empty() {
        page += &advanced(&report.advanced);
    }
    if let Some(figures) = &report.figures {
        page += &of_processes(figures);
    }
    page += &parts(&report.parts);
    page += "</main>\n<footer>\n";
    for (name, version) in &report.versions {
        let _ = writeln!(page, "<span>{} {}</span><br>", escaped(name), escaped(version));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let cores = if cores == 1 { "one core".to_owned() } else { format!("{cores} cores") };
    let _ = writeln!(page, "All times are from this run, on a machine with {cores}.");
    page + "</footer>\n</body>\n</html>\n"
}

/// Appends a figure with its name.
fn stat(page: &mut String, figure: &str, name: &str) {
    let (figure, name) = (escaped(figure), escaped(name));
    let _ = writeln!(page, "<dl class=\"card stat\"><dt>{name}</dt><dd>{figure}</dd></dl>");
}

/// Returns title and headline figures.
fn header(report: &Report) -> String {
    let mut page = String::from(
        "<header>\n<h1>A native rollup, end to end</h1>\n<p class=\"muted\">An L1 with the precompile EXECUTE \
         and an L2 whose blocks it verifies, run by enshrine ",
    );
    page += env!("CARGO_PKG_VERSION");
    page += ".</p>\n<div class=\"hero\">\n";
    let [shown, refused, survived] =
        [Mark::Shown, Mark::Refused, Mark::Survived].map(|mark| report.count(mark));
    let checks = shown + refused + survived;
    let kinds = [(Mark::Refused, refused), (Mark::Survived, survived)];
    let kinds: Vec<_> = kinds.iter().filter_map(|(mark, count)| counted(*mark, *count)).collect();
    let among = if kinds.is_empty() { "" } else { ", among them " };
    let named = if checks == 1 { "check passed" } else { "checks passed" };
    stat(&mut page, &grouped(checks as u64), &format!("{named}{among}{}", kinds.join(" and ")));
    let blocks = &report.real_blocks;
    if !blocks.is_empty() {
        let (gas, ms) =
            (blocks.iter().map(|block| block.gas).sum(), blocks.iter().map(|block| block.ms).sum());
        let rate = throughput(gas, ms);
        let named = format!("EXECUTE verifies {} real blocks of public networks", blocks.len());
        stat(&mut page, &rate, &named);
    }
    page += "</div>\n<div class=\"small\">\n";
    if let Some(minimum) = report.advanced.iter().map(|row| row.l1_gas).min() {
        stat(&mut page, &units::gas(minimum), "L1 gas of the cheapest block");
    }
    if let Some(figures) = &report.figures {
        for (name, seconds) in figures.latencies() {
            stat(&mut page, &units::seconds(seconds), name);
        }
    }
    page + "</div>\n</header>\n"
}

/// Formats a number of steps with a mark, or returns `None` if there is none.
fn counted(mark: Mark, count: usize) -> Option<String> {
    let (_, _, one, many) = MARKS.iter().find(|entry| entry.0 == mark)?;
    match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{} {many}", grouped(count as u64))),
    }
}

/// Formats gas per second.
fn throughput(gas: u64, ms: f64) -> String {
    let rate = if ms > 0.0 { gas as f64 * 1e3 / ms } else { 0.0 };
    format!("{}/s", units::gas(rate as u64))
}

/// Returns the symbol of a mark.
fn symbol(class: &str) -> String {
    format!("<svg class=\"mark {class}\" aria-hidden=\"true\"><use href=\"#{class}\"/></svg>")
}

/// Returns the steps by part, each part collapsed below a summary with its marks.
fn parts(parts: &[Part]) -> String {
    let mut page = String::from("<h2>The steps</h2>\n<p class=\"legend\">");
    for (_, class, name, _) in MARKS {
        let _ = write!(page, "<span>{}{name}</span> ", symbol(class));
    }
    page += "</p>\n<div class=\"parts\">\n";
    for Part { title, steps } in parts {
        let of = |mark| steps.iter().filter(|step| step.mark == mark).count();
        let counts: Vec<_> =
            MARKS.iter().filter_map(|(mark, ..)| counted(*mark, of(*mark))).collect();
        let (title, counts) = (escaped(title), counts.join(", "));
        let _ = write!(
            page,
            "<details class=\"card part\"><summary>{title} <span class=\"count\">{counts}</span>\
             <span class=\"strip\">"
        );
        let class =
            |mark| MARKS.iter().find(|entry| entry.0 == mark).map_or("shown", |entry| entry.1);
        for step in steps {
            page += &symbol(class(step.mark));
        }
        page += "</span></summary>\n<ul>\n";
        for step in steps {
            let (class, text) = (class(step.mark), escaped(&short_hashes(&step.text)));
            let _ = writeln!(
                page,
                "<li>{}<span><span class=\"hidden\">{class}: </span>{text}</span></li>",
                symbol(class)
            );
        }
        page += "</ul>\n</details>\n";
    }
    page + "</div>\n"
}

/// Returns the section on latencies and rates of the L2 whose nodes are processes.
fn of_processes(figures: &Figures) -> String {
    let bar = |name: &str, length, figure| FluidBar {
        name: name.to_owned(),
        parts: vec![("execute", length)],
        figure,
    };
    let latencies =
        figures.latencies().map(|(name, times)| bar(name, times, units::seconds(times)));
    let rates = figures.rates().map(|(name, rate)| bar(name, rate, units::per_second(rate)));
    let mut page = String::from(
        "<h2>The L2 for its users</h2>\n<p>Devnet, sequencer and followers are processes on this machine; on \
         a public L1 with slots of 12 s, times are longer.</p>\n<div class=\"pair\">\n",
    );
    for (title, bars) in [("Latency", &latencies[..]), ("Transfers per second", &rates[..])] {
        let _ = write!(
            page,
            "<div class=\"card\"><h3>{title}</h3>\n{}</div>\n",
            fluid_bars(title, bars)
        );
    }
    page + "</div>\n"
}

/// Returns the section on gas and time of the L2 blocks with which the rollup was advanced.
fn advanced(rows: &[Advanced]) -> String {
    let gas = rows.iter().map(|row| {
        // If the calldata floor (EIP-7623) applies, the whole price is one for calldata.
        let parts = match row.overhead_gas() {
            Some(overhead) => vec![
                ("execute", row.execute_gas as f64),
                ("calldata", row.calldata_gas as f64),
                ("other", overhead as f64),
            ],
            None => vec![("calldata", row.l1_gas as f64)],
        };
        FluidBar { name: row.name.clone(), parts, figure: units::gas(row.l1_gas) }
    });
    let mut page = String::from(
        "<h2>L1 gas of a block</h2>\n<p>Gas of the L1 transaction that advances the rollup by one block, under \
         mainnet's limits.</p>\n<div class=\"card\">\n",
    );
    page += &fluid_bars("L1 gas by block", &gas.collect::<Vec<_>>());
    page += &legend(&[
        ("execute", "EXECUTE"),
        ("calldata", "calldata"),
        ("other", "intrinsic gas and contracts"),
    ]);
    page += "</div>\n";
    let heads = [
        "block",
        "L2 gas",
        "witness",
        "input",
        "L1 gas",
        "EXECUTE",
        "calldata",
        "calldata floor",
        "time",
    ];
    page + &table(
        "amounts",
        "All figures of these blocks",
        &heads,
        rows.iter().map(|row| {
            vec![
                row.name.clone(),
                units::gas(row.gas),
                units::bytes(row.witness_bytes),
                units::bytes(row.input_bytes),
                units::gas(row.l1_gas),
                units::gas(row.execute_gas),
                units::gas(row.calldata_gas),
                units::gas(row.floor_gas),
                units::milliseconds(row.ms),
            ]
        }),
    )
}

/// Returns the section on gas and time of EXECUTE for blocks of public networks.
fn real_blocks(rows: &[RealBlock]) -> String {
    let shown = |row: &RealBlock| row.name.replace('_', " ");
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|row| Reverse(row.execute_gas));
    let charges = rows.iter().map(|row| FluidBar {
        name: shown(row),
        parts: vec![
            ("other", row.gas.min(row.execute_gas) as f64),
            ("execute", row.execute_gas.saturating_sub(row.gas) as f64),
        ],
        figure: units::gas(row.execute_gas),
    });
    let times = rows.iter().map(|row| FluidBar {
        name: shown(row),
        parts: vec![("calldata", row.ms)],
        figure: format!("{} · {}", units::milliseconds(row.ms), throughput(row.gas, row.ms)),
    });
    let mut page = String::from(
        "<h2>Real blocks through EXECUTE</h2>\n<p>The same precompile verifies blocks of public networks from \
         their witnesses, with L1's gas limits lifted. A rate is a block's gas divided by the time of the fastest of several calls.</p>\n<div class=\"pair\">\n<div class=\"card\">\
         <h3>Gas charged</h3>\n",
    );
    page += &fluid_bars("Gas that EXECUTE charges, by block", &charges.collect::<Vec<_>>());
    page += &legend(&[("other", "gas of the block"), ("execute", "input and underpriced work")]);
    page += "</div>\n<div class=\"card\"><h3>Time</h3>\n";
    page += &fluid_bars("Time of EXECUTE, by block", &times.collect::<Vec<_>>());
    page += "</div>\n</div>\n";
    let heads =
        ["block", "gas", "transactions", "witness", "input", "EXECUTE", "time", "under L2 rules"];
    page + &table(
        "reasons",
        "All figures of these blocks",
        &heads,
        rows.iter().map(|row| {
            vec![
                shown(row),
                units::gas(row.gas),
                grouped(row.transactions as u64),
                units::bytes(row.witness_bytes),
                units::bytes(row.input_bytes),
                units::gas(row.execute_gas),
                units::milliseconds(row.ms),
                under_l2_rules(row),
            ]
        }),
    )
}

/// Formats the verdict on a block under the rules of an L2, without the prefix that the column head
/// already states.
fn under_l2_rules(row: &RealBlock) -> String {
    match &row.refused_under_l2_rules {
        Some(reason) => reason.strip_prefix("L2 rules: ").unwrap_or(reason).to_owned(),
        None => "valid".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</td><script>alert(\"1\")</script> & 'more'";

    fn report() -> Report {
        let mut report = Report::new(true);
        report.versions = vec![("tool".to_owned(), "1.2.3".to_owned())];
        report.figures = Some(Figures {
            deposit_seconds: 0.220_198_967,
            transfer_seconds: 1.854_740_071_000_000_2,
            transfer_on_l1_seconds: 3.256_789,
            withdrawal_seconds: 14.251_111,
            accepted_per_second: 3_695.246_652_725_486_5,
            included_per_second: 222.314_713,
            settled_per_second: 186.203,
        });
        report.part("A part");
        report.built("a contract deployed".to_owned());
        report.shown("Bob has 1 ETH".to_owned());
        report.part(HOSTILE);
        report.refused(HOSTILE.to_owned());
        report.survived("an L1 reorg".to_owned());
        report.shown("a follower has the same hash".to_owned());
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

    /// Returns the contents of all elements that start with `open` and end with `close`.
    fn between<'p>(page: &'p str, open: &'p str, close: &'p str) -> Vec<&'p str> {
        page.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
    }

    #[test]
    fn page_groups_steps_by_part_with_marks() {
        let report = report();
        let page = page(&report);
        let groups = between(&page, "<details class=\"card part\">", "</details>");
        assert_eq!(groups.len(), report.parts.len());
        for (group, part) in groups.iter().zip(&report.parts) {
            assert!(group.contains(&escaped(&part.title)), "{group}");
            let items = between(group, "<li>", "</li>");
            assert_eq!(items.len(), part.steps.len());
            for (item, step) in items.iter().zip(&part.steps) {
                let class = MARKS.iter().find(|mark| mark.0 == step.mark).unwrap().1;
                assert!(item.contains(&escaped(&step.text)), "{item}");
                assert!(item.contains(&format!("href=\"#{class}\"")), "{item}");
                assert!(item.contains(&format!(">{class}: <")), "{item}");
            }
        }
        assert!(groups[0].contains("1 check passed, 1 step of set-up"), "{}", groups[0]);
        // Steps of set-up do not count as checks.
        assert!(page.contains("<dd>4</dd>"), "{page}");
        let named = "checks passed, among them 1 invalid input refused and 1 fault survived";
        assert!(page.contains(named), "{page}");
    }

    #[test]
    fn figures_are_rounded_and_have_units() {
        let report = report();
        let page = page(&report);
        let figures = [
            between(&page, "<dd>", "</dd>"),
            between(&page, "<text class=\"figure\" x=\"100%\" y=\"14\">", "</text>"),
            between(&page, "<td>", "</td>"),
        ]
        .concat();
        assert!(figures.len() > 30, "{figures:?}");
        for figure in figures {
            let digits = figure.split(|c: char| !c.is_ascii_digit());
            assert!(digits.into_iter().all(|run| run.len() <= 3), "{figure}");
        }
        for figure in
            ["1.85 s", "220 ms", "14.3 s", "3,700/s", "10 Mgas", "700 Mgas", "1 MB", "70 MB"]
        {
            assert!(page.contains(&format!(">{figure}<")), "{figure}");
        }
        assert!(!page.contains("1.854"));
    }

    #[test]
    fn each_block_has_chart_bars_and_table_row() {
        let page = page(&report());
        let charts = between(&page, "<svg class=\"chart\"", "</svg>");
        let bars: Vec<_> = charts.iter().map(|chart| chart.matches("<rect").count()).collect();
        // Real blocks by gas and time, advanced blocks, latencies, rates.
        assert_eq!(bars, [2 * 2, 2, 2 * 3, 4, 3]);
        // The most expensive real block comes first.
        let names = between(charts[0], "<text x=\"0\" y=\"14\">", "</text>");
        assert_eq!(names, [escaped(HOSTILE)]);
        assert_eq!(page.matches("<th scope=\"row\">").count(), 2 + 2);
    }

    #[test]
    fn page_omits_skipped_sections() {
        let mut report = Report::new(true);
        report.shown("Bob has 1 ETH".to_owned());
        let page = page(&report);
        assert!(!page.contains("<svg class=\"chart\"") && !page.contains("<table"), "{page}");
        assert!(page.contains("Bob has 1 ETH"));
        assert!(page.contains("<dt>check passed</dt>"), "{page}");
    }

    #[test]
    fn the_page_loads_nothing_and_escapes_text() {
        let page = page(&report());
        for loading in ["<script", "http:", "https:", "src=", "url(", "<link", "@import", "<iframe"]
        {
            assert!(!page.contains(loading), "{loading}");
        }
        let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;more&#39;";
        // A title and a step, an advanced and a real block in charts and tables, and a refusal
        // reason.
        assert_eq!(page.matches(escaped).count(), 2 + 2 + 3 + 1);
        for tag in ["table", "svg", "tr", "ul", "li", "details", "div", "span", "p", "g", "dl"] {
            let open = page.matches(&format!("<{tag}>")).count()
                + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
