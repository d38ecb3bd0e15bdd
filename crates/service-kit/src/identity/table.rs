//! The one table of who may call what. A test walks the descriptor set and fails for an RPC
//! without a row, and for a row without an RPC.

use super::Role;
use Role::{
    Auditor, CreditOffice, DistrictCreditOffice, Operator, Provider, Public, StateOrgan, Subject,
};

/// One RPC and the roles that may call it.
#[derive(Clone, Copy, Debug)]
pub struct RpcRule {
    /// gRPC path, for instance `/credit.ingest.v1.IngestService/SubmitRecord`.
    pub path: &'static str,
    /// Any of these.
    pub roles: &'static [Role],
}

/// Paths that need no token because they tell nothing about anybody: health and reflection.
pub const OPEN_PREFIXES: &[&str] = &["/grpc.health.v1.Health/", "/grpc.reflection."];

const STAFF: &[Role] = &[CreditOffice, Operator, Auditor];
const PUBLIC_READERS: &[Role] = &[
    Public,
    Subject,
    Provider,
    CreditOffice,
    DistrictCreditOffice,
    StateOrgan,
    Operator,
    Auditor,
];
const CATALOGUE_READERS: &[Role] = PUBLIC_READERS;
const DRAFTERS: &[Role] = &[Provider, CreditOffice, DistrictCreditOffice];
const CATALOGUE_KEEPERS: &[Role] = &[
    Provider,
    CreditOffice,
    DistrictCreditOffice,
    Operator,
    Auditor,
];
const OBJECTION_PARTIES: &[Role] = &[
    Subject,
    Provider,
    CreditOffice,
    DistrictCreditOffice,
    Auditor,
];

const RULES: &[RpcRule] = &[
    // ingest; a provider writes only as itself
    RpcRule {
        path: "/credit.ingest.v1.IngestService/SubmitRecord",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/StreamRecords",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/GetReceipt",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/GetSubmissionStatus",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/ReportNil",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/ListNilReports",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/ReloadItem",
        roles: &[Provider],
    },
    // the provider its own, the credit office with a reason, auditors; each read is logged first
    RpcRule {
        path: "/credit.ingest.v1.IngestService/ReadOriginal",
        roles: &[Provider, CreditOffice, Auditor],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/ListLedger",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/GetReportingScope",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/GetStatistics",
        roles: STAFF,
    },
    RpcRule {
        path: "/credit.ingest.v1.IngestService/ReplayRules",
        roles: &[CreditOffice],
    },
    // validation: R-13; a provider sees its own feedback, the credit office all
    RpcRule {
        path: "/credit.validation.v1.ValidationService/ListFeedback",
        roles: &[Provider, CreditOffice, Auditor],
    },
    RpcRule {
        path: "/credit.validation.v1.ValidationService/GetVerdict",
        roles: &[Provider, CreditOffice, Auditor],
    },
    RpcRule {
        path: "/credit.validation.v1.ValidationService/WatchFeedback",
        roles: &[Provider, CreditOffice, Auditor],
    },
    RpcRule {
        path: "/credit.validation.v1.ValidationService/ConfirmRecord",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.validation.v1.ValidationService/DryRun",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.validation.v1.ValidationService/GetStatistics",
        roles: STAFF,
    },
    // catalog; only the credit office publishes, reviews, registers and dismisses; organs draft for
    // their own catalogues and see their own duties
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ListItems",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/GetItem",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ListItemVersions",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/PublishItemVersion",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/RetireItem",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ExportItem",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/SaveDraft",
        roles: DRAFTERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/SubmitDraft",
        roles: DRAFTERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ReturnDraft",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/PublishDraft",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/WithdrawDraft",
        roles: DRAFTERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/GetDraft",
        roles: CATALOGUE_KEEPERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ListDrafts",
        roles: CATALOGUE_KEEPERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/PublishCodeList",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ListCodeLists",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/GetCodeList",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ListProviders",
        roles: CATALOGUE_READERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/RegisterProvider",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/RecordTrigger",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/ListDuties",
        roles: CATALOGUE_KEEPERS,
    },
    RpcRule {
        path: "/credit.catalog.v1.CatalogService/DismissDuty",
        roles: &[CreditOffice],
    },
    // disclosure; organisations to everybody, a person only to itself
    RpcRule {
        path: "/credit.disclosure.v1.PublicService/SearchOrganisations",
        roles: PUBLIC_READERS,
    },
    RpcRule {
        path: "/credit.disclosure.v1.PublicService/GetOrganisation",
        roles: PUBLIC_READERS,
    },
    RpcRule {
        path: "/credit.disclosure.v1.PublicService/ListPublicRecords",
        roles: PUBLIC_READERS,
    },
    RpcRule {
        path: "/credit.disclosure.v1.PublicService/GetPublicRecord",
        roles: PUBLIC_READERS,
    },
    RpcRule {
        path: "/credit.disclosure.v1.SubjectService/ListOwnRecords",
        roles: &[Subject],
    },
    RpcRule {
        path: "/credit.disclosure.v1.DisclosureService/GetStatistics",
        roles: STAFF,
    },
    // objection
    RpcRule {
        path: "/credit.objection.v1.ObjectionService/FileObjection",
        roles: &[Subject],
    },
    RpcRule {
        path: "/credit.objection.v1.ObjectionService/TransferObjection",
        roles: &[CreditOffice],
    },
    RpcRule {
        path: "/credit.objection.v1.ObjectionService/AnswerObjection",
        roles: &[Provider],
    },
    RpcRule {
        path: "/credit.objection.v1.ObjectionService/GetObjection",
        roles: OBJECTION_PARTIES,
    },
    RpcRule {
        path: "/credit.objection.v1.ObjectionService/ListObjections",
        roles: OBJECTION_PARTIES,
    },
    // provincial-sync: R-10
    RpcRule {
        path: "/credit.provincialsync.v1.ProvincialSyncService/GetPush",
        roles: STAFF,
    },
    RpcRule {
        path: "/credit.provincialsync.v1.ProvincialSyncService/GetStatistics",
        roles: STAFF,
    },
    // the province's own interface, as the simulator offers it: the platform's sender calls it
    RpcRule {
        path: "/credit.province.v1.ProvinceService/PushRecords",
        roles: &[Operator],
    },
    RpcRule {
        path: "/credit.province.v1.SimulatorControlService/SetBehaviour",
        roles: &[Operator],
    },
    RpcRule {
        path: "/credit.province.v1.SimulatorControlService/GetState",
        roles: &[Operator],
    },
];

/// All rows.
pub fn rules() -> &'static [RpcRule] {
    RULES
}

/// The row of a path. A linear scan over a few dozen rows costs less than a hash of the path.
pub fn rule_for(path: &str) -> Option<&'static RpcRule> {
    RULES.iter().find(|rule| rule.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;

    #[test]
    fn every_rpc_of_the_descriptor_set_has_exactly_one_row() {
        let set = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
        let mut rpcs = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    rpcs.insert(format!(
                        "/{}.{}/{}",
                        file.package(),
                        service.name(),
                        method.name()
                    ));
                }
            }
        }
        assert!(rpcs.len() > 20, "the descriptor set is not empty");
        let rows: BTreeSet<String> = RULES.iter().map(|r| r.path.to_owned()).collect();
        assert_eq!(rows.len(), RULES.len(), "a path stands twice");
        let missing: Vec<_> = rpcs.difference(&rows).collect();
        let stale: Vec<_> = rows.difference(&rpcs).collect();
        assert!(missing.is_empty(), "RPCs without a row: {missing:?}");
        assert!(stale.is_empty(), "rows without an RPC: {stale:?}");
    }

    #[test]
    fn natural_persons_have_no_place_in_public_messages() {
        // no message reachable from PublicService may name a person or its document.
        let set = prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
        let file = set
            .file
            .iter()
            .find(|f| f.package() == "credit.disclosure.v1")
            .unwrap();
        let service = file
            .service
            .iter()
            .find(|s| s.name() == "PublicService")
            .unwrap();
        let mut todo: Vec<String> = service
            .method
            .iter()
            .flat_map(|m| [m.input_type().to_owned(), m.output_type().to_owned()])
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = todo.pop() {
            let short = name.rsplit('.').next().unwrap().to_owned();
            let Some(message) = file.message_type.iter().find(|m| m.name() == short) else {
                continue;
            };
            if !seen.insert(short.clone()) {
                continue;
            }
            for field in &message.field {
                let field_name = field.name();
                assert!(
                    !field_name.contains("person")
                        && !field_name.contains("citizen")
                        && !field_name.contains("subject_kind"),
                    "{short}.{field_name} could hold a natural person"
                );
                todo.push(field.type_name().to_owned());
            }
        }
        assert!(seen.contains("PublicRecord"));
        assert!(!seen.contains("OwnRecord"));
    }
}
