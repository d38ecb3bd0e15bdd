//! The note that shows when a cell is entered. Called for each column of the template.

use credit_record::export::{kind_text, length_text, requirement_text};
use credit_record::item::{Field, FieldKind, ItemVersion};

/// Most UTF-16 units of a title and of a note, as spreadsheets allow.
const MAX_TITLE_UNITS: usize = 32;
const MAX_NOTE_UNITS: usize = 255;

/// Title and note: requirement, kind, length, unit, then the remark of the standard as far as there is room.
pub(super) fn input_note(item: &ItemVersion, field: &Field) -> (String, String) {
    let mut lines = vec![requirement_text(item, field), kind_text(field).to_owned()];
    if field.code_list.is_none() && field.kind != FieldKind::Date {
        lines.push(format!("最长{}个字符", length_text(field)));
    }
    if let Some(unit) = &field.unit {
        lines.push(format!("单位：{unit}"));
    }
    if !field.note.is_empty() {
        lines.push(field.note.clone());
    }
    (
        cut(&field.name, MAX_TITLE_UNITS),
        cut(&lines.join("\n"), MAX_NOTE_UNITS),
    )
}

/// The beginning of a text that fits, with an ellipsis where something is missing.
fn cut(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut room = most - 1;
    let fits = |sign: &char| {
        let needed = sign.len_utf16();
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn texts_are_cut_to_what_a_spreadsheet_takes() {
        assert_eq!(cut("必填", 2), "必填");
        assert_eq!(cut("必填项", 2), "必…");
        // A character outside of the basic plane counts twice and is never halved.
        assert_eq!(cut("𠮷𠮷𠮷", 4), "𠮷…");
        assert_eq!(cut(&"长".repeat(300), 255).chars().count(), 255);
    }
}
