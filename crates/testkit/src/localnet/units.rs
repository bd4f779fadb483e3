//! Formats quantities with their units, rounded to three digits.

/// Formats a whole number with a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats an amount of gas.
pub fn gas(gas: u64) -> String {
    scaled(gas as f64, ["gas", "kgas", "Mgas", "Ggas"])
}

/// Formats a number of bytes, in powers of 1,000.
pub fn bytes(bytes: usize) -> String {
    scaled(bytes as f64, ["B", "kB", "MB", "GB"])
}

/// Formats a duration given in milliseconds.
pub fn milliseconds(ms: f64) -> String {
    scaled(ms * 1e3, ["µs", "ms", "s", "ks"])
}

/// Formats a duration given in seconds.
pub fn seconds(seconds: f64) -> String {
    milliseconds(seconds * 1e3)
}

/// Formats a rate per second.
pub fn per_second(rate: f64) -> String {
    format!("{}/s", rounded(rate))
}

/// Formats a quantity in the largest of four units, each a thousand of the one before, that leaves
/// at least 1.
fn scaled(quantity: f64, units: [&str; 4]) -> String {
    let mut scale = 1.0;
    let [mut unit, larger @ ..] = units;
    for next in larger {
        // 999.5 is the smallest quantity that rounds to 1,000.
        if quantity / scale < 999.5 {
            break;
        }
        (scale, unit) = (scale * 1e3, next);
    }
    format!("{} {unit}", rounded(quantity / scale))
}

/// Formats a number rounded to three digits.
fn rounded(number: f64) -> String {
    let text = match number.abs() {
        // The bounds account for rounding: 99.95 becomes 100.
        small if small < 9.995 => format!("{number:.2}"),
        small if small < 99.95 => format!("{number:.1}"),
        small if small < 999.5 => format!("{number:.0}"),
        large => {
            let unit = 10_f64.powi(large.log10().floor() as i32 - 2);
            return grouped(((number / unit).round() * unit) as u64);
        }
    };
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_digits_and_fitting_unit() {
        for (text, expected) in [
            (seconds(1.854_740_071_000_000_2), "1.85 s"),
            (seconds(0.220_198_967), "220 ms"),
            (seconds(0.0), "0 µs"),
            (milliseconds(88.893_289), "88.9 ms"),
            (milliseconds(0.774_56), "775 µs"),
            (milliseconds(999.6), "1 s"),
            (gas(999), "999 gas"),
            (gas(21_000), "21 kgas"),
            (gas(999_499), "999 kgas"),
            (gas(999_500), "1 Mgas"),
            (gas(29_539_164), "29.5 Mgas"),
            (gas(u64::MAX), "18,400,000,000 Ggas"),
            (bytes(3_291_513), "3.29 MB"),
            (bytes(0), "0 B"),
            (per_second(3_695.246_652_725_486_5), "3,700/s"),
            (per_second(186.203), "186/s"),
            (per_second(99.96), "100/s"),
            (per_second(1.005), "1/s"),
        ] {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn grouped_keeps_all_digits() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (16_777_216, "16,777,216")]
        {
            assert_eq!(grouped(number), expected);
        }
    }
}
