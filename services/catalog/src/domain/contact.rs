//! Whom to call at a provider. Personal data: sealed in the table, shown to few, never in an event. Called by
//! `app`.

use serde::{Deserialize, Serialize};
use service_kit::reason::Reason;

use super::{CatalogRuleViolation, MAX_NAME_CHARS};

/// Contacts of a provider; an empty text means none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacts {
    /// 处室.
    pub office: String,
    /// 联系人.
    pub person: String,
    /// 电话.
    pub phone: String,
    /// 电子邮箱.
    pub email: String,
}

impl std::fmt::Debug for Contacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contacts(***)")
    }
}

impl Contacts {
    /// Checks the contacts of a request. The message never repeats a value.
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn new(
        office: &str,
        person: &str,
        phone: &str,
        email: &str,
    ) -> Result<Self, CatalogRuleViolation> {
        let broken = |field: &'static str, rule, message: &str| {
            Err(CatalogRuleViolation::new(
                Reason::ProviderContactInvalid,
                field,
                rule,
                message,
            ))
        };
        for (field, text) in [
            ("provider.contacts.office", office),
            ("provider.contacts.person", person),
            ("provider.contacts.phone", phone),
            ("provider.contacts.email", email),
        ] {
            if text.trim() != text
                || text.chars().any(char::is_control)
                || text.chars().count() > MAX_NAME_CHARS
            {
                return broken(
                    field,
                    "a contact has no space around it, no control characters and at most 200 characters",
                    "首尾不能有空白，不能含控制字符，最多200个字符",
                );
            }
        }
        let of_phone = |c: char| c.is_ascii_digit() || " +-()（）转,，、".contains(c);
        if !phone.chars().all(of_phone) {
            return broken(
                "provider.contacts.phone",
                "a phone number has digits, spaces and + - ( ) and 转 before an extension",
                "电话只含数字、空格、加号、连字符、括号，分机号前写“转”",
            );
        }
        let address = email.split_once('@');
        let of_mail = |(name, host): (&str, &str)| {
            !name.is_empty() && host.contains('.') && !host.contains('@') && !email.contains(' ')
        };
        if !email.is_empty() && !address.is_some_and(of_mail) {
            return broken(
                "provider.contacts.email",
                "an address is name@host",
                "电子邮箱应为“名称@域名”",
            );
        }
        Ok(Self {
            office: office.to_owned(),
            person: person.to_owned(),
            phone: phone.to_owned(),
            email: email.to_owned(),
        })
    }

    /// Every text is empty.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
