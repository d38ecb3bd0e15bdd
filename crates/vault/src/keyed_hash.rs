//! Everything that the platform knows by a keyed hash (blind index), one function each: equal for equal things, and
//! without the key of the installation neither computable nor reversible, so that a citizen number can be looked up where
//! it is not stored. No other code names a domain of a hash, so two services that mean the same thing find the same rows.

use credit_record::PersonDocument;
use record_ref::{ItemCode, KeyDigest, ProviderCode};

use crate::Keyring;

/// 32 bytes of a keyed hash.
pub type KeyedHash = [u8; 32];

/// A provider's own key of a record of an item.
pub fn record_key(
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
pub fn submission_id(keyring: &Keyring, provider: &ProviderCode, id: &str) -> KeyedHash {
    keyring.blind_index("submission-id", &format!("{provider}/{id}"))
}

/// A provider's id of a full reload.
pub fn reload_id(keyring: &Keyring, provider: &ProviderCode, id: &str) -> KeyedHash {
    keyring.blind_index("reload-id", &format!("{provider}/{id}"))
}

/// A natural person, as subject of records, as reader of its own and as applicant.
pub fn person_document(keyring: &Keyring, document: &PersonDocument) -> KeyedHash {
    let text = format!("{}:{}", document.kind(), document.number());
    keyring.blind_index("person-document", &text)
}

/// One decision, identified by its natural key: `parts` joined by U+001F are item, scope, key and the person's
/// document.
pub fn decision_identity(keyring: &Keyring, parts: &str) -> KeyedHash {
    keyring.blind_index("record-identity", parts)
}

/// The series of an organ's document numbers: the number without its running part, of one item and provider. Supervision
/// finds gaps in a series by it, and nobody reads the number.
pub fn document_series(
    keyring: &Keyring,
    provider: &ProviderCode,
    item: &ItemCode,
    series: &str,
) -> KeyedHash {
    keyring.blind_index("document-series", &format!("{provider}/{item}/{series}"))
}

/// An organisation as applicant of an objection.
pub fn applicant_organisation(keyring: &Keyring, credit_code: &str) -> KeyedHash {
    keyring.blind_index("objection-organisation", credit_code)
}

/// An applicant's own id of its application.
pub fn objection_request(keyring: &Keyring, request_id: &str) -> KeyedHash {
    keyring.blind_index("objection-request", request_id)
}

/// The whole content of an application, by its SHA-256 in hexadecimal.
pub fn objection_content(keyring: &Keyring, sha256_hex: &str) -> KeyedHash {
    keyring.blind_index("objection-content", sha256_hex)
}

/// Signs a position in the feed of a provider's feedback; `owner` is that provider, or whom else the feed is for.
pub fn feedback_cursor(keyring: &Keyring, owner: &str, position: &str) -> KeyedHash {
    keyring.blind_index("feedback-cursor", &format!("{owner}/{position}"))
}

/// Signs how far a provider's stream has answers.
pub fn resume_token(keyring: &Keyring, provider_code: &str, position: u64) -> KeyedHash {
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
            *record_key(&keyring, &provider, &item, "x").as_bytes(),
            submission_id(&keyring, &provider, "x"),
            reload_id(&keyring, &provider, "x"),
            person_document(&keyring, &person),
            decision_identity(&keyring, text),
            document_series(&keyring, &provider, &item, "x"),
            applicant_organisation(&keyring, text),
            objection_request(&keyring, text),
            objection_content(&keyring, text),
            feedback_cursor(&keyring, provider.as_str(), "x"),
            resume_token(&keyring, "x", 7),
        ];
        let different: HashSet<_> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len());
        assert_eq!(submission_id(&keyring, &provider, "x"), hashes[1]);
    }

    #[test]
    fn r9_a_person_has_one_hash_however_the_number_is_written() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let hash = |kind, number| {
            let document = PersonDocument::new(kind, number, date!(2026 - 01 - 01));
            person_document(&keyring, &document)
        };
        let known = hash("身份证", "11010519491231002X");
        assert_eq!(hash("身份证", "110105491231002"), known);
        assert_eq!(hash("身份证", "11010519491231002x"), known);
        assert_ne!(hash("护照号", "11010519491231002X"), known);
        let other = Keyring::parse(&Keyring::generate()).unwrap();
        let document = PersonDocument::new("身份证", "110105491231002", date!(2026 - 01 - 01));
        assert_ne!(person_document(&other, &document), known);
    }
}
