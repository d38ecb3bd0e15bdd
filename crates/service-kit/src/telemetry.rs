//! Logs, metrics and traces. A trace follows one record: its W3C trace context travels in gRPC
//! metadata, in outbox rows and in bus envelopes, and each stage opens a span under it. The tracer
//! and the registry are passed in; only `init_logging` touches the process, and only the binary
//! calls it.

use std::{fmt, sync::Arc, sync::Mutex};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState,
        Tracer, TracerProvider as _,
    },
};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};

/// Where traces go and how many records are followed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// OTLP gRPC endpoint, for instance `http://otel:4317`; empty switches traces off.
    pub otlp_endpoint: String,
    /// Share of records without a trace context of their own that get one, 0.0 to 1.0.
    pub sample_ratio: f64,
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
#[error("OTLP exporter for {endpoint} cannot be built")]
pub struct TelemetryError {
    endpoint: String,
    #[source]
    source: opentelemetry_otlp::ExporterBuildError,
}

/// Tracer and metric registry of one process. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    registry: Arc<Mutex<Registry>>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}

impl Telemetry {
    /// Starts it; must run inside a tokio runtime when an endpoint is named.
    pub fn start(config: &TelemetryConfig, process: &str) -> Result<Self, TelemetryError> {
        let builder = SdkTracerProvider::builder().with_resource(
            Resource::builder()
                .with_service_name(process.to_owned())
                .build(),
        );
        let provider = if config.otlp_endpoint.is_empty() {
            builder.with_sampler(Sampler::AlwaysOff).build()
        } else {
            let exporter = opentelemetry_otlp::SpanExporter::builder()
                .with_tonic()
                .with_endpoint(&config.otlp_endpoint)
                .build()
                .map_err(|source| TelemetryError {
                    endpoint: config.otlp_endpoint.clone(),
                    source,
                })?;
            builder
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                    config.sample_ratio,
                ))))
                .with_batch_exporter(exporter)
                .build()
        };
        Ok(Self {
            tracer: provider.tracer("credit"),
            provider,
            registry: Arc::default(),
        })
    }

    /// Telemetry without traces, for tests and commands.
    pub fn off() -> Self {
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOff)
            .build();
        Self {
            tracer: provider.tracer("credit"),
            provider,
            registry: Arc::default(),
        }
    }

    /// Opens a span under `parent`, or a new trace without one.
    pub fn span(&self, name: &'static str, kind: SpanKind, parent: Option<&TraceParent>) -> Span {
        let context = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.0.clone()),
            None => Context::new(),
        };
        let builder = self.tracer.span_builder(name).with_kind(kind);
        Span(self.tracer.build_with_context(builder, &context))
    }

    /// A span of one record's stage, only when the record is followed: unsampled records cost nothing.
    pub fn record_span(&self, name: &'static str, parent: &str) -> Option<Span> {
        let parent = TraceParent::parse(parent)?;
        parent
            .0
            .is_sampled()
            .then(|| self.span(name, SpanKind::Consumer, Some(&parent)))
    }

    /// Adds metrics to the registry.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        if let Ok(mut registry) = self.registry.lock() {
            add(&mut registry);
        }
    }

    /// All metrics in the OpenMetrics text format.
    pub fn metrics_text(&self) -> String {
        let mut text = String::new();
        if let Ok(registry) = self.registry.lock()
            && prometheus_client::encoding::text::encode(&mut text, &registry).is_err()
        {
            text.clear();
        }
        text
    }

    /// Sends what is buffered. Blocks; call it at the end, off the runtime's workers.
    pub fn flush(&self) {
        if let Err(error) = self.provider.force_flush() {
            tracing::warn!(%error, "traces could not be flushed");
        }
    }
}

/// An open span; it ends when dropped.
pub struct Span(opentelemetry_sdk::trace::Span);

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({})", self.0.span_context().trace_id())
    }
}

impl Span {
    /// The context to hand on: header text of W3C `traceparent`, empty when not sampled.
    pub fn traceparent(&self) -> String {
        TraceParent(self.0.span_context().clone()).to_header()
    }

    /// The context as a parent.
    pub fn context(&self) -> TraceParent {
        TraceParent(self.0.span_context().clone())
    }

    /// Adds an attribute. Never personal data.
    pub fn set(&mut self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        self.0.set_attribute(KeyValue::new(key, value));
    }
}

/// A W3C trace context.
#[derive(Clone, Debug)]
pub struct TraceParent(SpanContext);

impl TraceParent {
    /// Parses `00-<32 hex>-<16 hex>-<2 hex>`; anything else is no context.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "00" || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
            return None;
        }
        let context = SpanContext::new(
            TraceId::from_hex(trace).ok()?,
            SpanId::from_hex(span).ok()?,
            TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
            true,
            TraceState::NONE,
        );
        context.is_valid().then_some(Self(context))
    }

    /// The header text; empty when the trace is not sampled.
    pub fn to_header(&self) -> String {
        if !self.0.is_sampled() || !self.0.is_valid() {
            return String::new();
        }
        format!("00-{}-{}-01", self.0.trace_id(), self.0.span_id())
    }
}

/// Structured logs on standard error: JSON lines, or text for people. Only binaries call it, once.
/// The filter is `CREDIT_LOG` in tracing's syntax, `info` when unset.
pub fn init_logging(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CREDIT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call in one process (tests) keeps the first subscriber.
    let outcome = if json {
        base.json().try_init()
    } else {
        base.try_init()
    };
    drop(outcome);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_context_survives_its_header() {
        let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(TraceParent::parse(header).unwrap().to_header(), header);
        for bad in [
            "",
            "00-0-0-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(TraceParent::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_unsampled_record_opens_no_span() {
        let telemetry = Telemetry::off();
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert!(telemetry.record_span("x", unsampled).is_none());
        assert!(telemetry.record_span("x", "").is_none());
    }
}
