// Streams records to the platform, prints the receipts and verdicts, reads the feedback.
//     CREDIT_TOKEN=… node submit.js <host:port of ingest> <host:port of validation> [records.jsonl]
// Stands for a department's own system and knows nothing but proto/. Run by hand and by tests/tests/clients.rs.
const fs = require("node:fs"), path = require("node:path"), { Readable } = require("node:stream");
const { setTimeout: pause } = require("node:timers/promises");
const grpc = require("@grpc/grpc-js"), loader = require("@grpc/proto-loader");
const files = ["credit/ingest/v1/ingest.proto", "credit/validation/v1/validation.proto"];
const includeDirs = [path.resolve(__dirname, "../../../proto")];
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true, includeDirs };
const { credit } = grpc.loadPackageDefinition(loader.loadSync(files, options));
const auth = new grpc.Metadata();

const call = (stub, method, request) => new Promise((resolve, reject) =>
  stub[method](request, auth, (error, answer) => (error ? reject(error) : resolve(answer))));

function request(line) { // the content goes as bytes, which the platform keeps as they are
  const record = JSON.parse(line), content = Buffer.from(JSON.stringify(record.content));
  return { submission: { content_type: "application/json", ...record, content } };
}

async function verdict(judge, record_id, until) { // a record is judged shortly after its receipt
  for (;; await pause(200)) {
    const answer = await call(judge, "GetVerdict", { record_id }).catch((error) => error);
    if (!(answer instanceof Error)) return answer.outcome.replace("VERDICT_OUTCOME_", "");
    if (answer.code !== grpc.status.NOT_FOUND || Date.now() > until) throw answer;
  }
}

async function main(ingestAt, validationAt, file) {
  auth.set("authorization", `Bearer ${process.env.CREDIT_TOKEN}`);
  const door = new credit.ingest.v1.IngestService(ingestAt, grpc.credentials.createInsecure());
  const judge = new credit.validation.v1.ValidationService(validationAt, grpc.credentials.createInsecure());
  const we = await call(door, "GetReportingScope", {});
  let text = fs.readFileSync(file ?? path.join(__dirname, "../python/sample.jsonl"), "utf8");
  if (!file) // the sample's records become those of whoever runs it
    text = text.replaceAll("$code", we.provider_code).replaceAll("$name", we.provider_name);
  const requests = text.split("\n").filter(Boolean).map(request), receipts = [];
  for await (const { receipt, refusal } of Readable.from(requests).pipe(door.StreamRecords(auth))) {
    if (receipt) receipts.push(receipt); // committed: from here on the record cannot get lost
    console.log(receipt
      ? `receipt  ${receipt.submission_id}: ${receipt.outcome.replace("OUTCOME_", "")}, ` +
        `ledger number ${receipt.ledger_number}, record ${receipt.record_id}`
      : `refused  ${refusal.submission_id}: ${refusal.reason}: ${refusal.field}: ${refusal.message}`);
  } // nothing of a refused one is stored; the others go on
  for (const { submission_id, record_id } of receipts)
    console.log(`verdict  ${submission_id}: ${await verdict(judge, record_id, Date.now() + 60_000)}`);
  const ours = new Set(receipts.map((receipt) => receipt.record_id.replaceAll("-", "")));
  const { cases } = await call(judge, "ListFeedback", { open_only: true, page_size: 1000 });
  for (const one of cases.filter((one) => ours.has(one.version.record_id.toString("hex"))))
    for (const { code, field, message } of one.findings)
      console.log(`feedback ${one.record_key}: ${code}: ${field}: ${message}; due ${one.due_on}`);
  process.exitCode = receipts.length < requests.length ? 1 : 0;
}

if (!process.env.CREDIT_TOKEN || process.argv.length < 4) throw new Error("see the head of this file");
main(...process.argv.slice(2)).catch((error) => {
  console.error(error.details ? `${grpc.status[error.code]}: ${error.details}` : error);
  process.exit(1);
});
