//! The Chinese help of the command line. Called by [`super::localised_command`].

use clap::{Arg, ArgAction, Command};

/// Help of each command, by its path.
const COMMANDS: [(&str, &str); 13] = [
    ("identify", "识别代码的种类并校验，每个代码输出一行JSON"),
    ("submit", "报送一个文件中的记录（.csv、.xlsx、.jsonl）"),
    (
        "lint",
        "在本地对文件作出与平台一致的校验结论，不发送任何内容",
    ),
    ("feedback", "查看平台退回的记录和改正期限"),
    ("feedback list", "列出反馈，最新的在前"),
    ("feedback watch", "反馈一有变化就输出"),
    (
        "status",
        "查询一次申报的状态：回执、是否为现行版本、校验结论",
    ),
    ("receipt", "查询一次申报的回执"),
    (
        "revoke",
        "撤销记录：原决定被变更、撤销、确认违法或者无效，原因将公示",
    ),
    ("withdraw", "撤回误报的记录，原因不公示"),
    ("nil", "零报告：某目录事项在一段时间内没有需要报送的记录"),
    ("confirm", "由具名的负责人确认被退回的记录属实"),
    ("completions", "输出命令行补全脚本"),
];

/// Help of each argument: path of the command (empty: every command that has it), argument, text.
const ARGUMENTS: [(&str, &str, &str); 40] = [
    ("", "lang", "帮助和说明的语言（zh 或 en），结果不受影响"),
    ("", "json", "每行输出一个JSON对象，供程序读取"),
    (
        "identify",
        "codes",
        "待识别的代码；不给出时从标准输入读取，每行一个",
    ),
    ("identify", "explain", "在标准错误中逐条说明问题和提示"),
    (
        "identify",
        "today",
        "校验出生日期时的“今天”，YYYY-MM-DD；缺省为北京时间当天",
    ),
    (
        "",
        "endpoint",
        "平台地址：主机:端口、http://… 或 https://…；缺省取环境变量 CREDIT_ENDPOINT",
    ),
    (
        "",
        "feedback_endpoint",
        "校验结论和反馈的地址，与平台地址不同时给出；缺省取 CREDIT_FEEDBACK_ENDPOINT，再缺省为同一地址",
    ),
    (
        "",
        "token_file",
        "存放访问令牌的文件；缺省取环境变量 CREDIT_TOKEN",
    ),
    (
        "",
        "ca",
        "签发平台TLS证书的机构证书（PEM）；缺省用操作系统信任的机构",
    ),
    ("", "plaintext", "允许以不加密的方式连接其他计算机"),
    ("", "patience", "平台连接不上时继续重试的秒数，缺省120"),
    ("", "file", "文件：.csv、.xlsx 或 .jsonl"),
    ("", "item", "目录事项代码，例如 xzcf"),
    ("", "item_version", "目录事项版本；缺省为现行版本"),
    (
        "",
        "item_file",
        "目录事项定义文件（TOML 或 JSON），用于本程序没有自带的事项",
    ),
    ("", "encoding", ".csv 文件的编码；缺省按内容判断"),
    (
        "",
        "sheet",
        ".xlsx 文件的工作表；缺省为“填报”，没有时取第一个",
    ),
    (
        "",
        "keys",
        "作为记录主键的列，可重复给出，也可以是本单位自己的列；缺省为目录事项的自然主键",
    ),
    (
        "",
        "errors",
        "错误文件的位置；缺省放在原文件旁边，不覆盖已有文件",
    ),
    (
        "submit",
        "batch",
        "批次名称，申报编号以它开头；缺省为文件内容的摘要",
    ),
    (
        "submit",
        "allow_duplicates",
        "文件中主键相同的后一行作为该记录的新版本",
    ),
    ("submit", "no_wait", "取得回执即结束，不等校验结论"),
    ("submit", "wait", "多少秒没有新的校验结论就不再等，缺省120"),
    (
        "lint",
        "provider",
        "报送单位的统一社会信用代码；缺省取环境变量 CREDIT_PROVIDER",
    ),
    (
        "lint",
        "today",
        "假定的接收日期，YYYY-MM-DD；缺省为北京时间当天",
    ),
    ("feedback list", "all", "包括已办结的"),
    ("feedback list", "limit", "最多列出多少件"),
    (
        "feedback watch",
        "cursor",
        "从这一变化之后开始（--json 输出中的 cursor）",
    ),
    (
        "feedback watch",
        "cursor_file",
        "把位置记在文件中，下次从上次结束处继续",
    ),
    (
        "feedback watch",
        "idle",
        "多少秒没有新变化就结束；缺省一直等待",
    ),
    ("", "submission_id", "申报编号，见 submit 的输出"),
    ("", "key", "报送时使用的记录主键"),
    ("", "reason", "原因，中文，2至2000个字符"),
    (
        "",
        "id",
        "申报编号，用于重复一次没有收到答复的操作；缺省新编",
    ),
    ("nil", "from", "起始日期，YYYY-MM-DD"),
    ("nil", "to", "截止日期，YYYY-MM-DD"),
    ("confirm", "case", "反馈编号，见 feedback list"),
    ("confirm", "attester", "对记录负责的人员姓名"),
    ("confirm", "statement", "确认的依据"),
    ("completions", "shell", "命令行解释器"),
];

const EXIT_CODES: &str = "退出码：0 全部正常；1 有记录被退回、被拒收或有问题；2 命令行或文件不可用；3 平台连接不上或不认可身份；\
                          4 已报送，部分校验结论未在等待时间内得到。\n访问令牌从 --token-file 或环境变量 CREDIT_TOKEN \
                          读取，不能写在命令行中。";

/// The command with Chinese help.
pub(super) fn translate_command(command: Command) -> Command {
    let command = command
        .about("信用信息报送单位工具：报送记录、查看反馈，并在本地完成平台接收时的校验")
        .after_help(EXIT_CODES)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help("显示版本")
                .help_heading("选项"),
        );
    under(command, "")
}

fn under(command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    let mut command = headings(command);
    for name in names {
        let path = format!("{path} {name}").trim_start().to_owned();
        command = command.mut_subcommand(name, |sub| {
            let about = COMMANDS.iter().find(|(known, _)| *known == path);
            let sub = match about {
                Some((_, text)) => sub.about(*text),
                None => sub,
            };
            under(sub, &path)
        });
    }
    command.mut_args(|argument| {
        let Some(text) = help(path, argument.get_id().as_str()) else {
            return argument;
        };
        let heading = if argument.is_positional() {
            "参数"
        } else {
            "选项"
        };
        argument.help(text).help_heading(heading)
    })
}

fn help(path: &str, argument: &str) -> Option<&'static str> {
    let named = |of: &str| {
        let found = ARGUMENTS
            .iter()
            .find(|(command, name, _)| *command == of && *name == argument);
        found.map(|(_, _, text)| *text)
    };
    named(path).or_else(|| named(""))
}

fn headings(command: Command) -> Command {
    command
        .subcommand_help_heading("命令")
        .subcommand_value_name("命令")
        .help_template("{about}\n\n用法：{usage}\n\n{all-args}{after-help}\n")
        .disable_help_flag(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help("显示帮助")
                .help_heading("选项"),
        )
}
