//! The service's errors and their gRPC statuses in one exhaustive match. Called by every module that
//! answers a request.

use service_kit::{
    db,
    error::{Refusal, database_status, internal_status},
    reason::Reason,
};
use tonic::Status;

use crate::domain::{ObjectionRuleViolation, application::ObjectionRequestFault};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectionError {
    /// The application or answer lacks something (D-4).
    #[error("the request lacks {} things", .0.len())]
    Incomplete(Vec<ObjectionRequestFault>),
    /// The rules of the objection do not allow it.
    #[error("a rule of the objection is broken")]
    Rule(#[from] ObjectionRuleViolation),
    /// No such objection, or none that the caller may see.
    #[error("no objection of this id for the caller")]
    Unknown,
    /// Nobody registered the provider.
    #[error("provider_code is not registered")]
    ProviderUnknown,
    /// The same request id came with other content before.
    #[error("request_id was used for another application")]
    RequestReused,
    /// The token names neither an organisation nor a person.
    #[error("the caller is no subject")]
    NoSubject,
    /// The token of a provider names no organisation.
    #[error("the caller's token names no organisation")]
    NotRegistered,
    /// The role may list objections, but no rule says which ones.
    #[error("the caller's view is not settled")]
    NoView,
    /// Every attempt lost the optimistic lock to another change.
    #[error("the objection kept changing")]
    Overtaken,
    /// The database failed.
    #[error("database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: db::Error,
    },
    /// Stored content does not open, or is not what was handed in.
    #[error("stored content of {column} is damaged")]
    Damaged {
        /// Which content.
        column: &'static str,
    },
}

impl ObjectionError {
    /// For `map_err`: a database error with what was being done.
    pub fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<ObjectionError> for Status {
    fn from(error: ObjectionError) -> Self {
        match error {
            ObjectionError::Incomplete(lacks) => incomplete_refusal(lacks).into(),
            ObjectionError::Rule(broken) => violation_refusal(broken).into(),
            ObjectionError::Unknown => Refusal::new(
                Reason::ObjectionUnknown,
                "objection_id",
                "callers see their own objections (R-18, R-19)",
                "没有该异议申请",
            )
            .into(),
            ObjectionError::NotRegistered => Refusal::new(
                Reason::ProviderNotRegistered,
                "authorization",
                "a provider's token names its organisation (R-3)",
                "身份令牌未载明单位",
            )
            .into(),
            ObjectionError::ProviderUnknown => Refusal::new(
                Reason::ProviderUnknown,
                "provider_code",
                "provider_code is registered in the catalogue (R-3)",
                "没有登记该信用信息提供主体",
            )
            .into(),
            ObjectionError::RequestReused => Refusal::new(
                Reason::RequestIdReused,
                "request_id",
                "one request_id, one content",
                "该申请标识已用于内容不同的申请",
            )
            .into(),
            ObjectionError::NoSubject => Refusal::new(
                Reason::SubjectMissing,
                "authorization",
                "a subject's token names an organisation or a person (R-9)",
                "身份令牌未载明信用信息主体",
            )
            .into(),
            ObjectionError::NoView => Refusal::new(
                Reason::ViewNotSettled,
                "authorization",
                "objections are handled by the city office (R-18)",
                "异议由市信用办受理，当前身份无查看范围",
            )
            .into(),
            ObjectionError::Overtaken => Refusal::new(
                Reason::Overtaken,
                "objection_id",
                "one change at a time",
                "该异议正在被处理，请稍后重试",
            )
            .into(),
            ObjectionError::Database { doing, ref source } => database_status(doing, source),
            ObjectionError::Damaged { .. } => internal_status("读取异议材料", &error),
        }
    }
}

fn violation_refusal(broken: ObjectionRuleViolation) -> Refusal {
    let (reason, rule, message) = match broken {
        ObjectionRuleViolation::NotInForce => (
            Reason::RegulationNotInForce,
            "R-25: nothing is due before 2017-06-20",
            "办法施行前不受理异议申请",
        ),
        ObjectionRuleViolation::Beginning => (
            Reason::ObjectionStepUnsuitable,
            "an objection begins with its filing, once",
            "该异议的办理顺序不正确",
        ),
        // The options of the RPCs refuse other roles before; the reason is theirs.
        ObjectionRuleViolation::NotTheSubject => (
            Reason::RoleNotAllowed,
            "R-18: the subject applies",
            "异议由信用信息主体提出",
        ),
        ObjectionRuleViolation::NotTheOffice => (
            Reason::RoleNotAllowed,
            "R-18: the credit office transfers",
            "异议由市信用办转交",
        ),
        ObjectionRuleViolation::NotTheProvider => (
            Reason::NotTheProvider,
            "R-19: the provider of the record answers",
            "异议由提供该信息的主体答复",
        ),
        ObjectionRuleViolation::NotTransferred => (
            Reason::ObjectionNotTransferred,
            "R-19: the provider answers after the transfer",
            "该异议尚未转交",
        ),
        ObjectionRuleViolation::AlreadyAnswered => (
            Reason::ObjectionAnswered,
            "R-19: an answer that was given stands",
            "该异议已经答复，答复内容不可更改",
        ),
    };
    Refusal::new(reason, "objection_id", rule, message)
}

/// All that is missing or wrong in one answer (D-4), with the rule of the first. One fault alone has its own reason.
fn incomplete_refusal(lacks: Vec<ObjectionRequestFault>) -> Refusal {
    let several = lacks.len() > 1;
    let mut lacks = lacks.into_iter();
    let Some(first) = lacks.next() else {
        let reason = Reason::RequestIncomplete;
        return Refusal::new(reason, "", "a request is complete (D-4)", reason.meaning());
    };
    let reason = match several {
        true => Reason::RequestIncomplete,
        false => first.reason,
    };
    let first = Refusal::new(reason, first.field, first.rule, first.message);
    lacks.fold(first, |refusal, lack| {
        refusal.with_field(lack.field, lack.message)
    })
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn d4_all_that_is_missing_stands_in_one_answer() {
        let lack = |reason, field: &str, message: &str| ObjectionRequestFault {
            reason,
            field: field.to_owned(),
            rule: "given in writing (R-18, R-19)",
            message: message.to_owned(),
        };
        let (absent, wrong) = (Reason::RequestIncomplete, Reason::StatementInvalid);
        let lacks = vec![
            lack(wrong, "answer", "过长"),
            lack(absent, "decision", "请选择"),
        ];
        let status = Status::from(ObjectionError::Incomplete(lacks));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            "REQUEST_INCOMPLETE: answer: 过长；decision: 请选择"
        );
        let lacks = vec![lack(wrong, "answer", "过长")];
        let status = Status::from(ObjectionError::Incomplete(lacks));
        assert_eq!(status.message(), "STATEMENT_INVALID: answer: 过长");
    }

    #[test]
    fn damage_is_internal_and_names_no_content() {
        let status = Status::from(ObjectionError::Damaged {
            column: "statement",
        });
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("statement"), "{status}");
    }
}
