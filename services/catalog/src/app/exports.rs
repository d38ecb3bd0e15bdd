//! An item as a file: what a provider needs to report by it. Called by `grpc`.

use credit_record::{
    export::{csv_header, json_schema},
    item::ItemVersion,
};

use crate::{error::CatalogError, template};

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON Schema of one record.
    JsonSchema,
    /// First line of a CSV file.
    CsvHeader,
    /// Excel template.
    Xlsx,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, `<item>-v<version>` and what the format adds.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// The file of a version of an item. A template is some milliseconds of work and so done beside the tasks that
/// serve calls.
///
/// # Errors
/// The file cannot be made.
pub async fn file(item: ItemVersion, format: Format) -> Result<File, CatalogError> {
    let code = item.code.clone();
    let made = tokio::task::spawn_blocking(move || make(&item, format)).await;
    let failed = |source| CatalogError::Export { code, source };
    match made {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(source)) => Err(failed(source)),
        Err(ended) => Err(failed(Box::new(ended))),
    }
}

fn make(
    item: &ItemVersion,
    format: Format,
) -> Result<File, Box<dyn std::error::Error + Send + Sync>> {
    let (suffix, media_type, content) = match format {
        Format::JsonSchema => (
            ".schema.json",
            "application/schema+json",
            serde_json::to_vec_pretty(&json_schema(item))?,
        ),
        Format::CsvHeader => (
            ".csv",
            "text/csv; charset=utf-8",
            csv_header(item).into_bytes(),
        ),
        Format::Xlsx => (
            ".xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            template::xlsx(item)?,
        ),
    };
    Ok(File {
        name: format!("{}-v{}{suffix}", item.code, item.version),
        media_type,
        content,
    })
}
