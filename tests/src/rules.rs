//! What one core makes of records: full normalisation and all rules of the penalty item, on clean records, with
//! 5 % bad ones, and with bad ones only. Called by `cargo xtask bench rules`; needs no server.
//!
//! The floor is reading the same bytes as JSON into a map, measured in the same run on the same core.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use credit_record::{
    CheckContext, CompiledItem, Verdict, WorkingDays, check_record, standard_items,
};
use legal_clock::{Calendar, WorkingDayTable};
use serde::Serialize;
use testkit::records::{GeneratedRecord, Generator};
use time::Date;

/// Item that is measured: it has the most fields and rules.
const ITEM: &str = "xzcf";

/// How long each set is measured, at least.
const MEASURED: Duration = Duration::from_secs(2);

/// What the platform promises: records a second on one core on the slowest set, and the slowest against the
/// fastest, so that a delivery of nothing but faults does not hold everybody up.
const PROMISED_PER_S: f64 = 25_000.0;
const PROMISED_RATIO: f64 = 0.5;

/// What was measured; records a second on one core.
#[derive(Debug, Serialize)]
pub struct RulesFigures {
    name: &'static str,
    item: String,
    rules: usize,
    records: usize,
    /// No record has a fault.
    pub clean_per_s: f64,
    /// One record in twenty has one.
    pub mixed_per_s: f64,
    /// Every record has one.
    pub bad_per_s: f64,
    /// Reading the clean records as JSON, and nothing more.
    floor_per_s: f64,
    /// Clean records against the floor.
    ratio: f64,
    /// The slowest of the three sets against the fastest.
    pub slowest_to_fastest: f64,
}

impl RulesFigures {
    /// Whether the promises hold.
    ///
    /// # Errors
    /// Which one does not, with the figure.
    pub fn check(&self) -> Result<()> {
        let all = [self.clean_per_s, self.mixed_per_s, self.bad_per_s];
        let slowest = all.into_iter().fold(f64::INFINITY, f64::min);
        ensure!(
            slowest >= PROMISED_PER_S,
            "{slowest:.0} records/s on one core, fewer than {PROMISED_PER_S:.0}"
        );
        ensure!(
            self.slowest_to_fastest >= PROMISED_RATIO,
            "the slowest set runs at {:.2} of the fastest, below {PROMISED_RATIO}",
            self.slowest_to_fastest
        );
        Ok(())
    }
}

/// Measures with `records` records a set.
///
/// # Errors
/// The generator's records do not get the verdicts that they were made for.
pub fn measure_rules(seed: u64, records: usize, today: Date) -> Result<RulesFigures> {
    let item = standard_items()?
        .into_iter()
        .filter(|item| item.code == ITEM)
        .max_by_key(|item| item.version)
        .context("the penalty item")?;
    let item = CompiledItem::new(Arc::new(item))?;
    let working_days: Arc<dyn WorkingDays> =
        Arc::new(WorkingDayTable::from_calendar(&Calendar::builtin()?));
    let (mut clean, mut bad) = (Vec::new(), Vec::new());
    let generator = Generator::new(seed, today);
    for index in 0.. {
        if clean.len() >= records && bad.len() >= records {
            break;
        }
        let record = generator.record(index);
        let set = if record.planted.is_some() {
            &mut bad
        } else {
            &mut clean
        };
        if record.item_code == ITEM && set.len() < records {
            set.push(record);
        }
    }
    let mixed: Vec<GeneratedRecord> = (0..records)
        .map(|n| if n % 20 == 0 { &bad[n] } else { &clean[n] })
        .cloned()
        .collect();
    let judge = |set: &[GeneratedRecord], expected: usize| -> Result<f64> {
        rate(set, || {
            let mut accepted = 0;
            for record in set {
                let ctx = CheckContext {
                    received_on: today,
                    provider_code: &record.provider_code,
                    working_days: &working_days,
                    attestations: &[],
                };
                let verdict = black_box(check_record(&item, &record.content, &ctx));
                accepted += usize::from(matches!(verdict, Verdict::Accepted(_)));
            }
            ensure!(
                accepted == expected,
                "{accepted} of {} accepted, not {expected}",
                set.len()
            );
            Ok(())
        })
    };
    let clean_per_s = judge(&clean, records)?;
    let mixed_per_s = judge(&mixed, records - records.div_ceil(20))?;
    let bad_per_s = judge(&bad, 0)?;
    let floor_per_s = rate(&clean, || {
        for record in &clean {
            black_box(serde_json::from_slice::<serde_json::Map<_, _>>(
                &record.content,
            )?);
        }
        Ok(())
    })?;
    let all = [clean_per_s, mixed_per_s, bad_per_s];
    let (slowest, fastest) = (
        all.into_iter().reduce(f64::min),
        all.into_iter().reduce(f64::max),
    );
    Ok(RulesFigures {
        name: "rules",
        item: format!("{ITEM} v{}", item.item().version),
        rules: item.item().rules.len(),
        records,
        clean_per_s,
        mixed_per_s,
        bad_per_s,
        floor_per_s,
        ratio: clean_per_s / floor_per_s,
        slowest_to_fastest: slowest.zip(fastest).map_or(0.0, |(slow, fast)| slow / fast),
    })
}

/// Records a second over whole rounds, one warm-up round left out.
fn rate(set: &[GeneratedRecord], mut round: impl FnMut() -> Result<()>) -> Result<f64> {
    round()?;
    let since = Instant::now();
    let mut rounds = 0;
    while since.elapsed() < MEASURED {
        round()?;
        rounds += 1;
    }
    Ok((rounds * set.len()) as f64 / since.elapsed().as_secs_f64())
}
