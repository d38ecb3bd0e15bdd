//! Compiles the workspace's .proto files with protox (no protoc needed) into Rust code and one
//! descriptor set, which gRPC reflection and the completeness tests read. Called by cargo.
use std::{env, error::Error, fs, path::Path, path::PathBuf};

fn proto_files(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            proto_files(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    proto_files(&root, &mut files)?;
    files.sort();
    let mut compiler = protox::Compiler::new([&root])?;
    // Comments (source info) are what reflection clients show.
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // As the compiler has it: the types of `prost_types` would drop the options that are ours, the roles of each RPC.
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let descriptors = compiler.file_descriptor_set();
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    config.bytes(["."]);
    // A server of some RPCs, such as a test's, need not name the others. That the platform answers every one is what the
    // journey over all RPCs shows.
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .include_file("credit_protos.rs")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
