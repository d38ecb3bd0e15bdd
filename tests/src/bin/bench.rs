//! `cargo xtask bench ingest|pipeline|reload|stored|hostile|rules`: what the platform makes of this machine, compared
//! with a floor measured in the same run, because machines are noisy. The last line is one JSON object.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use journeys::{
    bench::{hostile, ingest, pipeline, reload, stored},
    rules,
};
use local_servers::PROGRAM;

/// Benchmarks of the platform, load generator included.
#[derive(Debug, Parser)]
struct BenchProgram {
    /// Which one.
    #[arg(value_enum)]
    name: BenchmarkName,
    /// Records streamed at once.
    #[arg(long, default_value_t = 40_000)]
    records: usize,
    /// Records a second of the steady run of `pipeline`.
    #[arg(long, default_value_t = 5_000)]
    rate: usize,
    /// Seconds of the steady run of `pipeline`; 0 leaves it out.
    #[arg(long, default_value_t = 20)]
    seconds: usize,
    /// Records with a planted error in `pipeline`, per cent.
    #[arg(long, default_value_t = 5)]
    bad: u32,
    /// Records that `stored` measures among.
    #[arg(long, default_value_t = 5_000_000)]
    stored: usize,
    /// `pipeline` with the services behind disclosure running, too.
    #[arg(long)]
    all: bool,
    /// Only the JSON line on standard output.
    #[arg(long)]
    json: bool,
    /// Seed of the generator.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum BenchmarkName {
    /// Streamed submissions until their receipts, then single calls with 64 in flight.
    Ingest,
    /// Submissions until they are queryable in disclosure, as fast as it goes and at a steady rate.
    Pipeline,
    /// Full reloads: everything is new, then nothing is.
    Reload,
    /// What a record costs with millions stored, beside a hundred thousand.
    Stored,
    /// Single calls of good callers, alone and beside hostile ones.
    Hostile,
    /// Normalisation and all rules of the penalty item on one core, without any server.
    Rules,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match BenchProgram::parse().run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

impl BenchProgram {
    async fn run(self) -> Result<()> {
        if self.name == BenchmarkName::Rules {
            return self.rules();
        }
        let program = std::env::var_os(PROGRAM)
            .with_context(|| format!("{PROGRAM} is not set: run `cargo xtask bench`"))?
            .into();
        if self.name == BenchmarkName::Hostile {
            let figures = hostile::run(program, self.seed).await?;
            self.print(&figures)?;
            return figures.check();
        }
        if self.name == BenchmarkName::Stored {
            let figures = stored::run(program, self.records, self.stored, self.seed).await?;
            self.print(&figures)?;
            return stored::check_figures(&figures);
        }
        let load = pipeline::PipelineOptions {
            records: self.records,
            rate: self.rate,
            seconds: self.seconds,
            seed: self.seed,
            bad_percent: self.bad,
            all: self.all,
        };
        let figures = match self.name {
            BenchmarkName::Ingest => ingest::run(program, self.records, self.seed).await?,
            BenchmarkName::Reload => reload::run(program, self.records, self.seed).await?,
            _ => pipeline::run(program, load).await?,
        };
        self.print(&figures)
    }

    fn rules(&self) -> Result<()> {
        let today = legal_clock::shanghai_date(time::OffsetDateTime::now_utc());
        let figures = rules::measure_rules(self.seed, self.records, today)?;
        self.print(&figures)?;
        figures.check()
    }

    fn print(&self, figures: &(impl std::fmt::Debug + serde::Serialize)) -> Result<()> {
        if !self.json {
            println!("{figures:#?}");
        }
        println!("{}", serde_json::to_string(figures)?);
        Ok(())
    }
}
