// Prints what AsyncAPI's own parser has against a document, a line for each, and "ok" when that is nothing.
'use strict';

const { Parser, fromFile } = require('@asyncapi/parser');

// A warning that a newer version of AsyncAPI exists is no fault of the document.
const ACCEPTED = ['asyncapi-latest-version'];

async function main() {
  const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
  const faults = diagnostics.filter(({ code, severity }) => severity < 2 && !ACCEPTED.includes(code));
  faults.forEach(({ code, path, message }) => console.log(`${code} at ${path.join('.')}: ${message}`));
  if (document && faults.length === 0) {
    console.log('ok');
  }
}

main();
