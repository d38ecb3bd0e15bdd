//! An item as an Excel template: what a department without an interface fills in and uploads.
//! Called by the export of items. Pure: the same item gives the same bytes.
//!
//! Sheet 填报 has the Chinese names in its first row and the field codes in its second, by which an import
//! recognises the columns; records start in the third. Codes, dates and texts are text cells, because a number
//! of 18 digits or a date would be damaged by the spreadsheet. Drop-downs, lengths and dates are checked while
//! typing; what a spreadsheet cannot check is checked on receipt. Sheet 填报说明 explains fields and rules, sheet
//! 代码表 holds the values.

mod notes;
#[cfg(test)]
mod tests;

use credit_record::Severity;
use credit_record::export::{
    disclosure_text, kind_text, length_text, list_choices, requirement_text, update_cycle_text,
};
use credit_record::item::{
    CodeList, Field, FieldKind, ItemVersion, Requirement, ValueFormat as Form,
};
use rust_xlsxwriter::utility::column_number_to_name;
use rust_xlsxwriter::{
    Color, DataValidation, DataValidationRule, DocProperties, ExcelDateTime, Format, FormatAlign,
    FormatBorder, Formula, Workbook, Worksheet, XlsxError,
};

use notes::input_note;

/// Sheet to fill in.
pub const SHEET_ENTRY: &str = "填报";
/// Sheet that explains.
pub const SHEET_HELP: &str = "填报说明";
/// Sheet with the values of code lists.
pub const SHEET_LISTS: &str = "代码表";

/// First row of records, counted from 0, behind names and codes.
const FIRST_ROW: u32 = 2;
/// Rows that are prepared for records. Whoever has more sends files by the interface.
const PREPARED_ROWS: u32 = 10_000;
/// Most UTF-16 units of a drop-down that is in the cell rule itself; longer ones refer to a range.
const MAX_INLINE_UNITS: usize = 255;
/// Built-in number format of text cells.
const TEXT_FORMAT_INDEX: u8 = 49;
/// Rows above the values on sheet 代码表.
const LIST_HEADING_ROWS: u32 = 2;

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
#[error("the Excel template of catalogue item {code} version {version} cannot be written")]
pub struct TemplateError {
    /// Code of the item.
    pub code: String,
    /// Version of the item.
    pub version: u32,
    /// Error of the spreadsheet writer.
    #[source]
    pub cause: XlsxError,
}

/// The item as an `.xlsx` file.
///
/// # Errors
/// [`TemplateError`]: a text of the item is longer than a spreadsheet allows.
pub fn item_template(item: &ItemVersion) -> Result<Vec<u8>, TemplateError> {
    write_workbook(item).map_err(|cause| TemplateError {
        code: item.code.clone(),
        version: item.version,
        cause,
    })
}

fn write_workbook(item: &ItemVersion) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // A fixed day: the file says what the item says, not when it was asked for.
    let created = ExcelDateTime::from_ymd(2017, 6, 20)?;
    let properties = DocProperties::new()
        .set_title(format!(
            "{}（{} 版本{}）",
            item.name, item.code, item.version
        ))
        .set_creation_datetime(&created);
    book.set_properties(&properties);
    let lists = TemplateLists::from_item(item);
    write_entry_sheet(book.add_worksheet(), item, &lists)?;
    write_help_sheet(book.add_worksheet(), item)?;
    lists.write(book.add_worksheet())?;
    book.save_to_buffer()
}

fn write_entry_sheet(
    sheet: &mut Worksheet,
    item: &ItemVersion,
    lists: &TemplateLists<'_>,
) -> Result<(), XlsxError> {
    sheet.set_name(SHEET_ENTRY)?;
    sheet.set_freeze_panes(FIRST_ROW, 1)?;
    let text = Format::new().set_num_format_index(TEXT_FORMAT_INDEX);
    let number = Format::new();
    sheet.set_row_height(0, 48)?;
    for (column, field) in (0u16..).zip(&item.fields) {
        let head = heading(&field.required);
        sheet.write_string_with_format(0, column, &field.name, &head)?;
        sheet.write_string_with_format(1, column, &field.code, &head.clone().set_bold())?;
        let decimal = field.kind == FieldKind::Decimal;
        sheet.set_column_format(column, if decimal { &number } else { &text })?;
        sheet.set_column_width(column, width(field))?;
        let rule = cell_validation(item, field, column, lists)?;
        sheet.add_data_validation(
            FIRST_ROW,
            column,
            FIRST_ROW + PREPARED_ROWS - 1,
            column,
            &rule,
        )?;
    }
    Ok(())
}

/// Red: must be given. Orange: must be given under a condition. Grey: may be given.
fn heading(required: &Requirement) -> Format {
    let colour = match required {
        Requirement::Always => 0x00F8_CBAD,
        Requirement::When(_) => 0x00FF_E699,
        Requirement::Optional => 0x00E7_E6E6,
    };
    Format::new()
        .set_background_color(Color::RGB(colour))
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
        .set_text_wrap()
        .set_num_format_index(TEXT_FORMAT_INDEX)
}

fn width(field: &Field) -> f64 {
    match (field.kind, field.max_len) {
        (FieldKind::Date, _) => 13.0,
        (FieldKind::Decimal, _) => 16.0,
        (_, 0..=20) => 22.0,
        (_, 21..=256) => 28.0,
        _ => 40.0,
    }
}

/// What a cell takes, and the note that shows when it is entered.
fn cell_validation(
    item: &ItemVersion,
    field: &Field,
    column: u16,
    lists: &TemplateLists<'_>,
) -> Result<DataValidation, XlsxError> {
    let (title, note) = input_note(item, field);
    let rule = DataValidation::new()
        .set_input_title(title)?
        .set_input_message(note)?
        .set_error_title("填写有误")?
        .set_error_message("填写的内容不符合要求，请按提示和“填报说明”填写。")?;
    if let Some(list) = &field.code_list {
        let rule = match lists.range(field) {
            Some(range) => rule.allow_list_formula(Formula::new(range)),
            None => rule.allow_list_strings(&list.values)?,
        };
        // A drop-down offers one value; several, or one of one's own, have to be typed.
        return Ok(rule.show_error_message(!list.open && !list.several));
    }
    Ok(match (field.kind, field.format) {
        (FieldKind::Date, _) => rule.allow_custom(Formula::new(date_formula(column))),
        (FieldKind::Decimal, _) => {
            rule.allow_decimal_number(DataValidationRule::GreaterThanOrEqualTo(0.0))
        }
        (_, Form::CreditCode) => rule.allow_text_length(DataValidationRule::EqualTo(18)),
        _ => rule.allow_text_length(DataValidationRule::LessThanOrEqualTo(field.max_len)),
    })
}

/// A calendar day written `YYYY-MM-DD` in a text cell: a date cell would turn into a serial number.
fn date_formula(column: u16) -> String {
    let cell = format!("{}{}", column_number_to_name(column), FIRST_ROW + 1);
    format!(
        "=AND(LEN({cell})=10,MID({cell},5,1)=\"-\",MID({cell},8,1)=\"-\",ISNUMBER(DATEVALUE({cell})))"
    )
}

/// The code lists of an item and the position of each on its sheet.
struct TemplateLists<'a>(Vec<(String, &'a CodeList)>);

impl<'a> TemplateLists<'a> {
    fn from_item(item: &'a ItemVersion) -> Self {
        let mut lists: Vec<(String, &CodeList)> = Vec::new();
        for field in &item.fields {
            let Some(list) = &field.code_list else {
                continue;
            };
            let name = Self::name(field, list);
            if lists.iter().all(|(known, _)| *known != name) {
                lists.push((name, list));
            }
        }
        Self(lists)
    }

    /// The list's own code and version, by which fields share it; else the field's.
    fn name(field: &Field, list: &CodeList) -> String {
        match (&list.list, list.version) {
            (Some(code), Some(version)) => format!("{code} 版本{version}"),
            _ => field.code.clone(),
        }
    }

    /// Range of the values, where the drop-down is too long for the cell rule or a value holds its separator.
    fn range(&self, field: &Field) -> Option<String> {
        let list = field.code_list.as_ref()?;
        let joined = list.values.join(",");
        let inline = joined.encode_utf16().count() <= MAX_INLINE_UNITS
            && !list.values.iter().any(|value| value.contains([',', '"']));
        if inline {
            return None;
        }
        let name = Self::name(field, list);
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        let column = column_number_to_name(u16::try_from(at * 2).ok()?);
        let first = LIST_HEADING_ROWS + 1;
        let last = LIST_HEADING_ROWS as usize + list.values.len();
        Some(format!(
            "='{SHEET_LISTS}'!${column}${first}:${column}${last}"
        ))
    }

    /// Two columns a list: value and meaning.
    fn write(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        sheet.set_name(SHEET_LISTS)?;
        sheet.set_freeze_panes(LIST_HEADING_ROWS, 0)?;
        let text = Format::new().set_num_format_index(TEXT_FORMAT_INDEX);
        let head = heading(&Requirement::Optional);
        for (at, (name, list)) in (0u16..).step_by(2).zip(&self.0) {
            sheet.write_string_with_format(0, at, name, &head)?;
            sheet.write_string_with_format(1, at, "值", &head)?;
            sheet.write_string_with_format(1, at + 1, "含义", &head)?;
            sheet.set_column_width(at, 36)?;
            sheet.set_column_width(at + 1, 28)?;
            for (row, (value, meaning)) in (LIST_HEADING_ROWS..).zip(list_choices(list)) {
                sheet.write_string_with_format(row, at, value, &text)?;
                sheet.write_string_with_format(row, at + 1, meaning, &text)?;
            }
        }
        Ok(())
    }
}

fn write_help_sheet(sheet: &mut Worksheet, item: &ItemVersion) -> Result<(), XlsxError> {
    sheet.set_name(SHEET_HELP)?;
    let text = Format::new()
        .set_num_format_index(TEXT_FORMAT_INDEX)
        .set_text_wrap()
        .set_align(FormatAlign::Top);
    let head = heading(&Requirement::Optional).set_bold();
    let mut row = 0;
    let about = [
        ("目录项", format!("{}（{}）", item.name, item.code)),
        ("版本", format!("{}（{}版）", item.version, item.edition)),
        ("法律依据", item.legal_basis.join("；")),
        ("归集内容", item.entry.conduct.clone()),
        ("信息来源", item.entry.source.clone()),
        ("报送渠道", item.entry.channel.clone()),
        (
            "报送时限",
            format!("{}个工作日内", item.reporting_deadline_working_days),
        ),
        ("更新周期", update_cycle_text(item.update_cycle).to_owned()),
        ("披露方式", disclosure_text(item)),
        ("共享范围", item.entry.sharing.clone()),
        ("保存期限", item.entry.retention.clone()),
        (
            "填报方法",
            format!(
                "在“{SHEET_ENTRY}”工作表第3行起填写，每行一条；不要改动前两行。\
                 红色列必填，橙色列在一定条件下必填，灰色列选填。"
            ),
        ),
    ];
    for (name, value) in &about {
        sheet.write_string_with_format(row, 0, *name, &head)?;
        sheet.merge_range(row, 1, row, 8, value, &text)?;
        row += 1;
    }
    row += 1;
    let columns = [
        "字段代码",
        "名称",
        "类型",
        "长度",
        "填报要求",
        "单位",
        "公开范围",
        "别名",
        "说明",
    ];
    let widths = [20.0, 30.0, 30.0, 14.0, 44.0, 8.0, 12.0, 16.0, 50.0];
    for (column, (name, width)) in (0u16..).zip(columns.iter().zip(widths)) {
        sheet.write_string_with_format(row, column, *name, &head)?;
        sheet.set_column_width(column, width)?;
    }
    for field in &item.fields {
        row += 1;
        let cells = [
            field.code.clone(),
            field.name.clone(),
            kind_text(field).to_owned(),
            length_text(field),
            requirement_text(item, field),
            field.unit.clone().unwrap_or_default(),
            field.publication.label().to_owned(),
            field.aliases.join("、"),
            field.note.clone(),
        ];
        for (column, cell) in (0u16..).zip(cells) {
            sheet.write_string_with_format(row, column, cell, &text)?;
        }
    }
    row += 2;
    for (column, name) in (0u16..).zip(["校验规则", "要求", "不符合时"]) {
        sheet.write_string_with_format(row, column, name, &head)?;
    }
    for rule in &item.rules {
        row += 1;
        let outcome = match rule.severity {
            Severity::Error => "退回",
            Severity::Warning => "接收并提示",
        };
        for (column, cell) in (0u16..).zip([rule.id.as_str(), rule.title.as_str(), outcome]) {
            sheet.write_string_with_format(row, column, cell, &text)?;
        }
    }
    Ok(())
}
