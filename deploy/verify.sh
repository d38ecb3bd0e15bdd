#!/usr/bin/env bash
# Proves the compose file: brings the platform up from nothing under a project name, secrets and volumes of
# its own, reports records through the published ports, looks for them on the public site and at the
# province, kills everything, restores a backup into empty volumes, and takes all of it down again. Ends
# with 0 only when every step held.
#
#   deploy/verify.sh [--keep] [--no-build]
#       --keep       leaves the platform running
#       --no-build   takes the image credit-platform:$CREDIT_VERSION that is there
#
# Needs Docker with Compose v1 or v2, Python 3 with pip, and the ports of docker-compose.yml free.
# PYTHON names a Python that has grpcio-tools; without it the package is fetched into .servers/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

keep=false
build=true
for option; do
    case $option in
    --keep) keep=true ;;
    --no-build) build=false ;;
    *) echo "verify: unknown option $option" >&2; exit 2 ;;
    esac
done

work=$(mktemp -d)
export COMPOSE_PROJECT_NAME=credit-verify
export CREDIT_SECRETS=$work/secrets
export CREDIT_VERSION=${CREDIT_VERSION:-verify}
export PYTHONDONTWRITEBYTECODE=1

compose() { deploy/compose "$@"; }
say() { printf '%5ss  %s\n' "$SECONDS" "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

finish() {
    local status=$?
    trap - EXIT
    if [ "$status" != 0 ]; then
        compose ps >&2 || true
        compose logs --no-color --tail=15 >&2 || true
    fi
    if $keep; then
        echo "left running: COMPOSE_PROJECT_NAME=$COMPOSE_PROJECT_NAME CREDIT_SECRETS=$CREDIT_SECRETS" \
            "CREDIT_VERSION=$CREDIT_VERSION"
    else
        compose down --volumes --remove-orphans --timeout 30 >/dev/null 2>&1 || true
        rm -rf "$work"
    fi
    exit "$status"
}
trap finish EXIT

# until_true SECONDS WHAT COMMAND...: tries a command until it succeeds.
until_true() {
    local patience=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >"$work/last" 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what: not within $patience s: $(tail -c 600 "$work/last")"
        sleep 0.5
    done
}

services=(ingest validation catalog disclosure objection provincial-sync web province-simulator)

all_healthy() {
    local service state
    for service in postgres "${services[@]}"; do
        state=$(docker inspect --format '{{.State.Health.Status}}' "$(compose ps -q "$service")")
        [ "$state" = healthy ] || { echo "$service is $state"; return 1; }
    done
}

# --- from nothing to healthy ------------------------------------------------------------------------
compose down --volumes --remove-orphans >/dev/null 2>&1 || true
mkdir -m 700 "$CREDIT_SECRETS"
if $build; then
    say "building the image"
    compose build migrate
fi
say "image: $(docker image inspect --format '{{.Size}}' "credit-platform:$CREDIT_VERSION") bytes"
compose run --rm secrets 2>"$work/last" || fail "secrets: $(tail -n 3 "$work/last")"
compose up -d
until_true 180 "every container healthy" all_healthy
say "every container is healthy"

# --- what must hold of the containers ---------------------------------------------------------------
for service in "${services[@]}"; do
    id=$(compose ps -q "$service")
    held=$(docker inspect --format '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}' "$id")
    [ "$held" = "10001:10001 true [ALL]" ] || fail "$service runs with: $held"
done
for id in $(compose ps -q); do
    open=$(docker inspect --format '{{range .NetworkSettings.Ports}}{{range .}}{{println .HostIp}}{{end}}{{end}}' "$id" | sort -u | xargs)
    [ -z "$open" ] || [ "$open" = 127.0.0.1 ] || fail "a port is published on $open"
done
mounts=$(docker inspect --format '{{range .Mounts}}{{.Destination}} {{end}}' "$(compose ps -q web)")
case $mounts in *database_url* | *private*) fail "web can read $mounts" ;; esac
say "unprivileged, read-only, loopback only, each with its own secrets"

# --- a department reports ---------------------------------------------------------------------------
if [ -z "${PYTHON:-}" ]; then
    PYTHON=python3
    export PYTHONPATH=$root/.servers/grpc
    [ -d "$PYTHONPATH/grpc_tools" ] ||
        "$PYTHON" -m pip install --quiet --target "$PYTHONPATH" grpcio-tools==1.85.1
fi
provider=11430100MB9X00015G
token() {
    compose run --rm -T token --hours 1 "$@" 2>"$work/last" || fail "token: $(cat "$work/last")"
}
office=$(token --role credit-office)
operator=$(token --role operator)
department=$(token --role provider --organisation "$provider")

CREDIT_TOKEN=$office "$PYTHON" deploy/register-provider.py 127.0.0.1:7103 "$provider" 长沙市市场监督管理局
submit() {
    CREDIT_TOKEN=$department "$PYTHON" tests/clients/python/submit.py 127.0.0.1:7101 127.0.0.1:7102 >"$work/said"
}
# The catalogue reaches ingest by an event; a submission may be repeated as often as one likes.
until_true 60 "ingest knows the provider" submit
cat "$work/said"
grep -q '^verdict  sample-1: ACCEPTED' "$work/said" || fail "the good record was not accepted"
grep -q '^feedback SAMPLE-2: USCC_CHECK' "$work/said" || fail "the wrong credit code was not found"
grep '^receipt' "$work/said" >"$work/receipts"
say "two records reported, one accepted, one returned with its finding"

page() {
    "$PYTHON" - <<'P'
import urllib.request
page = urllib.request.urlopen("http://127.0.0.1:7080/subject/91430104MA4X0A01XK", timeout=10).read().decode()
assert "长沙橘洲晨光餐饮有限公司" in page and "长市监许决〔2024〕1号" in page, page
assert "长市监许决〔2024〕2号" not in page, "a returned record is public"
P
}
until_true 60 "the public site shows the record" page
say "the public site shows the accepted record and not the returned one"

pushed() {
    CREDIT_TOKEN=$operator "$PYTHON" - "$work/receipts" <<'P'
import os, re, sys
import grpc
sys.path.insert(0, "proto")
sync, rpc = grpc.protos_and_services("credit/provincialsync/v1/provincialsync.proto")
stub = rpc.ProvincialSyncServiceStub(grpc.insecure_channel("127.0.0.1:7106"))
record = re.search(r"sample-1: .* record (\S+)", open(sys.argv[1]).read())[1]
auth = [("authorization", "Bearer " + os.environ["CREDIT_TOKEN"])]
push = stub.GetPush(sync.GetPushRequest(record_id=record), metadata=auth, timeout=10)
assert push.state == sync.PUSH_STATE_ACKNOWLEDGED and push.acknowledgement, push
print(push.acknowledgement)
P
}
until_true 60 "the province acknowledges the record" pushed
say "the province acknowledged it as $(cat "$work/last")"

same_receipts() {
    submit && diff "$work/receipts" <(grep '^receipt' "$work/said")
}

# --- power off --------------------------------------------------------------------------------------
compose kill >/dev/null 2>&1
compose up -d
until_true 180 "healthy after a kill" all_healthy
until_true 60 "the same receipts after a kill" same_receipts
until_true 60 "the public site after a kill" page
say "killed and started again: same receipts, same page"

# --- backup, empty volumes, restore -----------------------------------------------------------------
deploy/backup.sh "$work/backup"
compose down --volumes >/dev/null 2>&1
deploy/restore.sh "$work/backup"
until_true 180 "healthy after a restore" all_healthy
until_true 60 "the same receipts after a restore" same_receipts
until_true 60 "the public site after a restore" page
until_true 60 "the acknowledgement after a restore" pushed
parked=$(compose run --rm admin dead-letters list 2>/dev/null)
[ -z "$parked" ] || fail "events were put aside: $parked"
say "restored into empty volumes: same receipts, same page, nothing put aside"

# --- an orderly end ---------------------------------------------------------------------------------
mapfile -t containers < <(compose ps -q)
docker stats --no-stream --format '        {{.Name}} {{.MemUsage}}' "${containers[@]}"
if ! $keep; then
    ids=$(for service in "${services[@]}"; do compose ps -q "$service"; done)
    compose stop >/dev/null 2>&1
    for id in $ids; do
        code=$(docker inspect --format '{{.Name}} {{.State.ExitCode}}' "$id")
        [ "${code##* }" = 0 ] || fail "did not stop in good order: $code"
    done
    say "every service stopped with 0"
fi
say "verified"
