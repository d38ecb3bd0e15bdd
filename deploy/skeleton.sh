#!/bin/sh
# Copies the workspace's manifests, each with empty sources, from one folder to another. The Dockerfile
# compiles this skeleton first: its layer holds all foreign crates and stays valid until a manifest or
# Cargo.lock changes. Called by deploy/Dockerfile.
#
#   skeleton.sh FROM TO
set -eu
from=$1
to=$2

cd "$from"
for manifest in Cargo.toml crates/*/Cargo.toml services/*/Cargo.toml tests/Cargo.toml; do
    folder=$(dirname "$manifest")
    mkdir -p "$to/$folder"
    cp "$manifest" "$to/$manifest"
    [ "$folder" != . ] || continue
    mkdir -p "$to/$folder/src"
    # Every root of a target that the manifest may mean, so that cargo finds what it finds in the real
    # folder. `fn main` does no harm in a library.
    for root in src/lib.rs src/main.rs build.rs; do
        [ ! -e "$folder/$root" ] || echo 'fn main() {}' >"$to/$folder/$root"
    done
    for program in "$folder"/src/bin/*.rs; do
        [ ! -e "$program" ] || { mkdir -p "$to/$folder/src/bin"; echo 'fn main() {}' >"$to/$program"; }
    done
    # A package whose sources stay outside (tests/) must still have a target to be a member.
    [ -e "$folder/src" ] || : >"$to/$folder/src/lib.rs"
done
cp Cargo.lock "$to/Cargo.lock"
