#!/usr/bin/env bash
# Replaces the database by a dump of backup.sh and rebuilds JetStream from it. Needs the keyring that the
# dump was written under in the folder of secrets; the passwords may be new ones.
#
#   restore.sh FILE      everything that came in since the dump is gone
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
file=$(realpath "${1:?"usage: restore.sh FILE"}")
[ -s "$file" ] || { echo "restore: $file is empty or missing" >&2; exit 1; }

compose() { "$here/compose" "$@"; }
postgres() { docker exec -i "$(compose ps -q postgres)" "$@"; }

postgres_ready() {
    for _ in $(seq 300); do
        postgres pg_isready --quiet --host=127.0.0.1 --username=credit_owner --dbname=postgres && return
        sleep 0.2
    done
    echo "restore: PostgreSQL does not answer" >&2
    return 1
}

compose stop
compose up -d --no-deps postgres nats
postgres_ready

# Events of records that the dump does not know must not come back: JetStream starts empty.
nats=$(compose ps -q nats)
volume=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Name}}{{end}}{{end}}' "$nats")
compose rm --stop --force nats
docker volume rm "$volume" >/dev/null

# A dump names roles but does not hold them; this makes them, with the passwords of the secrets.
compose run --rm --no-deps migrate migrate --database-only
postgres dropdb --username=credit_owner --force credit
postgres createdb --username=credit_owner credit
postgres pg_restore --username=credit_owner --dbname=credit --exit-on-error <"$file"

compose up -d --no-deps nats
compose run --rm --no-deps migrate
compose run --rm --no-deps admin streams rebuild
compose up -d
