// Runs the audit of GraphQL over HTTP (the npm package graphql-http) against a server:
//
//   npm install graphql-http graphql      (in a folder outside the repository)
//   node <repository>/tools/graphql_audit.mjs http://127.0.0.1:8000/graphql
//
// Prints what is not met, the optional audits included, and ends with 1 if there is any.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const url = process.argv[2];
if (!url) {
  console.error("usage: node graphql_audit.mjs URL");
  process.exit(2);
}

const here = createRequire(pathToFileURL(`${process.cwd()}/`));
const { auditServer } = await import(pathToFileURL(here.resolve("graphql-http")).href);

const results = await auditServer({ url });
const unmet = results.filter((result) => result.status !== "ok");
for (const { id, name, status, reason } of unmet) {
  console.log(`${status} ${id} ${name}: ${reason}`);
}
console.log(`${results.length - unmet.length} of ${results.length} audits met`);
process.exit(unmet.length === 0 ? 0 : 1);
