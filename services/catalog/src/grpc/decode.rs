//! Requests of `credit.catalog.v1` as domain values. Called by `grpc`.

use proto::credit::catalog::v1::{
    Catalogue, DraftState, DutyFilter, ExportFormat, GetItemRequest, ListDraftsRequest,
    ListDutiesRequest, ListItemsRequest, ProviderLevel, RecordTriggerRequest,
    RegisterProviderRequest, RetireItemRequest, ReturnReason, SaveDraftRequest, TriggerKind,
};
use record_ref::{ItemCode, ProviderCode};
use service_kit::{
    error::Refusal,
    page::Page,
    reason::Reason,
    request::{decode_day, decode_id, decode_item_code, decode_optional_day, decode_provider_code},
};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    app::{
        drafts::{DraftInput, DraftListQuery},
        duties::{DutyListQuery, TriggerScope},
        exports::ItemFileFormat,
    },
    domain::{
        contact::Contacts,
        draft::{DraftReturnReason, ItemDraftState},
        duty::{self, DutySelection, Trigger},
        page::{DraftKey, DutyKey, PAGE_SIZES},
        provider::{OrganLevelKind, ProviderRegistration, RegistrationInput},
        version::{ItemFilter, RetirementDecision},
    },
};

/// The item that a request names.
pub(super) fn item_code(code: &str) -> Result<ItemCode, Refusal> {
    decode_item_code("code", code)
}

/// An item that may be left out.
fn optional_item(field: &'static str, code: &str) -> Result<Option<ItemCode>, Refusal> {
    match code {
        "" => Ok(None),
        code => decode_item_code(field, code).map(Some),
    }
}

/// The organ whose catalogue is meant, which may be left out.
fn organ(code: &str) -> Result<Option<ProviderCode>, Refusal> {
    match code {
        "" => Ok(None),
        code => decode_provider_code("organ", code).map(Some),
    }
}

/// The day that an item is asked for; today when none is named.
pub(super) fn item_day(request: &GetItemRequest, today: Date) -> Result<Date, Refusal> {
    Ok(decode_optional_day("on_date", &request.on_date)?.unwrap_or(today))
}

/// The filter of a list of items.
pub(super) fn item_filter(request: &ListItemsRequest) -> Result<ItemFilter, Refusal> {
    let catalogue = match request.catalogue() {
        Catalogue::Unspecified => "",
        Catalogue::City => "city",
        Catalogue::Department => "department",
        Catalogue::District => "district",
    };
    Ok(ItemFilter {
        catalogue: catalogue.to_owned(),
        organ: organ(&request.organ)?,
        district_code: request.district_code.clone(),
    })
}

/// The decision that is asked for at this moment.
pub(super) fn retirement_decision(
    request: &RetireItemRequest,
    at: OffsetDateTime,
) -> Result<RetirementDecision, Refusal> {
    let from = decode_day("from_date", &request.from_date)?;
    Ok(RetirementDecision {
        code: item_code(&request.code)?,
        from,
        reason: request.reason.clone(),
        successor: optional_item("successor_code", &request.successor_code)?,
        at,
    })
}

pub(super) fn export_format(format: ExportFormat) -> Result<ItemFileFormat, Refusal> {
    match format {
        ExportFormat::JsonSchema => Ok(ItemFileFormat::JsonSchema),
        ExportFormat::CsvHeader => Ok(ItemFileFormat::CsvHeader),
        ExportFormat::Xlsx => Ok(ItemFileFormat::Xlsx),
        ExportFormat::Unspecified => Err(Refusal::new(
            Reason::ExportFormatInvalid,
            "format",
            "a format of the enum ExportFormat",
            "须注明导出格式：JSON Schema、CSV表头或Excel模板",
        )),
    }
}

pub(super) fn draft_input(request: &SaveDraftRequest) -> Result<DraftInput<'_>, Refusal> {
    Ok(DraftInput {
        draft: match request.draft_id.as_str() {
            "" => None,
            id => Some(draft_id(id)?),
        },
        definition: &request.definition_toml,
        revision: request.revision,
    })
}

pub(super) fn draft_id(text: &str) -> Result<Uuid, Refusal> {
    decode_id(Reason::DraftIdInvalid, "draft_id", text)
}

pub(super) fn duty_id(text: &str) -> Result<Uuid, Refusal> {
    decode_id(Reason::DutyIdInvalid, "duty_id", text)
}

pub(super) fn return_reasons(given: Vec<ReturnReason>) -> Vec<DraftReturnReason> {
    let reason = |ReturnReason { field, text }| DraftReturnReason { field, text };
    given.into_iter().map(reason).collect()
}

pub(super) fn draft_list(
    request: &ListDraftsRequest,
) -> Result<(DraftListQuery, Page<DraftKey>), Refusal> {
    let page = Page::from_request(PAGE_SIZES, request.page_size, &request.page_token)?;
    let query = DraftListQuery {
        state: draft_state(request.state()),
        organ: organ(&request.organ)?,
    };
    Ok((query, page))
}

fn draft_state(state: DraftState) -> Option<ItemDraftState> {
    match state {
        DraftState::Unspecified => None,
        DraftState::Draft => Some(ItemDraftState::Draft),
        DraftState::Submitted => Some(ItemDraftState::Submitted),
        DraftState::Returned => Some(ItemDraftState::Returned),
        DraftState::Published => Some(ItemDraftState::Published),
        DraftState::Withdrawn => Some(ItemDraftState::Withdrawn),
    }
}

pub(super) fn duty_list(
    request: &ListDutiesRequest,
) -> Result<(DutyListQuery, Page<DutyKey>), Refusal> {
    let page = Page::from_request(PAGE_SIZES, request.page_size, &request.page_token)?;
    let query = DutyListQuery {
        part: duty_selection(request.filter()),
        organ: organ(&request.organ)?,
        item_code: optional_item("item_code", &request.item_code)?,
    };
    Ok((query, page))
}

fn duty_selection(filter: DutyFilter) -> DutySelection {
    match filter {
        DutyFilter::Unspecified => DutySelection::All,
        DutyFilter::Open => DutySelection::Open,
        DutyFilter::Overdue => DutySelection::Overdue,
        DutyFilter::Closed => DutySelection::Ended,
    }
}

/// The trigger, and what it affects.
pub(super) fn decode_trigger(
    request: &RecordTriggerRequest,
    today: Date,
) -> Result<(Trigger, TriggerScope), Refusal> {
    let kind = match request.kind() {
        TriggerKind::Unspecified => None,
        TriggerKind::LawAmended => Some(duty::TriggerKind::LawAmended),
        TriggerKind::FunctionsChanged => Some(duty::TriggerKind::FunctionsChanged),
    };
    let trigger = Trigger::new(
        kind,
        &request.document_title,
        &request.document_number,
        decode_day("promulgated_on", &request.promulgated_on)?,
        decode_optional_day("effective_on", &request.effective_on)?,
        &request.effective_reason,
        today,
    )?;
    let named = request.item_codes.iter().enumerate();
    let affects = TriggerScope {
        item_codes: named
            .map(|(i, code)| {
                decode_item_code("item_codes", code).map_err(|refused| Refusal {
                    field: format!("item_codes[{i}]"),
                    ..refused
                })
            })
            .collect::<Result<_, _>>()?,
        organ: organ(&request.organ)?,
    };
    Ok((trigger, affects))
}

/// The registration; contacts where some are given.
pub(super) fn decode_registration(
    request: &RegisterProviderRequest,
) -> Result<(ProviderRegistration, Option<Contacts>), Refusal> {
    let provider = request.provider.as_ref().ok_or_else(|| {
        Refusal::new(
            Reason::ProviderMissing,
            "provider",
            "the request holds a provider",
            "缺少提供主体信息",
        )
    })?;
    let level = match provider.level() {
        ProviderLevel::Unspecified => None,
        ProviderLevel::City => Some(OrganLevelKind::City),
        ProviderLevel::District => Some(OrganLevelKind::District),
    };
    let registration = ProviderRegistration::new(RegistrationInput {
        code: &provider.code,
        name: &provider.name,
        level,
        district_code: &provider.district_code,
        enabled: provider.enabled,
        parent_code: &provider.parent_code,
        valid_from: decode_optional_day("provider.valid_from", &provider.valid_from)?,
        valid_until: decode_optional_day("provider.valid_until", &provider.valid_until)?,
    })?;
    let contacts = provider
        .contacts
        .as_ref()
        .map(|c| Contacts::new(&c.office, &c.person, &c.phone, &c.email))
        .transpose()?;
    Ok((registration, contacts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_no_uuid_is_refused_as_such() {
        let reason = |refused: Result<Uuid, Refusal>| refused.unwrap_err().reason;
        for text in ["", "x", "00000000-0000-0000-0000-00000000000"] {
            assert_eq!(reason(draft_id(text)), Reason::DraftIdInvalid, "{text}");
            assert_eq!(reason(duty_id(text)), Reason::DutyIdInvalid, "{text}");
        }
        let known = Uuid::from_u128(7);
        assert_eq!(draft_id(&known.to_string()), Ok(known));
    }

    #[test]
    fn a_day_that_is_none_is_one_mistake_whatever_it_is_for() {
        let item = GetItemRequest {
            on_date: "x".to_owned(),
            ..GetItemRequest::default()
        };
        let retirement = RetireItemRequest {
            code: "xzcf".to_owned(),
            from_date: "tomorrow".to_owned(),
            ..RetireItemRequest::default()
        };
        let trigger = RecordTriggerRequest {
            kind: TriggerKind::LawAmended.into(),
            document_title: "某法".to_owned(),
            document_number: "一号".to_owned(),
            promulgated_on: "2026-02-29".to_owned(),
            ..RecordTriggerRequest::default()
        };
        let provider = proto::credit::catalog::v1::Provider {
            valid_until: "1月1日".to_owned(),
            ..Default::default()
        };
        let registration = RegisterProviderRequest {
            provider: Some(provider),
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        let refused = [
            item_day(&item, now.date()).unwrap_err(),
            retirement_decision(&retirement, now).unwrap_err(),
            decode_trigger(&trigger, now.date()).unwrap_err(),
            decode_registration(&registration).unwrap_err(),
        ];
        let said = refused.map(|refused| (refused.reason, refused.field));
        let fields = [
            "on_date",
            "from_date",
            "promulgated_on",
            "provider.valid_until",
        ];
        let expected = fields.map(|field| (Reason::DateInvalid, field.to_owned()));
        assert_eq!(said, expected);
    }

    #[test]
    fn a_filter_that_is_no_code_is_refused_and_an_empty_one_limits_nothing() {
        let refused = |reason, field: &str, refused: Option<Refusal>| {
            let said = refused.map(|refused| (refused.reason, refused.field));
            assert_eq!(said, Some((reason, field.to_owned())));
        };
        let organ = "1143010000612345".to_owned();
        let items = ListItemsRequest {
            organ: organ.clone(),
            ..ListItemsRequest::default()
        };
        let drafts = ListDraftsRequest {
            organ: organ.clone(),
            ..ListDraftsRequest::default()
        };
        let mut duties = ListDutiesRequest {
            organ,
            ..ListDutiesRequest::default()
        };
        let reason = Reason::CreditCodeInvalid;
        refused(reason, "organ", item_filter(&items).err());
        refused(reason, "organ", draft_list(&drafts).err());
        refused(reason, "organ", duty_list(&duties).err());
        duties.organ.clear();
        duties.item_code = "XZCF".to_owned();
        let reason = Reason::ItemCodeInvalid;
        refused(reason, "item_code", duty_list(&duties).err());
        let (all, _) = duty_list(&ListDutiesRequest::default()).unwrap();
        assert_eq!((all.organ, all.item_code), (None, None));
        assert_eq!(
            item_filter(&ListItemsRequest::default()),
            Ok(ItemFilter::default())
        );
    }

    #[test]
    fn pages_over_the_limit_and_tokens_of_another_list_are_refused() {
        let drafts = |page_size, page_token: &str| {
            let request = ListDraftsRequest {
                page_size,
                page_token: page_token.to_owned(),
                ..ListDraftsRequest::default()
            };
            draft_list(&request).map(|(_, page)| page)
        };
        let duties = |page_size, page_token: &str| {
            let request = ListDutiesRequest {
                page_size,
                page_token: page_token.to_owned(),
                ..ListDutiesRequest::default()
            };
            duty_list(&request).map(|(_, page)| page)
        };
        assert_eq!(drafts(0, "").unwrap().size, 50);
        assert_eq!(duties(200, "").unwrap().size, 200);
        let large = [
            drafts(201, "").unwrap_err(),
            duties(u32::MAX, "").unwrap_err(),
        ];
        for refused in large {
            assert_eq!(refused.reason, Reason::PageSizeInvalid);
            assert!(refused.message.contains("200"), "{}", refused.message);
        }
        let last = DraftKey {
            changed_at: OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(1),
            draft_id: Uuid::from_u128(7),
        };
        let token = drafts(1, "")
            .unwrap()
            .truncate_rows(&mut vec![last, last], |key| *key);
        assert_eq!(drafts(1, &token).unwrap().after, last);
        assert_eq!(
            duties(1, &token).unwrap_err().reason,
            Reason::PageTokenInvalid
        );
    }
}
