//! `cargo xtask demo`: the main job, whole. Real servers, all services in one process, the
//! province's simulator, a realistic day of twelve providers; ends with books that must balance.

use std::{
    io::{IsTerminal, Write},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use journeys::{
    cluster::{Cluster, ClusterOptions, ClusterServers},
    day::{Balance, Day, ReceiptCounter},
};
use local_servers::{Binaries, LockedFolder, PROGRAM};
use platform::target::Service;
use proto::credit::{
    ingest::v1::Receipt,
    objection::v1::{Evidence, FileObjectionRequest, Objection},
};
use service_kit::identity::Role;

/// Plays a realistic day on real servers.
#[derive(Debug, Parser)]
struct DemoProgram {
    /// How many records the day has.
    #[arg(long, default_value_t = 10_000)]
    records: usize,
    /// Ends after the summary instead of staying up.
    #[arg(long)]
    once: bool,
    /// Seed of the generator.
    #[arg(long, default_value_t = 20_170_620)]
    seed: u64,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match DemoProgram::parse().run().await {
        Ok(true) => std::process::ExitCode::SUCCESS,
        Ok(false) => std::process::ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

impl DemoProgram {
    async fn run(self) -> Result<bool> {
        say("starting PostgreSQL, NATS, all services and the province's simulator");
        let program = std::env::var_os(PROGRAM)
            .with_context(|| format!("{PROGRAM} is not set: run `cargo xtask demo`"))?;
        let place = LockedFolder::temporary()?;
        let servers = servers(&place).await?;
        let cluster =
            Cluster::start_on_servers(servers, place, ClusterOptions::new(program)).await?;
        let day = Day::new(self.seed, self.records);
        day.register_providers(&cluster).await?;
        say(&format!(
            "{} providers report {} records over gRPC",
            day.generator.providers().len(),
            day.records.len()
        ));
        let since = Instant::now();
        let progress = ReceiptCounter::default();
        let receipts = {
            let showing = show_progress(&progress, day.records.len() as u64);
            let reported = tokio::select! {
                receipts = day.report_records(&cluster, &progress) => receipts?,
                () = showing => unreachable!("the progress line never ends by itself"),
            };
            clear_line();
            reported
        };
        ensure!(
            receipts.len() == day.records.len(),
            "a record has no receipt"
        );
        say(&format!(
            "{} receipts after {:.1} s; waiting until everything has settled",
            receipts.len(),
            since.elapsed().as_secs_f64()
        ));
        let balance = match day.wait_until_settled(&cluster, since).await {
            Ok(balance) => balance,
            // Not settled: show how far it came, and fail.
            Err(error) => {
                eprintln!("demo: {error:#}\n{}", cluster.log_tail());
                day.balance(&cluster, since).await?
            }
        };
        match file_objection(&cluster, &day, &receipts).await? {
            Some(objection) => show_objection(&objection),
            None => say("no public record to object to"),
        }
        cluster.wait_until_drained().await?;
        show_addresses(&cluster);
        show_books(&balance);
        println!("{}", serde_json::to_string(&balance)?);
        std::io::stdout().flush()?;
        if !self.once && balance.balanced {
            say("staying up; Ctrl-C ends it and removes everything");
            tokio::signal::ctrl_c().await?;
        }
        Ok(balance.balanced)
    }
}

async fn servers(place: &LockedFolder) -> Result<ClusterServers> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (named("DATABASE_URL"), named("NATS_URL")) {
        (Some(database), Some(nats)) => ClusterServers::connect_named(&database, nats).await,
        _ => {
            let binaries = Binaries::locate(&testkit::workspace_root())?;
            ClusterServers::start_private(&binaries, place.path(), true)
        }
    }
}

/// Messages go to standard error, so that standard output ends with the summary.
fn say(text: &str) {
    eprintln!("demo: {text}");
}

fn clear_line() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

async fn show_progress(progress: &ReceiptCounter, all: u64) {
    let terminal = std::io::stderr().is_terminal();
    let mut next_share = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let done = progress.load(Ordering::Relaxed);
        let share = done * 100 / all.max(1);
        if terminal {
            eprint!("\rdemo: {done}/{all} receipts ({share} %)");
        } else if share >= next_share {
            eprintln!("demo: {done}/{all} receipts ({share} %)");
            next_share = share - share % 25 + 25;
        }
    }
}

/// An organisation objects to the first of its public records.
async fn file_objection(
    cluster: &Cluster,
    day: &Day,
    receipts: &std::collections::HashMap<String, Receipt>,
) -> Result<Option<Objection>> {
    let candidate = day
        .records
        .iter()
        .filter(|record| record.expected_public)
        .find_map(|record| Some((record, record.subject_code.as_deref()?)));
    let Some((record, subject)) = candidate else {
        return Ok(None);
    };
    let receipt = receipts
        .get(&record.submission_id)
        .context("the record has a receipt")?;
    let request = FileObjectionRequest {
        request_id: uuid::Uuid::new_v4().to_string(),
        record_id: receipt.record_id.clone(),
        provider_code: record.provider_code.clone(),
        statement: "该记录所载日期与我单位收到的决定书不一致，请核实。".to_owned(),
        evidence: vec![Evidence {
            file_name: "决定书复印件.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            content: "决定书送达回证".as_bytes().to_vec().into(),
        }],
    };
    let mut client = cluster.clients()?.objection_subject(subject)?;
    let filed = client.file_objection(request).await?.into_inner();
    Ok(filed.objection)
}

fn show_objection(objection: &Objection) {
    let mut line = format!("objection {} filed", objection.objection_id);
    for (what, due) in [
        ("transfer", &objection.transfer_due),
        ("answer", &objection.answer_due),
    ] {
        if let Some(due) = due {
            let provisional = if due.provisional {
                ", provisional: that year's calendar is not published"
            } else {
                ""
            };
            line.push_str(&format!(
                "; {what} due {} ({}{provisional})",
                due.due_on, due.article
            ));
        }
    }
    say(&line);
}

fn show_addresses(cluster: &Cluster) {
    println!();
    println!(
        "  public site           {}",
        cluster.ports.url(Service::Web)
    );
    for service in Service::PLATFORM {
        if service != Service::Web {
            println!(
                "  gRPC {:<17}{}",
                service.name(),
                cluster.ports.address(service)
            );
        }
    }
    println!("  health and metrics    http://{}", cluster.ports.admin());
    println!(
        "  logs                  {}",
        cluster.folder().join("credit.log").display()
    );
    // The first provider's token, for a first record by hand.
    let provider = testkit::records::fictional_providers().into_iter().next();
    if let Some(provider) = provider
        && let Ok(token) = cluster.token(&provider.code, &[Role::Provider], None)
    {
        println!("  token of {}\n    {token}", provider.name);
    }
}

fn show_books(balance: &Balance) {
    let mark = |holds: bool| if holds { "=" } else { "≠" };
    println!();
    println!("  submitted                       {:>8}", balance.submitted);
    println!("    accepted                      {:>8}", balance.accepted);
    println!("    returned                      {:>8}", balance.returned);
    println!("  returned, by finding            returned  planted");
    let mut codes: Vec<&String> = balance
        .returned_by_code
        .keys()
        .chain(balance.planted_by_code.keys())
        .collect();
    codes.sort();
    codes.dedup();
    for code in codes {
        let (returned, planted) = (
            balance
                .returned_by_code
                .get(code)
                .copied()
                .unwrap_or_default(),
            balance
                .planted_by_code
                .get(code)
                .copied()
                .unwrap_or_default(),
        );
        println!(
            "    {code:<30}{returned:>8} {} {planted:<8}",
            mark(returned == planted)
        );
    }
    println!("  stored                          {:>8}", balance.stored);
    println!(
        "    disclosed publicly            {:>8}",
        balance.disclosed_public
    );
    println!(
        "    by query only                 {:>8}",
        balance.query_only
    );
    println!(
        "  acknowledged by the province    {:>8}",
        balance.province_acknowledged
    );
    println!(
        "  {:.1} s, {:.0} records/s",
        balance.seconds, balance.records_per_second
    );
    for fault in &balance.unbalanced {
        println!("  DOES NOT BALANCE: {fault}");
    }
    println!();
}
