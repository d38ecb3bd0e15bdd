//! The catalogue: which items are collected, of each the entry, the fields, the rules and the versions,
//! and the code lists. One module a part; called by `routes::catalogue`.

mod code_lists;
mod fields;
mod item;
mod list;
mod rules;
mod versions;

pub use code_lists::{CodeListPage, code_lists_content};
pub use item::{ItemCodeLists, ItemPage};
pub use list::CataloguePage;
pub use versions::current_version;

use maud::{Markup, html};

/// The publication range of fields that everybody may see.
const PUBLIC_RANGE: &str = "社会公开";

/// Files of a version: last part of the address, and what the link says.
const FILES: [(&str, &str); 3] = [
    ("schema.json", "JSON Schema"),
    ("template.csv", "CSV 表头"),
    ("template.xlsx", "Excel 填报模板"),
];

/// Address of a version, or of the item when it is 0.
fn item_address(code: &str, version: u32) -> String {
    if version == 0 {
        format!("/catalogue/{code}")
    } else {
        format!("/catalogue/{code}/{version}")
    }
}

/// Address of a version of a code list.
fn code_list_address(code: &str, version: u32) -> String {
    format!("/catalogue/lists/{code}/{version}")
}

fn breadcrumbs(trail: &[(&str, &str)], here: &str) -> Markup {
    html! {
        nav.crumbs aria-label="当前位置" {
            ol {
                @for (address, name) in trail { li { a href=(address) { (name) } } }
                li aria-current="page" { (here) }
            }
        }
    }
}
