#!/usr/bin/env bash
# Writes the database into one file while everything runs. JetStream needs no backup: it is rebuilt from
# the outboxes in the database. The file opens nothing without the keyring; keep the two apart.
#
#   backup.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
file=${1:?"usage: backup.sh FILE"}

umask 077
# A broken dump never takes the name of a whole one.
"$here/compose" exec -T postgres \
    pg_dump --username=credit_owner --format=custom credit >"$file.part"
mv "$file.part" "$file"
echo "backup: $file, $(stat -c %s "$file") bytes"
