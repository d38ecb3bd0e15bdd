//! The reason for which a provider ends a record (D-24). Called by `check`.

use std::borrow::Cow;

use credit_record::{Finding, FindingCode, Severity, check::personal_numbers};

/// What is found in a reason that may be published. Nothing of it prevents the end of the record: disclosure masks
/// what it publishes.
pub fn check_reason(text: &str) -> Vec<Finding> {
    let Some((_, kind)) = personal_numbers(text).next() else {
        return Vec::new();
    };
    vec![Finding {
        code: FindingCode::PersonalInText,
        severity: Severity::Warning,
        field: None,
        rule: Cow::Borrowed("reason"),
        rule_version: 1,
        message: format!("理由中含有{}，公示时将予以遮蔽", kind.label()),
        suggestion: None,
        confirmable: false,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d24_numbers_of_persons_in_a_reason_are_told_and_codes_of_organisations_are_not() {
        for (text, has_findings) in [
            ("处罚决定被复议机关撤销", false),
            ("当事人身份证430102199003071242，决定撤销", true),
            ("联系电话：13800138000", true),
            ("统一社会信用代码914403001922038216", false),
            ("文号长市监罚决〔2026〕123号", false),
        ] {
            assert_eq!(!check_reason(text).is_empty(), has_findings, "{text}");
        }
    }
}
