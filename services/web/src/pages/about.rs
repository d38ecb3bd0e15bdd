//! What the site discloses, for how long, how to object, and what it keeps of visitors.

use maud::{Markup, html};

use super::{PageContent, Section};

/// The page.
pub fn about_content() -> PageContent {
    let body = html! {
        div.wrap.about {
            h1 { "关于信用长沙" }
            p.page-line {
                "信用长沙是长沙市公共信用信息的公示网站，依据《长沙市政务领域信用信息记录征集管理暂行办法》"
                "（长政办发〔2017〕26号，以下称《办法》）建设。"
            }
            nav.contents aria-label="本页目录" {
                ul {
                    li { a href="#scope" { "公示范围" } }
                    li { a href="#term" { "公示期限" } }
                    li { a href="#objection" { "异议处理" } }
                    li { a href="#privacy" { "个人信息保护" } }
                    li { a href="#use" { "使用说明" } }
                }
            }
            (scope()) (term()) (objection()) (privacy()) (usage())
        }
    };
    PageContent {
        title: "关于本站".to_owned(),
        section: Section::About,
        body,
    }
}

fn scope() -> Markup {
    html! {
        section.panel #scope aria-labelledby="scope-title" {
            h2 #scope-title { "公示范围" }
            p {
                "本站公示行政机关和法律法规授权的组织在履行职责中形成的、关于法人和其他组织（含个体工商户）的信用信息，"
                "包括行政许可、行政处罚等事项。每一事项公示哪些数据项，见" a href="/catalogue" { "信用信息目录" } "。"
            }
            p {
                strong { "自然人的信用信息不在本站公开。" }
                "依据《办法》，自然人的信用信息只以查询方式披露，由本人凭有效身份另行查询。涉及国家秘密、商业秘密和个人隐私的内容不予公示。"
            }
            p {
                "公示的内容由作出决定的部门提供并对其真实性、准确性、完整性负责。平台保存原始报送内容，不作改动；"
                "更正只能由提供部门重新报送。"
            }
        }
    }
}

fn term() -> Markup {
    html! {
        section.panel #term aria-labelledby="term-title" {
            h2 #term-title { "公示期限" }
            p {
                "不良信用信息自生效之日起公示 " strong { "3 年" } "，法律另有规定的从其规定。每条不良信用信息都标明公示的最后一日。"
            }
            p {
                "期限届满，或者作出决定的部门填报的公示截止期更早到来的，记录转为档案，不再向社会公示。许可等其他信息的有效期届满后暂仍展示，并标明有效期。"
                "是否在公示期内，以每次查询的时刻为准。"
            }
            p {
                "决定被依法变更、撤销、确认违法或者确认无效的，提供部门撤回后信息立即不再公示，原页面公开说明撤回的理由。"
            }
        }
    }
}

fn objection() -> Markup {
    html! {
        section.panel #objection aria-labelledby="objection-title" {
            h2 #objection-title { "异议处理" }
            p { "信用信息主体认为本站公示的记录有错误的，可以提出异议：" }
            ol.steps {
                li {
                    h3 { "提出" }
                    p { "以书面形式向市信用办提出异议，并附证据材料。" }
                }
                li {
                    h3 { "转办：3 个工作日内" }
                    p { "市信用办将异议及证据转交提供该记录的部门。" }
                }
                li {
                    h3 { "核查答复：7 个工作日内" }
                    p { "提供部门核查并书面答复，同时告知异议申请人。应当更正的，7 个工作日内书面告知市信用办，市信用办及时更正。" }
                }
                li {
                    h3 { "仍有异议" }
                    p { "申请人对答复仍有异议的，可提交书面异议报告。市信用办将部门答复和异议报告附于该记录，一并披露。" }
                }
            }
            p.muted {
                "异议处理期间，记录旁标注" span.mark.mark-amber { "异议处理中" } "。工作日按国务院办公厅公布的节假日安排计算。"
            }
        }
    }
}

fn privacy() -> Markup {
    html! {
        section.panel #privacy aria-labelledby="privacy-title" {
            h2 #privacy-title { "个人信息保护" }
            ul {
                li { "本站不提供自然人信息的检索，请勿在查询框中输入身份证件号码、手机号码等个人信息。" }
                li { "浏览和查询无需注册登录，本站不设置 Cookie，不使用第三方统计或脚本，不记录您查询的内容。" }
                li { "本站请搜索引擎不收录查询结果和公示记录，避免记录在公示期满后仍在别处流传。" }
            }
        }
    }
}

fn usage() -> Markup {
    html! {
        section.panel #use aria-labelledby="use-title" {
            h2 #use-title { "使用说明" }
            ul {
                li { "名称相近的主体可能互不相关，请以统一社会信用代码为准。" }
                li { "查询结果反映查询时正在公示的信息，不构成对主体信用状况的评价。" }
                li { "本站可仅用键盘操作，支持读屏软件、页面放大和打印；不启用脚本也能使用全部功能。" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::fixtures;

    #[test]
    fn the_deadlines_of_the_regulation_are_told() {
        let shown = fixtures::framed_page(&about_content());
        //
        for text in [
            "自然人的信用信息不在本站公开",
            "3 年",
            "公开说明撤回的理由",
            "3 个工作日内",
            "7 个工作日内",
        ] {
            assert!(shown.contains(text), "{text}");
        }
    }
}
