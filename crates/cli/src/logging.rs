//! Log output and the devnet's console output.

use clap::ValueEnum;
use client::Excerpt;
use serde_json::{Map, Value, json};
use std::{env, fmt, io};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer as _,
    field::MakeExt as _,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{Writer, debug_fn},
        time::{FormatTime as _, SystemTime},
        writer::BoxMakeWriter,
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// Maximum length of a field in a log line, in bytes. The errors of dependencies may contain a
/// whole message of another node.
const MAX_FIELD: usize = 4_096;

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Human-readable text.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Selection and format of the output.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogOptions {
    /// Format of log lines.
    pub(crate) format: Format,
    /// Number of `-v` flags: how many levels beyond warnings to show if `RUST_LOG` is not set.
    pub(crate) verbosity: u8,
    /// Whether to show only the levels in `RUST_LOG`.
    pub(crate) quiet: bool,
    /// Targets to leave out if `RUST_LOG` is not set.
    pub(crate) hidden: &'static [&'static str],
    /// Format of the [console output](devnet::CONSOLE_OUTPUT), if it is on.
    pub(crate) console: Option<Format>,
}

/// Installs the global subscriber. `RUST_LOG` selects the levels, for example `info` or
/// `warn,enshrine_rpc=debug`.
///
/// The console output goes to standard output. If it is text, log lines go to standard output too,
/// as with anvil: harnesses of anvil (prool, which runs viem's tests) stop a node that writes to
/// standard error, and each later request then times out. Log lines go to standard error if the
/// console output is off or is JSON.
pub(crate) fn start(options: LogOptions) {
    let directives = env::var("RUST_LOG").unwrap_or_default();
    let default = if options.quiet { Targets::new() } else { default_targets(options.verbosity) };
    let (targets, wrong) = match directives.parse::<Targets>() {
        Ok(targets) if !directives.is_empty() => (targets, None),
        Ok(_) => (default, None),
        Err(error) => (default, Some(error)),
    };
    let hidden = options.hidden.iter().filter(|_| directives.is_empty());
    let targets = targets.with_targets(hidden.map(|target| (*target, LevelFilter::OFF)));
    let targets = targets.with_target(devnet::CONSOLE_OUTPUT, LevelFilter::OFF);
    let writer = match options.console {
        Some(Format::Text) => BoxMakeWriter::new(io::stdout),
        Some(Format::Json) | None => BoxMakeWriter::new(io::stderr),
    };
    // Otherwise, each event would log an error once the reader has closed the stream.
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(false)
        .fmt_fields(bounded_fields())
        .log_internal_errors(false);
    let lines = match options.format {
        Format::Text => lines.boxed(),
        Format::Json => lines.event_format(JsonLines).boxed(),
    };
    let console = options.console.map(|format| {
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(io::stdout)
            .with_ansi(false)
            .log_internal_errors(false)
            .event_format(Console(format));
        lines.with_filter(Targets::new().with_target(devnet::CONSOLE_OUTPUT, LevelFilter::INFO))
    });
    let started =
        tracing_subscriber::registry().with(lines.with_filter(targets)).with(console).try_init();
    debug_assert!(started.is_ok(), "nothing else sets a subscriber");
    if let Some(error) = wrong {
        tracing::warn!(%error, "RUST_LOG is invalid, using the default levels");
    }
}

/// Returns the format of fields in log lines: that of `tracing_subscriber`, with values of at most
/// [`MAX_FIELD`] bytes without control characters.
fn bounded_fields() -> impl for<'w> FormatFields<'w> + Clone + Send + Sync + 'static {
    let formatted = debug_fn(|writer, field, value| {
        if field.name() != "message" {
            write!(writer, "{field}=")?;
        }
        let text = Excerpt::within(MAX_FIELD, format_args!("{value:?}")).to_string();
        // Escape sequences in the text of another node could change what a terminal shows.
        for character in text.chars() {
            match character {
                '\n' | '\t' => writer.write_char(character)?,
                it if it.is_control() => write!(writer, "{}", it.escape_unicode())?,
                it => writer.write_char(it)?,
            }
        }
        Ok(())
    });
    formatted.delimited(" ")
}

/// Returns the default levels: warnings of all crates, and `verbosity` more levels of this
/// project's crates.
fn default_targets(verbosity: u8) -> Targets {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2..=4 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // The caller reports when its connection has ended.
    let quiet = ["alloy_pubsub", "alloy_transport_ws"].map(|target| (target, LevelFilter::OFF));
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("enshrine", level)
        .with_targets(quiet)
}

/// Console output: the text of each event, or its name and fields as JSON.
struct Console(Format);

impl<S, N> FormatEvent<S, N> for Console
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::of(event, usize::MAX).fields;
        let (text, message) = (fields.remove("text"), fields.remove("message"));
        match self.0 {
            Format::Text => {
                let text = text.or(message).unwrap_or_default();
                writeln!(writer, "{}", text.as_str().unwrap_or_default())
            }
            Format::Json => {
                fields.insert("event".to_owned(), message.unwrap_or_default());
                writeln!(writer, "{}", Value::Object(fields))
            }
        }
    }
}

/// Events as JSON objects: timestamp, level, target, fields and spans.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let fields = Fields::of(event, MAX_FIELD).fields;
        let metadata = event.metadata();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let spans = context.event_scope().into_iter().flat_map(|scope| scope.from_root());
        let spans: Vec<Value> = spans
            .map(|span| {
                let extensions = span.extensions();
                let fields = extensions.get::<FormattedFields<N>>();
                let fields = fields.map_or("", |fields| fields.fields.as_str());
                json!({ "name": span.name(), "fields": fields })
            })
            .collect();
        let line = json!({
            "timestamp": time,
            "level": metadata.level().as_str(),
            "target": metadata.target(),
            "fields": fields,
            "spans": spans,
        });
        writeln!(writer, "{line}")
    }
}

/// The fields of an event by name, including `message`.
struct Fields {
    fields: Map<String, Value>,
    /// Maximum length of a text, in bytes.
    limit: usize,
}

impl Fields {
    fn of(event: &Event<'_>, limit: usize) -> Self {
        let mut fields = Self { fields: Map::new(), limit };
        event.record(&mut fields);
        fields
    }

    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, Excerpt::within(self.limit, format_args!("{value:?}")).to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, Excerpt::within(self.limit, value).to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn console_output_is_text_or_json_fields() {
        let written = |format: Format| {
            let lines = Lines::default();
            let writer = lines.clone();
            let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
            let layer = layer.event_format(Console(format));
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::with_default(subscriber, || {
                tracing::info!(target: devnet::CONSOLE_OUTPUT, text = "\n    Gas: 7", gas = 7_u64, "made");
            });
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        };
        assert_eq!(written(Format::Text), "\n    Gas: 7\n");
        let json: Value = serde_json::from_str(&written(Format::Json)).unwrap();
        assert_eq!(json, json!({ "event": "made", "gas": 7 }));
    }

    #[test]
    fn verbosity_applies_to_own_crates_only() {
        let is_enabled = |verbosity, target: &str, level: tracing::Level| {
            default_targets(verbosity).would_enable(target, &level)
        };
        assert!(is_enabled(0, "hyper", tracing::Level::WARN));
        assert!(!is_enabled(0, "enshrine_node", tracing::Level::INFO));
        assert!(is_enabled(1, "enshrine_node", tracing::Level::INFO));
        assert!(!is_enabled(1, "enshrine_node", tracing::Level::DEBUG));
        assert!(is_enabled(2, "enshrine_rpc", tracing::Level::DEBUG));
        assert!(!is_enabled(5, "hyper", tracing::Level::INFO));
        assert!(is_enabled(5, "enshrine_rpc", tracing::Level::TRACE));
    }

    #[test]
    fn fields_of_log_lines_are_truncated() {
        let long = "x".repeat(1 << 20);
        let written = |format: Format, error: &str| {
            let lines = Lines::default();
            let writer = lines.clone();
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(move || writer.clone())
                .with_ansi(false)
                .fmt_fields(bounded_fields());
            let layer = match format {
                Format::Text => layer.boxed(),
                Format::Json => layer.event_format(JsonLines).boxed(),
            };
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                let _span = tracing::error_span!("request", error).entered();
                tracing::warn!(count = 3_u64, %error, item = ?error, "failed");
            });
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        };
        for format in [Format::Text, Format::Json] {
            let line = written(format, &long);
            assert!(line.len() < 4 * MAX_FIELD, "{}", line.len());
            assert_eq!(line.matches("more bytes)").count(), 3, "{line}");
        }
        let line = written(Format::Text, "no\u{1b}");
        assert!(line.contains(r#"request{error="no\u{1b}"}: "#), "{line}");
        assert!(line.ends_with(concat!(r#"failed count=3 error=no\u{1b} item="no\u{1b}""#, "\n")));
    }

    #[test]
    fn json_log_event_is_single_valid_line() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(JsonLines);
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(default_targets(0)));
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::error_span!("block", number = 7).entered();
            tracing::warn!(count = 3_u64, error = "a \"quoted\"\nline", "made");
            tracing::info!("below the level");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["fields"]["message"], "made");
        assert_eq!(line["fields"]["count"], 3);
        assert_eq!(line["fields"]["error"], "a \"quoted\"\nline");
        assert_eq!(line["spans"][0]["name"], "block");
        assert!(line["spans"][0]["fields"].as_str().unwrap().contains("number=7"));
    }
}
