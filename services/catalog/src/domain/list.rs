//! Versions of code lists: counted without gaps, never changed. Called by `app`.

use credit_record::item::CodeListVersion;
use service_kit::reason::Reason;

use super::{CatalogRuleViolation, version::PublicationDecision};

/// Decides about an offered version, given the one with the same number, if any, and the highest number.
///
/// # Errors
/// It would change a published version or leave a gap.
pub fn decide_list_publication(
    same: Option<&CodeListVersion>,
    highest: u32,
    offered: &CodeListVersion,
) -> Result<PublicationDecision, CatalogRuleViolation> {
    let (code, version) = (&offered.code, offered.version);
    match same {
        Some(known) if known == offered => Ok(PublicationDecision::Known),
        Some(_) => Err(CatalogRuleViolation::new(
            Reason::CodeListVersionImmutable,
            "definition_toml.version",
            "a published version of a code list never changes",
            format!("代码表{code}第{version}版已发布且内容不同，已发布的版本不可更改"),
        )),
        None if version == highest.saturating_add(1) => Ok(PublicationDecision::Next),
        None => Err(CatalogRuleViolation::new(
            Reason::CodeListVersionGap,
            "definition_toml.version",
            "the version is the newest one plus 1, or 1 for a new code list",
            format!(
                "代码表{code}的下一版应为第{}版，不能发布第{version}版",
                highest.saturating_add(1)
            ),
        )),
    }
}
