//! What a registration says of its subject, for the base register. Called by `check`.
//!
//! Which field is the state and which is the day of the end follows from the definition of the item: the state is the
//! field with the code list `registration-state`, the end is the day that is mandatory in some of its states.

use credit_record::{
    AcceptedRecord, ItemVersion, SubjectKind,
    item::{Condition, FieldKind, RecordClass, Requirement, SUBJECT_KEY},
    name::normal_form,
    normalise::without_individual_mark,
};
use legal_clock::parse_day;
use time::Date;

/// The list of states of a registration (市场主体登记管理条例).
const STATES: &str = "registration-state";
/// The state of a subject that is no more. 吊销 and 撤销 leave a subject to be deregistered, 迁出 another registrar.
const CANCELLED: &str = "注销";
/// The register's placeholder for a name where there is none.
const UNNAMED: &str = "个体工商户";

/// What a registration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRegistration {
    /// The registered name.
    pub name: String,
    /// The form by which it is compared.
    pub normalised_name: String,
    /// State, where the item has one.
    pub status: Option<String>,
    /// Day of the end, where the record says it.
    pub ended_on: Option<Date>,
    /// Day of the registration.
    pub since: Date,
}

/// The form under which two spellings of one name are equal. Registers and older systems leave the mark of
/// individual businesses out.
pub fn normalised_name(name: &str) -> String {
    normal_form(without_individual_mark(name))
}

/// Whether this registered name is only the placeholder.
pub fn is_unnamed(core: &str) -> bool {
    core == UNNAMED
}

/// Whether records of this item fill the base register: base information with one record a subject.
pub fn fills_register(item: &ItemVersion) -> bool {
    item.record_class == RecordClass::Basic && item.natural_key == [SUBJECT_KEY]
}

impl SubjectRegistration {
    /// What an accepted record registers; `None` for other items, for subjects without a code, and for natural
    /// persons, who are in no register here.
    pub fn from_record(item: &ItemVersion, record: &AcceptedRecord) -> Option<Self> {
        let subject = &record.subject;
        if !fills_register(item)
            || subject.kind == SubjectKind::NaturalPerson
            || subject.credit_code.is_none()
        {
            return None;
        }
        let text = |code: &str| record.values.get(code).and_then(|value| value.as_str());
        let state = item.fields.iter().find(|field| {
            let list = field
                .code_list
                .as_ref()
                .and_then(|list| list.list.as_deref());
            list == Some(STATES)
        });
        let end = state.and_then(|state| {
            item.fields.iter().find(|field| {
                field.kind == FieldKind::Date
                    && matches!(&field.required, Requirement::When(Condition::OneOf { field, .. })
                        if *field == state.code)
            })
        });
        Some(Self {
            name: subject.name.clone(),
            normalised_name: normalised_name(&subject.name),
            status: state.and_then(|field| text(&field.code)).map(str::to_owned),
            ended_on: end.and_then(|field| text(&field.code)).and_then(parse_day),
            since: record.decision_date,
        })
    }
}

/// Whether a subject with this state was no more on `day`.
pub fn was_cancelled(status: Option<&str>, ended_on: Option<Date>, day: Date) -> bool {
    status == Some(CANCELLED) && ended_on.is_some_and(|end| end < day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn r10_only_registrations_of_subjects_fill_the_register() {
        let items = credit_record::standard_items().unwrap();
        let filling: Vec<&str> = items
            .iter()
            .filter(|item| fills_register(item))
            .map(|item| item.code.as_str())
            .collect();
        // Licences are base information too, but of decisions.
        assert_eq!(filling, ["djzc"]);
    }

    #[test]
    fn a_subject_is_no_more_from_the_day_after_its_cancellation() {
        let end = Some(date!(2020 - 05 - 06));
        assert!(!was_cancelled(Some("注销"), end, date!(2020 - 05 - 06)));
        assert!(was_cancelled(Some("注销"), end, date!(2020 - 05 - 07)));
        // Without its licence it can still be fined.
        assert!(!was_cancelled(Some("吊销"), end, date!(2021 - 01 - 01)));
        assert!(!was_cancelled(Some("注销"), None, date!(2021 - 01 - 01)));
        assert!(!was_cancelled(None, end, date!(2021 - 01 - 01)));
    }

    #[test]
    fn spellings_of_one_name_have_one_core() {
        assert_eq!(
            normalised_name("长沙（湖南）某店（个体工商户）"),
            normalised_name("长沙(湖南)某店")
        );
        assert_ne!(normalised_name("长沙某店"), normalised_name("长沙甲店"));
        assert!(is_unnamed(&normalised_name("个体工商户")));
    }
}
