//! Makes cargo notice a new migration file: `sqlx::migrate!` alone only sees changes of files that
//! it read before. Called by cargo.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
