//! Horizontal bars with an optional reference line.

use super::canvas::{AXIS, begin, escaped};
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
/// Start of the bars.
const LEFT: f64 = 260.0;
/// Longest bar of a chart without a reference line.
const LENGTH: f64 = 380.0;
const ROW: f64 = 20.0;
const TOP: f64 = 36.0;

/// A bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Text before the bar.
    pub name: String,
    /// Length in the chart's unit.
    pub value: f64,
    /// Text after the bar.
    pub figure: String,
    /// CSS colour.
    pub colour: &'static str,
}

/// Bars below each other.
#[derive(Debug, Clone)]
pub struct Bars {
    /// Text above the bars.
    pub title: String,
    /// Distance in pixels of a line at a value of one, and the value of the longest bar, at which
    /// longer ones are cut off. Without them, the longest bar has the whole width.
    pub reference: Option<(f64, f64)>,
    /// The bars, from the top.
    pub bars: Vec<Bar>,
}

impl Bars {
    /// Returns the chart as SVG.
    pub fn svg(&self) -> String {
        let height = ROW.mul_add(self.bars.len() as f64, TOP) + 12.0;
        let longest = self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let whole = if longest > 0.0 { LENGTH / longest } else { 0.0 };
        let (whole, cut) = self.reference.unwrap_or((whole, f64::INFINITY));
        let mut svg = begin(WIDTH, height);
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"18\">{}</text>", escaped(&self.title));
        for (index, bar) in self.bars.iter().enumerate() {
            let y = ROW.mul_add(index as f64, TOP);
            let (base, length) = (y + 13.0, whole * bar.value.min(cut));
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{base:.0}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"14\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{base:.0}\">{}</text>",
                LEFT - 8.0,
                escaped(&bar.name),
                y + 2.0,
                bar.colour,
                LEFT + length + 6.0,
                escaped(&bar.figure),
            );
        }
        if self.reference.is_some() {
            let _ = writeln!(
                svg,
                "<path d=\"M{0} {TOP}V{1:.0}\" stroke=\"{AXIS}\" stroke-dasharray=\"4 3\"/>",
                LEFT + whole,
                height - 8.0
            );
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_bar_has_whole_width() {
        let bar = |value: f64| Bar {
            name: "a<b".into(),
            value,
            figure: value.to_string(),
            colour: "#000000",
        };
        let bars = |reference, values: &[f64]| Bars {
            title: "t".into(),
            reference,
            bars: values.iter().copied().map(bar).collect(),
        };
        let svg = bars(None, &[5.0, 10.0]).svg();
        assert!(svg.contains("width=\"380.0\"") && svg.contains("width=\"190.0\""), "{svg}");
        assert!(svg.contains("a&lt;b"), "{svg}");
        let cut = bars(Some((300.0, 1.3)), &[0.5, 7.0]).svg();
        assert!(cut.contains("width=\"150.0\"") && cut.contains("width=\"390.0\""), "{cut}");
        assert!(!bars(None, &[0.0]).svg().contains("NaN"));
    }
}
