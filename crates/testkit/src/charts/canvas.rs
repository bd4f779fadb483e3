//! What all charts share: the frame of a drawing, escaping, and scales.

/// Colour of axes and reference lines.
pub(crate) const AXIS: &str = "#57606a";

/// Returns the beginning of a drawing with a white background, so that it can be read on a dark
/// page too.
pub(crate) fn begin(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    )
}

/// Escapes text for use in elements and in quoted attributes of HTML and SVG.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

pub(crate) fn power_of_ten(power: i32) -> f64 {
    let whole = 10_u64.pow(power.unsigned_abs().min(18)) as f64;
    if power < 0 { 1.0 / whole } else { whole }
}

/// Returns the exponent of the power of ten below or above a number between 0.01 and 10^12.
pub(crate) fn decade(value: f64, above: bool) -> i32 {
    let power = (-2..12).rev().find(|power| power_of_ten(*power) <= value).unwrap_or(-2);
    if above && power_of_ten(power) < value { power + 1 } else { power }
}

/// Returns the decimal logarithm, computed bit by bit, because library logarithms differ between
/// platforms.
pub(crate) fn logarithm(value: f64) -> f64 {
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

/// Returns the next round number above a value whose quarter is round too.
pub(crate) fn scale_end(value: f64) -> f64 {
    let unit = power_of_ten(decade(value.max(0.01), false));
    [1.0, 2.0, 4.0, 8.0]
        .into_iter()
        .map(|times| times * unit)
        .find(|end| *end > value * 1.05)
        .unwrap_or(20.0 * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_match_library_to_four_digits() {
        for value in [0.01, 0.5, 1.0, 3.0, 10.0, 123_456.0, 9e11] {
            assert!((logarithm(value) - value.log10()).abs() < 2e-4, "{value}");
        }
        assert_eq!((decade(999.0, false), decade(999.0, true), decade(1_000.0, true)), (2, 3, 3));
    }

    #[test]
    fn scales_end_above_value() {
        for (value, end) in [(0.9, 2.0), (1.0, 2.0), (37.0, 40.0), (643.0, 800.0), (800.0, 2_000.0)]
        {
            assert_eq!(scale_end(value), end, "{value}");
        }
    }

    #[test]
    fn markup_in_names_is_escaped() {
        assert_eq!(escaped("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
