//! Realistic licence and penalty records from a seed, each knowing which verdict it must get. Called by
//! `cargo xtask demo`, the benchmarks and the journeys in `tests/`.
//!
//! Record `i` of a seed depends on the seed, the day, the share of bad records and `i` only, so a longer run begins with the records
//! of a shorter one, and any one can be made again for a look.

mod content;
mod csv;
mod dirt;
mod plant;
mod providers;
mod subjects;
mod trades;
mod words;

pub use providers::{FictionalLevel, FictionalProvider, fictional_providers};

use credit_record::{FindingCode, SubjectKind};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use time::Date;
use uuid::Uuid;

use content::RecordDraft;
use subjects::FictionalSubject;

/// Share of records with one planted error, per cent, by default.
const PLANTED_PERCENT: u32 = 5;
/// Share of records with dirt that normalisation takes off, per cent of the others.
const HARMLESS_PERCENT: u32 = 10;
/// Share of licences, per cent.
const LICENCE_PERCENT: u32 = 55;
/// Records per subject, on average.
const PER_SUBJECT: u64 = 4;
/// Subjects with very many records (chains, developers), and the per cent of records that are theirs.
const LARGE_SUBJECTS: u64 = 5;
const LARGE_SHARE: u32 = 4;

/// One record, ready to be submitted.
#[derive(Debug, Clone)]
pub struct GeneratedRecord {
    /// Credit code of the provider that submits it.
    pub provider_code: String,
    /// `xzxk` or `xzcf`.
    pub item_code: String,
    /// Version of the item.
    pub item_version: u32,
    /// The provider's own key, unique among the records of a seed.
    pub record_key: String,
    /// UUID text for the idempotency of the submission.
    pub submission_id: String,
    /// Content as sent: JSON by field code, unless the planted error is one of its form.
    pub content: Vec<u8>,
    /// Whom it is about.
    pub subject_kind: SubjectKind,
    /// The one error code that the verdict must carry; `None`: it must be accepted.
    pub planted: Option<FindingCode>,
    /// True when normalisation has something to take off (and the record is otherwise right).
    pub harmless_dirt: bool,
    /// True when the public site must show it.
    pub expected_public: bool,
    /// Normalised name of the subject.
    pub subject_name: String,
    /// Credit code of an organisation or an individual business.
    pub subject_code: Option<String>,
    /// Document type and number of a natural person.
    pub subject_document: Option<(String, String)>,
}

/// Makes records.
#[derive(Debug, Clone)]
pub struct Generator {
    seed: u64,
    today: Date,
    providers: Vec<FictionalProvider>,
    planted_percent: u32,
}

impl Generator {
    /// A generator whose records were decided in the year before `today` (Asia/Shanghai).
    pub fn new(seed: u64, today: Date) -> Self {
        Self {
            seed,
            today,
            providers: fictional_providers(),
            planted_percent: PLANTED_PERCENT,
        }
    }

    /// The same generator with this share of records with a planted error, 0 to 100. Records without one are those
    /// of every other share.
    #[must_use]
    pub fn with_planted_percent(self, percent: u32) -> Self {
        Self {
            planted_percent: percent.min(100),
            ..self
        }
    }

    /// The twelve providers, the same for every seed.
    pub fn providers(&self) -> &[FictionalProvider] {
        &self.providers
    }

    /// The first `n` records.
    pub fn records(&self, n: usize) -> impl Iterator<Item = GeneratedRecord> + '_ {
        (0..n as u64).map(|index| self.record(index))
    }

    /// The record with this index.
    pub fn record(&self, index: u64) -> GeneratedRecord {
        let mut rng = rng(self.seed, 1, index);
        let subject = self.subject(&mut rng, index);
        let licence = rng.random_ratio(LICENCE_PERCENT, 100);
        let mut draft = RecordDraft::new(
            &mut rng,
            &self.providers,
            subject,
            licence,
            index,
            self.today,
        );
        let planted = rng
            .random_ratio(self.planted_percent, 100)
            .then(|| plant::plant_error(&mut rng, &mut draft));
        let harmless = planted.is_none() && rng.random_ratio(HARMLESS_PERCENT, 100);
        if harmless {
            dirt::add_dirt(&mut rng, &mut draft);
        }
        let content = match planted.as_ref().and_then(|p| p.damage) {
            Some(damage) => damage(draft.json()),
            None => draft.json(),
        };
        let subject = draft.subject;
        let person = subject.kind == SubjectKind::NaturalPerson;
        GeneratedRecord {
            provider_code: draft.provider.code.clone(),
            item_code: draft.item_code.to_owned(),
            item_version: version_in_force(draft.item_code),
            record_key: format!("{}{:07}", draft.item_code.to_uppercase(), index + 1),
            submission_id: submission_id(self.seed, index),
            content,
            subject_kind: subject.kind,
            harmless_dirt: harmless,
            expected_public: planted.is_none() && !person,
            planted: planted.map(|p| p.code),
            subject_name: subject.name,
            subject_code: (!person).then(|| subject.number.clone()),
            subject_document: person.then(|| ("身份证".to_owned(), subject.number)),
        }
    }

    /// Subjects come up again and again; a few have very many records.
    fn subject(&self, rng: &mut StdRng, index: u64) -> FictionalSubject {
        let number = if rng.random_ratio(LARGE_SHARE, 100) {
            rng.random_range(0..LARGE_SUBJECTS)
        } else {
            rng.random_range(LARGE_SUBJECTS..LARGE_SUBJECTS + 20 + index / PER_SUBJECT)
        };
        let mut own = self::rng(self.seed, 2, number);
        FictionalSubject::new(&mut own, number < LARGE_SUBJECTS, self.today)
    }
}

/// The version that records of an item are written by: the 2018 edition, for penalties with the kinds since
/// 2021-07-15.
fn version_in_force(item_code: &str) -> u32 {
    match item_code {
        "xzcf" => 3,
        _ => 2,
    }
}

/// A stream of its own for each thing: SplitMix64 keeps neighbouring indexes apart.
fn rng(seed: u64, purpose: u64, index: u64) -> StdRng {
    let mut mixed = seed ^ purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for part in [index, purpose] {
        mixed = mixed.wrapping_add(part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
    }
    StdRng::seed_from_u64(mixed)
}

fn submission_id(seed: u64, index: u64) -> String {
    let name = format!("testkit/records/{seed}/{index}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

/// One of a list that is never empty.
fn pick<T: Copy>(rng: &mut StdRng, list: &[T]) -> T {
    list[rng.random_range(0..list.len())]
}

#[cfg(test)]
mod tests;
