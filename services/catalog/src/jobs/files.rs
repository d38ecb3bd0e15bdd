//! The folder of data files: which file is a code list, which an item. Called by the reconciler.

use std::path::{Path, PathBuf};

/// What the folder holds: name of the file and its text.
#[derive(Debug, Default)]
pub(super) struct DataFiles {
    /// Code lists.
    pub(super) lists: Vec<(String, String)>,
    /// Item versions, and whatever is neither, so that the lint says what is wrong.
    pub(super) items: Vec<(String, String)>,
    /// What cannot be read, with the file's name.
    pub(super) faults: Vec<String>,
}

/// Reads the `*.toml` files by name.
pub(super) async fn read_folder(dir: &Path) -> DataFiles {
    let mut found = DataFiles::default();
    let files = match toml_files(dir).await {
        Ok(files) => files,
        Err(error) => {
            found
                .faults
                .push(format!("items_dir {}: {error}", dir.display()));
            return found;
        }
    };
    for file in files {
        let name = file.display().to_string();
        match tokio::fs::read_to_string(&file).await {
            Ok(text) if is_code_list(&text) => found.lists.push((name, text)),
            Ok(text) => found.items.push((name, text)),
            Err(error) => found.faults.push(format!("{name}: {error}")),
        }
    }
    found
}

/// A code list has values and no fields.
fn is_code_list(text: &str) -> bool {
    text.parse::<toml::Table>()
        .is_ok_and(|table| table.contains_key("values") && !table.contains_key("fields"))
}

async fn toml_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries = tokio::fs::read_dir(dir).await?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
