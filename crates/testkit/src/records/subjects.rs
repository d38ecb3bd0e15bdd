//! Whom records are about: organisations, individual businesses, natural persons, all fictional, with
//! right check characters. Called by the generator.

use credit_record::{CitizenNumber, CreditCode, RegistrationNumber, SubjectKind};
use rand::Rng;
use rand::rngs::StdRng;
use time::{Date, Duration};

use super::{pick, words};

/// Alphabet of credit codes.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Per cent of subjects that are natural persons, and individual businesses.
const PERSONS: u32 = 15;
const SHOPS: u32 = 15;

/// A subject.
#[derive(Debug, Clone)]
pub(super) struct FictionalSubject {
    pub kind: SubjectKind,
    pub name: String,
    /// Credit code, or citizen number.
    pub number: String,
    /// Legal representative or operator: name and citizen number.
    pub head: (String, String),
    /// An old registration number, where there is one.
    pub registration: Option<String>,
}

impl FictionalSubject {
    /// A subject; a large one is always a company.
    pub fn new(rng: &mut StdRng, large: bool, today: Date) -> Self {
        let draw = if large { 100 } else { rng.random_range(0..100) };
        if draw < PERSONS {
            return Self {
                kind: SubjectKind::NaturalPerson,
                name: person_name(rng),
                number: citizen_number(rng, today),
                head: (String::new(), String::new()),
                registration: None,
            };
        }
        let shop = draw < PERSONS + SHOPS;
        let (division, place) = pick(rng, &words::DIVISIONS);
        let head = (person_name(rng), citizen_number(rng, today));
        let (kind, pair, name) = if shop {
            let owner = head.0.chars().next().unwrap_or('湘');
            let style = pick(rng, &["老", "小", "阿"]);
            let shop = pick(rng, &words::SHOPS);
            let brand = pick(rng, &words::BRANDS);
            let name = match rng.random_range(0..2) {
                0 => format!("{place}{style}{owner}{shop}"),
                _ => format!("{place}{brand}{shop}"),
            };
            (SubjectKind::IndividualBusiness, "92", name)
        } else {
            let (pair, name) = organisation(rng, large, place);
            (SubjectKind::Organisation, pair, name)
        };
        let registration = rng
            .random_ratio(1, 4)
            .then(|| registration_number(rng, division, shop));
        Self {
            kind,
            name,
            number: credit_code(rng, pair, division),
            head,
            registration,
        }
    }

    /// True when the credit code begins so.
    pub fn has_pair(&self, pair: &str) -> bool {
        self.kind != SubjectKind::NaturalPerson && self.number.starts_with(pair)
    }
}

fn organisation(rng: &mut StdRng, large: bool, place: &str) -> (&'static str, String) {
    let brand = pick(rng, &words::BRANDS);
    let second = pick(rng, &words::GIVEN);
    let industry = pick(rng, &words::INDUSTRIES);
    match if large { 99 } else { rng.random_range(0..100) } {
        0..3 => ("52", format!("{place}{brand}{second}养老服务中心")),
        3..6 => ("93", format!("{place}{brand}{second}农民专业合作社")),
        6..8 => ("12", format!("{place}{brand}学校")),
        _ => {
            let seat = pick(rng, &["长沙", "湖南", "湖南省", "长沙市"]);
            let form = pick(rng, &words::FORMS);
            let name = match rng.random_range(0..6) {
                0 => format!(
                    "{brand}{second}（{}）{industry}{form}",
                    seat.trim_end_matches(['省', '市'])
                ),
                _ => format!("{seat}{brand}{second}{industry}{form}"),
            };
            ("91", name)
        }
    }
}

fn person_name(rng: &mut StdRng) -> String {
    let mut name = pick(rng, &words::SURNAMES).to_owned();
    for _ in 0..rng.random_range(1..=2) {
        name.push_str(pick(rng, &words::GIVEN));
    }
    name
}

/// A citizen of 18 to 70 years, born or first registered in Changsha.
pub(super) fn citizen_number(rng: &mut StdRng, today: Date) -> String {
    let (division, _) = pick(rng, &words::DIVISIONS);
    let born = today - Duration::days(rng.random_range(18 * 366..70 * 365));
    let head = format!(
        "{division}{:04}{:02}{:02}{:03}",
        born.year(),
        u8::from(born.month()),
        born.day(),
        rng.random_range(1..990),
    );
    let number = CitizenNumber::with_check(&head, today).expect("a division, a past day, digits");
    number.as_str().to_owned()
}

fn credit_code(rng: &mut StdRng, pair: &str, division: &str) -> String {
    let lead = match pair {
        "91" | "92" | "93" => "MA4",
        "12" => "MB1",
        _ => "MJJ",
    };
    let mut head = format!("{pair}{division}{lead}");
    for _ in 0..5 {
        head.push(char::from(pick(rng, ALPHABET)));
    }
    CreditCode::with_checks(&head)
        .expect("sixteen characters of the alphabet")
        .to_string()
}

fn registration_number(rng: &mut StdRng, division: &str, shop: bool) -> String {
    let first = if shop { '6' } else { '0' };
    let head = format!("{division}{first}{:07}", rng.random_range(0..10_000_000));
    (0..10)
        .map(|check| format!("{head}{check}"))
        .find(|number| RegistrationNumber::parse(number).is_ok())
        .expect("one of ten check digits fits")
}
