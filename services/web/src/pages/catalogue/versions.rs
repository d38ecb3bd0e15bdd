//! The versions of an item side by side: from when to when each was in force, what it is today.

use maud::{Markup, html};
use proto::credit::catalog::v1::{ItemVersionInfo, Retirement, VersionState};

use super::{FILES, item_address};
use crate::{
    client::OrganNames,
    text::{
        catalogue::{civil_day, day_before, organ_name, version_state_name},
        date_markup, or_none,
    },
};

/// All versions of an item, oldest first, and its retirement.
#[derive(Debug)]
pub(super) struct VersionTable<'a> {
    /// The versions.
    pub(super) all: &'a [ItemVersionInfo],
    /// The item's end, when it has been decided.
    pub(super) retirement: Option<&'a Retirement>,
    /// Names of organs.
    pub(super) organs: &'a OrganNames,
}

impl VersionTable<'_> {
    /// The table; `here` is the version that the page shows.
    pub(super) fn table(&self, here: u32) -> Markup {
        html! {
            table.cards.versions role="table" {
                caption.sr-only { "各版本及其适用期间" }
                thead role="rowgroup" {
                    tr role="row" {
                        @for name in ["版本", "状态", "适用于（按接收日期）", "依据标准", "发布", "下载"] {
                            th scope="col" role="columnheader" { (name) }
                        }
                    }
                }
                tbody role="rowgroup" {
                    @for (at, version) in self.all.iter().enumerate() { (self.row(at, version, here)) }
                }
            }
        }
    }

    fn row(&self, at: usize, version: &ItemVersionInfo, here: u32) -> Markup {
        let link = item_address(&version.code, version.version);
        let current = version.version == here;
        html! {
            tr role="row" {
                th.lead scope="row" role="rowheader" data-label="版本" {
                    a href=(link) aria-current=[current.then_some("page")] { "第 " (version.version) " 版" }
                    @if current { span.muted { "（本页）" } }
                }
                td role="cell" data-label="状态" { (version_state_mark(version.state)) }
                td role="cell" data-label="适用期间" { (self.span(at, version)) }
                td role="cell" data-label="依据标准" { (or_none(&version.edition)) }
                td role="cell" data-label="发布" {
                    div { (date_markup(&civil_day(version.published_at.as_ref().map(|t| t.seconds)))) }
                    div.muted { (self.publisher(version)) }
                }
                td role="cell" data-label="下载" {
                    ul.files {
                        @for (file, name) in FILES {
                            li { a href={ (link) "/" (file) } { (name) span.sr-only { "（第 " (version.version) " 版）" } } }
                        }
                    }
                }
            }
        }
    }

    /// From the first day of receipt to the day before the next version or the item's end.
    fn span(&self, at: usize, version: &ItemVersionInfo) -> Markup {
        let from = version.effective_from.as_str();
        let next = self
            .all
            .get(at + 1)
            .map(|next| next.effective_from.as_str());
        let end = self.retirement.map(|end| end.from_date.as_str());
        // Civil dates compare as texts.
        let first_after = next
            .into_iter()
            .chain(end)
            .filter(|day| !day.is_empty())
            .min();
        html! {
            @match first_after {
                Some(day) if day <= from => { (date_markup(from)) " 起（未单独适用）" },
                Some(day) => { (date_markup(from)) " 至 " (date_markup(&day_before(day))) },
                None => { (date_markup(from)) " 起" },
            }
        }
    }

    /// The organisation that published; accounts of officers are nobody's business.
    fn publisher<'b>(&'b self, version: &'b ItemVersionInfo) -> &'b str {
        let by = version.published_by.as_str();
        let organisation = by.split('/').next().unwrap_or(by);
        match organisation {
            "data-file" => "标准数据文件",
            code => organ_name(code, self.organs),
        }
    }

    /// The version that took the place of an older one: the first that is not superseded itself.
    pub(super) fn current_version(&self) -> Option<&ItemVersionInfo> {
        current_version(self.all)
    }
}

/// The version that an item's page shows: the one in force; of a retired item the last that was; of one that
/// has not begun the first. States go from superseded over in force (or retired) to upcoming, so in each case
/// it is the first that is not superseded.
pub fn current_version(versions: &[ItemVersionInfo]) -> Option<&ItemVersionInfo> {
    versions
        .iter()
        .find(|version| version.state() != VersionState::Superseded)
        .or(versions.last())
}

/// Mark of a version's state.
pub(super) fn version_state_mark(state: i32) -> Markup {
    let text = version_state_name(state);
    html! {
        @match VersionState::try_from(state) {
            Ok(VersionState::InForce) => span.mark.mark-green { (text) },
            Ok(VersionState::Upcoming) => span.mark.mark-amber { (text) },
            Ok(VersionState::Retired) => span.mark.mark-red { (text) },
            Ok(VersionState::Superseded) => span.mark { (text) },
            Ok(VersionState::Unspecified) | Err(_) => (or_none("")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u32, from: &str, state: VersionState) -> ItemVersionInfo {
        ItemVersionInfo {
            code: "x".to_owned(),
            version: number,
            effective_from: from.to_owned(),
            published_by: "O1/wang.wei".to_owned(),
            state: state.into(),
            ..Default::default()
        }
    }

    #[test]
    fn spans_end_before_the_next_version_or_the_items_end() {
        let all = [
            version(1, "2015-11-01", VersionState::Superseded),
            version(2, "2018-12-01", VersionState::Superseded),
            version(3, "2018-12-01", VersionState::Retired),
        ];
        let end = Retirement {
            from_date: "2026-01-01".to_owned(),
            ..Default::default()
        };
        let organs = OrganNames::from([("O1".to_owned(), "长沙市发展和改革委员会".to_owned())]);
        let versions = VersionTable {
            all: &all,
            retirement: Some(&end),
            organs: &organs,
        };
        let span = |at: usize| versions.span(at, &all[at]).into_string();
        assert!(span(0).contains("2015-11-01") && span(0).contains("2018-11-30"));
        assert!(span(1).contains("未单独适用"));
        assert!(span(2).contains("2025-12-31"));
        assert_eq!(versions.publisher(&all[0]), "长沙市发展和改革委员会");
        let table = versions.table(3).into_string();
        assert!(!table.contains("wang.wei"), "no account is shown");
        assert!(table.contains("/catalogue/x/1/template.xlsx"));
        assert_eq!(versions.current_version().map(|v| v.version), Some(3));
    }

    #[test]
    fn the_version_shown_is_the_one_in_force_or_what_comes_nearest() {
        use VersionState::{InForce, Retired, Superseded, Upcoming};
        for (states, shown) in [
            (vec![Superseded, InForce, Upcoming], 2),
            (vec![Superseded, Retired], 2),
            (vec![Upcoming, Upcoming], 1),
            (vec![Superseded], 1),
        ] {
            let all: Vec<_> = states
                .iter()
                .zip(1..)
                .map(|(state, number)| version(number, "2020-01-01", *state))
                .collect();
            assert_eq!(
                current_version(&all).map(|v| v.version),
                Some(shown),
                "{states:?}"
            );
        }
    }
}
