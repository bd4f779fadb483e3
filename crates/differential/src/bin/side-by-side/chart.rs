//! Bar chart of the time on one thread relative to ethrex.

use crate::measured::{Kind, Measured};
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
/// Start of the bars, and length of a bar for a ratio of one.
const LEFT: f64 = 260.0;
const WHOLE: f64 = 300.0;
/// Ratio of the longest bar; longer ones are cut off.
const LONGEST: f64 = 1.3;
const ROW: f64 = 20.0;
const TOP: f64 = 36.0;

/// Returns an SVG with a bar for each input, and a line at ethrex's time.
pub(crate) fn svg(all: &[Measured]) -> String {
    let height = ROW.mul_add(all.len() as f64, TOP) + 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"18\">time on one thread over ethrex 31's, shorter is faster</text>\n"
    );
    for (index, measured) in all.iter().enumerate() {
        let y = ROW.mul_add(index as f64, TOP);
        let (base, ratio) = (y + 13.0, measured.single_over_ethrex());
        let colour = match measured.kind {
            Kind::Real => "#1f6feb",
            Kind::Heavy => "#bf8700",
            Kind::Batch => "#2da44e",
        };
        let length = WHOLE * ratio.min(LONGEST);
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{base:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{base:.0}\">{ratio:.2}</text>",
            LEFT - 8.0,
            measured.name,
            y + 2.0,
            LEFT + length + 6.0,
        );
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{0} {TOP}V{1:.0}\" stroke=\"#57606a\" stroke-dasharray=\"4 3\"/>",
        LEFT + WHOLE,
        height - 8.0
    );
    svg + "</svg>\n"
}
