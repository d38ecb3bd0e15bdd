//! Which version of an item may follow which, which one is in force on a day, and how an item ends.
//! Called by `app`.

use std::borrow::Cow;

use credit_record::item::ItemVersion;
use legal_clock::shanghai_date;
use record_ref::{ItemCode, ProviderCode};
use service_kit::reason::Reason;
use time::{Date, OffsetDateTime, macros::date};

use super::{CatalogRuleViolation, MAX_REASON_CHARS, given_text};

/// A version as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedItemVersion {
    /// The definition.
    pub item: ItemVersion,
    /// When.
    pub at: OffsetDateTime,
    /// `<credit code>/<account>` of the officer, or `data-file`.
    pub by: String,
}

impl PublishedItemVersion {
    /// First day in force: the one that the definition names, else that of the publication.
    pub fn starts_on(&self) -> Date {
        starts_on(&self.item, self.at)
    }
}

/// First day in force of a version that is published at this moment.
pub fn starts_on(item: &ItemVersion, published_at: OffsetDateTime) -> Date {
    item.effective_from
        .unwrap_or_else(|| shanghai_date(published_at))
}

/// The day of a retirement that is withdrawn: it never comes.
pub const RETIREMENT_WITHDRAWN: Date = date!(9999 - 12 - 31);

/// A decision about the end of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetirementDecision {
    /// Code of the item.
    pub code: ItemCode,
    /// First day on which no record of it is taken any more; [`RETIREMENT_WITHDRAWN`] withdraws the decision before it.
    pub from: Date,
    /// Why.
    pub reason: String,
    /// The item that takes its place.
    pub successor: Option<ItemCode>,
    /// When it was decided.
    pub at: OffsetDateTime,
}

/// All that was published of one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemHistory {
    /// The versions, oldest first.
    pub versions: Vec<PublishedItemVersion>,
    /// The newest decision about its end, be it a withdrawal; see [`Self::decided_retirement`].
    pub retirement: Option<RetirementDecision>,
}

/// State of a version on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemVersionState {
    /// For days to come.
    Upcoming,
    /// The one for records received on the day.
    InForce,
    /// A later one is in force.
    Superseded,
    /// The item has ended.
    Retired,
}

impl ItemHistory {
    /// The version in force on a day: the highest of those that have begun, unless the item has ended.
    pub fn in_force(&self, day: Date) -> Option<&PublishedItemVersion> {
        if self.has_ended(day) {
            return None;
        }
        self.latest_begun(day)
    }

    /// State of each version on a day, in the order of `versions`.
    pub fn states(&self, day: Date) -> Vec<ItemVersionState> {
        let ended = self.has_ended(day);
        let newest = self
            .latest_begun(day)
            .map_or(0, |published| published.item.version);
        let state = |published: &PublishedItemVersion| match published.item.version {
            version if version < newest => ItemVersionState::Superseded,
            _ if ended => ItemVersionState::Retired,
            version if version == newest => ItemVersionState::InForce,
            _ => ItemVersionState::Upcoming,
        };
        self.versions.iter().map(state).collect()
    }

    /// The highest version of all.
    pub fn latest(&self) -> Option<&PublishedItemVersion> {
        self.versions.last()
    }

    /// Its end, when it has been decided and not been withdrawn.
    pub fn decided_retirement(&self) -> Option<&RetirementDecision> {
        self.retirement
            .as_ref()
            .filter(|end| end.from != RETIREMENT_WITHDRAWN)
    }

    /// The version before this one.
    pub fn version_before(&self, version: u32) -> Option<&PublishedItemVersion> {
        self.versions.iter().rfind(|v| v.item.version < version)
    }

    fn latest_begun(&self, day: Date) -> Option<&PublishedItemVersion> {
        self.versions.iter().rfind(|v| v.starts_on() <= day)
    }

    fn has_ended(&self, day: Date) -> bool {
        self.retirement.as_ref().is_some_and(|end| end.from <= day)
    }
}

/// Which items a list shows; what is empty or none does not limit it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemFilter {
    /// `city`, `department` or `district`.
    pub catalogue: String,
    /// Organ whose catalogue they are in.
    pub organ: Option<ProviderCode>,
    /// Code of a district.
    pub district_code: String,
}

/// How an offered version relates to those that are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicationDecision {
    /// It is the next one: publish it.
    Next,
    /// It is published already, with this very content.
    Known,
}

/// Decides about a version that somebody offers, given all that was published of the same item.
///
/// # Errors
/// As [`decide_file_publication`]; or it is not the first and its first day lies before that of its publication, so
/// that it would judge what was reported before anybody could know it.
pub fn decide_publication(
    history: &ItemHistory,
    offered: &ItemVersion,
    now: OffsetDateTime,
) -> Result<PublicationDecision, CatalogRuleViolation> {
    let decided = decide_file_publication(history, offered, now)?;
    let today = shanghai_date(now);
    if decided == PublicationDecision::Next
        && offered.version > 1
        && starts_on(offered, now) < today
    {
        return Err(CatalogRuleViolation::new(
            Reason::ItemEffectivePast,
            "definition_toml.effective_from",
            "a version after the first takes effect on the day of its publication or later",
            format!("第2版起，适用日期不得早于发布当日（{today}）"),
        ));
    }
    Ok(decided)
}

/// Decides about a version of a data file, which may say that it was in force before it came here: the standard
/// items and what an operator lays down are editions that others published.
///
/// # Errors
/// It would change a published version, leave a gap, follow a retirement, name a predecessor that does not
/// exist or that is not before it, or begin before the version that it follows has.
pub fn decide_file_publication(
    history: &ItemHistory,
    offered: &ItemVersion,
    now: OffsetDateTime,
) -> Result<PublicationDecision, CatalogRuleViolation> {
    let (code, version) = (&offered.code, offered.version);
    let known = history
        .versions
        .iter()
        .find(|published| published.item.version == version);
    if let Some(known) = known {
        return if known.item == *offered {
            Ok(PublicationDecision::Known)
        } else {
            Err(CatalogRuleViolation::new(
                Reason::ItemVersionImmutable,
                "definition_toml.version",
                "a published version never changes",
                format!("目录项{code}第{version}版已发布且内容不同，已发布的版本不可更改"),
            ))
        };
    }
    // Until its day an item lives on, and has to follow the law.
    let today = shanghai_date(now);
    if let Some(end) = history.decided_retirement().filter(|end| end.from <= today) {
        return Err(CatalogRuleViolation::new(
            Reason::ItemRetired,
            "definition_toml.code",
            "an item that has ended gets no further version",
            format!("目录项{code}已自{}起停用，不再发布新版本", end.from),
        ));
    }
    let next = history
        .latest()
        .map_or(1, |latest| latest.item.version.saturating_add(1));
    if version != next {
        return Err(CatalogRuleViolation::new(
            Reason::ItemVersionGap,
            "definition_toml.version",
            "the version is the current one plus 1, or 1 for a new item",
            format!("目录项{code}的下一版应为第{next}版，不能发布第{version}版"),
        ));
    }
    check_predecessor(history, offered)?;
    check_effective_order(history, offered, now)?;
    Ok(PublicationDecision::Next)
}

/// A version maps records of an earlier one: that one is published and has the fields that are named.
/// Since a version only ever names a lower one, versions form no cycle.
fn check_predecessor(
    history: &ItemHistory,
    offered: &ItemVersion,
) -> Result<(), CatalogRuleViolation> {
    let Some(named) = &offered.predecessor else {
        return Ok(());
    };
    let broken = |field: String, rule, message: String| {
        CatalogRuleViolation::new(Reason::ItemPredecessorInvalid, field, rule, message)
    };
    let place = "definition_toml.predecessor";
    if named.version >= offered.version {
        return Err(broken(
            format!("{place}.version"),
            "the predecessor is a lower version, so that versions form no cycle",
            format!("前一版应小于第{}版", offered.version),
        ));
    }
    let Some(before) = history
        .versions
        .iter()
        .find(|published| published.item.version == named.version)
    else {
        return Err(broken(
            format!("{place}.version"),
            "the predecessor is a published version of the item",
            format!("没有已发布的第{}版", named.version),
        ));
    };
    let mapped = named.fields.iter().enumerate();
    let mapped = mapped.map(|(i, m)| (format!("{place}.fields[{i}].from"), m.from.as_str()));
    let dropped = named.dropped.iter().enumerate();
    let dropped = dropped.map(|(i, code)| (format!("{place}.dropped[{i}]"), code.as_str()));
    let conditions = named.constants.iter().enumerate();
    let conditions = conditions.filter_map(|(i, constant)| {
        let field = constant.when_given.as_deref()?;
        Some((format!("{place}.constants[{i}].when_given"), field))
    });
    for (path, code) in mapped.chain(dropped).chain(conditions) {
        if before.item.field(code).is_none() {
            return Err(broken(
                path,
                "a field of the predecessor",
                format!("第{}版没有字段{code}", named.version),
            ));
        }
    }
    Ok(())
}

/// A version begins after the one before it: strictly when it names its first day, and never before.
fn check_effective_order(
    history: &ItemHistory,
    offered: &ItemVersion,
    now: OffsetDateTime,
) -> Result<(), CatalogRuleViolation> {
    let Some(latest) = history.latest() else {
        return Ok(());
    };
    let (before, first) = (latest.starts_on(), starts_on(offered, now));
    let named = offered.effective_from.is_some();
    if before < first || (!named && before == first) {
        return Ok(());
    }
    Err(CatalogRuleViolation::new(
        Reason::ItemEffectiveReversed,
        "definition_toml.effective_from",
        "a version takes effect after the version before it",
        format!(
            "第{}版自{before}起适用，新版本的适用日期应晚于该日",
            latest.item.version
        ),
    ))
}

/// Decides about the end of an item. Until its day has come the decision may be moved, or be withdrawn with the day
/// [`RETIREMENT_WITHDRAWN`]; none is what was decided already. `successor` is what was published of the item that
/// takes its place.
///
/// # Errors
/// The item or its successor does not exist, has ended or is the same; the day has passed; there is nothing to
/// withdraw.
pub fn decide_retirement(
    history: &ItemHistory,
    asked: RetirementDecision,
    successor: Option<&ItemHistory>,
    today: Date,
) -> Result<Option<RetirementDecision>, CatalogRuleViolation> {
    let code = &asked.code;
    if history.versions.is_empty() {
        return Err(unknown_item("code", code.as_str()));
    }
    if let Some(known) = &history.retirement {
        let same = known.from == asked.from
            && known.reason == asked.reason
            && known.successor == asked.successor;
        if same {
            return Ok(None);
        }
        if known.from <= today {
            return Err(CatalogRuleViolation::new(
                Reason::ItemAlreadyRetired,
                "code",
                "what is decided about an item's end may be changed until its day",
                format!("目录项{code}已自{}起停用，不能再变更", known.from),
            ));
        }
    }
    let reason = given_text(
        &asked.reason,
        Reason::ReasonInvalid,
        "reason",
        MAX_REASON_CHARS,
    )?;
    if asked.from == RETIREMENT_WITHDRAWN {
        if history.decided_retirement().is_none() {
            return Err(CatalogRuleViolation::new(
                Reason::RetirementUnsuitable,
                "from_date",
                "9999-12-31 withdraws a retirement that is decided",
                format!("目录项{code}没有可撤销的停用决定"),
            ));
        }
        if asked.successor.is_some() {
            return Err(CatalogRuleViolation::new(
                Reason::RetirementInvalid,
                "successor_code",
                "an item that lives on has no successor",
                "撤销停用时不能填写替代目录项".to_owned(),
            ));
        }
        return Ok(Some(RetirementDecision { reason, ..asked }));
    }
    if asked.from < today {
        return Err(CatalogRuleViolation::new(
            Reason::RetirementInvalid,
            "from_date",
            "an item is retired from today or a later day on",
            "停用日期不能早于今天".to_owned(),
        ));
    }
    if let Some(next) = &asked.successor {
        let field = "successor_code";
        if next == code {
            return Err(CatalogRuleViolation::new(
                Reason::RetirementInvalid,
                field,
                "no item takes its own place",
                "替代目录项不能是其自身".to_owned(),
            ));
        }
        match successor {
            Some(found) if found.versions.is_empty() => {
                return Err(unknown_item(field, next.as_str()));
            }
            // A successor that has not ended leads nowhere further, so ends form no cycle.
            Some(found) if found.decided_retirement().is_none() => {}
            _ => {
                return Err(CatalogRuleViolation::new(
                    Reason::ItemRetired,
                    field,
                    "the successor is not retired itself, so that successors form no cycle",
                    format!("目录项{next}已停用，不能替代其他目录项"),
                ));
            }
        }
    }
    Ok(Some(RetirementDecision { reason, ..asked }))
}

/// There is no such item.
pub fn unknown_item(field: impl Into<Cow<'static, str>>, code: &str) -> CatalogRuleViolation {
    CatalogRuleViolation::new(
        Reason::ItemUnknown,
        field,
        "the item is published",
        format!("没有目录项{code}"),
    )
}

/// Why an item that a request needs in use is not among those that are.
pub fn explain_not_in_use(
    history: &ItemHistory,
    field: impl Into<Cow<'static, str>>,
    code: &ItemCode,
    today: Date,
) -> CatalogRuleViolation {
    if history.versions.is_empty() {
        return unknown_item(field, code.as_str());
    }
    if !history.has_ended(today) {
        // Published since the items in use were looked up.
        return overtaken_violation(field);
    }
    CatalogRuleViolation::new(
        Reason::ItemRetired,
        field,
        "an item that has not ended",
        format!("目录项{code}已停用"),
    )
}

/// Another change of the catalogue came in between.
pub fn overtaken_violation(field: impl Into<Cow<'static, str>>) -> CatalogRuleViolation {
    CatalogRuleViolation::new(
        Reason::Overtaken,
        field,
        "the catalogue stands still while a trigger is recorded",
        "目录正在变动，请稍后再次登记",
    )
}
