//! Results of the use cases as messages of `credit.catalog.v1`. Called by `grpc`.

pub(super) mod draft;
pub(super) mod duty;
pub(super) mod item;

use credit_record::item::{CodeListVersion, CodeValue, ItemOwner};
use legal_clock::format_day;
use proto::credit::catalog::v1::{
    Catalogue, CodeList, CodeListValue, Owner as WireOwner, Provider, ProviderContacts,
    ProviderLevel,
};

use crate::{app::providers::ShownProvider, domain::provider};

pub(super) fn encode_provider((provider, contacts): ShownProvider) -> Provider {
    let level = match provider.level.kind() {
        provider::OrganLevelKind::City => ProviderLevel::City,
        provider::OrganLevelKind::District => ProviderLevel::District,
    };
    Provider {
        code: provider.code.to_string(),
        name: provider.name,
        level: level.into(),
        district_code: provider.level.district_code().to_owned(),
        enabled: provider.enabled,
        revision: provider.revision,
        parent_code: provider
            .parent
            .map(|parent| parent.to_string())
            .unwrap_or_default(),
        valid_from: provider.valid_from.map(format_day).unwrap_or_default(),
        valid_until: provider.valid_until.map(format_day).unwrap_or_default(),
        contacts: contacts.map(|contacts| ProviderContacts {
            office: contacts.office,
            person: contacts.person,
            phone: contacts.phone,
            email: contacts.email,
        }),
    }
}

pub(super) fn encode_code_list(list: &CodeListVersion) -> CodeList {
    let value = |value: &CodeValue| CodeListValue {
        value: value.value.clone(),
        meaning: value.meaning.clone(),
        replaced_by: value.replaced_by.clone().unwrap_or_default(),
    };
    CodeList {
        code: list.code.clone(),
        version: list.version,
        edition: list.edition.clone(),
        name: list.name.clone(),
        source: list.source.clone(),
        values: list.values.iter().map(value).collect(),
    }
}

fn encode_owner(owner: &ItemOwner) -> WireOwner {
    let catalogue = match owner {
        ItemOwner::City => Catalogue::City,
        ItemOwner::Department { .. } => Catalogue::Department,
        ItemOwner::District { .. } => Catalogue::District,
    };
    WireOwner {
        catalogue: catalogue.into(),
        organ: owner.organ().to_owned(),
        district_code: owner.district().to_owned(),
    }
}
