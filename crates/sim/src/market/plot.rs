//! Charts of curves over blocks, as SVG with a logarithmic scale.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 280.0;
const COLOURS: [&str; 4] = ["#1f6feb", "#2da44e", "#bf8700", "#cf222e"];

/// A curve with a value per block.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<f64>,
}

/// Curves of one plot.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    /// Number of the first block.
    pub(crate) first: usize,
    pub(crate) curves: Vec<Curve>,
}

impl Plot {
    /// Returns the chart as SVG, without points that would coincide.
    pub(crate) fn svg(&self) -> String {
        let all = || self.curves.iter().flat_map(|curve| &curve.points).copied();
        let low = decade(all().fold(f64::INFINITY, f64::min).max(0.01), false);
        let high = decade(all().fold(0.0, f64::max), true).max(low + 1);
        let blocks = self.curves.iter().map(|curve| curve.points.len()).max().unwrap_or_default();
        let x = |index: usize| LEFT + (RIGHT - LEFT) * index as f64 / blocks.max(2) as f64;
        let y = |value: f64| {
            let part = (logarithm(value.max(0.01)) - f64::from(low)) / f64::from(high - low);
            BOTTOM - (BOTTOM - TOP) * part
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"#57606a\"/>\n"
        );
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"18\">{}</text>", self.title);
        for power in low..=high {
            let (at, value) = (y(power_of_ten(power)), power_of_ten(power));
            let _ = writeln!(
                svg,
                "<text x=\"44\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                at + 4.0
            );
        }
        for quarter in 0..=4 {
            let index = blocks * quarter / 4;
            let (at, number) = (x(index), self.first + index);
            let _ = writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"298\" text-anchor=\"middle\">{number}</text>"
            );
        }
        let _ = writeln!(svg, "<text x=\"305\" y=\"314\" text-anchor=\"middle\">L1 block</text>");
        let step = blocks.div_ceil(400).max(1);
        for (index, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let mut points = String::new();
            for (at, value) in curve.points.iter().enumerate().step_by(step) {
                let _ = write!(points, "{:.1},{:.1} ", x(at), y(*value));
            }
            let name = 40 + 16 * index;
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n\
                 <text x=\"568\" y=\"{name}\" fill=\"{colour}\">{}</text>",
                points.trim_end(),
                curve.name,
            );
        }
        svg + "</svg>\n"
    }
}

fn power_of_ten(power: i32) -> f64 {
    if power < 0 {
        1.0 / 10_u32.pow(power.unsigned_abs()) as f64
    } else {
        10_u32.pow(power.unsigned_abs()).into()
    }
}

/// Returns the exponent of the power of ten below or above a number.
fn decade(value: f64, above: bool) -> i32 {
    let power = (-2..9).rev().find(|power| power_of_ten(*power) <= value).unwrap_or(-2);
    if above && power_of_ten(power) < value { power + 1 } else { power }
}

/// Returns the decimal logarithm, computed bit by bit, because library logarithms differ between
/// platforms.
fn logarithm(value: f64) -> f64 {
    let whole = decade(value, false);
    let (mut rest, mut sum, mut part) = (value / power_of_ten(whole), f64::from(whole), 0.5);
    while part > 1e-4 {
        rest *= rest;
        if rest >= 10.0 {
            rest /= 10.0;
            sum += part;
        }
        part /= 2.0;
    }
    sum
}
