//! Output to standard output and standard error.

use std::{
    fmt,
    io::{self, Write as _},
    process,
};

/// Exit code that a shell reports for a program that was terminated by SIGPIPE.
const CLOSED_PIPE: i32 = 128 + 13;

/// Prints a line, as `println!` does, but exits silently if the reader has closed the pipe
/// (`| head`).
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(::core::format_args!($($text)*))
    };
}
pub(crate) use say;

/// See [`say!`].
pub(crate) fn line(text: fmt::Arguments<'_>) {
    write(format_args!("{text}\n"));
}

/// Like [`say!`], without a line break.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    print(|out| out.write_fmt(text));
}

/// Like [`write()`], for bytes.
pub(crate) fn write_bytes(bytes: &[u8]) {
    print(|out| out.write_all(bytes));
}

fn print(write: impl FnOnce(&mut io::StdoutLock<'_>) -> io::Result<()>) {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => process::exit(CLOSED_PIPE),
        Err(error) => {
            print_stderr(format_args!("error: cannot write to standard output: {error}"));
            process::exit(2)
        }
    }
}

/// Prints a line to standard error; ignores errors.
pub(crate) fn print_stderr(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Formats an error with its causes. A cause that an error's own text already repeats is omitted.
pub(crate) fn error_chain(error: &eyre::Report) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !repeats(&text, &cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Returns `true` if a text already contains a cause: if it equals the cause, or has it after a
/// colon and not only as part of a word.
fn repeats(text: &str, cause: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(char::is_alphanumeric);
    let behind_colon = format!(": {cause}");
    let mut found = text.match_indices(&behind_colon);
    text == cause || found.any(|(at, found)| ends(&text[at + found.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyre::WrapErr as _;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    fn layers(texts: &[&'static str]) -> Box<Layer> {
        let source = (texts.len() > 1).then(|| layers(&texts[1..]));
        Box::new(Layer { text: texts[0], source })
    }

    #[test]
    fn each_error_cause_is_printed_once() {
        let printed = |texts: &[&'static str]| error_chain(&eyre::Report::from(*layers(texts)));
        assert_eq!(printed(&["cannot read x", "no such file"]), "cannot read x: no such file");
        assert_eq!(printed(&["no such file", "no such file"]), "no such file");
        assert_eq!(printed(&["x: no such file", "no such file"]), "x: no such file");
        assert_eq!(printed(&["a: b (code 3)", "b", "why"]), "a: b (code 3): why");
        // A coincidental substring is not a repetition.
        assert_eq!(printed(&["file", "fil"]), "file: fil");
        assert_eq!(printed(&["x: file", "fil"]), "x: file: fil");
        let around = Err::<(), _>(layers(&["x: y", "y"])).wrap_err("around").unwrap_err();
        assert_eq!(super::error_chain(&around), "around: x: y");
    }
}
