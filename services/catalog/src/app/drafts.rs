//! Drafts and their review. Called by `grpc`.

use credit_record::item::ItemVersion;
use proto::credit::catalog::events::v1::{
    DraftPublished, DraftReturned, DraftSaved, DraftSubmitted, DraftWithdrawn,
};
use record_ref::ProviderCode;
use service_kit::{db::Conn, page::Page, reason::Reason};
use time::Date;
use uuid::Uuid;

use super::{ActionContext, CatalogOutcome, append_events, check_definition_size, id_bytes, items};
use crate::{
    domain::{
        CatalogRuleViolation, MAX_REASON_CHARS,
        draft::{
            self, DefinitionFaults, DraftDetail, DraftHeader, DraftReturnReason, DraftStep,
            ItemDraft, ItemDraftState,
        },
        given_text,
        page::DraftKey,
        rights::{self, CatalogActor},
        version::{self, ItemHistory, PublicationDecision},
    },
    error::CatalogError,
    store::{self, drafts::DraftListFilter},
};

const SAVING: &str = "保存草稿";
const READING: &str = "读取草稿";

/// The event of a step of a draft: the fields that all steps share, and those of this step.
macro_rules! fact {
    ($event:ident, $draft:expr $(, $more:ident: $value:expr)*) => {
        $event {
            draft_id: id_bytes($draft.id),
            item_code: $draft.head.item.code.as_str().to_owned(),
            item_version: $draft.head.item.version(),
            catalogue: $draft.head.owner.as_str().to_owned(),
            organ: $draft.head.owner.organ().to_owned(),
            district_code: $draft.head.owner.district().to_owned(),
            revision: $draft.revision,
            $($more: $value,)*
        }
    };
}

/// What is saved.
#[derive(Debug, Clone, Copy)]
pub struct DraftInput<'a> {
    /// The draft that is changed; none for a new one.
    pub draft: Option<Uuid>,
    /// The definition.
    pub definition: &'a str,
    /// Revision that the caller changed.
    pub revision: u64,
}

/// Saves a draft. It may be incomplete; whose catalogue it is for is checked at once.
///
/// # Errors
/// The caller may not write for that catalogue, or the draft was changed meanwhile or is submitted; or the
/// database fails.
pub async fn save_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    save: DraftInput<'_>,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<DraftDetail>, CatalogError> {
    check_definition_size(save.definition)?;
    if save.draft.is_none() {
        check_open_drafts(conn, &actor.organisation).await?;
    }
    let head = DraftHeader::parse(save.definition)?;
    let current = match save.draft {
        Some(id) => Some(lock_visible_draft(conn, actor, id, act.today()).await?),
        None => None,
    };
    if let Some(current) = &current {
        actor.may_draft(&current.head.owner, act.today())?;
    }
    actor.may_draft(&head.owner, act.today())?;
    items::check_catalogue(conn, &head.owner, act.today()).await?;
    // An item of another catalogue is not taken over by a draft.
    let history = items::load_history(conn, head.item.code.as_str()).await?;
    if let Some(latest) = history.latest() {
        actor.may_draft(&latest.item.owner, act.today())?;
    }
    let next = match current {
        None => ItemDraft {
            id: Uuid::new_v4(),
            head,
            definition: save.definition.to_owned(),
            state: ItemDraftState::Draft,
            revision: 1,
            created_by: actor.organisation.clone(),
            created_at: act.at,
            changed_at: act.at,
            reasons: Vec::new(),
        },
        Some(current) => {
            let state = draft::apply_step(current.state, DraftStep::Save)?;
            if current.revision != save.revision {
                return Err(CatalogRuleViolation::new(
                    Reason::DraftChanged,
                    "revision",
                    "who changes a draft has seen its newest revision",
                    format!("草稿已有第{}次修改，请重新读取后再改", current.revision),
                )
                .into());
            }
            if current.state == state && current.definition == save.definition {
                return Ok(CatalogOutcome::unchanged(
                    load_draft_detail(conn, current, act).await?,
                ));
            }
            ItemDraft {
                head,
                definition: save.definition.to_owned(),
                ..next_revision(current, state, act)
            }
        }
    };
    store_draft(conn, &next, act, "").await?;
    append_events(conn, &[act.new_event(&fact!(DraftSaved, next))], SAVING).await?;
    Ok(CatalogOutcome::changed(
        load_draft_detail(conn, next, act).await?,
    ))
}

/// Checks that the organisation may begin one more draft. The count is made under a lock, so two that begin at once
/// cannot both pass the limit.
async fn check_open_drafts(conn: &mut Conn, organisation: &str) -> Result<(), CatalogError> {
    store::acquire_advisory_locks(conn, &[format!("drafts {organisation}")])
        .await
        .map_err(CatalogError::database(SAVING))?;
    let open = store::drafts::count_open_drafts(conn, organisation)
        .await
        .map_err(CatalogError::database(SAVING))?;
    Ok(draft::may_begin(open)?)
}

/// Hands a draft to the credit office: it has to be complete, for a catalogue that exists, and the next
/// version of its item.
///
/// # Errors
/// It is not, or the caller may not; or the database fails.
pub async fn submit_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    id: Uuid,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<DraftDetail>, CatalogError> {
    let current = lock_visible_draft(conn, actor, id, act.today()).await?;
    actor.may_draft(&current.head.owner, act.today())?;
    let state = draft::apply_step(current.state, DraftStep::Submit)?;
    check_publishable(conn, &current, act).await?;
    let next = next_revision(current, state, act);
    store_draft(conn, &next, act, "").await?;
    store::drafts::insert_submission(conn, &next)
        .await
        .map_err(CatalogError::database(SAVING))?;
    let event = fact!(DraftSubmitted, next);
    append_events(conn, &[act.new_event(&event)], SAVING).await?;
    Ok(CatalogOutcome::changed(
        load_draft_detail(conn, next, act).await?,
    ))
}

/// Reads a draft's definition and checks that it could be published now.
async fn check_publishable(
    conn: &mut Conn,
    draft: &ItemDraft,
    act: ActionContext<'_>,
) -> Result<ItemVersion, CatalogError> {
    let item = items::read_definition(&mut *conn, &draft.definition).await?;
    items::check_owner(conn, &item, act.today()).await?;
    let history = items::load_history(conn, &item.code).await?;
    let offer = version::decide_publication(&history, &item, act.at)?;
    check_same_catalogue(&history, &item)?;
    match offer {
        PublicationDecision::Next => Ok(item),
        PublicationDecision::Known => Err(CatalogRuleViolation::new(
            Reason::ItemVersionKnown,
            "definition_toml.version",
            "a draft is for a version that is not published yet",
            format!("目录项{}第{}版已按此内容发布", item.code, item.version),
        )
        .into()),
    }
}

/// An item of another catalogue is not taken over by a draft, whatever was published since the draft was saved.
fn check_same_catalogue(
    history: &ItemHistory,
    item: &ItemVersion,
) -> Result<(), CatalogRuleViolation> {
    let before = history
        .version_before(item.version)
        .map(|found| &found.item.owner);
    rights::same_catalogue(before, &item.owner)
}

/// The credit office gives a draft back, with reasons.
///
/// # Errors
/// It is not submitted, is that of the reviewer's own organ or was begun by it, or a reason is missing; or the
/// database fails.
pub async fn return_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    id: Uuid,
    reasons: Vec<DraftReturnReason>,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<DraftDetail>, CatalogError> {
    let reasons = draft::check_reasons(reasons)?;
    let current = lock_visible_draft(conn, actor, id, act.today()).await?;
    actor.may_review_draft(&current.head.owner, &current.created_by)?;
    let state = draft::apply_step(current.state, DraftStep::Return)?;
    let next = ItemDraft {
        reasons,
        ..next_revision(current, state, act)
    };
    store_draft(conn, &next, act, "").await?;
    let event =
        fact!(DraftReturned, next, reasons: next.reasons.iter().map(|r| r.text.clone()).collect());
    append_events(conn, &[act.new_event(&event)], SAVING).await?;
    Ok(CatalogOutcome::changed(
        load_draft_detail(conn, next, act).await?,
    ))
}

/// The credit office publishes a draft: version, end of duties, state of the draft and all their events
/// are one transaction.
///
/// # Errors
/// It is not submitted, is that of the reviewer's own organ or was begun by it, or cannot be published any more; or
/// the database fails.
pub async fn publish_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    id: Uuid,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<(DraftDetail, ItemVersion)>, CatalogError> {
    let current = lock_visible_draft(conn, actor, id, act.today()).await?;
    actor.may_review_draft(&current.head.owner, &current.created_by)?;
    let state = draft::apply_step(current.state, DraftStep::Publish)?;
    let item = items::read_definition(&mut *conn, &current.definition).await?;
    // Under the lock of the item nobody publishes another version between this check and the publication.
    items::lock_items(conn, [item.code.as_str()], SAVING).await?;
    check_same_catalogue(&items::load_history(conn, &item.code).await?, &item)?;
    // A version that was published meanwhile with this very content is what the draft asked for.
    items::publish_item_version(conn, &item, Some(actor), act).await?;
    let next = next_revision(current, state, act);
    store_draft(conn, &next, act, "").await?;
    let event = fact!(DraftPublished, next);
    append_events(conn, &[act.new_event(&event)], SAVING).await?;
    Ok(CatalogOutcome::changed((
        load_draft_detail(conn, next, act).await?,
        item,
    )))
}

/// Withdraws a draft; it stays on record.
///
/// # Errors
/// It is published or withdrawn already, or the caller may not; or the database fails.
pub async fn withdraw_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    id: Uuid,
    note: &str,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<DraftDetail>, CatalogError> {
    if !note.is_empty() {
        given_text(note, Reason::ReasonInvalid, "reason", MAX_REASON_CHARS)?;
    }
    let current = lock_visible_draft(conn, actor, id, act.today()).await?;
    actor.may_draft(&current.head.owner, act.today())?;
    let state = draft::apply_step(current.state, DraftStep::Withdraw)?;
    let next = next_revision(current, state, act);
    store_draft(conn, &next, act, note).await?;
    let event = fact!(DraftWithdrawn, next);
    append_events(conn, &[act.new_event(&event)], SAVING).await?;
    Ok(CatalogOutcome::changed(
        load_draft_detail(conn, next, act).await?,
    ))
}

/// One draft with its faults today and its history.
///
/// # Errors
/// There is none that the caller may see, or the database fails.
pub async fn get_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    id: Uuid,
    act: ActionContext<'_>,
) -> Result<DraftDetail, CatalogError> {
    let found = store::drafts::load_draft(conn, id)
        .await
        .map_err(CatalogError::database(READING))?;
    let found = only_visible(actor, found, act.today())?;
    load_draft_detail(conn, found, act).await
}

/// The draft with its faults and its history.
async fn load_draft_detail(
    conn: &mut Conn,
    draft: ItemDraft,
    act: ActionContext<'_>,
) -> Result<DraftDetail, CatalogError> {
    let history = store::drafts::list_draft_history(conn, draft.id)
        .await
        .map_err(CatalogError::database(READING))?;
    Ok(DraftDetail {
        faults: find_draft_faults(conn, &draft, act).await?,
        draft,
        history,
    })
}

/// What is wrong with a draft that is still open today, so that its author need not submit it to learn it.
async fn find_draft_faults(
    conn: &mut Conn,
    draft: &ItemDraft,
    act: ActionContext<'_>,
) -> Result<DefinitionFaults, CatalogError> {
    if matches!(
        draft.state,
        ItemDraftState::Published | ItemDraftState::Withdrawn
    ) {
        return Ok(DefinitionFaults::new());
    }
    match check_publishable(conn, draft, act).await {
        Ok(_) => Ok(DefinitionFaults::new()),
        Err(error) => match error.faults() {
            faults if faults.is_empty() => Err(error),
            faults => Ok(faults),
        },
    }
}

/// The filters of a list of drafts.
#[derive(Debug, Clone, Copy)]
pub struct DraftListQuery {
    /// Only those in this state.
    pub state: Option<ItemDraftState>,
    /// Only those for the catalogue of this organ.
    pub organ: Option<ProviderCode>,
}

/// The drafts that the caller may see, latest change first, and the token of the next page.
///
/// # Errors
/// The database fails.
pub async fn list_drafts(
    conn: &mut Conn,
    actor: &CatalogActor,
    query: DraftListQuery,
    page: &Page<DraftKey>,
    today: Date,
) -> Result<(Vec<ItemDraft>, String), CatalogError> {
    let filter = DraftListFilter {
        scope: actor.scope(today),
        state: query.state,
        organ: query.organ,
        after: page.after,
        limit: page.limit(),
    };
    let mut found = store::drafts::list_drafts(conn, &filter)
        .await
        .map_err(CatalogError::database(READING))?;
    let token = page.truncate_rows(&mut found, |draft| DraftKey {
        changed_at: draft.changed_at,
        draft_id: draft.id,
    });
    Ok((found, token))
}

async fn lock_visible_draft(
    conn: &mut Conn,
    actor: &CatalogActor,
    id: Uuid,
    today: Date,
) -> Result<ItemDraft, CatalogError> {
    let found = store::drafts::lock_draft(conn, id)
        .await
        .map_err(CatalogError::database(SAVING))?;
    Ok(only_visible(actor, found, today)?)
}

/// The draft if the caller may see it: within its scope, or begun by its organisation.
fn only_visible(
    actor: &CatalogActor,
    found: Option<ItemDraft>,
    today: Date,
) -> Result<ItemDraft, CatalogRuleViolation> {
    let scope = actor.scope(today);
    let own = |draft: &ItemDraft| !scope.organ.is_empty() && draft.created_by == scope.organ;
    found
        .filter(|draft| scope.includes(&draft.head.owner) || own(draft))
        .ok_or_else(draft::unknown_draft)
}

fn next_revision(current: ItemDraft, state: ItemDraftState, act: ActionContext<'_>) -> ItemDraft {
    ItemDraft {
        state,
        revision: current.revision + 1,
        changed_at: act.at,
        ..current
    }
}

async fn store_draft(
    conn: &mut Conn,
    draft: &ItemDraft,
    act: ActionContext<'_>,
    note: &str,
) -> Result<(), CatalogError> {
    store::drafts::upsert_draft(conn, draft, act.by, note)
        .await
        .map_err(CatalogError::database(SAVING))
}
