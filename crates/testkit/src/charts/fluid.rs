//! Bars whose lengths are percentages of the page's width, so that a chart fits any screen without
//! scaling its text. Colours come from the style sheet of the page.

use super::canvas::escaped;
use std::fmt::Write as _;

/// Height of a bar with its label, in pixels.
const ROW: usize = 42;
/// Height of a bar, in pixels.
const BAR: usize = 14;
/// Offset of the text's baseline from the top of the row, in pixels.
const TEXT_AT: usize = 14;
/// Offset of the bar from the top of the row, in pixels.
const BAR_AT: usize = 21;

/// A labelled bar.
#[derive(Debug, Clone)]
pub struct FluidBar {
    /// Text above the bar.
    pub name: String,
    /// CSS class and length of each part.
    pub parts: Vec<(&'static str, f64)>,
    /// Figure shown next to the name.
    pub figure: String,
}

/// Draws bars below each other, as SVG inside a page. The longest has the full width.
pub fn fluid_bars(title: &str, bars: &[FluidBar]) -> String {
    let length = |bar: &FluidBar| bar.parts.iter().map(|(_, part)| part).sum::<f64>();
    let longest = bars.iter().map(length).fold(0.0, f64::max);
    let scale = if longest > 0.0 { 100.0 / longest } else { 0.0 };
    let (height, title) = (ROW * bars.len(), escaped(title));
    let mut svg = format!(
        "<svg class=\"chart\" width=\"100%\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n"
    );
    for (index, bar) in bars.iter().enumerate() {
        let top = ROW * index;
        let (text_at, bar_at) = (top + TEXT_AT, top + BAR_AT);
        let (name, figure) = (escaped(&bar.name), escaped(&bar.figure));
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{text_at}\">{name}</text><text class=\"figure\" x=\"100%\" y=\"{text_at}\">\
             {figure}</text>"
        );
        let mut left = 0.0;
        for (class, part) in &bar.parts {
            let width = part * scale;
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{left:.2}%\" y=\"{bar_at}\" width=\"{width:.2}%\" \
                 height=\"{BAR}\"/>"
            );
            left += width;
        }
    }
    svg + "</svg>\n"
}

/// Returns the legend for the CSS classes of a chart's parts, as HTML.
pub fn legend(parts: &[(&str, &str)]) -> String {
    let mut text = String::from("<p class=\"legend\">");
    for (class, name) in parts {
        let _ = write!(text, "<span><i class=\"{class}\"></i>{}</span> ", escaped(name));
    }
    text + "</p>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_scaled_to_the_longest() {
        let bar = |name: &str, length| FluidBar {
            name: name.to_owned(),
            parts: vec![("execute", length)],
            figure: String::new(),
        };
        let svg = fluid_bars("lengths", &[bar("half", 5.0), bar("whole", 10.0)]);
        assert!(svg.contains("width=\"100.00%\""), "{svg}");
        assert!(svg.contains("width=\"50.00%\""), "{svg}");
        let nothing = fluid_bars("nothing", &[bar("none", 0.0)]);
        assert!(nothing.contains("width=\"0.00%\"") && !nothing.contains("NaN"), "{nothing}");
    }
}
