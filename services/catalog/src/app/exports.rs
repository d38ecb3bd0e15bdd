//! An item as a file: what a provider needs to report by it. Everybody with a token may ask, so a file is made
//! once, and few are made at a time. Called by `grpc`.

use std::{
    collections::VecDeque,
    ops::DerefMut,
    sync::{Mutex, PoisonError},
};

use credit_record::{
    export::{csv_header, json_schema},
    item::ItemVersion,
};
use prost::bytes::Bytes;
use service_kit::{blocking::try_blocking, db::Conn};
use time::Date;
use tokio::sync::Semaphore;

use super::items;
use crate::{error::CatalogError, template};

/// How many files are made at once; who asks for another one waits.
const AT_ONCE: usize = 2;

/// Most bytes of finished files that are kept.
const MOST_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemFileFormat {
    /// JSON Schema of one record.
    JsonSchema,
    /// First line of a CSV file.
    CsvHeader,
    /// Excel template.
    Xlsx,
}

/// A file. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFile {
    /// Its name, `<item>-v<version>` and what the format adds.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub content: Bytes,
}

/// Which version in which format. A published version never changes, and so its files do not either.
type ItemFileKey = (String, u32, ItemFileFormat);

/// Finished files, and the queue of those that wait for one.
#[derive(Debug)]
pub struct ItemExporter {
    gate: Semaphore,
    kept: Mutex<ItemFileCache>,
}

impl Default for ItemExporter {
    fn default() -> Self {
        Self {
            gate: Semaphore::new(AT_ONCE),
            kept: Mutex::new(ItemFileCache::new(MOST_KEPT_BYTES)),
        }
    }
}

impl ItemExporter {
    /// The file of a version of an item in force or of old; version 0 means the one in force on `day`. Whoever waits for a
    /// file to be made keeps no connection, so it is handed over.
    ///
    /// # Errors
    /// There is no such version, the file cannot be made, or the database fails.
    pub async fn export_item(
        &self,
        mut conn: impl DerefMut<Target = Conn>,
        code: &str,
        version: u32,
        format: ItemFileFormat,
        day: Date,
    ) -> Result<ItemFile, CatalogError> {
        let known = items::version_of(&mut conn, code, version, day).await?;
        let finished = known.and_then(|known| self.finished(code, known, format));
        if let Some(file) = finished {
            return Ok(file);
        }
        let item = items::get_item(&mut conn, code, version, day).await?;
        drop(conn);
        self.file(item, format).await
    }

    /// A file that was made already.
    fn finished(&self, code: &str, version: u32, format: ItemFileFormat) -> Option<ItemFile> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.find(&(code.to_owned(), version, format))
    }

    /// The file of a published version of an item. It waits while others are made.
    ///
    /// # Errors
    /// The file cannot be made.
    async fn file(
        &self,
        item: ItemVersion,
        format: ItemFileFormat,
    ) -> Result<ItemFile, CatalogError> {
        // The gate is never closed; were it, files would be made without waiting.
        let _turn = self.gate.acquire().await.ok();
        let (code, version) = (item.code.clone(), item.version);
        // Who asked for the same one before may have got it meanwhile.
        if let Some(file) = self.finished(&code, version, format) {
            return Ok(file);
        }
        let file = try_blocking(move || make(&item, format)).await?;
        let file = file.map_err(|source| {
            let code = code.clone();
            CatalogError::Export { code, source }
        })?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.keep((code, version, format), file.clone());
        Ok(file)
    }
}

/// Files by the order of their last use, the latest at the end.
#[derive(Debug)]
struct ItemFileCache {
    files: VecDeque<(ItemFileKey, ItemFile)>,
    bytes: usize,
    most: usize,
}

impl ItemFileCache {
    fn new(most: usize) -> Self {
        Self {
            files: VecDeque::new(),
            bytes: 0,
            most,
        }
    }

    fn find(&mut self, key: &ItemFileKey) -> Option<ItemFile> {
        let at = self.files.iter().position(|(known, _)| known == key)?;
        let used = self.files.remove(at)?;
        let file = used.1.clone();
        self.files.push_back(used);
        Some(file)
    }

    fn keep(&mut self, key: ItemFileKey, file: ItemFile) {
        if file.content.len() > self.most || self.find(&key).is_some() {
            return;
        }
        self.bytes += file.content.len();
        self.files.push_back((key, file));
        while self.bytes > self.most
            && let Some((_, oldest)) = self.files.pop_front()
        {
            self.bytes -= oldest.content.len();
        }
    }
}

fn make(
    item: &ItemVersion,
    format: ItemFileFormat,
) -> Result<ItemFile, Box<dyn std::error::Error + Send + Sync>> {
    let (suffix, media_type, content) = match format {
        ItemFileFormat::JsonSchema => (
            ".schema.json",
            "application/schema+json",
            serde_json::to_vec_pretty(&json_schema(item))?,
        ),
        ItemFileFormat::CsvHeader => (
            ".csv",
            "text/csv; charset=utf-8",
            csv_header(item).into_bytes(),
        ),
        ItemFileFormat::Xlsx => (
            ".xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            template::xlsx(item)?,
        ),
    };
    Ok(ItemFile {
        name: format!("{}-v{}{suffix}", item.code, item.version),
        media_type,
        content: content.into(),
    })
}

#[cfg(test)]
mod tests {
    use credit_record::item::standard_items;

    use super::*;

    fn key(version: u32) -> ItemFileKey {
        ("x".to_owned(), version, ItemFileFormat::Xlsx)
    }

    fn of(bytes: usize) -> ItemFile {
        ItemFile {
            name: String::new(),
            media_type: "",
            content: vec![0; bytes].into(),
        }
    }

    #[test]
    fn files_are_kept_up_to_a_number_of_bytes_and_the_least_used_goes_first() {
        let mut kept = ItemFileCache::new(100);
        for version in 1..=4 {
            kept.keep(key(version), of(25));
        }
        assert!(kept.find(&key(1)).is_some());
        kept.keep(key(5), of(30));
        let left: Vec<u32> = (1..=5).filter(|v| kept.find(&key(*v)).is_some()).collect();
        assert_eq!((left, kept.bytes), (vec![1, 4, 5], 80));
        kept.keep(key(5), of(30));
        kept.keep(key(6), of(101));
        assert_eq!((kept.bytes, kept.find(&key(6))), (80, None));
    }

    #[tokio::test]
    async fn a_file_is_made_once_and_waits_for_its_turn() {
        let exports = ItemExporter::default();
        let item = standard_items().unwrap().remove(0);
        let (code, version) = (item.code.clone(), item.version);
        let finished = |format| exports.finished(&code, version, format);
        assert_eq!(finished(ItemFileFormat::Xlsx), None);
        let both = exports.gate.acquire_many(AT_ONCE as u32).await.unwrap();
        {
            let mut waiting = std::pin::pin!(exports.file(item.clone(), ItemFileFormat::Xlsx));
            tokio::select! {
                biased;
                made = &mut waiting => panic!("made out of turn: {made:?}"),
                () = tokio::task::yield_now() => {}
            }
            drop(both);
            let made = waiting.await.unwrap();
            assert_eq!(finished(ItemFileFormat::Xlsx).as_ref(), Some(&made));
            let again = exports
                .file(item.clone(), ItemFileFormat::Xlsx)
                .await
                .unwrap();
            // The very same bytes, not equal ones.
            assert_eq!(again.content.as_ptr(), made.content.as_ptr());
        }
        assert_eq!(finished(ItemFileFormat::CsvHeader), None);
    }
}
