'use strict';
/*
 * Drives the contract for tests: requests come in and events go out as JSON, a line each. Writes to
 * the file descriptor, because the contract stands in for standard output.
 */

const { writeSync } = require('node:fs');
const { createInterface } = require('node:readline');

const [, , folder, mode] = process.argv;
const { prepare, check } = require(`${folder}/contract`);

const hooks = [];

function emit(event) {
  const text = Buffer.from(`${JSON.stringify(event)}\n`);
  for (let at = 0; at < text.length; ) at += writeSync(1, text, at);
}

const operations = {
  prepare({ load }) {
    const own = mode === 'without onFatal' ? {} : { onFatal: ({ message }) => emit({ event: 'fatal', message }) };
    const say = (scope, level, stream, text) => emit({ event: 'line', scope, level, stream, text });
    return hooks.push(prepare({ ...load, ...own }, say)) - 1;
  },
  start({ hook, number, payload, request, id, deadline }) {
    const finish = (kind, json) => emit({ event: 'finish', number, kind, json });
    hooks[hook].start(number, payload, request, { id, deadline: new Date(deadline) }, finish);
  },
  check: ({ script, file }) => check(script, file),
  checkHook: ({ hook }) => hooks[hook].check(),
  /** Done when everything that was about to happen has happened, timers of some time excepted. */
  async settle() {
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { op, ...given } = JSON.parse(line);
  emit({ event: 'done', value: (await operations[op](given)) ?? null });
});
