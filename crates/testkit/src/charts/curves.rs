//! Curves over L1 blocks with a logarithmic scale.

use super::{
    COLOURS,
    canvas::{AXIS, begin, decade, escaped, logarithm, power_of_ten},
};
use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 280.0;

/// A curve with a value per block.
#[derive(Debug, Clone)]
pub struct Curve {
    /// Text beside the chart.
    pub name: &'static str,
    /// Value at each block; below 0.01, it is drawn there.
    pub points: Vec<f64>,
}

/// Curves of one chart.
#[derive(Debug, Clone)]
pub struct Curves {
    /// Text above the curves.
    pub title: &'static str,
    /// Number of the first block.
    pub first: usize,
    /// The curves, in the order of [`COLOURS`].
    pub curves: Vec<Curve>,
}

impl Curves {
    /// Returns the chart as SVG, without points that would coincide.
    pub fn svg(&self) -> String {
        let all = || self.curves.iter().flat_map(|curve| &curve.points).copied();
        let low = decade(all().fold(f64::INFINITY, f64::min).max(0.01), false);
        let high = decade(all().fold(0.0, f64::max), true).max(low + 1);
        let blocks = self.curves.iter().map(|curve| curve.points.len()).max().unwrap_or_default();
        let x = |index: usize| LEFT + (RIGHT - LEFT) * index as f64 / blocks.max(2) as f64;
        let y = |value: f64| {
            let part = (logarithm(value.max(0.01)) - f64::from(low)) / f64::from(high - low);
            BOTTOM - (BOTTOM - TOP) * part
        };
        let mut svg = begin(WIDTH, HEIGHT);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"{AXIS}\"/>\n\
             <text x=\"{LEFT}\" y=\"18\">{}</text>",
            escaped(self.title)
        );
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
                escaped(curve.name),
            );
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curve_without_values_is_drawn() {
        let curves = |points: Vec<f64>| Curves {
            title: "price",
            first: 480,
            curves: vec![Curve { name: "held", points }],
        };
        assert!(!curves(Vec::new()).svg().contains("NaN"));
        let svg = curves(vec![1.0, 10.0, 100.0]).svg();
        assert!(svg.contains(">480<") && svg.contains(">100<"), "{svg}");
    }
}
