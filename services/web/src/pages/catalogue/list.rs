//! All items in force, by catalogue, with filters.

use std::collections::BTreeSet;

use maud::{Markup, html};
use proto::credit::catalog::v1::{Catalogue, Item};

use super::{PUBLIC_RANGE, item_address};
use crate::{
    client::OrganNames,
    pages::{
        PageContent, Section,
        parts::{SelectField, empty_panel, item_mark, total_line},
    },
    query::{CATALOGUES, CLASSES, CatalogueFilter},
    text::{
        catalogue::{
            catalogue_name, disclosure_mode_name, district_name, organ_name, owner_name,
            subject_kind_name,
        },
        class_name, or_none, update_cycle_name,
    },
};

/// What the list shows.
#[derive(Debug)]
pub struct CataloguePage {
    /// All items in force.
    pub items: Vec<Item>,
    /// Names of organs.
    pub organs: OrganNames,
    /// Which of them are shown.
    pub filter: CatalogueFilter,
}

impl CataloguePage {
    /// The page.
    pub fn content(&self) -> PageContent {
        let body = html! {
            div.wrap {
                h1 { "信用信息目录" }
                p.page-line {
                    "各部门按目录归集信用信息。每一事项列明归集内容、数据项、公开范围、更新周期、校验规则和法律依据。"
                    "取值规范见" a href="/catalogue/lists" { "代码表" } "。"
                }
                (self.form())
                @if self.filter.is_valid() {
                    (self.results())
                } @else {
                    p.complaint.complaint-wide role="alert" { "筛选条件有误，请按提示修改后重新查询。" }
                }
            }
        };
        PageContent {
            title: "信用信息目录".to_owned(),
            section: Section::Catalogue,
            body,
        }
    }

    fn form(&self) -> Markup {
        let catalogues = CATALOGUES.map(|(key, value)| {
            let name = catalogue_name(value as i32);
            (key.to_owned(), name.to_owned())
        });
        let classes =
            CLASSES.map(|(key, value)| (key.to_owned(), class_name(value as i32).to_owned()));
        let districts = self.owners(|item| item.owner.as_ref().map(|o| o.district_code.as_str()));
        let districts: Vec<_> = districts
            .into_iter()
            .map(|code| (code.to_owned(), district_name(code).to_owned()))
            .collect();
        let organs = self.owners(|item| item.owner.as_ref().map(|o| o.organ.as_str()));
        let organs: Vec<_> = organs
            .into_iter()
            .map(|code| (code.to_owned(), organ_name(code, &self.organs).to_owned()))
            .collect();
        let field = |name, label, options, entry| {
            SelectField {
                name,
                label,
                options,
                entry,
            }
            .render()
        };
        html! {
            form.filter role="search" action="/catalogue" method="get" aria-label="筛选" {
                div.filter-fields {
                    (field("catalogue", "目录", &catalogues, &self.filter.catalogue))
                    (field("organ", "编制单位", &organs, &self.filter.organ))
                    (field("district", "区县", &districts, &self.filter.district))
                    (field("class", "信息类别", &classes, &self.filter.class))
                }
                div.filter-actions {
                    button.button type="submit" { "筛选" }
                    @if !self.filter.is_empty() {
                        a.button.button-quiet href="/catalogue" { "清除条件" }
                    }
                }
            }
        }
    }

    /// What owners of the items name, each once.
    fn owners<'a>(&'a self, of: impl Fn(&'a Item) -> Option<&'a str>) -> BTreeSet<&'a str> {
        self.items
            .iter()
            .filter_map(of)
            .filter(|text| !text.is_empty())
            .collect()
    }

    fn results(&self) -> Markup {
        let shown: Vec<&Item> = self
            .items
            .iter()
            .filter(|i| self.filter.matches(i))
            .collect();
        let of = |wanted: Catalogue| -> Vec<&Item> {
            let in_it = |item: &&&Item| {
                let stated = item
                    .owner
                    .as_ref()
                    .map_or(Catalogue::City, |o| o.catalogue());
                stated == wanted || (stated == Catalogue::Unspecified && wanted == Catalogue::City)
            };
            shown.iter().filter(in_it).copied().collect()
        };
        html! {
            @if shown.is_empty() && self.filter.is_empty() {
                (empty_panel("目录中暂无生效的事项", &[]))
            } @else if shown.is_empty() {
                (empty_panel("没有符合条件的事项", &["请减少筛选条件。停用的事项不再列出，可按编码直接访问。"]))
            } @else {
                p.result-line { (total_line(shown.len() as u64, "个事项")) }
                @for (key, value) in CATALOGUES {
                    @let items = of(value);
                    @if !items.is_empty() {
                        section.catalogue-part aria-labelledby={ "of-" (key) } {
                            h2 id={ "of-" (key) } {
                                (catalogue_name(value as i32)) " " span.muted { (items.len()) " 个" }
                            }
                            ul.items { @for item in items { (self.entry(item)) } }
                        }
                    }
                }
            }
        }
    }

    fn entry(&self, item: &Item) -> Markup {
        let public = public_fields(item);
        html! {
            li.panel.item {
                h3 { a href=(item_address(&item.code, 0)) { (item.name) } }
                p.muted {
                    (item_mark(class_name(item.record_class), item.record_class))
                    " " (owner_name(item.owner.as_ref(), &self.organs))
                    " · 编码 " span.code.code-inline { (item.code) }
                    " · 第 " (item.version) " 版" @if !item.edition.is_empty() { "（" (item.edition) "）" }
                }
                dl.facts {
                    div { dt { "数据项" } dd { strong.number { (item.fields.len()) } " 个，公开 " strong.number { (public) } " 个" } }
                    (reporting_facts(item))
                    div { dt { "国家目录类别" } dd { (or_none(item.national.as_ref().map_or("", |n| n.kind.as_str()))) } }
                    (subjects(item))
                }
            }
        }
    }
}

/// How often an item is reported and within what time.
pub(super) fn reporting_facts(item: &Item) -> Markup {
    html! {
        div { dt { "更新周期" } dd { (or_none(update_cycle_name(&item.update_cycle))) } }
        @if item.reporting_deadline_working_days > 0 {
            div { dt { "报送时限" } dd { (item.reporting_deadline_working_days) " 个工作日" } }
        }
    }
}

/// How records are disclosed, by kind of subject.
fn subjects(item: &Item) -> Markup {
    html! {
        @for subject in &item.subjects {
            div { dt { (subject_kind_name(subject.subject_kind)) } dd { (disclosure_mode_name(&subject.mode)) } }
        }
    }
}

pub(super) fn public_fields(item: &Item) -> usize {
    item.fields
        .iter()
        .filter(|field| field.publication == PUBLIC_RANGE)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pages::fixtures::{framed_page, sample_item},
        query::QueryParams,
    };

    fn list(items: Vec<Item>, query: &str) -> String {
        framed_page(
            &CataloguePage {
                items,
                organs: OrganNames::from([("O1".to_owned(), "长沙市林业局".to_owned())]),
                filter: CatalogueFilter::parse(&QueryParams::parse(Some(query))),
            }
            .content(),
        )
    }

    #[test]
    fn items_stand_under_their_catalogue() {
        let mut own = sample_item();
        own.code = "lyzz".to_owned();
        own.owner = Some(proto::credit::catalog::v1::Owner {
            catalogue: Catalogue::Department.into(),
            organ: "O1".to_owned(),
            district_code: String::new(),
        });
        let shown = list(vec![sample_item(), own.clone()], "");
        let (city, department) = shown.split_once("id=\"of-department\"").unwrap();
        assert!(city.contains("href=\"/catalogue/xzxk\"") && city.contains("行政管理信息"));
        assert!(!city.contains("/catalogue/lyzz") && !department.contains("/catalogue/xzxk"));
        assert!(department.contains("部门目录 · 长沙市林业局"));
        assert!(shown.contains("依法查询，不公示") && shown.contains("向社会公示"));
        let narrowed = list(vec![sample_item(), own], "catalogue=department");
        assert!(narrowed.contains("/catalogue/lyzz") && !narrowed.contains("/catalogue/xzxk"));
        assert!(narrowed.contains("<option value=\"department\" selected>"));
    }

    #[test]
    fn an_empty_list_tells_why() {
        assert!(list(vec![], "").contains("暂无生效的事项"));
        assert!(list(vec![sample_item()], "class=adverse").contains("没有符合条件的事项"));
        let wrong = list(vec![sample_item()], "class=nonsense");
        assert!(wrong.contains("没有这个选项") && !wrong.contains("/catalogue/xzxk"));
    }
}
