//! Lanes over time, with segments and marks.

use super::{
    COLOURS,
    canvas::{AXIS, begin, escaped},
};
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 200.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 36.0;
const ROW: f64 = 34.0;
const BAR: f64 = 22.0;

/// A part of a lane.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// Begin and end, as shares of the width.
    pub at: (f64, f64),
    /// Text in the segment.
    pub text: &'static str,
    /// Index of the colour in [`COLOURS`].
    pub colour: usize,
}

/// A lane.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Text before the lane.
    pub name: &'static str,
    /// Its parts.
    pub segments: Vec<Segment>,
}

/// Lanes below each other over the same time.
#[derive(Debug, Clone)]
pub struct Lanes {
    /// Vertical lines: their place as a share of the width, and the text above.
    pub marks: Vec<(f64, &'static str)>,
    /// The lanes, from the top.
    pub lanes: Vec<Lane>,
}

impl Lanes {
    /// Returns the drawing as SVG.
    pub fn svg(&self) -> String {
        let height = ROW.mul_add(self.lanes.len() as f64, TOP) + 8.0;
        let x = |share: f64| (RIGHT - LEFT).mul_add(share, LEFT);
        let mut svg = begin(WIDTH, height);
        for (index, lane) in self.lanes.iter().enumerate() {
            let top = ROW.mul_add(index as f64, TOP);
            let base = top + 15.0;
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                escaped(lane.name)
            );
            for Segment { at: (from, to), text, colour } in &lane.segments {
                let (from, to) = (x(*from), x(*to));
                let _ = writeln!(
                    svg,
                    "<rect x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{BAR}\" \
                     fill=\"{}\" fill-opacity=\"0.25\"/>\
                     <text x=\"{:.1}\" y=\"{base}\" text-anchor=\"middle\">{}</text>",
                    to - from,
                    COLOURS[colour % COLOURS.len()],
                    f64::midpoint(from, to),
                    escaped(text),
                );
            }
        }
        for (at, text) in &self.marks {
            let at = x(*at);
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} 24V{:.0}\" stroke=\"{AXIS}\" stroke-dasharray=\"4 3\"/>\
                 <text x=\"{at:.1}\" y=\"18\" text-anchor=\"middle\">{}</text>",
                height - 4.0,
                escaped(text),
            );
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_share_one_scale() {
        let lane = |at| Lane {
            name: "accepted",
            segments: vec![Segment { at, text: "blocks", colour: 1 }],
        };
        let lanes =
            Lanes { marks: vec![(0.5, "fork")], lanes: vec![lane((0.0, 0.5)), lane((0.5, 1.0))] };
        let svg = lanes.svg();
        assert_eq!(svg.matches("width=\"250.0\"").count(), 2, "{svg}");
        assert!(svg.contains("x=\"450.0\"") && svg.contains(">fork<"), "{svg}");
    }
}
