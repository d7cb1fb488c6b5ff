'use strict';
/*
 * From a script's text to a function that runs it as a CommonJS module, and what can be said about
 * the text without running it.
 */

const vm = require('node:vm');

const WRAPPER = ['exports', 'require', 'module', '__filename', '__dirname'];
const UNCOMPILED = 'Unable to compile the extensibility code as javascript';
const ES_MODULE =
  'The script is written as an ES module. Hooks are CommonJS modules: write `module.exports = …` ' +
  'for `export default …`, and `const x = require("x")` for `import x from "x"`.';
const ES_MODULE_MESSAGE = /^Unexpected token 'export'|^Cannot use .+ outside a module/;
const FIRST_LINE = /:(\d+)$/;
const FIRST_FRAME = /^ {4}at /m;

/**
 * Compile a script; lines keep their numbers, and `return` at the top level is allowed, as in
 * CommonJS. Throws what V8 throws.
 */
function compile(script, file) {
  return vm.compileFunction(script, WRAPPER, {
    filename: file,
    // Lets the script `import()` packages that are ES modules. Node.js 20 has it from 20.12.
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

/**
 * Say what is wrong with a script's syntax, without running it.
 *
 * @returns {{message: string, line: number | null}[]}
 */
function check(script, file) {
  try {
    vm.compileFunction(script, WRAPPER, { filename: file });
    return [];
  } catch (error) {
    const reason = `The script is not valid JavaScript: ${error.message}.`;
    const message = isEsModule(error) ? `${reason} ${ES_MODULE}` : reason;
    return [{ message, line: lineOf(error) }];
  }
}

/** The error that calls of a script which does not compile are answered with. */
function compilationError(error, folder) {
  const answer = new Error(UNCOMPILED);
  // V8's stack begins with file, line and the text of that line.
  const text = error.stack.split(FIRST_FRAME)[0].trimEnd().replace(folder, '');
  answer.error_description = isEsModule(error) ? `${text}\n${ES_MODULE}` : text;
  answer.stack = `Error: ${UNCOMPILED}\n${text}`;
  return answer;
}

function isEsModule(error) {
  return ES_MODULE_MESSAGE.test(error.message);
}

function lineOf(error) {
  const line = FIRST_LINE.exec(error.stack.split('\n', 1)[0]);
  return line ? Number(line[1]) : null;
}

module.exports = { check, compilationError, compile };
