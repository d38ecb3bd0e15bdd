//! Error pages: not found, bad request, backend unavailable, failure.

use maud::{Markup, html};

use super::{PageContent, Section};

/// An error page with its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPage {
    /// No such page.
    NoPage,
    /// No disclosed record of that number.
    NoRecord,
    /// No disclosed record of that organisation.
    NoSubject,
    /// The code in the address is no credit code.
    NoCode,
    /// No such item in the catalogue.
    NoItem,
    /// A service refused a parameter, such as an old page token.
    BadAddress,
    /// The site cannot be written to.
    ReadOnly,
    /// A service is unavailable; a retry may succeed.
    Unavailable,
    /// A service failed.
    Failed,
}

impl ErrorPage {
    /// Status of the response.
    pub fn status(self) -> u16 {
        match self {
            Self::NoPage | Self::NoRecord | Self::NoSubject | Self::NoCode | Self::NoItem => 404,
            Self::BadAddress => 400,
            Self::ReadOnly => 405,
            Self::Unavailable => 503,
            Self::Failed => 500,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::NoPage => "没有这个页面",
            Self::NoRecord => "没有找到这条记录",
            Self::NoSubject => "没有该主体的公示信息",
            Self::NoCode => "统一社会信用代码不正确",
            Self::NoItem => "目录中没有这一事项",
            Self::BadAddress => "页面地址有误",
            Self::ReadOnly => "不支持这种访问方式",
            Self::Unavailable => "服务暂时不可用",
            Self::Failed => "页面出错了",
        }
    }

    fn lines(self) -> &'static [&'static str] {
        match self {
            Self::NoPage => &["请核对地址，或从首页重新查询。"],
            Self::NoRecord => &[
                "记录可能已由提供部门更正、撤下，或公示期满。",
                "可按主体名称或统一社会信用代码重新查询。",
            ],
            Self::NoSubject => &[
                "该统一社会信用代码目前没有正在公示的信息。",
                "未查到不代表该主体不存在；公示期满的不良信用信息也不再列出。",
            ],
            Self::NoCode => {
                &["代码共 18 位，最后一位是校验码，不使用字母 I、O、S、V、Z。请逐位核对。"]
            }
            Self::NoItem => &["事项可能已停用。请从信用信息目录中选择。"],
            Self::BadAddress => &["地址中的参数无效或已过期，请重新查询。"],
            Self::ReadOnly => &["本站只提供浏览和查询。"],
            Self::Unavailable => &[
                "公示数据暂时无法读取，我们正在恢复。",
                "请稍等半分钟后刷新本页。",
            ],
            Self::Failed => &["问题已记录。请稍后再试，或从首页重新查询。"],
        }
    }

    /// The page.
    pub fn content(self) -> PageContent {
        PageContent {
            title: self.title().to_owned(),
            section: Section::Elsewhere,
            body: self.body(),
        }
    }

    fn body(self) -> Markup {
        html! {
            div.wrap.trouble {
                p.trouble-code aria-hidden="true" { (self.status()) }
                h1 { (self.title()) }
                @for line in self.lines() { p { (line) } }
                p.trouble-links {
                    a.button href="/" { "返回首页" }
                    @if self == Self::NoItem { " " a.button.button-quiet href="/catalogue" { "信用信息目录" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixtures;

    #[test]
    fn each_trouble_has_a_page_that_leads_home() {
        for trouble in [
            ErrorPage::NoPage,
            ErrorPage::NoRecord,
            ErrorPage::NoSubject,
            ErrorPage::NoCode,
            ErrorPage::NoItem,
            ErrorPage::BadAddress,
            ErrorPage::ReadOnly,
            ErrorPage::Unavailable,
            ErrorPage::Failed,
        ] {
            assert!(trouble.status() >= 400);
            let shown = fixtures::framed_page(&trouble.content());
            assert!(shown.contains(trouble.title()) && shown.contains("返回首页"));
        }
    }
}
