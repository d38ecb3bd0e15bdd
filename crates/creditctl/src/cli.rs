//! The command line: what may be asked, with help in Chinese (for officers) and English. Called by `run`.

use clap::{Arg, ArgAction, Args, Command, CommandFactory, Parser, Subcommand};
use time::Date;
use time::macros::format_description;

use crate::language::Language;

/// A whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "creditctl",
    version,
    about = "Checks at the desk what the credit platform would check on receipt",
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// Language of help and explanations (zh or en); results are the same in both
    #[arg(long, global = true, value_enum, default_value_t = Language::Zh)]
    pub lang: Language,
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Says what codes are and whether they are right, one JSON object a line
    Identify(Identify),
}

/// `creditctl identify`.
#[derive(Debug, Args)]
pub struct Identify {
    /// Codes; without any, standard input is read, one code a line
    pub codes: Vec<String>,
    /// Explains faults and warnings on standard error
    #[arg(long)]
    pub explain: bool,
    /// The day that dates of birth are compared with, YYYY-MM-DD [default: today in Asia/Shanghai]
    #[arg(long, value_parser = day)]
    pub today: Option<Date>,
}

fn day(text: &str) -> Result<Date, time::error::Parse> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
}

/// Chinese help of each argument: command (empty for all of them), argument, text.
const ZH_ARGUMENTS: [(&str, &str, &str); 4] = [
    ("", "lang", "帮助和说明的语言（zh 或 en），结果不受影响"),
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
];
/// Chinese help of each command.
const ZH_COMMANDS: [(&str, &str); 1] = [("identify", "识别代码的种类并校验，每个代码输出一行JSON")];

/// The command line in a language.
pub fn command(language: Language) -> Command {
    let command = Arguments::command();
    match language {
        Language::En => command,
        Language::Zh => in_chinese(command),
    }
}

fn in_chinese(command: Command) -> Command {
    let mut command =
        headings(command.about("信用信息报送单位工具：报送前在本地完成平台接收时的校验"))
            .subcommand_help_heading("命令")
            .subcommand_value_name("命令")
            .disable_version_flag(true)
            .arg(
                Arg::new("version")
                    .short('V')
                    .long("version")
                    .action(ArgAction::Version)
                    .help("显示版本")
                    .help_heading("选项"),
            );
    for (name, about) in ZH_COMMANDS {
        command = command.mut_subcommand(name, |c| headings(c.about(about)));
    }
    for (name, argument, help) in ZH_ARGUMENTS {
        let heading = if argument == "codes" {
            "参数"
        } else {
            "选项"
        };
        let translate = |a: Arg| a.help(help).help_heading(heading);
        command = if name.is_empty() {
            command.mut_arg(argument, translate)
        } else {
            command.mut_subcommand(name, |c| c.mut_arg(argument, translate))
        };
    }
    command
}

fn headings(command: Command) -> Command {
    command
        .help_template("{about}\n\n用法：{usage}\n\n{all-args}\n")
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
