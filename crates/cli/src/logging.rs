//! Log lines.

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::{env, fmt, io};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer as _,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: a JSON object on each line.
    Json,
}

/// Writes log lines to standard error from here on: those that `RUST_LOG` asks for, such as `info`
/// or `warn,enshrine_rpc=debug`; those from `default` on if it is not set.
pub(crate) fn start(format: Format, default: LevelFilter) {
    let asked = env::var("RUST_LOG").unwrap_or_default();
    let (targets, wrong) = match asked.parse::<Targets>() {
        Ok(targets) if !asked.is_empty() => (targets, None),
        Ok(_) => (only(default), None),
        Err(error) => (only(default), Some(error)),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let lines = match format {
        Format::Text => lines.boxed(),
        Format::Json => lines.event_format(JsonLines).boxed(),
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
    debug_assert!(started.is_ok(), "nothing else sets a subscriber");
    if let Some(error) = wrong {
        tracing::warn!(%error, "RUST_LOG is not understood: warnings and errors are shown");
    }
}

fn only(level: LevelFilter) -> Targets {
    Targets::new().with_default(level)
}

/// Events as JSON objects: when, how grave, where, what, and in which spans.
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
        let mut fields = Fields::default();
        event.record(&mut fields);
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
            "fields": fields.0,
            "spans": spans,
        });
        writeln!(writer, "{line}")
    }
}

/// The fields of an event by name; its message is one of them.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
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
    fn an_event_is_one_line_of_json_with_its_fields_and_spans_whatever_they_hold() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(JsonLines);
        let subscriber =
            tracing_subscriber::registry().with(layer.with_filter(only(LevelFilter::WARN)));
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::error_span!("block", number = 7).entered();
            tracing::warn!(count = 3_u64, error = "a \"quoted\"\nline", "made");
            tracing::info!("not asked for");
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
