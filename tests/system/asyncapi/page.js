// page.js DOCUMENT PAGE: prints what AsyncAPI's own parser has against a document, a line for each; or "ok" when that is
// nothing, and then writes the page in HTML that AsyncAPI's component makes of it.
'use strict';

const fs = require('fs');
const { Parser, fromFile, stringify } = require('@asyncapi/parser');
const { default: Component } = require('@asyncapi/react-component');
const { createElement } = require('react');
const { renderToStaticMarkup } = require('react-dom/server');

// A warning that a newer version of AsyncAPI exists is no fault of the document.
const ACCEPTED = ['asyncapi-latest-version'];

// The page stands by itself. What a browser shows at first is there without its script, which opens the payloads.
function page(document) {
  const own = (name) => fs.readFileSync(require.resolve(`@asyncapi/react-component/${name}`), 'utf8');
  const config = { show: { sidebar: true }, sidebar: { showOperations: 'byDefault' } };
  const schema = stringify(document);
  const body = renderToStaticMarkup(createElement(Component, { schema, config }));
  const start = `AsyncApiStandalone.render(${JSON.stringify({ schema, config })}, document.getElementById('page'));`;
  const script = (text) => `<script>${text.replaceAll('</script', '<\\/script')}</script>\n`;
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${document.info().title()}</title>
<style>${own('styles/default.min.css')}</style></head>
<body><div id="page">${body}</div>
${script(own('browser/standalone/without-parser.js'))}${script(start)}</body></html>
`;
}

async function main([source, target]) {
  const { document, diagnostics } = await fromFile(new Parser(), source).parse();
  const faults = diagnostics.filter(({ code, severity }) => severity < 2 && !ACCEPTED.includes(code));
  faults.forEach(({ code, path, message }) => console.log(`${code} at ${path.join('.')}: ${message}`));
  if (document && faults.length === 0) {
    fs.writeFileSync(target, page(document));
    console.log('ok');
  }
}

main(process.argv.slice(2));
