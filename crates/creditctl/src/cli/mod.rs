//! The command line: commands and options, with help in Chinese (for officers) and English. Called by [`crate::run`].
//!
//! `chinese` holds the Chinese help; a test walks the commands and misses none.

mod chinese;

use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use time::Date;
use time::macros::format_description;

use crate::language::Language;

/// A whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "creditctl",
    version,
    about = "Reports to the credit platform, and checks at the desk what it would check on receipt",
    after_help = "Exit codes: 0 all is well; 1 something was returned, refused or found faulty; 2 the command line or \
                  a file cannot be used; 3 the platform cannot be reached or does not admit the caller; 4 sent, and \
                  some verdicts have not come in time.\nThe token is read from --token-file or the variable \
                  CREDIT_TOKEN, never from the command line.",
    disable_help_subcommand = true
)]
pub struct CommandLine {
    /// Language of help and explanations (zh or en); results are the same in both
    #[arg(long, global = true, value_enum, default_value_t = Language::Zh)]
    pub lang: Language,
    /// Prints one JSON object a line, for scripts, instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub task: CreditctlCommand,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum CreditctlCommand {
    /// Says what codes are and whether they are right, one JSON object a line
    Identify(Identify),
    /// Reports the records of a file: .csv, .xlsx or .jsonl
    Submit(Box<Submit>),
    /// Gives the verdicts on a file at the desk, without sending anything
    Lint(Lint),
    /// What the platform returned, and until when it is to be mended
    Feedback(Feedback),
    /// How a submission stands: receipt, standing and verdict
    Status(SubmissionOptions),
    /// The receipt of a submission
    Receipt(SubmissionOptions),
    /// Revokes a record whose decision was changed, revoked or found void; the reason is published
    Revoke(TakeBackOptions),
    /// Withdraws a record that was reported by mistake; the reason is not published
    Withdraw(TakeBackOptions),
    /// Declares that there was nothing to report of an item in a period
    Nil(NilOptions),
    /// A named official answers for a returned record as it is
    Confirm(Confirm),
    /// Prints the completions for a shell
    Completions(Completions),
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

/// Where the platform is and who calls.
#[derive(Debug, Clone, Args)]
pub struct ConnectionOptions {
    /// Address of the platform: host:port, http://… or https://… [default: the variable CREDIT_ENDPOINT]
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Address for verdicts and feedback where it is another one [default: CREDIT_FEEDBACK_ENDPOINT, else the same]
    #[arg(long)]
    pub feedback_endpoint: Option<String>,
    /// File with the access token [default: the variable CREDIT_TOKEN]
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// Certificate (PEM) of the authority that the platform's TLS certificate comes from [default: the system's]
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// Allows an unencrypted connection to another computer
    #[arg(long)]
    pub plaintext: bool,
    /// Seconds for which a platform that cannot be reached is tried again
    #[arg(long, default_value_t = 120)]
    pub patience: u64,
}

/// A file of records and how it is read.
#[derive(Debug, Clone, Args)]
pub struct SourceOptions {
    /// The file: .csv, .xlsx or .jsonl
    pub file: PathBuf,
    /// Code of the catalogue item, for instance xzcf
    #[arg(long)]
    pub item: String,
    /// Version of the item [default: the one in force]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub item_version: u32,
    /// Definition of the item (TOML or JSON), for items that this program does not carry
    #[arg(long)]
    pub item_file: Option<PathBuf>,
    /// Encoding of a .csv file [default: told from its bytes]
    #[arg(long, value_enum)]
    pub encoding: Option<Encoding>,
    /// Sheet of an .xlsx file [default: 填报, else the first]
    #[arg(long)]
    pub sheet: Option<String>,
    /// Column that names a record, repeatable; it may be one of the department's own [default: the item's natural key]
    #[arg(long = "key")]
    pub keys: Vec<String>,
    /// Where the error file goes [default: beside the input, never over another file]
    #[arg(long)]
    pub errors: Option<PathBuf>,
}

/// Encodings of CSV files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[value(name = "utf-8")]
    Utf8,
    /// GB18030, which holds GBK and GB2312.
    #[value(name = "gb18030")]
    Gb18030,
}

/// `creditctl submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// The file.
    #[command(flatten)]
    pub source: SourceOptions,
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Name of the delivery, which the submission ids begin with [default: the digest of the file]
    #[arg(long)]
    pub batch: Option<String>,
    /// Takes a later row with the same key as a newer version of the record
    #[arg(long)]
    pub allow_duplicates: bool,
    /// Ends with the receipts and does not wait for the verdicts
    #[arg(long)]
    pub no_wait: bool,
    /// Seconds without any new verdict after which waiting ends
    #[arg(long, default_value_t = 120)]
    pub wait: u64,
}

/// `creditctl lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// The file.
    #[command(flatten)]
    pub source: SourceOptions,
    /// Credit code of the reporting unit [default: the variable CREDIT_PROVIDER]
    #[arg(long)]
    pub provider: Option<String>,
    /// The day of receipt that is assumed, YYYY-MM-DD [default: today in Asia/Shanghai]
    #[arg(long, value_parser = day)]
    pub today: Option<Date>,
}

/// `creditctl feedback`.
#[derive(Debug, Args)]
pub struct Feedback {
    /// Which way.
    #[command(subcommand)]
    pub view: FeedbackView,
}

/// `creditctl feedback list` and `watch`.
#[derive(Debug, Subcommand)]
pub enum FeedbackView {
    /// Lists the cases, newest first
    List(FeedbackList),
    /// Prints each change when it happens
    Watch(FeedbackWatch),
}

/// `creditctl feedback list`.
#[derive(Debug, Args)]
pub struct FeedbackList {
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Closed cases, too
    #[arg(long)]
    pub all: bool,
    /// Ends after so many cases
    #[arg(long)]
    pub limit: Option<u64>,
}

/// `creditctl feedback watch`.
#[derive(Debug, Args)]
pub struct FeedbackWatch {
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Goes on behind this change, as printed with --json
    #[arg(long)]
    pub cursor: Option<String>,
    /// Keeps the cursor in a file, so that the next call goes on where this one ended
    #[arg(long, conflicts_with = "cursor")]
    pub cursor_file: Option<PathBuf>,
    /// Ends when nothing has come for so many seconds [default: never]
    #[arg(long)]
    pub idle: Option<u64>,
}

/// `creditctl status` and `receipt`.
#[derive(Debug, Args)]
pub struct SubmissionOptions {
    /// The submission id, as printed by submit
    pub submission_id: String,
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
}

/// `creditctl revoke` and `withdraw`.
#[derive(Debug, Args)]
pub struct TakeBackOptions {
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Code of the catalogue item
    #[arg(long)]
    pub item: String,
    /// Key of the record, as it was reported
    #[arg(long)]
    pub key: String,
    /// The reason in Chinese, 2 to 2000 characters
    #[arg(long)]
    pub reason: String,
    /// Submission id, to repeat a call whose answer was lost [default: a new one]
    #[arg(long)]
    pub id: Option<String>,
}

/// `creditctl nil`.
#[derive(Debug, Args)]
pub struct NilOptions {
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Code of the catalogue item
    #[arg(long)]
    pub item: String,
    /// First day of the period, YYYY-MM-DD
    #[arg(long, value_parser = day)]
    pub from: Date,
    /// Last day of the period, YYYY-MM-DD
    #[arg(long, value_parser = day)]
    pub to: Date,
}

/// `creditctl confirm`.
#[derive(Debug, Args)]
pub struct Confirm {
    /// The case, as feedback list names it
    pub case: String,
    /// The platform.
    #[command(flatten)]
    pub connection: ConnectionOptions,
    /// Name of the official who answers for the record
    #[arg(long)]
    pub attester: String,
    /// On what the official relies
    #[arg(long)]
    pub statement: String,
}

/// `creditctl completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

fn day(text: &str) -> Result<Date, time::error::Parse> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
}

/// The command line in a language.
pub fn localised_command(language: Language) -> Command {
    let command = CommandLine::command();
    match language {
        Language::En => command,
        Language::Zh => chinese::translate_command(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_argument_has_chinese_help() {
        fn walk(command: &Command, path: &str, missing: &mut Vec<String>) {
            let chinese = |text: Option<&clap::builder::StyledStr>| {
                text.is_some_and(|text| text.to_string().chars().any(|c| c >= '\u{4E00}'))
            };
            if !chinese(command.get_about()) {
                missing.push(path.to_owned());
            }
            for argument in command.get_arguments() {
                if !chinese(argument.get_help()) {
                    missing.push(format!("{path} {}", argument.get_id()));
                }
            }
            for sub in command.get_subcommands() {
                walk(sub, &format!("{path} {}", sub.get_name()), missing);
            }
        }
        let mut missing = Vec::new();
        walk(&localised_command(Language::Zh), "creditctl", &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_definitions_of_arguments_are_sound() {
        for language in [Language::Zh, Language::En] {
            localised_command(language).debug_assert();
        }
    }
}
