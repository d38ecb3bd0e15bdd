//! An item as a file: what a provider needs to report by it.

use anyhow::Result;
use proto::credit::catalog::v1::{ExportFormat, ExportItemRequest, ExportItemResponse};
use service_kit::identity::Role;
use testkit::{TestResult, refusal_of};
use tonic::{Code, Status};

use crate::fixture::CatalogFixture;

async fn export(
    fixture: &CatalogFixture,
    code: &str,
    version: u32,
    format: ExportFormat,
) -> Result<ExportItemResponse, Status> {
    let request = ExportItemRequest {
        code: code.to_owned(),
        version,
        format: format.into(),
    };
    let mut provider = fixture
        .client_as(Role::Provider)
        .map_err(|e| Status::internal(e.to_string()))?;
    Ok(provider.export_item(request).await?.into_inner())
}

#[tokio::test]
async fn r8_every_version_is_exported_as_schema_header_and_template() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let schema = export(&fixture, "xzcf", 0, ExportFormat::JsonSchema).await?;
    assert_eq!(schema.file_name, "xzcf-v3.schema.json");
    let schema: serde_json::Value = serde_json::from_slice(&schema.content)?;
    assert!(schema["properties"]["CF_WSH"].is_object());
    let header = export(&fixture, "xzcf", 2, ExportFormat::CsvHeader).await?;
    assert_eq!(
        (header.file_name.as_str(), header.media_type.as_str()),
        ("xzcf-v2.csv", "text/csv; charset=utf-8")
    );
    assert!(String::from_utf8(header.content.to_vec())?.contains("CF_WSH"));
    let template = export(&fixture, "xzcf", 3, ExportFormat::Xlsx).await?;
    assert_eq!(template.file_name, "xzcf-v3.xlsx");
    assert!(template.content.starts_with(b"PK"), "a zip, as .xlsx is");
    assert!(template.media_type.ends_with("spreadsheetml.sheet"));

    assert_eq!(
        refusal_of(export(&fixture, "xzcf", 9, ExportFormat::Xlsx).await).code,
        Code::NotFound
    );
    assert_eq!(
        refusal_of(export(&fixture, "nowhere", 0, ExportFormat::Xlsx).await).field,
        "code"
    );
    assert_eq!(
        refusal_of(export(&fixture, "xzcf", 0, ExportFormat::Unspecified).await).field,
        "format"
    );
    fixture.finish().await?;
    Ok(())
}
