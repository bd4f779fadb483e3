//! Block time and witness size over the size of a state.

use super::canvas::scale_end;
use core::fmt::Write as _;

/// Measurements at one size of the state.
#[derive(Debug, Clone, Copy)]
pub struct GrowthPoint {
    /// Number of accounts in the state.
    pub accounts: u64,
    /// Median time to build a block, in milliseconds.
    pub build: f64,
    /// Median size of the witness, in kB.
    pub witness: f64,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 580.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 310.0;
const TIME: &str = "#1f6feb";
const WITNESS: &str = "#bc4c00";

/// Returns an SVG with two curves over the logarithm of the number of accounts. Each has its own
/// linear scale, so a straight line means logarithmic growth.
pub fn growth(points: &[GrowthPoint]) -> String {
    let decade = |accounts: u64| (accounts as f64).log10();
    let (first, last) = (points.first(), points.last());
    let from = first.map_or(0.0, |point| decade(point.accounts));
    let to = last.map_or(1.0, |point| decade(point.accounts));
    let x = |accounts: u64| LEFT + (decade(accounts) - from) / (to - from) * (RIGHT - LEFT);
    let mut svg = String::new();
    let mut line = |text: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(svg, "{text}");
    };
    line(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">"#
    ));
    line(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##.into());
    line(format!(
        r##"<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}V{TOP}" fill="none" stroke="#57606a"/>"##
    ));
    for point in points {
        let (x, y) = (x(point.accounts), BOTTOM + 18.0);
        line(format!(
            r#"<text x="{x:.1}" y="{y}" text-anchor="middle">10<tspan dy="-5" font-size="9">{}</tspan></text>"#,
            decade(point.accounts).round()
        ));
    }
    line(format!(
        r#"<text x="{}" y="{}" text-anchor="middle">accounts; blocks of 500 payments</text>"#,
        f64::midpoint(LEFT, RIGHT),
        HEIGHT - 12.0
    ));
    for (color, at, anchor, title, values) in [
        (TIME, LEFT - 6.0, "end", "build, ms", points.iter().map(|point| point.build).collect()),
        (
            WITNESS,
            RIGHT + 6.0,
            "start",
            "witness, kB",
            points.iter().map(|point| point.witness).collect::<Vec<_>>(),
        ),
    ] {
        let top = scale_end(values.iter().copied().fold(0.0, f64::max));
        let y = |value: f64| BOTTOM - value / top * (BOTTOM - TOP);
        for step in 0..=4 {
            let value = top * f64::from(step) / 4.0;
            let y = y(value) + 4.0;
            line(format!(
                r#"<text x="{at}" y="{y:.1}" text-anchor="{anchor}" fill="{color}">{value}</text>"#
            ));
        }
        line(format!(
            r#"<text x="{at}" y="{}" text-anchor="middle" fill="{color}">{title}</text>"#,
            TOP - 12.0
        ));
        let places: Vec<String> = points
            .iter()
            .zip(&values)
            .map(|(point, value)| format!("{:.1},{:.1}", x(point.accounts), y(*value)))
            .collect();
        line(format!(
            r#"<polyline points="{}" fill="none" stroke="{color}" stroke-width="2"/>"#,
            places.join(" ")
        ));
        for (point, value) in points.iter().zip(&values) {
            let (x, y) = (x(point.accounts), y(*value));
            line(format!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{color}"/>"#));
            line(format!(
                r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="{color}">{value:.0}</text>"#,
                y - 8.0
            ));
        }
    }
    line("</svg>".into());
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_curves_are_drawn() {
        let point = |accounts| GrowthPoint { accounts, build: 18.0, witness: 87.0 };
        let svg = growth(&[point(1_000), point(10_000)]);
        assert_eq!(svg.matches("<polyline").count(), 2, "{svg}");
        assert!(!svg.contains("NaN"));
    }
}
