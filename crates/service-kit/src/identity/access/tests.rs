//! Every RPC names its roles, and what the public can reach names no person.

use std::collections::BTreeSet;

use prost::Message as _;

use super::*;

fn descriptors() -> prost_types::FileDescriptorSet {
    prost_types::FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap()
}

#[test]
fn every_rpc_of_the_descriptor_set_says_who_may_call_it() {
    let table = AccessTable::from_descriptors(proto::DESCRIPTORS).unwrap();
    let mut rpcs = 0;
    for file in &descriptors().file {
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let roles = table.roles(&path).unwrap();
                assert!(
                    !roles.is_empty(),
                    "{path} has no option (credit.common.v1.allowed)"
                );
                let different: BTreeSet<_> = roles.iter().map(|role| *role as u8).collect();
                assert_eq!(different.len(), roles.len(), "{path} names a role twice");
                rpcs += 1;
            }
        }
    }
    assert!(rpcs > 20, "the descriptor set is not empty");
    assert_eq!(table.iter().count(), rpcs);
    assert_eq!(table.roles("/credit.ingest.v1.IngestService/None"), None);
}

#[test]
fn the_roles_are_those_of_the_proto_files() {
    let table = AccessTable::from_descriptors(proto::DESCRIPTORS).unwrap();
    let roles = |path| table.roles(path).unwrap();
    // a provider writes, nobody else. R-12: three read originals. R-15: everybody reads what is public.
    assert_eq!(
        roles("/credit.ingest.v1.IngestService/SubmitRecord"),
        [Role::Provider]
    );
    assert_eq!(
        roles("/credit.ingest.v1.IngestService/ReadOriginal"),
        [Role::Provider, Role::CreditOffice, Role::Auditor]
    );
    assert_eq!(
        roles("/credit.disclosure.v1.PublicService/GetOrganisation"),
        Role::ALL
    );
}

#[test]
fn an_rpc_without_the_option_is_nobodys() {
    let silent = FileSet {
        files: vec![FileServices {
            package: "p".to_owned(),
            services: vec![ServiceMethods {
                name: "S".to_owned(),
                methods: vec![MethodAccess {
                    name: "M".to_owned(),
                    options: None,
                }],
            }],
        }],
    };
    let table = AccessTable::from_descriptors(&silent.encode_to_vec()).unwrap();
    assert_eq!(table.roles("/p.S/M"), Some(&[][..]));
}

#[test]
fn natural_persons_have_no_place_in_public_messages() {
    // no message reachable from PublicService may name a person or its document.
    let set = descriptors();
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
