//! Requests of `credit.validation.v1` as what the use cases take, and who asks. Called by `grpc`.

use credit_record::ContentForm;
use proto::credit::validation::v1::{
    ConfirmRecordRequest, DryRunRecord, GetVerdictRequest, ListFeedbackRequest,
};
use record_ref::{ItemCode, ProviderCode, VersionId};
use service_kit::{
    error::Refusal,
    identity::{Principal, Role},
    page::Page,
};
use uuid::Uuid;

use crate::{
    app::{
        dry_run::{MOST_RECORDS, TrialRecord},
        feedback::{FeedbackQuery, FeedbackScope, Own},
    },
    domain::{
        confirmation::NamedAttestation,
        page::{CasePosition, PAGE_SIZES},
    },
    error::{TrialFault, ValidationError},
};

/// Whose records the caller sees.
pub(super) fn feedback_scope(principal: Principal) -> FeedbackScope {
    let all = principal.is(Role::CreditOffice) || principal.is(Role::Auditor);
    let own = if principal.is(Role::Provider) && !principal.organisation.is_empty() {
        Own::from_organisation(principal.organisation)
    } else {
        Own::NoProvider
    };
    FeedbackScope {
        own_provider: own,
        all_providers: all,
    }
}

/// The provider that calls; none where its organisation is no code of a provider.
pub(super) fn calling_provider(
    principal: &Principal,
) -> Result<Option<ProviderCode>, ValidationError> {
    if principal.organisation.is_empty() {
        return Err(ValidationError::CallerNotRegistered);
    }
    Ok(principal.organisation.parse().ok())
}

pub(super) fn feedback_list(
    request: ListFeedbackRequest,
) -> Result<(FeedbackQuery, Page<CasePosition>), Refusal> {
    let page = Page::from_request(PAGE_SIZES, request.page_size, &request.page_token)?;
    let query = FeedbackQuery {
        provider_code: request.provider_code,
        open_only: request.open_only,
    };
    Ok((query, page))
}

pub(super) fn version_id(request: &GetVerdictRequest) -> Result<VersionId, ValidationError> {
    let id = request.record_id.parse();
    id.map_err(|_| ValidationError::RecordId)
}

/// The case, and the attestation that is given for it.
pub(super) fn decode_confirmation(
    request: &ConfirmRecordRequest,
) -> Result<(Uuid, NamedAttestation), ValidationError> {
    let case_id = Uuid::parse_str(&request.case_id).map_err(|_| ValidationError::CaseId)?;
    let attestation = NamedAttestation::parse(&request.attester, &request.statement)?;
    Ok((case_id, attestation))
}

pub(super) fn trial_records(
    records: Vec<DryRunRecord>,
) -> Result<Vec<TrialRecord>, ValidationError> {
    if records.is_empty() || records.len() > MOST_RECORDS {
        return Err(ValidationError::RecordsCount { most: MOST_RECORDS });
    }
    let records = records.into_iter().enumerate();
    records
        .map(|(index, record)| {
            trial_record(record).map_err(|fault| ValidationError::Trial { index, fault })
        })
        .collect()
}

fn trial_record(record: DryRunRecord) -> Result<TrialRecord, TrialFault> {
    let code = ItemCode::try_from(record.item_code).map_err(|_| TrialFault::ItemCode)?;
    if ContentForm::from_content_type(&record.content_type).is_none() {
        return Err(TrialFault::ContentType);
    }
    Ok(TrialRecord {
        item_code: code,
        item_version: Some(record.item_version).filter(|version| *version != 0),
        record_key: record.record_key,
        content_type: record.content_type,
        content: record.content,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(organisation: &str, roles: &[Role]) -> Principal {
        Principal {
            account: "officer".to_owned(),
            organisation: organisation.to_owned(),
            roles: roles.to_vec(),
            person: None,
        }
    }

    #[test]
    fn r13_offices_and_auditors_see_all_and_a_provider_sees_its_own() {
        let scope = |organisation, roles: &[Role]| feedback_scope(principal(organisation, roles));
        let own = Own::from_organisation("11430100006123458R".to_owned());
        let provider = scope("11430100006123458R", &[Role::Provider]);
        assert_eq!(
            (provider.own_provider, provider.all_providers),
            (own.clone(), false)
        );
        let both = scope("11430100006123458R", &[Role::Provider, Role::CreditOffice]);
        assert_eq!((both.own_provider, both.all_providers), (own, true));
        let auditor = scope("11430100006123458R", &[Role::Auditor]);
        assert_eq!(
            (auditor.own_provider, auditor.all_providers),
            (Own::NoProvider, true)
        );
    }

    #[test]
    fn r5_who_is_no_organisation_is_no_provider() {
        let refused = calling_provider(&principal("", &[Role::Provider]));
        assert!(matches!(refused, Err(ValidationError::CallerNotRegistered)));
        let uncoded = calling_provider(&principal("x", &[Role::Provider]));
        assert_eq!(uncoded.unwrap(), None);
    }
}
