//! Steps below each other, with a condition before each.

use super::{
    COLOURS,
    canvas::{AXIS, begin, escaped},
};
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const TOP: f64 = 30.0;
/// Height of a step with the arrow to the next one.
const ROW: f64 = 44.0;
const BOX: f64 = 28.0;
/// Left and right end of the boxes.
const LEFT: f64 = 20.0;
const RIGHT: f64 = 330.0;

/// A step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Text in the box.
    pub name: String,
    /// Text beside the box; empty if the step has no condition.
    pub condition: String,
}

/// Steps from the first to the last, each of which begins only if its condition holds.
#[derive(Debug, Clone)]
pub struct Steps {
    /// Text above the conditions.
    pub title: String,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Steps {
    /// Returns the drawing as SVG.
    pub fn svg(&self) -> String {
        let height = ROW.mul_add(self.steps.len() as f64, TOP);
        let (middle, right) = (f64::midpoint(LEFT, RIGHT), RIGHT + 14.0);
        let mut svg = begin(WIDTH, height);
        let _ = writeln!(svg, "<text x=\"{right}\" y=\"18\">{}</text>", escaped(&self.title));
        for (index, step) in self.steps.iter().enumerate() {
            let top = ROW.mul_add(index as f64, TOP);
            let colour = if step.condition.is_empty() { AXIS } else { COLOURS[0] };
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{BOX}\" fill=\"none\" \
                 stroke=\"{colour}\"/>\
                 <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
                 <text x=\"{right}\" y=\"{}\">{}</text>",
                RIGHT - LEFT,
                top + 18.0,
                escaped(&step.name),
                top + 18.0,
                escaped(&step.condition),
            );
            if index + 1 < self.steps.len() {
                let (from, to) = (top + BOX, top + ROW);
                let _ = writeln!(
                    svg,
                    "<path d=\"M{middle} {from}V{to}M{} {}L{middle} {to}L{} {}\" fill=\"none\" \
                     stroke=\"{AXIS}\"/>",
                    middle - 4.0,
                    to - 6.0,
                    middle + 4.0,
                    to - 6.0,
                );
            }
        }
        svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_are_between_steps() {
        let step = |condition: &str| Step { name: "a < b".into(), condition: condition.into() };
        let steps = Steps { title: "holds".into(), steps: vec![step("1 gas"), step("")] };
        let svg = steps.svg();
        assert_eq!(svg.matches("<path").count(), 1, "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("height=\"100%\""), "{svg}");
        assert!(!Steps { title: String::new(), steps: Vec::new() }.svg().contains("<path"));
    }
}
