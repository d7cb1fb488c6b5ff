'use strict';
/*
 * Stands in for the console, standard output and standard error: what a hook writes, line by line,
 * told apart by call.
 */

const { Console } = require('node:console');
const { sep } = require('node:path');
const { Writable } = require('node:stream');
const { format } = require('node:util');
const { current } = require('./scopes');

const LONGEST_PARTIAL = 16_384;
const LEVEL_OF = { stdout: 'info', stderr: 'error' };
const INDENT = '  ';
const FRAME = /^\s+at /;
const OURS = __dirname + sep;

/** The level of the console's method that is writing, if it is not the stream's. */
let chosen = null;

/** Take over; lines written before went to the process's own streams. */
function install() {
  replace('stdout');
  replace('stderr');
  const standIn = makeConsole();
  for (const [name, method] of Object.entries(standIn)) {
    if (typeof method === 'function') console[name] = method;
  }
  // The listener of Node.js's own writes to the terminal.
  process.removeAllListeners('warning');
  process.on('warning', sayWarning);
}

/** Say the lines of a text in the running scope. */
function say(level, stream, text) {
  const scope = current();
  for (const line of withoutOurs(text.split('\n'))) scope.say(scope.number, level, stream, line);
}

/** Say what was written without a line break, when its call ends. */
function flush(scope) {
  if (scope.stdout !== '') sayPartial(scope, 'stdout');
  if (scope.stderr !== '') sayPartial(scope, 'stderr');
}

/** The logger of `require('hookledger').log`. */
const log = Object.freeze({
  debug: (...parts) => say('debug', 'log', format(...parts)),
  info: (...parts) => say('info', 'log', format(...parts)),
  warn: (...parts) => say('warning', 'log', format(...parts)),
  warning: (...parts) => say('warning', 'log', format(...parts)),
  error: (...parts) => say('error', 'log', format(...parts)),
});

function makeConsole() {
  const base = new Console({
    stdout: consoleStream('stdout'),
    stderr: consoleStream('stderr'),
    // Otherwise each line would add and remove a listener of errors.
    ignoreErrors: false,
    colorMode: false,
  });
  base.debug = atLevel('debug', base.debug);
  base.warn = atLevel('warning', base.warn);
  // The console's own would indent the lines of other calls.
  base.group = (...parts) => {
    if (parts.length > 0) base.log(...parts);
    current().indent += INDENT;
  };
  base.groupCollapsed = base.group;
  base.groupEnd = () => {
    const scope = current();
    scope.indent = scope.indent.slice(INDENT.length);
  };
  return base;
}

function atLevel(level, method) {
  return (...parts) => {
    chosen = level;
    try {
      method(...parts);
    } finally {
      chosen = null;
    }
  };
}

function consoleStream(stream) {
  return {
    write(text) {
      const { indent } = current();
      write(stream, indent === '' ? text : text.replace(/^(?=.)/gm, indent));
    },
  };
}

function replace(stream) {
  const standIn = new Writable({ write: (chunk, encoding, done) => done() });
  // Called at once and in the writer's scope; a stream's own method may keep chunks for later.
  standIn.write = (chunk, encoding, done) => {
    write(stream, textOf(chunk, encoding));
    const written = typeof encoding === 'function' ? encoding : done;
    if (typeof written === 'function') process.nextTick(written);
    return true;
  };
  standIn.end = (...given) => {
    if (given.length > 0 && typeof given[0] !== 'function') standIn.write(...given);
    return standIn;
  };
  standIn.destroy = () => standIn;
  standIn.fd = stream === 'stdout' ? 1 : 2;
  standIn.isTTY = false;
  Object.defineProperty(process, stream, { value: standIn, configurable: true, enumerable: true });
}

function textOf(chunk, encoding) {
  if (typeof chunk !== 'string') return Buffer.from(chunk).toString();
  const isText = typeof encoding !== 'string' || /^utf-?8$/i.test(encoding);
  return isText ? chunk : Buffer.from(chunk, encoding).toString();
}

/** Say the whole lines of a text, keep the rest for the next. */
function write(stream, text) {
  const scope = current();
  const level = chosen ?? LEVEL_OF[stream];
  const lines = (scope[stream] + text).split('\n');
  scope[stream] = lines.pop();
  for (const line of withoutOurs(lines)) scope.say(scope.number, level, stream, line);
  if (scope[stream].length > LONGEST_PARTIAL || scope.ended) flush(scope);
}

/** Cut stacks where they come to our code: what calls a hook is not the hook's. */
function withoutOurs(lines) {
  let below = false;
  return lines.filter((line) => {
    const isFrame = FRAME.test(line);
    below = isFrame && (below || line.includes(OURS));
    return !below;
  });
}

function sayPartial(scope, stream) {
  const text = scope[stream];
  scope[stream] = '';
  scope.say(scope.number, LEVEL_OF[stream], stream, text);
}

function sayWarning(warning) {
  // Of our own making, see compilation.js.
  if (/USE_MAIN_CONTEXT_DEFAULT_LOADER/.test(warning.message)) return;
  say('warning', 'stderr', `${warning.name}: ${warning.message}`);
}

module.exports = { flush, install, log, say };
