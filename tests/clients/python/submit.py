"""Streams records to the platform, prints the receipts and verdicts, reads the feedback:
    CREDIT_TOKEN=… python3 submit.py <host:port of ingest> <host:port of validation> [records.jsonl]"""
# Stands for a department's own system and knows nothing but proto/. Run by hand and by tests/tests/clients.rs.
import json, os, string, sys, time, uuid
from pathlib import Path
import grpc  # with grpcio-tools beside it, which compiles the protocol files when the program starts
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "proto"))
ingest, ingest_rpc = grpc.protos_and_services("credit/ingest/v1/ingest.proto")
validation, validation_rpc = grpc.protos_and_services("credit/validation/v1/validation.proto")


def request(line):  # the content goes as bytes, which the platform keeps as they are
    record = json.loads(line)
    record["content"] = json.dumps(record["content"], ensure_ascii=False).encode()
    return ingest.StreamRecordsRequest(submission=ingest.Submission(content_type="application/json", **record))


def verdict(judge, record_id, auth, until):  # a record is judged shortly after its receipt
    while True:
        try:
            answer = judge.GetVerdict(validation.GetVerdictRequest(record_id=record_id), metadata=auth)
            return validation.VerdictOutcome.Name(answer.outcome).removeprefix("VERDICT_OUTCOME_")
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND or time.monotonic() > until:
                raise
        time.sleep(0.2)


def main(ingest_at, validation_at, file=None):
    auth = [("authorization", f"Bearer {os.environ.get('CREDIT_TOKEN') or sys.exit('CREDIT_TOKEN is not set')}")]
    door = ingest_rpc.IngestServiceStub(grpc.insecure_channel(ingest_at))
    judge = validation_rpc.ValidationServiceStub(grpc.insecure_channel(validation_at))
    we = door.GetReportingScope(ingest.GetReportingScopeRequest(), metadata=auth)
    text = Path(file or HERE / "sample.jsonl").read_text(encoding="utf-8")
    # The sample's records become those of whoever runs it.
    text = text if file else string.Template(text).substitute(code=we.provider_code, name=we.provider_name)
    requests, receipts = [request(line) for line in text.splitlines()], []
    for answer in door.StreamRecords(iter(requests), metadata=auth):
        receipt, refusal = answer.receipt, answer.refusal
        if answer.HasField("refusal"):  # nothing of it is stored; the others go on
            print(f"refused  {refusal.submission_id}: {refusal.reason}: {refusal.field}: {refusal.message}")
            continue
        receipts.append(receipt)  # committed: from here on the record cannot get lost
        print(f"receipt  {receipt.submission_id}: {ingest.Outcome.Name(receipt.outcome).removeprefix('OUTCOME_')}, "
              f"ledger number {receipt.ledger_number}, record {receipt.record_id}")
    for receipt in receipts:
        print(f"verdict  {receipt.submission_id}: {verdict(judge, receipt.record_id, auth, time.monotonic() + 60)}")
    ours = {uuid.UUID(receipt.record_id).bytes for receipt in receipts}
    for case in judge.ListFeedback(validation.ListFeedbackRequest(open_only=True, page_size=1000), metadata=auth).cases:
        for found in case.findings if case.version.record_id in ours else ():
            print(f"feedback {case.record_key}: {found.code}: {found.field}: {found.message}; due {case.due_on}")
    sys.exit(len(receipts) < len(requests))


try:
    main(*sys.argv[1:]) if len(sys.argv) in (3, 4) else sys.exit(__doc__)
except grpc.RpcError as error:
    sys.exit(f"{error.code().name}: {error.details()}")
