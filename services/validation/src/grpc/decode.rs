//! Requests of `credit.validation.v1` as what the use cases take, and who asks. Called by `grpc`.

use credit_record::ContentForm;
use proto::credit::validation::v1::{
    ConfirmRecordRequest, DryRunRecord, GetVerdictRequest, ListFeedbackRequest,
};
use record_ref::{ProviderCode, VersionId};
use service_kit::{
    error::Refusal,
    identity::{Principal, Role},
    page::Page,
    reason::Reason,
    request::{decode_id, decode_item_code, decode_provider_code, decode_record_id},
};
use uuid::Uuid;

use crate::{
    app::{
        dry_run::{DryRunSubmission, MOST_RECORDS},
        feedback::{CallerProvider, FeedbackQuery, FeedbackScope},
    },
    domain::{
        confirmation::NamedAttestation,
        page::{CasePosition, PAGE_SIZES},
    },
    error::{DryRunFault, ValidationError},
};

/// Whose records the caller sees.
pub(super) fn feedback_scope(principal: &Principal) -> Result<FeedbackScope, ValidationError> {
    let all = principal.has_role(Role::CreditOffice) || principal.has_role(Role::Auditor);
    let own = if principal.has_role(Role::Provider) && !principal.organisation.is_empty() {
        CallerProvider::from_organisation(&principal.organisation)
    } else if all {
        CallerProvider::NoProvider
    } else {
        return Err(ValidationError::CallerNotRegistered);
    };
    Ok(FeedbackScope {
        own_provider: own,
        all_providers: all,
    })
}

/// The provider whose feedback is asked for; none: the caller's own, which it may also name as its token does.
pub(super) fn asked_provider(
    principal: &Principal,
    scope: &FeedbackScope,
    provider_code: &str,
) -> Result<Option<ProviderCode>, ValidationError> {
    let own = !scope.all_providers && provider_code == principal.organisation;
    if own || provider_code.is_empty() {
        return Ok(None);
    }
    Ok(Some(decode_provider_code("provider_code", provider_code)?))
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
    principal: &Principal,
    scope: &FeedbackScope,
    request: &ListFeedbackRequest,
) -> Result<(FeedbackQuery, Page<CasePosition>), ValidationError> {
    let page = Page::from_request(PAGE_SIZES, request.page_size, &request.page_token)?;
    let query = FeedbackQuery {
        provider: asked_provider(principal, scope, &request.provider_code)?,
        open_only: request.open_only,
    };
    Ok((query, page))
}

pub(super) fn version_id(request: &GetVerdictRequest) -> Result<VersionId, Refusal> {
    decode_record_id("record_id", &request.record_id)
}

/// The case, and the attestation that is given for it.
pub(super) fn decode_confirmation(
    request: &ConfirmRecordRequest,
) -> Result<(Uuid, NamedAttestation), ValidationError> {
    let case_id = decode_id(Reason::CaseIdInvalid, "case_id", &request.case_id)?;
    let attestation = NamedAttestation::parse(&request.attester, &request.statement)?;
    Ok((case_id, attestation))
}

pub(super) fn dry_run_submissions(
    records: Vec<DryRunRecord>,
) -> Result<Vec<DryRunSubmission>, ValidationError> {
    if records.is_empty() || records.len() > MOST_RECORDS {
        return Err(ValidationError::RecordsCount { most: MOST_RECORDS });
    }
    let records = records.into_iter().enumerate();
    records
        .map(|(index, record)| dry_run_submission(index, record))
        .collect()
}

fn dry_run_submission(
    index: usize,
    record: DryRunRecord,
) -> Result<DryRunSubmission, ValidationError> {
    let item_code = decode_item_code("item_code", &record.item_code).map_err(|refusal| {
        let field = format!("records[{index}].{}", refusal.field);
        Refusal { field, ..refusal }
    })?;
    if ContentForm::from_content_type(&record.content_type).is_none() {
        let fault = DryRunFault::ContentType;
        return Err(ValidationError::DryRun { index, fault });
    }
    Ok(DryRunSubmission {
        item_code,
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
        let scope = |organisation, roles: &[Role]| feedback_scope(&principal(organisation, roles));
        let own = CallerProvider::from_organisation("11430100006123458R");
        let provider = scope("11430100006123458R", &[Role::Provider]).unwrap();
        assert_eq!(
            (provider.own_provider, provider.all_providers),
            (own, false)
        );
        let both = scope("11430100006123458R", &[Role::Provider, Role::CreditOffice]).unwrap();
        assert_eq!((both.own_provider, both.all_providers), (own, true));
        let auditor = scope("11430100006123458R", &[Role::Auditor]).unwrap();
        assert_eq!(
            (auditor.own_provider, auditor.all_providers),
            (CallerProvider::NoProvider, true)
        );
    }

    #[test]
    fn r13_the_provider_that_is_asked_for_is_a_credit_code_or_the_caller_itself() {
        const CODE: &str = "11430100006123458R";
        let asked = |organisation, roles: &[Role], text| {
            let caller = principal(organisation, roles);
            asked_provider(&caller, &feedback_scope(&caller)?, text)
        };
        let code = CODE.parse().unwrap();
        let (provider, office) = ([Role::Provider], [Role::CreditOffice]);
        assert_eq!(asked("x", &provider, "").unwrap(), None);
        assert_eq!(asked("x", &provider, "x").unwrap(), None);
        assert_eq!(asked("x", &provider, CODE).unwrap(), Some(code));
        assert_eq!(asked("x", &office, CODE).unwrap(), Some(code));
        for (roles, malformed) in [
            (&provider, "y"),
            (&provider, "11430100006123458R\0"),
            (&office, "x"),
            (&office, "11430100006123458r"),
        ] {
            let Err(ValidationError::Refused(refused)) = asked("x", roles, malformed) else {
                panic!("{malformed:?}")
            };
            assert_eq!(refused.reason, Reason::CreditCodeInvalid, "{malformed:?}");
        }
    }

    #[test]
    fn r5_who_is_no_organisation_is_no_provider() {
        let refused = calling_provider(&principal("", &[Role::Provider]));
        assert!(matches!(refused, Err(ValidationError::CallerNotRegistered)));
        let refused = feedback_scope(&principal("", &[Role::Provider]));
        assert!(matches!(refused, Err(ValidationError::CallerNotRegistered)));
        let uncoded = calling_provider(&principal("x", &[Role::Provider]));
        assert_eq!(uncoded.unwrap(), None);
    }
}
