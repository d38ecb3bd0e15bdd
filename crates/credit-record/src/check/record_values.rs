//! The values of one record by the fields of its item, normalised, with what is known to be at fault.
//! Filled once by [`super::check_record`], then read by the field checks and the rules.

use std::borrow::Cow;

use serde_json::{Map, Value};
use time::Date;

use unicode_normalization::UnicodeNormalization;

use super::decode::{DecodedValue, FieldPairs};
use super::finding::{Finding, FindingCode, Findings};
use super::{CheckContext, ContentForm};
use crate::item::{Field, FieldKind, ItemVersion, SubjectKind};
use crate::normalise::{CleansingChange, Normaliser, normalise_value_by, parse_date};
use crate::rule::CompiledItem;

/// The values of one record by the fields of its item.
#[derive(Debug)]
pub struct RecordValues<'a> {
    item: &'a ItemVersion,
    steps: &'a [Vec<&'static Normaliser>],
    ctx: &'a CheckContext<'a>,
    cells: Vec<ValueSlot<'a>>,
    kind: Option<SubjectKind>,
    changes: Vec<CleansingChange>,
}

#[derive(Clone, Default)]
struct ValueSlot<'a> {
    seen: bool,
    faulty: bool,
    value: Option<Cow<'a, str>>,
}

impl std::fmt::Debug for ValueSlot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match (&self.value, self.faulty) {
            (_, true) => "faulty",
            (Some(_), _) => "given",
            (None, _) => "absent",
        };
        f.write_str(state)
    }
}

impl<'a> RecordValues<'a> {
    /// Sorts the pairs by field, normalises them and reports what is no field or no plain value.
    pub(super) fn from_pairs(
        form: ContentForm,
        compiled: &'a CompiledItem,
        ctx: &'a CheckContext<'a>,
        pairs: FieldPairs<'a>,
        findings: &mut Findings,
    ) -> Self {
        let item = compiled.item();
        let cells = vec![ValueSlot::default(); item.fields.len()];
        let mut record_values = Self {
            item,
            steps: compiled.cleansing(),
            ctx,
            cells,
            kind: None,
            changes: Vec::new(),
        };
        let mut next = 0;
        for (place, (key, raw)) in pairs.into_iter().enumerate() {
            let found = match form {
                ContentForm::Json => locate(item, &key, next),
                ContentForm::CsvRow => locate_column(item, &key, next),
            };
            match found {
                Some(FieldColumn { index, alias }) => {
                    next = index + 1;
                    record_values.put_value(index, alias, raw, findings);
                }
                None if form == ContentForm::Json => findings.push(unknown_field(&key)),
                // A spreadsheet's empty columns after the last one carry no value.
                None if raw == DecodedValue::Null && key.trim().is_empty() => {}
                None => findings.push(unknown_column(&key, place)),
            }
        }
        record_values.kind = record_values.subject_kind();
        record_values
    }

    /// The kind of the subject as given by the record. Editions without a category determine it by the
    /// identifiers: a person has a personal document, 92 is the pair of a 个体工商户 (GB 32100).
    fn subject_kind(&self) -> Option<SubjectKind> {
        let roles = &self.item.roles;
        if let Some(category) = &roles.subject_category {
            return self.text(category).and_then(SubjectKind::from_label);
        }
        if let [only] = self.item.subject_kinds[..] {
            return Some(only);
        }
        let person = roles.person_document_number.as_deref();
        if person.is_some_and(|number| self.has_value(number)) {
            return Some(SubjectKind::NaturalPerson);
        }
        let code = self.text(&roles.credit_code).unwrap_or_default();
        Some(if code.starts_with("92") {
            SubjectKind::IndividualBusiness
        } else {
            SubjectKind::Organisation
        })
    }

    fn put_value(
        &mut self,
        index: usize,
        alias: bool,
        raw: DecodedValue<'a>,
        findings: &mut Findings,
    ) {
        let field = &self.item.fields[index];
        if self.cells[index].seen {
            self.cells[index].faulty = true;
            findings.push(Finding::error(
                FindingCode::FormDuplicateField,
                "form",
                &field.code,
                format!("字段“{}”出现了不止一次，请只保留一个", field.name),
            ));
            return;
        }
        self.cells[index].seen = true;
        let value = match raw {
            DecodedValue::Null => return,
            DecodedValue::Text(text) => text,
            DecodedValue::Number(number) if field.kind == FieldKind::Decimal => Cow::Owned(number),
            DecodedValue::Number(_) | DecodedValue::Other => {
                self.cells[index].faulty = true;
                findings.push(wrong_type(field));
                return;
            }
        };
        if alias {
            self.changes.push(CleansingChange {
                field: field.code.clone(),
                rule: "field-alias",
                rule_version: 1,
                before: "别名字段".to_owned(),
                after: field.code.clone(),
            });
        }
        let value = normalise_value_by(&self.steps[index], field, value, &mut self.changes);
        if !value.is_empty() {
            self.cells[index].value = Some(value);
        }
    }

    /// The item.
    pub fn item(&self) -> &'a ItemVersion {
        self.item
    }

    /// The context.
    pub fn ctx(&self) -> &'a CheckContext<'a> {
        self.ctx
    }

    /// Kind of the subject, when the record names one of the three.
    pub fn kind(&self) -> Option<SubjectKind> {
        self.kind
    }

    /// The normalised value of a field that is given and not at fault.
    pub fn text(&self, code: &str) -> Option<&str> {
        self.value_at(self.item.position(code)?)
    }

    /// The date of a field that is given and not at fault.
    pub fn date(&self, code: &str) -> Option<Date> {
        self.text(code).and_then(parse_date)
    }

    /// True when a field was given, right or wrong.
    pub fn has_value(&self, code: &str) -> bool {
        self.item.position(code).is_some_and(|i| self.given_at(i))
    }

    /// True when a fault of this field is already reported.
    pub fn has_fault(&self, code: &str) -> bool {
        self.item
            .position(code)
            .is_some_and(|i| self.cells[i].faulty)
    }

    pub(crate) fn value_at(&self, index: usize) -> Option<&str> {
        let cell = &self.cells[index];
        if cell.faulty {
            None
        } else {
            cell.value.as_deref()
        }
    }

    pub(super) fn given_at(&self, index: usize) -> bool {
        self.cells[index].faulty || self.cells[index].value.is_some()
    }

    /// True when a field has a value, right or wrong.
    pub(super) fn has_value_at(&self, index: usize) -> bool {
        self.cells[index].value.is_some()
    }

    pub(crate) fn faulty_at(&self, index: usize) -> bool {
        self.cells[index].faulty
    }

    pub(super) fn mark_faulty(&mut self, index: usize) {
        self.cells[index].faulty = true;
    }

    /// The changes; a natural person's name is redacted in them.
    pub(super) fn take_changes(&self, kind: SubjectKind) -> Vec<CleansingChange> {
        let mut changes = self.changes.clone();
        if kind == SubjectKind::NaturalPerson {
            let name = &self.item.roles.subject_name;
            changes
                .iter_mut()
                .filter(|c| c.field == *name)
                .for_each(CleansingChange::redact_values);
        }
        changes
    }

    /// The values in the order of the item.
    pub(super) fn into_values(self) -> Map<String, Value> {
        let mut values = Map::with_capacity(self.cells.len());
        for (field, cell) in self.item.fields.iter().zip(self.cells) {
            if let Some(value) = cell.value {
                values.insert(field.code.clone(), Value::String(value.into_owned()));
            }
        }
        values
    }
}

/// A field found by a key or a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldColumn {
    /// Position of the field in its item.
    pub index: usize,
    /// Whether it was named by an alias, its own or that of a source family.
    pub alias: bool,
}

/// The field that the heading of a column means: by field code, Chinese name, or alias of the field or a source
/// family. Where nothing fits to the letter, white space, width and the case of letters do not count. The same
/// answer for a row that is checked and for a file that a program of a department reads.
pub fn find_column(item: &ItemVersion, heading: &str) -> Option<FieldColumn> {
    locate_column(item, heading, 0)
}

/// The field with this key, also by an alias, of the field itself or of a source
/// family. Systems send fields in the order of the standard, so the search starts behind the last hit.
fn locate(item: &ItemVersion, key: &str, next: usize) -> Option<FieldColumn> {
    let fields = &item.fields;
    if let Some(index) = in_order(item, next).find(|i| fields[*i].code == key) {
        return Some(FieldColumn {
            index,
            alias: false,
        });
    }
    in_order(item, next)
        .find(|i| fields[*i].aliases.iter().any(|a| a == key))
        .or_else(|| {
            let mut families = item.source_families.iter();
            let code = families.find_map(|family| family.aliases.get(key))?;
            item.position(code)
        })
        .map(|index| FieldColumn { index, alias: true })
}

fn in_order(item: &ItemVersion, next: usize) -> impl Iterator<Item = usize> {
    let count = item.fields.len();
    let next = next.min(count);
    (next..count).chain(0..next)
}

fn locate_column(item: &ItemVersion, heading: &str, next: usize) -> Option<FieldColumn> {
    let fields = &item.fields;
    let named = |heading: &str| {
        let index = in_order(item, next).find(|i| fields[*i].name == heading)?;
        Some(FieldColumn {
            index,
            alias: false,
        })
    };
    let to_the_letter = locate(item, heading, next).or_else(|| named(heading));
    if to_the_letter.is_some() || heading.len() > MAX_HEADING {
        return to_the_letter;
    }
    let wanted = folded(heading);
    let own = |same: &dyn Fn(&Field) -> bool| {
        let mut order = in_order(item, next);
        order.find(|i| !wanted.is_empty() && same(&fields[*i]))
    };
    let column = |alias| move |index| FieldColumn { index, alias };
    own(&|field| folded(&field.code) == wanted || folded(&field.name) == wanted)
        .map(column(false))
        .or_else(|| {
            own(&|field| field.aliases.iter().any(|a| folded(a) == wanted)).map(column(true))
        })
        .or_else(|| {
            let mut aliases = item.source_families.iter().flat_map(|f| &f.aliases);
            let (_, code) = aliases.find(|(alias, _)| folded(alias) == wanted)?;
            item.position(code).map(column(true))
        })
}

/// Longer than the name of any field, in bytes; what is longer is not compared loosely.
const MAX_HEADING: usize = 512;

/// A heading as far as its meaning goes.
fn folded(heading: &str) -> String {
    let kept = |c: &char| !c.is_whitespace() && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{FEFF}');
    heading
        .nfkc()
        .filter(kept)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

fn wrong_type(field: &Field) -> Finding {
    let message = if field.kind == FieldKind::Decimal {
        format!("字段“{}”应为数字或数字文本", field.name)
    } else {
        format!(
            "字段“{}”应为文本；号码和日期也请以文本报送，以免丢失数位",
            field.name
        )
    };
    Finding::error(FindingCode::ValueType, "form", &field.code, message)
}

/// Whether a key may be repeated; anything else may be a value in the wrong column.
fn looks_like_code(key: &str) -> bool {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    (1..=64).contains(&key.len())
        && digits <= 6
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn unknown_column(heading: &str, place: usize) -> Finding {
    if looks_like_code(heading) {
        return unknown_field(heading);
    }
    let message = format!(
        "第{}列的列名不是目录项的字段代码、名称或别名，请对照目录核对列名",
        place + 1
    );
    Finding::whole_record(FindingCode::FormUnknownField, "form", message)
}

fn unknown_field(key: &str) -> Finding {
    let code = FindingCode::FormUnknownField;
    if looks_like_code(key) {
        Finding::error(
            code,
            "form",
            key,
            "目录项中没有这个字段，请对照目录核对字段代码",
        )
    } else {
        Finding::whole_record(
            code,
            "form",
            "有一个字段的代码不在目录项中，请对照目录核对字段代码",
        )
    }
}
