//! The frame around every page: head, skip link, banner with navigation and search, main, footer.

use maud::{DOCTYPE, Markup, html};
use time::OffsetDateTime;

use crate::{assets::Assets, query::MAX_TEXT, text};

/// Part of the site that a page belongs to; marked in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Home.
    Home,
    /// Licences.
    Licences,
    /// Penalties.
    Penalties,
    /// Catalogue.
    Catalogue,
    /// About.
    About,
    /// The search and its results.
    Search,
    /// None of the navigation.
    Elsewhere,
}

const NAVIGATION: [(Section, &str, &str); 5] = [
    (Section::Home, "/", "首页"),
    (Section::Licences, "/licences", "行政许可"),
    (Section::Penalties, "/penalties", "行政处罚"),
    (Section::Catalogue, "/catalogue", "信息目录"),
    (Section::About, "/about", "关于本站"),
];

/// A page before it is framed.
#[derive(Debug)]
pub struct PageContent {
    /// Title without the site's name.
    pub title: String,
    /// Where it belongs.
    pub section: Section,
    /// The content of `main`. Holds the only `h1`.
    pub body: Markup,
}

/// Layout data that every page shares.
#[derive(Debug)]
pub struct PageFrame<'a> {
    /// Style sheet and pictures.
    pub assets: &'a Assets,
    /// Moment of reading.
    pub now: OffsetDateTime,
}

impl PageFrame<'_> {
    /// The whole document.
    pub fn render(&self, page: &PageContent) -> String {
        let title = if page.section == Section::Home {
            "信用长沙 · 长沙市公共信用信息公示".to_owned()
        } else {
            format!("{} · 信用长沙", page.title)
        };
        html! {
            (DOCTYPE)
            html lang="zh-CN" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="format-detection" content="telephone=no";
                    meta name="theme-color" content="#0f3a57";
                    meta name="description" content="长沙市法人和其他组织的行政许可、行政处罚等公共信用信息公示与查询。";
                    title { (title) }
                    link rel="stylesheet" href=(self.assets.style.path);
                    link rel="icon" type="image/svg+xml" href=(self.assets.icon.path);
                }
                body {
                    a.skip href="#main" { "跳到主要内容" }
                    (banner(page.section))
                    main #main tabindex="-1" { (page.body) }
                    (self.footer())
                }
            }
        }
        .into_string()
    }

    fn footer(&self) -> Markup {
        html! {
            footer.site-footer {
                div.wrap {
                    div.footer-columns {
                        div {
                            p.footer-name { "信用长沙" }
                            p {
                                "长沙市公共信用信息公示平台。依据《长沙市政务领域信用信息记录征集管理暂行办法》"
                                "（长政办发〔2017〕26号）向社会公示法人和其他组织的公共信用信息。"
                            }
                        }
                        nav aria-label="页脚导航" {
                            ul {
                                li { a href="/about#scope" { "公示范围与期限" } }
                                li { a href="/about#objection" { "异议处理" } }
                                li { a href="/about#privacy" { "个人信息保护" } }
                                li { a href="/catalogue" { "信用信息目录" } }
                            }
                        }
                    }
                    p.footer-note {
                        "公示信息由作出决定的部门提供并对其真实性、准确性负责。本页内容查询于 "
                        (text::format_moment(self.now)) "（北京时间）。"
                    }
                }
            }
        }
    }
}

fn banner(here: Section) -> Markup {
    html! {
        header.site-header {
            div.wrap.header-row {
                a.brand href="/" {
                    span.seal aria-hidden="true" { "信" }
                    span.brand-text {
                        span.brand-name { "信用长沙" }
                        span.brand-line { "长沙市公共信用信息公示" }
                    }
                }
                nav.site-nav aria-label="主导航" {
                    ul {
                        @for (section, address, name) in NAVIGATION {
                            li {
                                a href=(address) aria-current=[(section == here).then_some("page")] { (name) }
                            }
                        }
                    }
                }
                @if !matches!(here, Section::Home | Section::Search) {
                    (search_box())
                }
            }
        }
    }
}

/// The small search box of the banner. Home and search have their own, larger one.
fn search_box() -> Markup {
    html! {
        form.header-search role="search" action="/search" method="get" aria-label="站内查询" {
            label.sr-only for="site-q" { "企业或组织名称、统一社会信用代码" }
            input #site-q type="search" name="q" maxlength=(MAX_TEXT) placeholder="名称或信用代码"
                autocomplete="off" spellcheck="false";
            button type="submit" { "查询" }
        }
    }
}
