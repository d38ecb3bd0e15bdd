//! An item as a file: what a provider needs to report by it. Everybody with a token may ask, so a file is built
//! once and cached, and few are built at a time. Called by `grpc`.

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
use record_ref::ItemCode;
use service_kit::{blocking::try_blocking, db::Conn};
use time::Date;
use tokio::sync::Semaphore;

use super::items;
use crate::{error::CatalogError, template};

/// Most files that are built at the same time; further requests wait.
const MAX_PARALLEL_BUILDS: usize = 2;

/// Most bytes of finished files in the cache.
const MAX_CACHED_BYTES: usize = 16 * 1024 * 1024;

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

/// Builds files: a cache of finished ones, and permits that bound the parallel builds.
#[derive(Debug)]
pub struct ItemExporter {
    permits: Semaphore,
    cache: Mutex<ItemFileCache>,
}

impl Default for ItemExporter {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(MAX_PARALLEL_BUILDS),
            cache: Mutex::new(ItemFileCache::new(MAX_CACHED_BYTES)),
        }
    }
}

impl ItemExporter {
    /// The file of a version of an item in force or of old; version 0 means the one in force on `day`. The connection
    /// is taken by value: it goes back to its pool before the wait for a permit.
    ///
    /// # Errors
    /// There is no such version, the file cannot be built, or the database fails.
    pub async fn export_item(
        &self,
        mut conn: impl DerefMut<Target = Conn>,
        code: &ItemCode,
        version: u32,
        format: ItemFileFormat,
        day: Date,
    ) -> Result<ItemFile, CatalogError> {
        let known = items::resolve_version(&mut conn, code, version, day).await?;
        let finished = known.and_then(|known| self.cached_file(code.as_str(), known, format));
        if let Some(file) = finished {
            return Ok(file);
        }
        let item = items::get_item(&mut conn, code, version, day).await?;
        drop(conn);
        self.load_file(item, format).await
    }

    /// A file from the cache.
    fn cached_file(&self, code: &str, version: u32, format: ItemFileFormat) -> Option<ItemFile> {
        let mut kept = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(code.to_owned(), version, format))
    }

    /// The file of a published version of an item. It waits for a permit.
    ///
    /// # Errors
    /// The file cannot be built.
    async fn load_file(
        &self,
        item: ItemVersion,
        format: ItemFileFormat,
    ) -> Result<ItemFile, CatalogError> {
        // The semaphore is never closed; if it were, files would be built without a bound.
        let _turn = self.permits.acquire().await.ok();
        let (code, version) = (item.code.clone(), item.version);
        // Another request for the same file may have filled the cache meanwhile.
        if let Some(file) = self.cached_file(&code, version, format) {
            return Ok(file);
        }
        let file = try_blocking(move || build_file(&item, format)).await?;
        let file = file.map_err(|source| {
            let code = code.clone();
            CatalogError::Export { code, source }
        })?;
        let mut kept = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((code, version, format), file.clone());
        Ok(file)
    }
}

/// An LRU cache of files, bounded in bytes; the most recently used is at the end.
#[derive(Debug)]
struct ItemFileCache {
    files: VecDeque<(ItemFileKey, ItemFile)>,
    bytes: usize,
    max_bytes: usize,
}

impl ItemFileCache {
    fn new(max_bytes: usize) -> Self {
        Self {
            files: VecDeque::new(),
            bytes: 0,
            max_bytes,
        }
    }

    fn get(&mut self, key: &ItemFileKey) -> Option<ItemFile> {
        let at = self.files.iter().position(|(known, _)| known == key)?;
        let used = self.files.remove(at)?;
        let file = used.1.clone();
        self.files.push_back(used);
        Some(file)
    }

    fn insert(&mut self, key: ItemFileKey, file: ItemFile) {
        if file.content.len() > self.max_bytes || self.get(&key).is_some() {
            return;
        }
        self.bytes += file.content.len();
        self.files.push_back((key, file));
        while self.bytes > self.max_bytes
            && let Some((_, oldest)) = self.files.pop_front()
        {
            self.bytes -= oldest.content.len();
        }
    }
}

fn build_file(
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
            template::item_template(item)?,
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

    fn file_of_size(bytes: usize) -> ItemFile {
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
            kept.insert(key(version), file_of_size(25));
        }
        assert!(kept.get(&key(1)).is_some());
        kept.insert(key(5), file_of_size(30));
        let left: Vec<u32> = (1..=5).filter(|v| kept.get(&key(*v)).is_some()).collect();
        assert_eq!((left, kept.bytes), (vec![1, 4, 5], 80));
        kept.insert(key(5), file_of_size(30));
        kept.insert(key(6), file_of_size(101));
        assert_eq!((kept.bytes, kept.get(&key(6))), (80, None));
    }

    #[tokio::test]
    async fn a_file_is_made_once_and_waits_for_its_turn() {
        let exports = ItemExporter::default();
        let item = standard_items().unwrap().remove(0);
        let (code, version) = (item.code.clone(), item.version);
        let finished = |format| exports.cached_file(&code, version, format);
        assert_eq!(finished(ItemFileFormat::Xlsx), None);
        let both = exports
            .permits
            .acquire_many(MAX_PARALLEL_BUILDS as u32)
            .await
            .unwrap();
        {
            let mut waiting = std::pin::pin!(exports.load_file(item.clone(), ItemFileFormat::Xlsx));
            tokio::select! {
                biased;
                made = &mut waiting => panic!("made out of turn: {made:?}"),
                () = tokio::task::yield_now() => {}
            }
            drop(both);
            let made = waiting.await.unwrap();
            assert_eq!(finished(ItemFileFormat::Xlsx).as_ref(), Some(&made));
            let again = exports
                .load_file(item.clone(), ItemFileFormat::Xlsx)
                .await
                .unwrap();
            // The very same bytes, not equal ones.
            assert_eq!(again.content.as_ptr(), made.content.as_ptr());
        }
        assert_eq!(finished(ItemFileFormat::CsvHeader), None);
    }
}
