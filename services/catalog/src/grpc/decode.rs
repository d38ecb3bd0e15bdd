//! Requests of `credit.catalog.v1` as what the use cases take. Called by `grpc`.

use proto::credit::catalog::v1::{
    Catalogue, DraftState, DutyFilter, ExportFormat, ListItemsRequest, ProviderLevel,
    RecordTriggerRequest, RegisterProviderRequest, RetireItemRequest, ReturnReason,
    SaveDraftRequest, TriggerKind,
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    app::{drafts::Save, exports::Format},
    domain::{
        RuleBroken,
        contact::Contacts,
        draft::{self, Reason, State},
        duty::{self, Trigger},
        given_day,
        provider::{LevelKind, Registration, Said},
        version::Retirement,
    },
    error::CatalogError,
    store::{duties::Part, items::ItemFilter},
};

pub(super) fn day(text: &str, field: &'static str) -> Result<Option<Date>, CatalogError> {
    Ok(given_day(text, "DATE_INVALID", field)?)
}

pub(super) fn item_filter(request: &ListItemsRequest) -> ItemFilter {
    let catalogue = match request.catalogue() {
        Catalogue::Unspecified => "",
        Catalogue::City => "city",
        Catalogue::Department => "department",
        Catalogue::District => "district",
    };
    ItemFilter {
        catalogue: catalogue.to_owned(),
        organ: request.organ.clone(),
        district_code: request.district_code.clone(),
    }
}

pub(super) fn retirement(request: &RetireItemRequest) -> Result<Retirement, CatalogError> {
    const REASON: &str = "RETIREMENT_INVALID";
    let from = given_day(&request.from_date, REASON, "from_date")?.ok_or_else(|| {
        RuleBroken::invalid(
            REASON,
            "from_date",
            "a retirement names its first day",
            "须注明停用日期",
        )
    })?;
    Ok(Retirement {
        code: request.code.clone(),
        from,
        reason: request.reason.clone(),
        successor: Some(request.successor_code.clone()).filter(|code| !code.is_empty()),
        at: OffsetDateTime::UNIX_EPOCH,
    })
}

pub(super) fn export_format(format: ExportFormat) -> Result<Format, CatalogError> {
    match format {
        ExportFormat::JsonSchema => Ok(Format::JsonSchema),
        ExportFormat::CsvHeader => Ok(Format::CsvHeader),
        ExportFormat::Xlsx => Ok(Format::Xlsx),
        ExportFormat::Unspecified => Err(RuleBroken::invalid(
            "EXPORT_FORMAT_INVALID",
            "format",
            "a format of the enum ExportFormat",
            "须注明导出格式：JSON Schema、CSV表头或Excel模板",
        )
        .into()),
    }
}

pub(super) fn save(request: &SaveDraftRequest) -> Result<Save<'_>, CatalogError> {
    Ok(Save {
        draft: match request.draft_id.as_str() {
            "" => None,
            id => Some(draft_id(id)?),
        },
        definition: &request.definition_toml,
        revision: request.revision,
    })
}

pub(super) fn draft_id(text: &str) -> Result<Uuid, CatalogError> {
    // What is no id names no draft.
    Ok(Uuid::parse_str(text).map_err(|_| draft::unknown())?)
}

pub(super) fn duty_id(text: &str) -> Result<Uuid, CatalogError> {
    Ok(Uuid::parse_str(text).map_err(|_| duty::unknown())?)
}

pub(super) fn reasons(given: Vec<ReturnReason>) -> Vec<Reason> {
    let reason = |ReturnReason { field, text }| Reason { field, text };
    given.into_iter().map(reason).collect()
}

pub(super) fn draft_state(state: DraftState) -> Option<State> {
    match state {
        DraftState::Unspecified => None,
        DraftState::Draft => Some(State::Draft),
        DraftState::Submitted => Some(State::Submitted),
        DraftState::Returned => Some(State::Returned),
        DraftState::Published => Some(State::Published),
        DraftState::Withdrawn => Some(State::Withdrawn),
    }
}

pub(super) fn duty_part(filter: DutyFilter) -> Part {
    match filter {
        DutyFilter::Unspecified => Part::All,
        DutyFilter::Open => Part::Open,
        DutyFilter::Overdue => Part::Overdue,
        DutyFilter::Closed => Part::Ended,
    }
}

pub(super) fn trigger(
    request: &RecordTriggerRequest,
    today: Date,
) -> Result<Trigger, CatalogError> {
    const REASON: &str = "TRIGGER_INVALID";
    let kind = match request.kind() {
        TriggerKind::Unspecified => None,
        TriggerKind::LawAmended => Some(duty::TriggerKind::LawAmended),
        TriggerKind::FunctionsChanged => Some(duty::TriggerKind::FunctionsChanged),
    };
    Ok(Trigger::new(
        kind,
        &request.document_title,
        &request.document_number,
        given_day(&request.promulgated_on, REASON, "promulgated_on")?,
        given_day(&request.effective_on, REASON, "effective_on")?,
        &request.effective_reason,
        today,
    )?)
}

pub(super) fn registration(
    request: &RegisterProviderRequest,
) -> Result<(Registration, Option<Contacts>), CatalogError> {
    const VALIDITY: &str = "PROVIDER_VALIDITY_INVALID";
    let provider = request.provider.as_ref().ok_or_else(|| {
        RuleBroken::invalid(
            "PROVIDER_MISSING",
            "provider",
            "the request holds a provider",
            "缺少提供主体信息",
        )
    })?;
    let level = match provider.level() {
        ProviderLevel::Unspecified => None,
        ProviderLevel::City => Some(LevelKind::City),
        ProviderLevel::District => Some(LevelKind::District),
    };
    let registration = Registration::new(Said {
        code: &provider.code,
        name: &provider.name,
        level,
        district_code: &provider.district_code,
        enabled: provider.enabled,
        parent_code: &provider.parent_code,
        valid_from: given_day(&provider.valid_from, VALIDITY, "provider.valid_from")?,
        valid_until: given_day(&provider.valid_until, VALIDITY, "provider.valid_until")?,
    })?;
    let contacts = provider
        .contacts
        .as_ref()
        .map(|c| Contacts::new(&c.office, &c.person, &c.phone, &c.email))
        .transpose()?;
    Ok((registration, contacts))
}
