//! Called by cargo: a new or changed migration compiles the crate anew, since the migrations are in the binary.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
