//! Points over a logarithmic horizontal scale.

use super::{
    COLOURS,
    canvas::{AXIS, begin, decade, escaped, logarithm, power_of_ten, scale_end},
};
use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 270.0;

/// A point.
#[derive(Debug, Clone, Copy)]
pub struct Dot {
    /// Horizontal value.
    pub x: f64,
    /// Vertical value.
    pub y: f64,
    /// Index of the series, which chooses the colour.
    pub series: usize,
}

/// Points of several series.
#[derive(Debug, Clone)]
pub struct Scatter {
    /// Text above the points.
    pub title: String,
    /// Text below the horizontal axis.
    pub across: String,
    /// Names of the series, in the order of [`COLOURS`].
    pub series: Vec<String>,
    /// `true` if the points of a series are connected.
    pub is_connected: bool,
    /// The points.
    pub dots: Vec<Dot>,
}

impl Scatter {
    /// Returns the chart as SVG.
    pub fn svg(&self) -> String {
        let xs = || self.dots.iter().map(|dot| dot.x);
        let low = decade(xs().fold(f64::INFINITY, f64::min).clamp(0.01, 1e11), false);
        let high = decade(xs().fold(0.0, f64::max), true).max(low + 1);
        let end = scale_end(self.dots.iter().map(|dot| dot.y).fold(0.0, f64::max));
        let x = |value: f64| {
            let part = (logarithm(value.max(0.01)) - f64::from(low)) / f64::from(high - low);
            LEFT + (RIGHT - LEFT) * part
        };
        let y = |value: f64| BOTTOM - (BOTTOM - TOP) * value / end;
        let mut svg = begin(WIDTH, HEIGHT);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"{AXIS}\"/>\n\
             <text x=\"{LEFT}\" y=\"16\">{}</text>\n\
             <text x=\"{}\" y=\"310\" text-anchor=\"middle\">{}</text>",
            escaped(&self.title),
            f64::midpoint(LEFT, RIGHT),
            escaped(&self.across),
        );
        for power in low..=high {
            let value = power_of_ten(power);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"288\" text-anchor=\"middle\">{value}</text>",
                x(value)
            );
        }
        for quarter in 0..=4 {
            let value = end * f64::from(quarter) / 4.0;
            let _ = writeln!(
                svg,
                "<text x=\"54\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                y(value) + 4.0
            );
        }
        for (index, name) in self.series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let own = || self.dots.iter().filter(|dot| dot.series == index);
            if self.is_connected {
                let points: Vec<_> =
                    own().map(|dot| format!("{:.1},{:.1}", x(dot.x), y(dot.y))).collect();
                let _ = writeln!(
                    svg,
                    "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>",
                    points.join(" ")
                );
            }
            for dot in own() {
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\" fill-opacity=\"0.7\"/>",
                    x(dot.x),
                    y(dot.y)
                );
            }
            let at = LEFT + 150.0 * index as f64;
            let _ = writeln!(
                svg,
                "<text x=\"{at}\" y=\"32\" fill=\"{colour}\">{}</text>",
                escaped(name)
            );
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_stay_inside_axes() {
        let dots = [(1.0, 0.0), (1_000.0, 3.9)].map(|(x, y)| Dot { x, y, series: 0 });
        let scatter = Scatter {
            title: "t".into(),
            across: "bytes".into(),
            series: vec!["one".into()],
            is_connected: true,
            dots: dots.into(),
        };
        let svg = scatter.svg();
        assert!(svg.contains("cx=\"60.0\" cy=\"270.0\""), "{svg}");
        assert!(svg.contains("cx=\"600.0\""), "{svg}");
        assert!(!Scatter { dots: Vec::new(), ..scatter }.svg().contains("NaN"));
    }
}
