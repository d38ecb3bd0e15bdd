//! Everything that the platform knows by a keyed hash (blind index), one function each: equal for equal things, and
//! without the key of the installation neither computable nor reversible, so that a citizen number can be looked up where
//! it is not stored. No other code names a domain of a hash, so two services that mean the same thing find the same rows.

use credit_record::PersonDocument;
use record_ref::{ItemCode, KeyDigest, ProviderCode, VersionId};

use crate::{Keyring, sha256};

/// 32 bytes of a keyed hash.
pub type KeyedHash = [u8; 32];

/// A provider's own key of a record of an item.
pub fn hash_record_key(
    keyring: &Keyring,
    provider: &ProviderCode,
    item: &ItemCode,
    key: &str,
) -> KeyDigest {
    keyring
        .blind_index("record-key", &format!("{provider}/{item}/{key}"))
        .into()
}

/// A provider's submission id.
pub fn hash_submission_id(keyring: &Keyring, provider: &ProviderCode, id: &str) -> KeyedHash {
    keyring.blind_index("submission-id", &format!("{provider}/{id}"))
}

/// A provider's id of a full reload.
pub fn hash_reload_id(keyring: &Keyring, provider: &ProviderCode, id: &str) -> KeyedHash {
    keyring.blind_index("reload-id", &format!("{provider}/{id}"))
}

/// A natural person, as subject of records, as reader of its own and as applicant.
pub fn hash_person_document(keyring: &Keyring, document: &PersonDocument) -> KeyedHash {
    keyring.blind_index("person-document", &document_text(document))
}

/// One decision, by its natural key (parts joined by U+001F, as crate credit-record makes it) and the document of the
/// person that it is about. A registration is the same only within the register of one provider: `register`.
pub fn hash_decision_identity(
    keyring: &Keyring,
    item: &ItemCode,
    register: Option<&ProviderCode>,
    natural_key: &str,
    person: Option<&PersonDocument>,
) -> KeyedHash {
    let register = register.map_or("", ProviderCode::as_str);
    let person = person.map(document_text).unwrap_or_default();
    let parts = [item.as_str(), register, natural_key, &person];
    keyring.blind_index("record-identity", &parts.join("\u{1F}"))
}

/// One form for each document: its kind is part of it, since numbers of two kinds may be equal.
fn document_text(document: &PersonDocument) -> String {
    format!("{}:{}", document.kind(), document.number())
}

/// The series of an organ's document numbers: the number without its running part, of one item and provider. Supervision
/// finds gaps in a series by it, and nobody reads the number.
pub fn hash_document_series(
    keyring: &Keyring,
    provider: &ProviderCode,
    item: &ItemCode,
    series: &str,
) -> KeyedHash {
    keyring.blind_index("document-series", &format!("{provider}/{item}/{series}"))
}

/// An organisation as applicant of an objection.
pub fn hash_applicant_organisation(keyring: &Keyring, credit_code: &str) -> KeyedHash {
    keyring.blind_index("objection-organisation", credit_code)
}

/// An applicant's own id of its application.
pub fn hash_objection_request(keyring: &Keyring, request_id: &str) -> KeyedHash {
    keyring.blind_index("objection-request", request_id)
}

/// A piece of evidence, as far as it makes an application another one.
#[derive(Clone, Copy)]
pub struct EvidenceContent<'a> {
    /// Name of the file.
    pub file_name: &'a str,
    /// Type of the file.
    pub media_type: &'a str,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

/// A file can be named after a person, so a log shows none.
impl std::fmt::Debug for EvidenceContent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceContent").finish_non_exhaustive()
    }
}

/// The whole content of an application: two under one request id are the same only if all of it is.
pub fn hash_application_content<'a>(
    keyring: &Keyring,
    version: VersionId,
    provider: &ProviderCode,
    statement: &str,
    evidence: impl IntoIterator<Item = EvidenceContent<'a>>,
) -> KeyedHash {
    let mut bytes = version.as_bytes().to_vec();
    // Lengths in front keep neighbouring parts apart.
    let mut part = |value: &[u8]| {
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value);
    };
    part(provider.as_str().as_bytes());
    part(statement.as_bytes());
    for piece in evidence {
        part(piece.file_name.as_bytes());
        part(piece.media_type.as_bytes());
        part(&piece.sha256);
    }
    keyring.blind_index("objection-content", &hex::encode(sha256(&bytes)))
}

/// Signs a position in the feed of a provider's feedback: a transaction and a change within it.
pub fn sign_feedback_cursor(
    keyring: &Keyring,
    provider: &ProviderCode,
    transaction: u64,
    change: i64,
) -> KeyedHash {
    let position = format!("{provider}/{transaction:016x}{change:016x}");
    keyring.blind_index("feedback-cursor", &position)
}

/// Signs how far a provider's stream has answers.
pub fn sign_resume_token(keyring: &Keyring, provider_code: &str, position: u64) -> KeyedHash {
    keyring.blind_index("resume-token", &format!("{position}/{provider_code}"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use time::macros::date;

    use super::*;

    #[test]
    fn the_same_text_hashes_to_something_else_for_each_thing() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let provider: ProviderCode = "11430100006123458R".parse().unwrap();
        let item: ItemCode = "xzcf".parse().unwrap();
        let person = PersonDocument::new("身份证", "11010519491231002X", date!(2026 - 01 - 01));
        let text = "11430100006123458R/x";
        let hashes = [
            *hash_record_key(&keyring, &provider, &item, "x").as_bytes(),
            hash_submission_id(&keyring, &provider, "x"),
            hash_reload_id(&keyring, &provider, "x"),
            hash_person_document(&keyring, &person),
            hash_decision_identity(&keyring, &item, Some(&provider), "x", None),
            hash_document_series(&keyring, &provider, &item, "x"),
            hash_applicant_organisation(&keyring, text),
            hash_objection_request(&keyring, text),
            hash_application_content(&keyring, VersionId::generate(), &provider, "x", []),
            sign_feedback_cursor(&keyring, &provider, 7, 7),
            sign_resume_token(&keyring, "x", 7),
        ];
        let different: HashSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len());
        assert_eq!(hash_submission_id(&keyring, &provider, "x"), hashes[1]);
    }

    /// Rows and cursors hold these hashes for years: what goes into one never changes.
    #[test]
    fn what_is_hashed_stays_as_it_was_when_the_first_rows_were_written() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let provider: ProviderCode = "11430100006123458R".parse().unwrap();
        let item: ItemCode = "xzcf".parse().unwrap();
        let person = PersonDocument::new("身份证", "11010519491231002X", date!(2026 - 01 - 01));
        for (register, person, text) in [
            (None, None, "xzcf\u{1F}\u{1F}12号\u{1F}机关\u{1F}"),
            (
                Some(&provider),
                Some(&person),
                "xzcf\u{1F}11430100006123458R\u{1F}12号\u{1F}机关\u{1F}身份证:11010519491231002X",
            ),
        ] {
            let identity =
                hash_decision_identity(&keyring, &item, register, "12号\u{1F}机关", person);
            assert_eq!(identity, keyring.blind_index("record-identity", text));
        }
        assert_eq!(
            hash_person_document(&keyring, &person),
            keyring.blind_index("person-document", "身份证:11010519491231002X")
        );
        assert_eq!(
            sign_feedback_cursor(&keyring, &provider, 255, 1),
            keyring.blind_index(
                "feedback-cursor",
                "11430100006123458R/00000000000000ff0000000000000001"
            )
        );
    }

    #[test]
    fn r18_an_application_is_its_version_provider_statement_and_evidence() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let version = VersionId::generate();
        let provider: ProviderCode = "11430100006123458R".parse().unwrap();
        let piece = |file_name| EvidenceContent {
            file_name,
            media_type: "image/png",
            sha256: [7; 32],
        };
        let of = |statement, evidence: &[EvidenceContent<'_>]| {
            let evidence = evidence.iter().copied();
            hash_application_content(&keyring, version, &provider, statement, evidence)
        };
        let known = of("不是本单位", &[piece("a.png")]);
        let parts: [&[u8]; 5] = [
            provider.as_str().as_bytes(),
            "不是本单位".as_bytes(),
            b"a.png",
            b"image/png",
            &[7; 32],
        ];
        let mut bytes = version.as_bytes().to_vec();
        for part in parts {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend(part);
        }
        let digest = hex::encode(sha256(&bytes));
        assert_eq!(known, keyring.blind_index("objection-content", &digest));
        assert_ne!(known, of("不是本单位", &[piece("b.png")]));
        assert_ne!(known, of("不是本单位", &[]));
        assert_ne!(known, of("不是本单位的", &[piece("a.png")]));
    }

    #[test]
    fn r9_a_person_has_one_hash_however_the_number_is_written() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let hash = |kind, number| {
            let document = PersonDocument::new(kind, number, date!(2026 - 01 - 01));
            hash_person_document(&keyring, &document)
        };
        let known = hash("身份证", "11010519491231002X");
        assert_eq!(hash("身份证", "110105491231002"), known);
        assert_eq!(hash("身份证", "11010519491231002x"), known);
        assert_ne!(hash("护照号", "11010519491231002X"), known);
        let other = Keyring::parse(&Keyring::generate()).unwrap();
        let document = PersonDocument::new("身份证", "110105491231002", date!(2026 - 01 - 01));
        assert_ne!(hash_person_document(&other, &document), known);
    }
}
