// Reads an AsyncAPI document with AsyncAPI's own parser: prints what it finds wrong, one line each, and exits 1.
import { Parser } from "@asyncapi/parser";
import { readFile } from "node:fs/promises";

const file = process.argv[2];
const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf-8"), { source: file });
const wrong = diagnostics.filter((one) => one.severity <= 1);
for (const one of wrong) {
  console.error(`${one.severity === 0 ? "error" : "warning"} ${one.path.join(".")}: ${one.message}`);
}
if (document) {
  console.log(`${document.allChannels().length} channels, ${document.allMessages().length} messages`);
}
process.exit(document && wrong.length === 0 ? 0 : 1);
