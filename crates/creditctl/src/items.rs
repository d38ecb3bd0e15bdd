//! The definition of an item that a file is read by: one that this program carries, or a file of the catalogue.
//! Called by `submit` and `lint`.

use std::fs;
use std::sync::Arc;

use credit_record::{CompiledItem, ItemVersion, standard_items};
use time::Date;

use crate::CommandFailure;
use crate::cli::SourceOptions;
use crate::language::{Language, say};

/// The definition that `source` asks for; without a version the one in force, of which the platform may have given
/// the number.
///
/// # Errors
/// Unknown item or version, or a file that is no definition of it.
pub fn find_item(
    source: &SourceOptions,
    today: Date,
    in_force: Option<u32>,
    language: Language,
) -> Result<Arc<CompiledItem>, CommandFailure> {
    let wanted = match source.item_version {
        0 => in_force,
        version => Some(version),
    };
    let item = match &source.item_file {
        Some(_) => from_file(source, wanted, language)?,
        None => standard_item(&source.item, wanted, today, language)?,
    };
    let compiled = CompiledItem::new(Arc::new(item)).map_err(|error| {
        CommandFailure::cannot_run(say!(
            language,
            "目录事项定义不可用：{error}",
            "the item's definition cannot be used: {error}"
        ))
    })?;
    Ok(Arc::new(compiled))
}

fn from_file(
    source: &SourceOptions,
    wanted: Option<u32>,
    language: Language,
) -> Result<ItemVersion, CommandFailure> {
    let path = source.item_file.clone().unwrap_or_default();
    let text =
        fs::read_to_string(&path).map_err(|e| CommandFailure::cannot_read(language, &path, &e))?;
    let json = text.trim_start().starts_with('{');
    let read = if json {
        ItemVersion::from_json(&text)
    } else {
        ItemVersion::from_toml(&text)
    };
    let shown = path.display();
    let item = read.map_err(|error| {
        CommandFailure::cannot_run(say!(
            language,
            "{shown} 不是可用的目录事项定义：{error}",
            "{shown} is no usable definition of an item: {error}"
        ))
    })?;
    let (code, version) = (&item.code, item.version);
    if *code != source.item || wanted.is_some_and(|wanted| wanted != version) {
        let asked = &source.item;
        let number = wanted.map_or_else(String::new, |wanted| format!(" v{wanted}"));
        return Err(CommandFailure::cannot_run(say!(
            language,
            "{shown} 是目录事项 {code} v{version} 的定义，需要的是 {asked}{number}",
            "{shown} defines item {code} v{version}, and {asked}{number} is needed"
        )));
    }
    Ok(item)
}

fn standard_item(
    code: &str,
    wanted: Option<u32>,
    today: Date,
    language: Language,
) -> Result<ItemVersion, CommandFailure> {
    let items = standard_items().map_err(|error| CommandFailure::cannot_run(error.to_string()))?;
    let mut known: Vec<String> = Vec::new();
    let mut found: Option<ItemVersion> = None;
    for item in items {
        if !known.contains(&item.code) {
            known.push(item.code.clone());
        }
        let fits = match wanted {
            Some(version) => item.version == version,
            None => item.effective_from.is_none_or(|from| from <= today),
        };
        if item.code == code && fits && found.as_ref().is_none_or(|f| f.version < item.version) {
            found = Some(item);
        }
    }
    found.ok_or_else(|| {
        let known = known.join(", ");
        let version = wanted.map_or_else(String::new, |wanted| format!(" v{wanted}"));
        CommandFailure::cannot_run(say!(
            language,
            "本程序没有目录事项 {code}{version} 的定义，请用 --item-file 给出；自带的事项有：{known}",
            "this program has no definition of item {code}{version}: give it with --item-file; it carries {known}"
        ))
    })
}
