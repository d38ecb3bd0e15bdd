//! The queries of providers and officers: feedback lists, single verdicts, counts. Called by `grpc`, which decodes who
//! is asking and encodes the answers.

use record_ref::{ProviderCode, VersionId};
use service_kit::{db::Conn, page::Page};
use time::Date;
use vault::Keyring;

use crate::{
    domain::{
        page::CasePosition,
        sealed::{StoredChange, StoredFinding, open_changes, open_findings, open_sealed},
    },
    error::ValidationError,
    store::{
        catalogue,
        reads::{self, CaseRow, VerdictRow, VerdictStatistics},
    },
};

/// Whose records a caller may see. An organ can be provider and office at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackScope {
    /// Which provider it is itself.
    pub own_provider: CallerProvider,
    /// Whether it sees every provider's: the credit office and auditors.
    pub all_providers: bool,
}

/// Which provider a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerProvider {
    /// None: an office or auditor.
    NoProvider,
    /// That one.
    Provider(ProviderCode),
    /// One whose organisation is no code of a provider: nothing was ever reported under it.
    Uncoded,
}

impl CallerProvider {
    /// The provider of this organisation.
    pub fn from_organisation(organisation: &str) -> Self {
        organisation.parse().map_or(Self::Uncoded, Self::Provider)
    }
}

impl FeedbackScope {
    /// The provider whose list is meant by `asked`; none means the caller's own. `None` for one that can have none.
    pub(super) fn resolve_provider(
        &self,
        asked: Option<ProviderCode>,
    ) -> Result<Option<ProviderCode>, ValidationError> {
        match (asked, self.own_provider) {
            (Some(asked), _) if self.may_see(asked) => Ok(Some(asked)),
            (Some(_), _) => Err(ValidationError::NotOwnFeedback),
            (None, CallerProvider::Provider(own)) => Ok(Some(own)),
            (None, CallerProvider::NoProvider) => Err(ValidationError::ProviderMissing),
            (None, CallerProvider::Uncoded) if self.all_providers => {
                Err(ValidationError::CallerNotRegistered)
            }
            (None, CallerProvider::Uncoded) => Ok(None),
        }
    }

    fn may_see(&self, provider: ProviderCode) -> bool {
        self.all_providers || self.own_provider == CallerProvider::Provider(provider)
    }

    /// Why there is nothing of a provider that the registry never had: `asked` named it, or it is the caller.
    pub(super) fn unregistered_error(asked: Option<ProviderCode>) -> ValidationError {
        match asked {
            Some(_) => ValidationError::ProviderUnknown,
            None => ValidationError::CallerNotRegistered,
        }
    }
}

/// Which cases are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackQuery {
    /// Whose; none: the caller's own.
    pub provider: Option<ProviderCode>,
    /// Only the open ones.
    pub open_only: bool,
}

/// A page of cases.
#[derive(Debug, Clone, Default)]
pub struct FeedbackPage {
    /// Newest first.
    pub cases: Vec<OpenedCase>,
    /// Token of the next page; empty at the end.
    pub next_page_token: String,
    /// How many cases there are on all pages.
    pub total: u64,
}

/// A case with what was sealed about it.
#[derive(Debug, Clone)]
pub struct OpenedCase {
    /// As the table has it.
    pub row: CaseRow,
    /// The provider's own key of the record.
    pub record_key: String,
    /// The findings, errors first.
    pub findings: Vec<StoredFinding>,
    /// Whether it is open and its day is over.
    pub overdue: bool,
}

/// A verdict with what was sealed about it.
#[derive(Debug, Clone)]
pub struct OpenedVerdict {
    /// As the table has it.
    pub row: VerdictRow,
    /// The findings, errors first.
    pub findings: Vec<StoredFinding>,
    /// Applied normalisations.
    pub changes: Vec<StoredChange>,
}

/// One page of a provider's feedback, newest first, with findings and record keys opened.
pub async fn list_feedback(
    conn: &mut Conn,
    keyring: &Keyring,
    scope: &FeedbackScope,
    query: &FeedbackQuery,
    page: &Page<CasePosition>,
    today: Date,
) -> Result<FeedbackPage, ValidationError> {
    let Some(provider) = scope.resolve_provider(query.provider)? else {
        return Ok(FeedbackPage::default());
    };
    let failed = ValidationError::database("查询反馈");
    let total = reads::count_cases(conn, provider, query.open_only)
        .await
        .map_err(failed)?;
    // A mistyped code must not look like a provider without complaints.
    if total == 0
        && scope.all_providers
        && !catalogue::provider_exists(conn, provider)
            .await
            .map_err(failed)?
    {
        return Err(FeedbackScope::unregistered_error(query.provider));
    }
    let mut rows = reads::list_cases(conn, provider, query.open_only, page)
        .await
        .map_err(failed)?;
    let next_page_token = page.truncate_rows(&mut rows, |row| CasePosition {
        opened_at: row.opened_at,
        ledger_number: row.ledger_number.as_i64(),
    });
    let cases = rows
        .into_iter()
        .map(|row| OpenedCase::open_sealed(keyring, row, today))
        .collect::<Result<_, _>>()?;
    Ok(FeedbackPage {
        cases,
        next_page_token,
        total,
    })
}

/// The verdict of one version; another provider's looks as if it did not exist.
pub async fn get_verdict(
    conn: &mut Conn,
    keyring: &Keyring,
    scope: &FeedbackScope,
    version_id: VersionId,
) -> Result<OpenedVerdict, ValidationError> {
    let row = reads::find_verdict(conn, version_id)
        .await
        .map_err(ValidationError::database("查询校验结果"))?
        .filter(|row| scope.may_see(row.version.provider))
        .ok_or(ValidationError::VerdictUnknown)?;
    Ok(OpenedVerdict {
        findings: open_findings(keyring, version_id, row.sealed_findings.as_deref())?,
        changes: open_changes(keyring, version_id, row.sealed_changes.as_deref())?,
        row,
    })
}

/// Counts over all providers.
pub async fn get_statistics(conn: &mut Conn) -> Result<VerdictStatistics, ValidationError> {
    reads::load_statistics(conn)
        .await
        .map_err(ValidationError::database("统计校验结果"))
}

impl OpenedCase {
    pub(super) fn open_sealed(
        keyring: &Keyring,
        row: CaseRow,
        today: Date,
    ) -> Result<Self, ValidationError> {
        let version_id = row.version.id;
        let what = "sealed_record_key";
        let key = open_sealed(keyring, version_id, what, &row.sealed_record_key)?;
        Ok(Self {
            record_key: String::from_utf8(key).map_err(ValidationError::RecordKey)?,
            findings: open_findings(keyring, version_id, row.sealed_findings.as_deref())?,
            overdue: row.closed.is_none() && row.due_on.is_some_and(|due| due < today),
            row,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r13_a_provider_reads_only_its_own_feedback() {
        const A: &str = "11430100006123458R";
        const B: &str = "12430100444900018L";
        let code = |text: &str| text.parse::<ProviderCode>().unwrap();
        let scope = |own: Option<&str>, all| FeedbackScope {
            own_provider: own.map_or(
                CallerProvider::NoProvider,
                CallerProvider::from_organisation,
            ),
            all_providers: all,
        };
        let provider = scope(Some(A), false);
        assert_eq!(provider.resolve_provider(None).unwrap(), Some(code(A)));
        let named = provider.resolve_provider(Some(code(A)));
        assert_eq!(named.unwrap(), Some(code(A)));
        assert!(matches!(
            provider.resolve_provider(Some(code(B))),
            Err(ValidationError::NotOwnFeedback)
        ));
        assert!(provider.may_see(code(A)) && !provider.may_see(code(B)));
        let office = scope(None, true);
        let named = office.resolve_provider(Some(code(B)));
        assert_eq!(named.unwrap(), Some(code(B)));
        assert!(matches!(
            office.resolve_provider(None),
            Err(ValidationError::ProviderMissing)
        ));
        assert!(office.may_see(code(B)));
        // The development commission is the credit office and reports records of its own.
        let both = scope(Some(A), true);
        assert_eq!(
            (
                both.resolve_provider(None).unwrap(),
                both.resolve_provider(Some(code(B))).unwrap()
            ),
            (Some(code(A)), Some(code(B)))
        );
        // An organisation that is no code of a provider has a list that stays empty.
        let uncoded = scope(Some("x"), false);
        assert_eq!(uncoded.resolve_provider(None).unwrap(), None);
        assert!(matches!(
            uncoded.resolve_provider(Some(code(A))),
            Err(ValidationError::NotOwnFeedback)
        ));
        assert!(!uncoded.may_see(code(A)));
        // An office that sees all is told instead: an empty list would be taken for one without complaints.
        assert!(matches!(
            scope(Some("x"), true).resolve_provider(None),
            Err(ValidationError::CallerNotRegistered)
        ));
    }
}
