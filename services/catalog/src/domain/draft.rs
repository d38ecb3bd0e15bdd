//! The way of a draft (R-6). Called by `app`.
//!
//! ```text
//! DRAFT --submit--> SUBMITTED --publish--> PUBLISHED
//!   ^                  |
//!   |                return
//!   |                  v
//!   +-----save----- RETURNED          DRAFT, SUBMITTED, RETURNED --withdraw--> WITHDRAWN
//! ```

use credit_record::item::ItemOwner;
use record_ref::{ItemCode, ItemRef};
use serde::{Deserialize, Serialize};
use service_kit::reason::Reason;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{CatalogRuleViolation, MAX_REASON_CHARS, given_text};

/// Most reasons of one return.
pub const MAX_RETURN_REASONS: usize = 100;

/// Most drafts that one organisation has open at once.
pub const MAX_OPEN_DRAFTS: i64 = 100;

/// State of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemDraftState {
    /// Being written.
    Draft,
    /// Waits for the review of the credit office.
    Submitted,
    /// Given back with reasons.
    Returned,
    /// Became a version of its item.
    Published,
    /// Given up.
    Withdrawn,
}

impl ItemDraftState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Draft,
        Self::Submitted,
        Self::Returned,
        Self::Published,
        Self::Withdrawn,
    ];

    /// Stable name, as tables carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Returned => "returned",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Chinese name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Draft => "草稿",
            Self::Submitted => "待审核",
            Self::Returned => "已退回",
            Self::Published => "已发布",
            Self::Withdrawn => "已撤回",
        }
    }
}

/// What is done with a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DraftStep {
    /// Its definition is changed.
    Save,
    /// It is handed to the credit office.
    Submit,
    /// The credit office gives it back.
    Return,
    /// The credit office publishes it.
    Publish,
    /// It is given up.
    Withdraw,
}

impl DraftStep {
    /// All steps.
    pub const ALL: [Self; 5] = [
        Self::Save,
        Self::Submit,
        Self::Return,
        Self::Publish,
        Self::Withdraw,
    ];
}

/// The state after a step.
///
/// # Errors
/// The state has no such step.
pub fn apply_step(
    state: ItemDraftState,
    step: DraftStep,
) -> Result<ItemDraftState, CatalogRuleViolation> {
    let rule = match (state, step) {
        (ItemDraftState::Draft | ItemDraftState::Returned, DraftStep::Save) => {
            return Ok(ItemDraftState::Draft);
        }
        (ItemDraftState::Draft, DraftStep::Submit) => return Ok(ItemDraftState::Submitted),
        (ItemDraftState::Submitted, DraftStep::Return) => return Ok(ItemDraftState::Returned),
        (ItemDraftState::Submitted, DraftStep::Publish) => return Ok(ItemDraftState::Published),
        (
            ItemDraftState::Draft | ItemDraftState::Submitted | ItemDraftState::Returned,
            DraftStep::Withdraw,
        ) => {
            return Ok(ItemDraftState::Withdrawn);
        }
        (_, DraftStep::Save) => "a draft is changed while it is a draft or returned",
        (_, DraftStep::Submit) => "a draft is submitted once it is saved as a draft",
        (_, DraftStep::Return | DraftStep::Publish) => {
            "R-6: the credit office reviews what is submitted"
        }
        (_, DraftStep::Withdraw) => "what is published or withdrawn stays so",
    };
    Err(CatalogRuleViolation::new(
        Reason::DraftStateUnsuitable,
        "draft_id",
        rule,
        format!("草稿现为“{}”，不能进行此操作", state.label()),
    ))
}

/// A reason for which a draft comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftReturnReason {
    /// Path in the definition; may be empty.
    pub field: String,
    /// What is to be mended, Chinese.
    pub text: String,
}

/// Checks the reasons of a return: who gets a draft back learns why.
///
/// # Errors
/// There is none, there are too many, or one is blank.
pub fn check_reasons(
    given: Vec<DraftReturnReason>,
) -> Result<Vec<DraftReturnReason>, CatalogRuleViolation> {
    if given.is_empty() || given.len() > MAX_RETURN_REASONS {
        return Err(CatalogRuleViolation::new(
            Reason::DraftReasonsInvalid,
            "reasons",
            "R-6: a return has 1 to 100 reasons",
            "退回须说明理由（1至100条）",
        ));
    }
    for (i, reason) in given.iter().enumerate() {
        let in_place = |part: &str, broken: CatalogRuleViolation| CatalogRuleViolation {
            field: format!("reasons[{i}].{part}").into(),
            ..broken
        };
        given_text(
            &reason.text,
            Reason::ReasonInvalid,
            "reasons",
            MAX_REASON_CHARS,
        )
        .map_err(|broken| in_place("text", broken))?;
        if !reason.field.is_empty() {
            given_text(
                &reason.field,
                Reason::ReasonInvalid,
                "reasons",
                MAX_REASON_CHARS,
            )
            .map_err(|broken| in_place("field", broken))?;
        }
    }
    Ok(given)
}

/// What even an incomplete definition says: for which version of which item in whose catalogue it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftHeader {
    /// The version that it is to become.
    pub item: ItemRef,
    /// Whose catalogue it is for.
    pub owner: ItemOwner,
}

impl DraftHeader {
    /// Reads it from a definition in the form of the data files.
    ///
    /// # Errors
    /// It is no TOML, or lacks code or version, or they are none.
    pub fn parse(definition: &str) -> Result<Self, CatalogRuleViolation> {
        #[derive(Deserialize)]
        struct HeaderForm {
            code: String,
            version: u32,
            #[serde(default)]
            owner: ItemOwner,
        }
        let form: HeaderForm = toml::from_str(definition).map_err(|error| {
            CatalogRuleViolation::new(
                Reason::DefinitionUnreadable,
                "definition_toml",
                "a draft is TOML and names code, version and owner",
                format!(
                    "草稿须为TOML，并注明code、version和owner：{}",
                    error.message()
                ),
            )
        })?;
        let code = ItemCode::try_from(form.code.as_str()).map_err(|malformed| {
            let reason = match form.code.as_str() {
                "" => Reason::ItemCodeMissing,
                _ => Reason::ItemCodeInvalid,
            };
            CatalogRuleViolation::new(
                reason,
                "definition_toml.code",
                malformed.rule,
                "目录项代码只用小写字母、数字和连字符，最多64个",
            )
        })?;
        let item = ItemRef::new(code, form.version).map_err(|malformed| {
            CatalogRuleViolation::new(
                Reason::DefinitionInconsistent,
                "definition_toml.version",
                malformed.rule,
                "版本号从1开始，不超过2147483647",
            )
        })?;
        Ok(Self {
            item,
            owner: form.owner,
        })
    }
}

/// A draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemDraft {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub head: DraftHeader,
    /// The definition as it was written.
    pub definition: String,
    /// Its state.
    pub state: ItemDraftState,
    /// Grows with every change.
    pub revision: u64,
    /// Credit code of the organisation that began it.
    pub created_by: String,
    /// When it was begun.
    pub created_at: OffsetDateTime,
    /// When it was changed last.
    pub changed_at: OffsetDateTime,
    /// Reasons of the last return.
    pub reasons: Vec<DraftReturnReason>,
}

/// One step of a draft in its history, which is never deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftHistoryEntry {
    /// The state after it.
    pub state: ItemDraftState,
    /// The revision after it.
    pub revision: u64,
    /// When.
    pub at: OffsetDateTime,
    /// `<credit code>/<account>`.
    pub by: String,
    /// Reasons of a return.
    pub reasons: Vec<DraftReturnReason>,
    /// Note of a withdrawal.
    pub note: String,
}

/// What is wrong with a definition: path and rule of each fault.
pub type DefinitionFaults = Vec<(String, &'static str)>;

/// A draft as its author and the reviewer see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftDetail {
    /// The draft.
    pub draft: ItemDraft,
    /// What is wrong with its definition today; none once it is published or withdrawn.
    pub faults: DefinitionFaults,
    /// All its steps, oldest first.
    pub history: Vec<DraftHistoryEntry>,
}

/// Whether an organisation that has so many open drafts may begin one more.
///
/// # Errors
/// It may not.
pub fn may_begin(open: i64) -> Result<(), CatalogRuleViolation> {
    if open < MAX_OPEN_DRAFTS {
        return Ok(());
    }
    Err(CatalogRuleViolation::new(
        Reason::DraftsTooMany,
        "draft_id",
        "an organisation has at most 100 open drafts",
        format!("本单位未办结的草稿已达{MAX_OPEN_DRAFTS}份，请先提交发布或撤回"),
    ))
}

/// There is no such draft, or the caller may not see it.
pub fn unknown_draft() -> CatalogRuleViolation {
    CatalogRuleViolation::new(
        Reason::DraftUnknown,
        "draft_id",
        "a draft that the caller may see",
        "没有该草稿",
    )
}
