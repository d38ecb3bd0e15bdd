#!/bin/sh
# Copies the workspace's manifests, each with empty sources, from one folder to another. The Dockerfile
# compiles this skeleton first: its layer holds all foreign crates and stays valid until a manifest or
# Cargo.lock changes. Called by deploy/Dockerfile.
#
#   skeleton.sh FROM TO
set -eu
from=$1
to=$2

# Serves as library, program and build script, and gives the compiler nothing to warn of.
stub() {
    printf '%s\n' '//! Stands for the real source.' '' '/// Nothing.' 'pub fn main() {}'
}

cd "$from"
for manifest in Cargo.toml crates/*/Cargo.toml services/*/Cargo.toml tests/Cargo.toml; do
    folder=$(dirname "$manifest")
    mkdir -p "$to/$folder"
    cp "$manifest" "$to/$manifest"
    [ "$folder" != . ] || continue
    mkdir -p "$to/$folder/src"
    # Every root of a target that the manifest may mean, so that cargo finds what it finds in the real
    # folder.
    for root in src/lib.rs src/main.rs build.rs; do
        [ ! -e "$folder/$root" ] || stub >"$to/$folder/$root"
    done
    for program in "$folder"/src/bin/*.rs; do
        [ ! -e "$program" ] || { mkdir -p "$to/$folder/src/bin"; stub >"$to/$program"; }
    done
    # A package whose sources stay outside (tests/) must still have a target to be a member.
    [ -e "$folder/src" ] || stub >"$to/$folder/src/lib.rs"
done
cp Cargo.lock "$to/Cargo.lock"
