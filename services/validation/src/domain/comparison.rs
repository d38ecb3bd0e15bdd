//! Compares one record with all others: duplicates, changed identities, the base register, competence. Pure: the state
//! of the others was loaded before, and what a batch itself adds is added to it as the batch goes on. Called by
//! `app::comparison`, for verdicts, confirmations and dry runs alike.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
};

use bytes::Bytes;
use credit_record::{Finding, FindingCode, Severity};
use record_ref::{LedgerNumber, RecordKey, RecordVersion, Revision, VersionId};
use vault::keyed_hash::KeyedHash;

use super::{
    SubmittedVersion,
    check::{CheckedContent, CheckedVersion, ComparisonFacts},
    competence::{CompetentOwner, OrganRegistry, is_competent},
    registration::{SubjectRegistration, is_unnamed, normalised_name, was_cancelled},
};

/// A row of the base register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseSubject {
    /// Credit code.
    pub code: String,
    /// What the registration says.
    pub registration: SubjectRegistration,
    /// Earlier names in the form by which they are compared.
    pub former_names: Vec<String>,
    /// The version that says so. Its revision is that of the end, once that removed it.
    pub version: RecordVersion,
    /// Its number in the provider's ledger; `None` while it is only tried out.
    pub ledger_number: Option<LedgerNumber>,
    /// The provider's own key, sealed under the version's id.
    pub sealed_record_key: Bytes,
    /// False once it was revoked or withdrawn.
    pub active: bool,
}

/// The key that holds a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NaturalKeyClaim {
    /// The key.
    pub key: RecordKey,
    /// The revision that claimed it.
    pub revision: Revision,
    /// Its number in the provider's ledger; `None` while it is only tried out.
    pub ledger_number: Option<LedgerNumber>,
    /// False once given up.
    pub active: bool,
}

/// The state that a batch is compared with: base register, claims, accepted revisions, organs.
#[derive(Debug, Clone, Default)]
pub struct ComparisonState {
    /// The base register by credit code.
    pub subjects: HashMap<String, BaseSubject>,
    /// Claims by identity.
    pub claims: HashMap<KeyedHash, NaturalKeyClaim>,
    /// Accepted revisions by key, with what each is about; `None` for one that ends its record.
    pub accepted: HashMap<RecordKey, BTreeMap<Revision, Option<KeyedHash>>>,
    /// Providers with the organs above them.
    pub registry: OrganRegistry,
    /// Rows of the register that this batch wrote, by code.
    pub changed_subjects: BTreeSet<String>,
    /// Claims that this batch made.
    pub changed_claims: BTreeSet<KeyedHash>,
    /// Claims that this batch gave up, as they were held; another key of the batch may hold them since.
    pub released_claims: BTreeMap<KeyedHash, NaturalKeyClaim>,
    /// Accepted versions that this batch contradicts, each once.
    pub contradicted: BTreeMap<VersionId, BaseSubject>,
}

impl ComparisonState {
    /// The findings of comparing `checked` with the others. With `attested`, errors for which an attester may answer
    /// are warnings.
    pub fn compare_version(
        &self,
        checked: &CheckedVersion,
        owner: &CompetentOwner,
        attested: bool,
    ) -> Vec<Finding> {
        let submission = &checked.submission;
        if submission.operation.ends_record() {
            return Vec::new();
        }
        let mut found = Vec::new();
        if !is_competent(owner, submission.version.provider, &self.registry) {
            found.push(error(
                FindingCode::ProviderNotCompetent,
                None,
                "该目录事项由其他单位或者其他区县（市）负责报送，本单位不能报送",
            ));
        }
        if let CheckedContent::Record(_, facts) = &checked.content {
            self.compare_base_register(submission, facts, &mut found);
            self.find_duplicate(submission, facts, &mut found);
            self.find_changed_identity(submission, facts, &mut found);
        }
        if attested {
            for finding in found.iter_mut().filter(|finding| finding.confirmable) {
                finding.severity = Severity::Warning;
            }
        }
        found
    }

    /// Name, state and base information of the bearer of the code.
    fn compare_base_register(
        &self,
        submission: &SubmittedVersion,
        facts: &ComparisonFacts,
        found: &mut Vec<Finding>,
    ) {
        let Some(known) = self.registered_subject(facts) else {
            return;
        };
        if let Some(new) = &facts.registration {
            if known.version.provider != submission.version.provider && differs(known, new) {
                found.push(error(
                    FindingCode::BaseInfoConflict,
                    Some(&facts.name_field),
                    "同一统一社会信用代码的名称或登记状态与其他单位已报送的登记信息不一致，双方均已收到核实通知",
                ));
            }
            return;
        }
        let registered = &known.registration;
        let name = normalised_name(&facts.name);
        if name != registered.normalised_name && !is_unnamed(&registered.normalised_name) {
            if known.former_names.contains(&name) {
                found.push(Finding {
                    severity: Severity::Warning,
                    suggestion: Some(registered.name.clone()),
                    ..error(
                        FindingCode::NameFormer,
                        Some(&facts.name_field),
                        "名称是该主体的曾用名，请核对并使用现用名称",
                    )
                });
            } else {
                found.push(Finding {
                    suggestion: Some(registered.name.clone()),
                    ..error(
                        FindingCode::NameCodeMismatch,
                        Some(&facts.name_field),
                        "名称与该统一社会信用代码的登记名称不一致，请核对名称和代码",
                    )
                });
            }
        }
        if was_cancelled(
            registered.status.as_deref(),
            registered.ended_on,
            facts.decision_date,
        ) {
            found.push(error(
                FindingCode::SubjectCancelled,
                Some(&facts.date_field),
                "登记信息显示该主体在决定日期前已注销，请核对；确属无误的，可由经办人具名确认",
            ));
        }
    }

    /// The same decision under another key.
    fn find_duplicate(
        &self,
        submission: &SubmittedVersion,
        facts: &ComparisonFacts,
        found: &mut Vec<Finding>,
    ) {
        let key = submission.version.key();
        let Some(holder) = self
            .claims
            .get(&facts.identity)
            .filter(|claim| facts.is_distinctive && claim.active && claim.key != key)
        else {
            return;
        };
        let message = match holder.ledger_number {
            _ if holder.key.provider != key.provider => "同一事项已由其他单位报送".to_owned(),
            // Tried out in the same request, and in no ledger yet.
            None => "同一事项在本次试校验中已以其他记录主键出现，请勿重复报送".to_owned(),
            Some(number) => format!(
                "同一事项已以其他记录主键报送（本单位台账第{number}号），请更正原记录，不要重复报送"
            ),
        };
        found.push(error(FindingCode::DuplicateRecord, None, message));
    }

    /// The version before it is about something else.
    fn find_changed_identity(
        &self,
        submission: &SubmittedVersion,
        facts: &ComparisonFacts,
        found: &mut Vec<Finding>,
    ) {
        let before = self
            .accepted
            .get(&submission.version.key())
            .and_then(|versions| versions.range(..submission.version.revision).next_back());
        if let Some((_, Some(identity))) = before
            && *identity != facts.identity
        {
            found.push(error(
                FindingCode::IdentityChanged,
                None,
                "本次报送的主体或者文号等关键信息与上一有效版本不同；另一事项请用新的记录主键报送，确属更正的可由经办人具名确认",
            ));
        }
    }

    fn registered_subject(&self, facts: &ComparisonFacts) -> Option<&BaseSubject> {
        let code = facts.code.as_ref()?;
        self.subjects.get(code).filter(|known| known.active)
    }

    /// Marks the accepted version of the register as contradicted by `checked`.
    pub fn mark_contradicted(&mut self, checked: &CheckedVersion) {
        if let CheckedContent::Record(_, facts) = &checked.content
            && let Some(known) = self.registered_subject(facts).cloned()
        {
            self.contradicted.insert(known.version.id, known);
        }
    }

    /// Adds the accepted version to the state, for those after it.
    pub fn apply_accepted(&mut self, checked: &CheckedVersion) {
        let submission = &checked.submission;
        let key = submission.version.key();
        let revision = submission.version.revision;
        let versions = self.accepted.entry(key.clone()).or_default();
        let newest = versions
            .keys()
            .next_back()
            .is_none_or(|last| *last < revision);
        match &checked.content {
            CheckedContent::Record(_, facts) => {
                versions.insert(revision, Some(facts.identity));
                if newest {
                    self.apply_claim(submission, key.clone(), facts);
                }
                if let (Some(code), Some(registration)) = (&facts.code, &facts.registration) {
                    self.apply_registration(submission, &key, code, registration, newest);
                }
            }
            CheckedContent::End(_) => {
                versions.insert(revision, None);
                if newest {
                    self.release_claims(&key, revision, None);
                    self.withdraw_registrations(&key, revision, None);
                }
            }
            CheckedContent::Faulty(_) => {}
        }
    }

    fn apply_claim(
        &mut self,
        submission: &SubmittedVersion,
        key: RecordKey,
        facts: &ComparisonFacts,
    ) {
        let revision = submission.version.revision;
        self.release_claims(&key, revision, Some(facts.identity));
        if !facts.is_distinctive {
            return;
        }
        let held = self
            .claims
            .get(&facts.identity)
            .filter(|claim| claim.active);
        // Held by the key itself: nothing to write. By another, only where an attester answers for it.
        if held.is_some() {
            return;
        }
        let claim = NaturalKeyClaim {
            key,
            revision,
            ledger_number: submission.ledger_number,
            active: true,
        };
        self.claims.insert(facts.identity, claim);
        self.changed_claims.insert(facts.identity);
    }

    /// Releases all claims of the key but `except`.
    fn release_claims(&mut self, key: &RecordKey, revision: Revision, except: Option<KeyedHash>) {
        for (digest, claim) in &mut self.claims {
            if claim.active
                && claim.key == *key
                && claim.revision < revision
                && Some(*digest) != except
            {
                claim.active = false;
                claim.revision = revision;
                self.released_claims.insert(*digest, claim.clone());
            }
        }
    }

    fn withdraw_registrations(
        &mut self,
        key: &RecordKey,
        revision: Revision,
        except: Option<&str>,
    ) {
        for (code, subject) in &mut self.subjects {
            if subject.active
                && is_of(&subject.version, key)
                && subject.version.revision < revision
                && Some(code.as_str()) != except
            {
                subject.active = false;
                subject.version.revision = revision;
                self.changed_subjects.insert(code.clone());
            }
        }
    }

    fn apply_registration(
        &mut self,
        submission: &SubmittedVersion,
        key: &RecordKey,
        code: &str,
        registration: &SubjectRegistration,
        newest: bool,
    ) {
        let revision = submission.version.revision;
        if newest {
            self.withdraw_registrations(key, revision, Some(code));
        }
        let mut row = BaseSubject {
            code: code.to_owned(),
            registration: registration.clone(),
            former_names: Vec::new(),
            version: submission.version.clone(),
            ledger_number: submission.ledger_number,
            sealed_record_key: submission.sealed_record_key.clone(),
            active: newest,
        };
        match self.subjects.get_mut(code) {
            None if newest => {
                self.subjects.insert(code.to_owned(), row);
            }
            None => return,
            Some(known) => {
                let same = is_of(&known.version, key);
                let newer = !same || known.version.revision < revision;
                let replaces = newest && newer && (same || !known.active);
                if !replaces && !same {
                    // Another provider's that agrees: the register stays as it is.
                    return;
                }
                let mut cores = Vec::new();
                if same {
                    cores.append(&mut known.former_names);
                }
                // The older of two names is a former one, whichever arrived first. That of a registration which was
                // withdrawn never was one, nor was what a correction of the same registration took back.
                let (current, older) = if replaces {
                    (&row.registration, &known.registration)
                } else {
                    (&known.registration, &row.registration)
                };
                let was_borne = known.active && older.since < current.since;
                if was_borne && !cores.contains(&older.normalised_name) {
                    cores.push(older.normalised_name.clone());
                }
                cores.retain(|core| *core != current.normalised_name);
                if replaces {
                    row.former_names = cores;
                    *known = row;
                } else {
                    known.former_names = cores;
                }
            }
        }
        self.changed_subjects.insert(code.to_owned());
    }
}

/// Whether a version is one of this key; compares without building its key.
fn is_of(version: &RecordVersion, key: &RecordKey) -> bool {
    version.key_digest == key.digest
        && version.provider == key.provider
        && version.item.code == key.item
}

/// Whether two registrations of one code disagree.
fn differs(known: &BaseSubject, new: &SubjectRegistration) -> bool {
    let old = &known.registration;
    let status = match (&old.status, &new.status) {
        (Some(old), Some(new)) => old != new,
        _ => false,
    };
    old.normalised_name != new.normalised_name || status
}

fn error(code: FindingCode, field: Option<&str>, message: impl Into<String>) -> Finding {
    Finding {
        code,
        severity: Severity::Error,
        field: field.map(str::to_owned),
        rule: Cow::Borrowed("cross-source"),
        rule_version: 1,
        message: message.into(),
        suggestion: None,
        confirmable: code.is_confirmable(),
    }
}

/// The finding that the provider of a contradicted version gets. It contains nothing of the other record.
pub fn contradiction_finding() -> Finding {
    error(
        FindingCode::BaseInfoConflict,
        None,
        "其他单位报送的该主体名称或登记状态与本记录不一致，请核实：有误的请更正后重新报送，无误的请具名确认",
    )
}

#[cfg(test)]
mod tests;
