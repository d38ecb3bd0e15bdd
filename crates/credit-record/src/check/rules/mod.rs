//! Rules over several fields. An item names a rule by its stable id and says which fields and words it
//! works on, so that the same rule serves other items and the functions here can give way to rules
//! written as data. Called by [`super::check()`] and, for their parameters, by the lint of items.

mod amounts;

use time::Date;

use super::Sheet;
use super::finding::{Finding, FindingCode, Findings};
use crate::id::{CreditCode, Department};
use crate::item::{RuleRef, SubjectKind};

/// One rule.
pub struct Rule {
    /// Stable id.
    pub id: &'static str,
    /// Version, raised with every change of behaviour.
    pub version: u32,
    /// What it demands, in Chinese.
    pub title: &'static str,
    /// Names of its field parameters.
    pub fields: &'static [&'static str],
    /// Whether it needs words.
    pub needs_words: bool,
    run: fn(&RuleRef, &Sheet<'_>) -> Option<Finding>,
}

impl Rule {
    /// Runs the rule over a sheet.
    pub(super) fn run(&self, used: &RuleRef, sheet: &Sheet<'_>, findings: &mut Findings) {
        if let Some(mut finding) = (self.run)(used, sheet) {
            finding.rule = self.id;
            finding.rule_version = self.version;
            findings.push(finding);
        }
    }
}

/// Every rule.
pub static ALL: [Rule; 10] = [
    Rule {
        id: "source-is-caller",
        version: 1,
        title: "数据来源单位代码必须是报送单位的代码",
        fields: &[],
        needs_words: false,
        run: source_is_caller,
    },
    Rule {
        id: "category-fits-code",
        version: 1,
        title: "相对人类别与统一社会信用代码前两位相符",
        fields: &[],
        needs_words: false,
        run: category_fits_code,
    },
    Rule {
        id: "decision-not-future",
        version: 1,
        title: "决定日期不晚于接收日期",
        fields: &[],
        needs_words: false,
        run: decision_not_future,
    },
    Rule {
        id: "date-order",
        version: 1,
        title: "起始日期不晚于截止日期",
        fields: &["earlier", "later"],
        needs_words: false,
        run: date_order,
    },
    Rule {
        id: "expiry-passed",
        version: 1,
        title: "提示有效期已经届满",
        fields: &[],
        needs_words: false,
        run: expiry_passed,
    },
    Rule {
        id: "publicity-term",
        version: 1,
        title: "公示截止期晚于决定日期且不超过最长公示期限",
        fields: &[],
        needs_words: false,
        run: publicity_term,
    },
    Rule {
        id: "amount-fits-kind",
        version: 1,
        title: "处罚类别与金额相符",
        fields: &["kinds", "amount"],
        needs_words: true,
        run: amounts::amount_fits_kind,
    },
    Rule {
        id: "amount-unit",
        version: 1,
        title: "金额与处罚内容中的数额单位一致",
        fields: &["amount", "text"],
        needs_words: false,
        run: amounts::amount_unit,
    },
    Rule {
        id: "person-only-kind",
        version: 1,
        title: "只适用于自然人的处罚类别",
        fields: &["kinds"],
        needs_words: true,
        run: person_only_kind,
    },
    Rule {
        id: "authority-is-organ",
        version: 1,
        title: "决定机关代码是机关或授权组织的代码",
        fields: &[],
        needs_words: false,
        run: authority_is_organ,
    },
];

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}

/// 2099-12-31 and later stand for "long-term".
pub(super) fn is_long_term(date: Date) -> bool {
    date.year() >= 2099
}

/// A parameter of a linted rule; the empty code names no field.
fn parameter<'u>(used: &'u RuleRef, name: &str) -> &'u str {
    used.fields
        .get(name)
        .map(String::as_str)
        .unwrap_or_default()
}

/// True when one of the kinds joined by `;` begins with one of the words.
fn includes(kinds: &str, words: &[String]) -> bool {
    kinds
        .split(';')
        .any(|kind| words.iter().any(|word| kind.starts_with(word.as_str())))
}

/// Domain rule 11: a provider reports as itself.
fn source_is_caller(_: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let field = &sheet.item().roles.source_unit_code;
    let differs = sheet.text(field)? != sheet.ctx().provider_code;
    differs.then(|| {
        let message = "数据来源单位统一社会信用代码与报送单位的身份不符";
        error(FindingCode::SourceNotCaller, field, message)
    })
}

/// Rule 1: 92 is the pair of a 个体工商户 and of nobody else.
fn category_fits_code(_: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let roles = &sheet.item().roles;
    let code = CreditCode::parse(sheet.text(&roles.credit_code)?).ok()?;
    let message = match (sheet.kind()?, code.is_individual_business()) {
        (SubjectKind::Organisation, true) => "代码以92开头，应为个体工商户，请核对相对人类别",
        (SubjectKind::IndividualBusiness, false) => "个体工商户的代码应以92开头，请核对相对人类别",
        _ => return None,
    };
    let field = &roles.subject_category;
    Some(error(FindingCode::SubjectCategory, field, message))
}

/// Rules 2 and 7: nothing is decided after it was received.
fn decision_not_future(_: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let field = &sheet.item().roles.decision_date;
    let future = sheet.date(field)? > sheet.ctx().received_on;
    future.then(|| {
        error(
            FindingCode::DateFuture,
            field,
            "决定日期晚于接收日期，请核对",
        )
    })
}

/// Rule 7: from is not after to.
fn date_order(used: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let (earlier, later) = (parameter(used, "earlier"), parameter(used, "later"));
    let wrong = sheet.date(later)? < sheet.date(earlier)?;
    let label = |code| sheet.item().field(code).map_or(code, |f| f.name.as_str());
    wrong.then(|| {
        let message = format!("“{}”早于“{}”，请核对", label(later), label(earlier));
        error(FindingCode::DateOrder, later, message)
    })
}

/// Rule 2, as a hint only: history is reported too, so an ended licence is no mistake by itself.
fn expiry_passed(_: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let field = sheet.item().roles.expiry_date.as_deref()?;
    let passed = sheet.date(field)? < sheet.ctx().received_on;
    passed.then(|| {
        let message = "有效期在接收时已经届满，请确认不是填写错误";
        warning(FindingCode::ExpiryPassed, field, message)
    })
}

/// Rule 7: the end of publicity lies after the decision and within the term of the item.
fn publicity_term(_: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let item = sheet.item();
    let field = item.roles.publicity_until.as_deref()?;
    let until = sheet.date(field)?;
    let decided = sheet.date(&item.roles.decision_date)?;
    if until <= decided {
        let message = "公示截止期应晚于处罚决定日期";
        return Some(error(FindingCode::DateOrder, field, message));
    }
    let years = item.term.as_ref()?.years;
    (until > years_later(decided, years)).then(|| {
        let message = format!("公示截止期超过决定日期后{years}年，公示将按最长期限终止");
        warning(FindingCode::TermTooLong, field, message)
    })
}

/// The same calendar day years later; 28 February where there is no 29th (D-7).
fn years_later(day: Date, years: u32) -> Date {
    let year = i32::try_from(years).map_or(day.year(), |y| day.year().saturating_add(y));
    day.replace_year(year)
        .or_else(|_| day.previous_day().unwrap_or(day).replace_year(year))
        .unwrap_or(Date::MAX)
}

/// Rule 9: detention is for natural persons.
fn person_only_kind(used: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let field = parameter(used, "kinds");
    let found = includes(sheet.text(field)?, &used.words);
    (found && sheet.kind()? != SubjectKind::NaturalPerson).then(|| {
        let message = format!(
            "处罚类别中的{}只适用于自然人，请核对",
            used.words.join("、")
        );
        warning(FindingCode::PenaltyPersonOnly, field, message)
    })
}

/// Rule 10: organs have department 1; market-registered bodies act only where a law authorises them.
fn authority_is_organ(_: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let field = &sheet.item().roles.authority_code;
    let code = CreditCode::parse(sheet.text(field)?).ok()?;
    let fits = matches!(
        code.department(),
        Department::Establishment | Department::Market
    );
    (!fits).then(|| {
        let message = "决定机关的代码不属于机关或授权组织，请核对";
        warning(FindingCode::AuthorityNotOrgan, field, message)
    })
}

/// An error; [`Rule::run`] writes the rule's id and version into it.
fn error(code: FindingCode, field: &str, message: impl Into<String>) -> Finding {
    Finding::error(code, "", field, message)
}

/// A warning, likewise.
fn warning(code: FindingCode, field: &str, message: impl Into<String>) -> Finding {
    Finding::warning(code, "", field, message)
}
