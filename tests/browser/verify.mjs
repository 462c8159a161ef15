// SPDX-License-Identifier: EUPL-1.2
// Runs the console's verify.js in Node: cases as JSON on standard input, their steps as JSON on standard output.
//   node verify.mjs ../../broker/console/static/verify.js < cases.json
import { readFileSync } from "node:fs";

// As a module whatever its name ends in: Node takes a .js file for CommonJS.
const source = readFileSync(process.argv[2]).toString("base64");
const { parseTrust, verifyEntry } = await import(`data:text/javascript;base64,${source}`);

const plain = (_, value) => (typeof value === "bigint" ? String(value) : value);
const results = [];
for (const { keys, ...claim } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    results.push(await verifyEntry({ ...claim, ...(await parseTrust(keys)) }));
  } catch (error) {
    if (!error.code) throw error;
    results.push({ ok: false, refused: error.code, values: error.values });
  }
}
process.stdout.write(JSON.stringify(results, plain));
