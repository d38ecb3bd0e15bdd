//! A faultless record as JSON, field by field in the order of the standard. Called by the generator;
//! `dirt` and `plant` change it afterwards.

use credit_record::SubjectKind;
use credit_record::normalise::format_day;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};
use time::{Date, Duration};

use super::providers::FictionalProvider;
use super::subjects::FictionalSubject;
use super::trades::{Licence, Penalty};
use super::{pick, words};

/// The oldest decision is this many days old, less one. Less than the shortest deadline of publicity (one
/// calendar year), so that no deadline has passed and what may be public is (D-9).
pub(super) const OLDEST_DAYS: i64 = 365;

/// A record before it is written.
pub(super) struct RecordDraft<'p> {
    pub provider: &'p FictionalProvider,
    pub providers: &'p [FictionalProvider],
    pub subject: FictionalSubject,
    pub item_code: &'static str,
    pub fields: Map<String, Value>,
    pub decided: Date,
    pub today: Date,
}

impl<'p> RecordDraft<'p> {
    /// A faultless record.
    pub fn new(
        rng: &mut StdRng,
        providers: &'p [FictionalProvider],
        subject: FictionalSubject,
        licence: bool,
        index: u64,
        today: Date,
    ) -> Self {
        let decided = today - Duration::days(rng.random_range(0..OLDEST_DAYS));
        let item_code = if licence { "xzxk" } else { "xzcf" };
        let kind = subject.kind;
        let first = rng.random_range(0..providers.len());
        let mut around = (first..providers.len())
            .chain(0..first)
            .map(|i| &providers[i]);
        if licence {
            let (provider, licences) = around
                .find_map(|p| {
                    let all: Vec<_> = p.trade.licences.iter().filter(|l| l.fits(kind)).collect();
                    (!all.is_empty()).then_some((p, all))
                })
                .expect("every kind of subject gets licences from some provider");
            let fields = Map::new();
            let mut draft = Self {
                provider,
                providers,
                subject,
                item_code,
                fields,
                decided,
                today,
            };
            let licence = pick(rng, &licences);
            draft.licence(rng, licence, index);
            draft
        } else {
            let (provider, penalties) = around
                .find_map(|p| {
                    let all: Vec<_> = p.trade.penalties.iter().filter(|l| l.fits(kind)).collect();
                    (!all.is_empty()).then_some((p, all))
                })
                .expect("every kind of subject gets penalties from some provider");
            let fields = Map::new();
            let mut draft = Self {
                provider,
                providers,
                subject,
                item_code,
                fields,
                decided,
                today,
            };
            let penalty = pick(rng, &penalties);
            draft.penalty(rng, penalty, index);
            draft
        }
    }

    /// `XK` or `CF`.
    pub fn prefix(&self) -> &'static str {
        if self.item_code == "xzxk" { "XK" } else { "CF" }
    }

    /// Code of a field that both items have, such as `_XDR_MC`.
    pub fn code(&self, tail: &str) -> String {
        format!("{}{tail}", self.prefix())
    }

    /// Sets a field.
    pub fn set(&mut self, code: &str, value: impl Into<Value>) {
        self.fields.insert(code.to_owned(), value.into());
    }

    /// Text of a field.
    pub fn text(&self, code: &str) -> Option<&str> {
        self.fields.get(code).and_then(Value::as_str)
    }

    /// The record as JSON.
    pub fn json(&self) -> Vec<u8> {
        Value::Object(self.fields.clone()).to_string().into_bytes()
    }

    /// Fields 1 to 13, which both items share.
    fn subject_fields(&mut self, rng: &mut StdRng) {
        let subject = self.subject.clone();
        let mut put = |tail: &str, value: &str| {
            let code = self.code(tail);
            self.set(&code, value);
        };
        put("_XDR_MC", &subject.name);
        put("_XDR_LB", subject.kind.label());
        if subject.kind == SubjectKind::NaturalPerson {
            put("_XDR_ZJLX", "身份证");
            put("_XDR_ZJHM", &subject.number);
            return;
        }
        put("_XDR_SHXYM", &subject.number);
        if let Some(number) = &subject.registration {
            put("_XDR_GSZC", number);
        }
        if subject.kind == SubjectKind::Organisation {
            if rng.random_ratio(3, 5) {
                put("_XDR_ZZJG", &subject.number[8..17]);
            }
            if rng.random_ratio(1, 3) {
                put(
                    "_XDR_SWDJ",
                    &format!("{}{}", &subject.number[2..8], &subject.number[8..17]),
                );
            }
            if subject.has_pair("12") {
                put(
                    "_XDR_SYDW",
                    &format!("143{:09}", rng.random_range(0..1_000_000_000)),
                );
            }
            if subject.has_pair("52") {
                put(
                    "_XDR_SHZZ",
                    &format!("湘长民证字第{:06}号", rng.random_range(0..1_000_000)),
                );
            }
        }
        put("_FRDB", &subject.head.0);
        if rng.random_ratio(1, 3) {
            put("_FR_ZJLX", "身份证");
            put("_FR_ZJHM", &subject.head.1);
        }
    }

    fn licence(&mut self, rng: &mut StdRng, licence: &Licence, index: u64) {
        self.subject_fields(rng);
        let year = self.decided.year();
        self.set("XK_XKWS", licence.document);
        self.set(
            "XK_WSH",
            format!("{}许〔{year}〕{}号", self.provider.mark, index + 1),
        );
        self.set("XK_XKLB", licence.class);
        if let Some((name, start)) = licence.certificate {
            self.set("XK_XKZS", name);
            self.set("XK_XKBH", format!("{start}{year}{:06}", index + 1));
        }
        self.set("XK_NR", licence.content);
        let from = self.decided + Duration::days(pick(rng, &[0, 0, 0, 1, 5]));
        let until = match licence.years {
            0 => "2099-12-31".to_owned(),
            years => format_day(years_on(from, years) - Duration::DAY),
        };
        self.set("XK_JDRQ", format_day(self.decided));
        self.set("XK_YXQZ", format_day(from));
        self.set("XK_YXQZI", until);
        self.set("XK_XKJG", self.provider.name.as_str());
        self.set("XK_XKJGDM", self.provider.code.as_str());
        self.set("XK_ZT", "1");
        self.set("XK_LYDW", self.provider.name.as_str());
        self.set("XK_LYDWDM", self.provider.code.as_str());
        if rng.random_ratio(1, 8) {
            self.set(
                "BZ",
                pick(
                    rng,
                    &["延续换证", "首次申请", "补正材料后准予许可", "变更地址"],
                ),
            );
        }
    }

    fn penalty(&mut self, rng: &mut StdRng, penalty: &Penalty, index: u64) {
        self.subject_fields(rng);
        let year = self.decided.year();
        let place = pick(rng, &words::PLACES);
        self.set(
            "CF_WSH",
            format!("{}罚决〔{year}〕{}号", self.provider.mark, index + 1),
        );
        self.set("CF_WFXW", penalty.violation);
        self.set("CF_SY", format!("{}检查地点：{place}。", penalty.fact));
        self.set("CF_YJ", penalty.basis);
        self.set("CF_CFLB", penalty.kinds.join(";"));
        let fine = penalty.kinds.contains(&"罚款").then(|| {
            let (from, to) = penalty.fine;
            rng.random_range(from..=to) * 100
        });
        let confiscates = penalty.kinds.iter().any(|k| k.starts_with("没收"));
        let gain = confiscates.then(|| rng.random_range(60..80_000));
        let mut decisions: Vec<String> = penalty
            .kinds
            .iter()
            .map(|kind| match (*kind, fine, gain) {
                ("罚款", Some(yuan), _) => format!("罚款{yuan}元"),
                ("没收违法所得", _, Some(yuan)) => format!("没收违法所得{yuan}元"),
                (kind, ..) => kind.to_owned(),
            })
            .collect();
        decisions.insert(0, "责令改正违法行为".to_owned());
        self.set("CF_NR", format!("{}。", decisions.join("，")));
        if let Some(yuan) = fine {
            let amount = amount(rng, yuan);
            self.set("CF_NR_FK", amount);
        }
        if let Some(yuan) = gain {
            let amount = amount(rng, yuan);
            self.set("CF_NR_WFFF", amount);
        }
        if let Some(certificate) = penalty.withdrawn {
            self.set(
                "CF_NR_ZKDX",
                format!("{certificate}（43{year}{:06}）", index + 1),
            );
        }
        self.set("CF_JDRQ", format_day(self.decided));
        self.set("CF_YXQ", "2099-12-31");
        if rng.random_ratio(1, 2) {
            let years = rng.random_range(1..=3);
            self.set("CF_GSJZQ", format_day(years_on(self.decided, years)));
        }
        self.set("CF_CFJG", self.provider.name.as_str());
        self.set("CF_CFJGDM", self.provider.code.as_str());
        self.set("CF_SJLY", self.provider.name.as_str());
        self.set("CF_SJLYDM", self.provider.code.as_str());
        if rng.random_ratio(1, 10) {
            self.set(
                "BZ",
                pick(
                    rng,
                    &["已缴纳罚款", "当事人已整改", "从轻处罚", "经听证后作出"],
                ),
            );
        }
    }
}

/// Yuan as 万元, as text or as a number: both are in use.
fn amount(rng: &mut StdRng, yuan: u64) -> Value {
    let text = ten_thousands(yuan);
    match text.parse::<f64>() {
        Ok(number) if rng.random_ratio(1, 2) => json!(number),
        _ => json!(text),
    }
}

/// Yuan as 万元 without idle zeros.
pub(super) fn ten_thousands(yuan: u64) -> String {
    let text = format!("{}.{:04}", yuan / 10_000, yuan % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The same day years later; 28 February where there is no 29th.
pub(super) fn years_on(day: Date, years: i32) -> Date {
    day.replace_year(day.year() + years)
        .or_else(|_| (day - Duration::DAY).replace_year(day.year() + years))
        .expect("a 28 February is in every year")
}
