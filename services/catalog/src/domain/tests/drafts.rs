//! the way of a draft.

use service_kit::reason::Reason;

use super::{super::draft::*, violated_rule};

#[test]
fn r6_a_draft_goes_through_the_review_and_no_other_way() {
    use ItemDraftState::{Draft, Published, Returned, Submitted, Withdrawn};
    // Next state by (state, step), in the order of Step::ALL: save, submit, return, publish, withdraw.
    let table = [
        (
            Draft,
            [Some(Draft), Some(Submitted), None, None, Some(Withdrawn)],
        ),
        (
            Submitted,
            [None, None, Some(Returned), Some(Published), Some(Withdrawn)],
        ),
        (Returned, [Some(Draft), None, None, None, Some(Withdrawn)]),
        (Published, [None; 5]),
        (Withdrawn, [None; 5]),
    ];
    assert_eq!(table.map(|(state, _)| state), ItemDraftState::ALL);
    for (state, nexts) in table {
        for (given, next) in DraftStep::ALL.into_iter().zip(nexts) {
            match apply_step(state, given) {
                Ok(said) => assert_eq!(Some(said), next, "{state:?} {given:?}"),
                Err(broken) => {
                    assert_eq!(next, None, "{state:?} {given:?}");
                    assert_eq!(
                        (broken.reason, violated_rule(&broken).0),
                        (Reason::DraftStateUnsuitable, "draft_id")
                    );
                    assert!(broken.message.contains(state.label()));
                }
            }
        }
    }
}

#[test]
fn r6_a_return_says_why() {
    let reason = |field: &str, text: &str| DraftReturnReason {
        field: field.to_owned(),
        text: text.to_owned(),
    };
    let good = vec![
        reason("", "法律依据不全"),
        reason("definition_toml.term", "期限有误"),
    ];
    assert_eq!(check_reasons(good.clone()), Ok(good));
    let table = [
        (vec![], "reasons"),
        (vec![reason("", "x"); MAX_RETURN_REASONS + 1], "reasons"),
        (vec![reason("", "好"), reason("", " ")], "reasons[1].text"),
        (vec![reason("a\u{0}", "好")], "reasons[0].field"),
        (vec![reason("", &"长".repeat(2_001))], "reasons[0].text"),
    ];
    for (given, field) in table {
        assert_eq!(violated_rule(&check_reasons(given).unwrap_err()).0, field);
    }
}

#[test]
fn r6_even_an_incomplete_draft_says_for_what_it_is() {
    let head = DraftHeader::parse("code = \"jjjc\"\nversion = 2\nname = \"监督检查\"").unwrap();
    assert_eq!((head.item.code.as_str(), head.item.version()), ("jjjc", 2));
    assert!(head.owner.is_city());
    let text = "code = \"jjjc\"\nversion = 1\n[owner]\ncatalogue = \"district\"\ndistrict = \"430104\"\norgan = \"x\"";
    let head = DraftHeader::parse(text).unwrap();
    assert_eq!((head.owner.district(), head.owner.organ()), ("430104", "x"));
    let whole = (Reason::DefinitionUnreadable, "definition_toml");
    let code = |reason| (reason, "definition_toml.code");
    let version = (Reason::DefinitionInconsistent, "definition_toml.version");
    for (text, expected) in [
        ("code = ", whole),
        ("code = \"a\"", whole),
        ("version = 1", whole),
        ("code = \"A\"\nversion = 1", code(Reason::ItemCodeInvalid)),
        ("code = \"\"\nversion = 1", code(Reason::ItemCodeMissing)),
        ("code = \"a\"\nversion = 0", version),
        ("code = \"a\"\nversion = 2147483648", version),
        ("code = \"a\"\nversion = -1", whole),
        (
            "code = \"a\"\nversion = 1\n[owner]\ncatalogue = \"moon\"",
            whole,
        ),
    ] {
        let broken = DraftHeader::parse(text).unwrap_err();
        assert_eq!(
            (broken.reason, violated_rule(&broken).0),
            expected,
            "{text}"
        );
    }
}

#[test]
fn an_organisation_has_at_most_a_hundred_open_drafts() {
    assert_eq!(may_begin(MAX_OPEN_DRAFTS - 1), Ok(()));
    let broken = may_begin(MAX_OPEN_DRAFTS).unwrap_err();
    assert_eq!(
        (broken.reason, violated_rule(&broken).0),
        (Reason::DraftsTooMany, "draft_id")
    );
}
