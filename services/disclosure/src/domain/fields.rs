//! Which fields of an opened record are shown to whom, and how (R-4, R-14, D-11). Called by `app` for detail views
//! and for a subject's own records.

use std::collections::HashMap;

use credit_record::{
    Field, ItemVersion, Publication, SubjectKind,
    item::{FieldKind, MaskRule, ValueFormat},
};
use vault::mask;

use super::version::without_citizen_numbers;

/// Who the fields are shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone: fields whose publication range is 社会公开.
    Public,
    /// The subject itself: also 授权查询. 政务共享 is for state organs bound to a purpose.
    Subject,
}

/// One field as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownField {
    /// Code of the field.
    pub code: String,
    /// Chinese name.
    pub name: String,
    /// Value, masked where needed.
    pub value: String,
}

/// The fields of a record about `kind` that `audience` may see, in the item's order; absent values are left out.
/// A natural person's record has none for the public.
pub fn shown_fields(
    item: &ItemVersion,
    kind: SubjectKind,
    values: &HashMap<String, String>,
    audience: Audience,
) -> Vec<ShownField> {
    item.fields
        .iter()
        .filter(|field| may_see(item, field, kind, audience))
        .filter_map(|field| {
            let value = values.get(&field.code).filter(|value| !value.is_empty())?;
            Some(ShownField {
                code: field.code.clone(),
                name: field.name.clone(),
                value: if audience == Audience::Public && names_person(item, field, kind) {
                    mask::mask_person_name(value)
                } else {
                    shown_value(field, value)
                },
            })
        })
        .collect()
}

fn may_see(item: &ItemVersion, field: &Field, kind: SubjectKind, audience: Audience) -> bool {
    match audience {
        Audience::Public => {
            kind != SubjectKind::NaturalPerson
                && field.publication == Publication::Public
                && !field.is_personal()
                && !holds_person_document(item, field)
        }
        Audience::Subject => field.publication != Publication::Shared,
    }
}

/// Whether the item asks for the mask of names and the value names a natural person. The subject's name does so
/// only where the subject is one: an organisation has no surname, and the name under which an individual business
/// trades is shown even where it is its operator's (D-11). Any other field with this mask names a person whatever the
/// record is about.
fn names_person(item: &ItemVersion, field: &Field, kind: SubjectKind) -> bool {
    field.mask == MaskRule::Name
        && (field.code != item.roles.subject_name || kind == SubjectKind::NaturalPerson)
}

/// Whether the field is the number of a personal document, whatever its format says: definitions are not linted here.
fn holds_person_document(item: &ItemVersion, field: &Field) -> bool {
    [
        &item.roles.person_document_number,
        &item.roles.representative_document_number,
    ]
    .into_iter()
    .any(|role| role.as_ref() == Some(&field.code))
}

/// Numbers of personal documents keep their ends, so that a subject recognises its own and a screen shows no more
/// than that; free text is searched for numbers of people, who need not be the subject.
fn shown_value(field: &Field, value: &str) -> String {
    if field.is_personal() {
        return match value.chars().count() {
            15 | 18 => mask::mask_citizen_number(value),
            _ => mask::mask_passport(value),
        };
    }
    match (field.kind, field.format) {
        (FieldKind::Text, ValueFormat::Plain | ValueFormat::Name) => mask::mask_text(value),
        (FieldKind::Text, _) | (FieldKind::Code, ValueFormat::Plain) => {
            without_citizen_numbers(value)
        }
        // Codes of organisations are no numbers of people, though a few look like one.
        (FieldKind::Code | FieldKind::Date | FieldKind::Decimal, _) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penalty() -> ItemVersion {
        let items = credit_record::standard_items().unwrap();
        let in_force = |item: &ItemVersion| item.code == "xzcf" && item.version == 3;
        items.into_iter().find(in_force).unwrap()
    }

    fn values() -> HashMap<String, String> {
        [
            ("CF_XDR_MC", "湖南某某餐饮有限公司"),
            ("CF_FRDB", "张三"),
            ("CF_FR_ZJLX", "身份证"),
            ("CF_FR_ZJHM", "11010519491231002X"),
            ("CF_WSH", "长市监罚〔2025〕7号"),
            (
                "CF_SY",
                "当事人李四（身份证11010519491231002X，电话13812345678）无证经营",
            ),
            ("CF_NR_FK", "1.5"),
            ("CF_JDRQ", "2025-01-02"),
            ("BZ", "内部备注"),
        ]
        .map(|(code, value)| (code.to_owned(), value.to_owned()))
        .into()
    }

    fn value<'a>(fields: &'a [ShownField], code: &str) -> Option<&'a str> {
        fields
            .iter()
            .find(|field| field.code == code)
            .map(|field| field.value.as_str())
    }

    #[test]
    fn r4_the_public_sees_public_fields_in_order_and_no_number_of_a_person() {
        let item = penalty();
        let shown = shown_fields(
            &item,
            SubjectKind::Organisation,
            &values(),
            Audience::Public,
        );
        let codes: Vec<&str> = shown.iter().map(|field| field.code.as_str()).collect();
        assert_eq!(
            codes,
            [
                "CF_XDR_MC",
                "CF_FRDB",
                "CF_WSH",
                "CF_SY",
                "CF_NR_FK",
                "CF_JDRQ"
            ]
        );
        let facts = value(&shown, "CF_SY").unwrap();
        assert!(
            !facts.contains("19491231") && !facts.contains("13812345678"),
            "{facts}"
        );
        assert_eq!(value(&shown, "CF_NR_FK"), Some("1.5"));
        assert_eq!(value(&shown, "CF_WSH"), Some("长市监罚〔2025〕7号"));
    }

    #[test]
    fn r14_a_natural_persons_record_has_no_public_field() {
        let item = penalty();
        let shown = shown_fields(
            &item,
            SubjectKind::NaturalPerson,
            &values(),
            Audience::Public,
        );
        assert_eq!(shown, []);
    }

    /// A version of an item that asks for the mask of names on the representative too.
    fn item_masking_representative() -> ItemVersion {
        let mut item = penalty();
        for field in &mut item.fields {
            if field.code == "CF_FRDB" {
                field.mask = MaskRule::Name;
            }
        }
        item
    }

    #[test]
    fn d11_the_mask_of_names_hides_given_names_from_the_public_and_from_nobody_else() {
        let item = item_masking_representative();
        let shown = |values: &HashMap<_, _>, kind, audience| {
            let fields = shown_fields(&item, kind, values, audience);
            ["CF_XDR_MC", "CF_FRDB"].map(|code| value(&fields, code).map(str::to_owned))
        };
        let named = |subject: &str, representative: &str| {
            let mut values = values();
            values.insert("CF_XDR_MC".to_owned(), subject.to_owned());
            values.insert("CF_FRDB".to_owned(), representative.to_owned());
            values
        };
        let own = |texts: [&str; 2]| texts.map(|text| Some(text.to_owned()));
        let company = named("湖南某某餐饮有限公司", "欧阳娜娜");
        let (organisation, business) = (SubjectKind::Organisation, SubjectKind::IndividualBusiness);
        assert_eq!(
            shown(&company, organisation, Audience::Public),
            own(["湖南某某餐饮有限公司", "欧阳**"])
        );
        assert_eq!(
            shown(&company, organisation, Audience::Subject),
            own(["湖南某某餐饮有限公司", "欧阳娜娜"])
        );
        // An individual business that trades under its operator's name is found and shown by it.
        let stall = named("张三", "张三");
        assert_eq!(
            shown(&stall, business, Audience::Public),
            own(["张三", "张*"])
        );
        let person = named("张三", "");
        let natural = SubjectKind::NaturalPerson;
        assert_eq!(
            shown(&person, natural, Audience::Subject),
            [Some("张三".to_owned()), None]
        );
        assert_eq!(shown(&person, natural, Audience::Public), [None, None]);
    }

    #[test]
    fn the_standard_shows_representatives_and_masks_only_subjects_who_are_persons() {
        let item = penalty();
        let masked: Vec<&Field> = item
            .fields
            .iter()
            .filter(|field| field.mask == MaskRule::Name)
            .collect();
        let [name] = masked.as_slice() else {
            panic!("{masked:?}");
        };
        assert_eq!(name.code, item.roles.subject_name);
        assert!(names_person(&item, name, SubjectKind::NaturalPerson));
        assert!(!names_person(&item, name, SubjectKind::Organisation));
        assert!(!names_person(&item, name, SubjectKind::IndividualBusiness));
    }

    #[test]
    fn r14_a_document_number_is_not_public_though_its_definition_forgot_to_say_so() {
        let mut item = penalty();
        for field in &mut item.fields {
            if field.code == "CF_FR_ZJHM" {
                (field.format, field.mask) = (ValueFormat::Plain, MaskRule::None);
                field.publication = Publication::Public;
            }
        }
        let fields = shown_fields(
            &item,
            SubjectKind::Organisation,
            &values(),
            Audience::Public,
        );
        assert_eq!(value(&fields, "CF_FR_ZJHM"), None);
    }

    #[test]
    fn a_subject_sees_what_needs_authorisation_but_not_what_is_for_organs() {
        let item = penalty();
        let shown = shown_fields(
            &item,
            SubjectKind::Organisation,
            &values(),
            Audience::Subject,
        );
        assert_eq!(value(&shown, "CF_FR_ZJHM"), Some("1101**********002X"));
        assert_eq!(value(&shown, "BZ"), None);
        assert_eq!(value(&shown, "CF_FR_ZJLX"), None);
    }
}
