'use strict';
/*
 * The process that runs one version of a Node.js hook. Messages: `protocol.py`; what is counted and
 * dropped of a log: `capture.py`; what a hook is given and may answer: `contract.js`.
 *
 * It is confined before Node.js starts, and whoever confined it has said so. Life: get script and
 * secrets; run the script; answer calls, many at once, until the server closes the connection or
 * kills us. Every answer is sent at once: one kept back is lost when the next call never returns.
 *
 * A script may change any built-in object, by mistake or on purpose. What is needed after one has
 * run is held here, or reached by index, which nobody can change.
 */

const { Socket } = require('node:net');
const { writeSync } = require('node:fs');
// Ahead of the script: a worker in reserve has the time, a call does not.
const contract = require('./contract');
const { advise, deny } = require('./no_network');
const { current } = require('./scopes');

const LOAD = 0x01;
const READY = 0x12;
const RESULT = 0x14;
const ERROR = 0x15;
const SKIPPED = 0x16;
const LOG = 0x17;

const LEVELS = { __proto__: null, debug: 0, info: 1, warning: 2, error: 3 };
const STREAMS = { __proto__: null, stdout: 0, stderr: 1, log: 2 };
const LINE_COST = 64;
const LONGEST_LINE = 16384;

const EXIT_UNCAUGHT = 70;
const EXIT_OUT_OF_MEMORY = 71;

const CONNECTION = 3;
const RECEIVE_BYTES = 65536;
const HEADER_BYTES = 8;
const FRAME_HEAD = 9;
const CALL_HEAD = 21;
const REHEARSAL_MILLISECONDS = 50;
const NOTHING = Buffer.alloc(0);

const exit = process.reallyExit.bind(process);
const monotonic = process.hrtime.bigint;
const { parse, stringify } = JSON;
const { allocUnsafe, byteLength, concat } = Buffer;
const { now } = Date;
const TheDate = Date;
const TheNumber = Number;
const method = Function.prototype.call.bind(Function.prototype.bind, Function.prototype.call);
const utf8 = method(Buffer.prototype.utf8Slice);
const putUtf8 = method(Buffer.prototype.utf8Write);
const part = method(Uint8Array.prototype.subarray);
const cut = method(String.prototype.slice);
const has = method(String.prototype.includes);
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

const open = { __proto__: null };
let budget = 0;
let outside = scopeOf(0);
let begin = null;
let kept = NOTHING;

const socket = new Socket({
  fd: CONNECTION,
  onread: {
    buffer: allocUnsafe(RECEIVE_BYTES),
    callback(size, buffer) {
      receive(size, buffer);
      return true;
    },
  },
});
const write = socket.write.bind(socket);
const writeLast = socket.end.bind(socket);
socket.on('end', () => exit(0));
socket.on('error', () => exit(0));

setTimeout(rehearse, REHEARSAL_MILLISECONDS).unref();

/** Go through a run once while no script has come, so that the first finds everything loaded. */
function rehearse() {
  if (begin !== null) return;
  const nothing = () => {};
  const given = {
    script: 'module.exports = (cb) => cb();',
    file: 'hook.js',
    name: '',
    trigger: '',
    parameters: [],
    secrets: {},
    packages: null,
    meta: {},
    onFatal: fatal,
  };
  const hook = contract.prepare(given, nothing);
  hook.start(1, '{}', null, { id: '', deadline: new Date() }, nothing);
}

function receive(size, buffer) {
  let data = buffer;
  let end = size;
  if (kept.length > 0) {
    data = kept = concat([kept, part(buffer, 0, size)]);
    end = data.length;
    if (end < HEADER_BYTES || end < HEADER_BYTES + wordAt(data, 0)) return;
  }
  let at = 0;
  kept = NOTHING;
  while (end - at >= HEADER_BYTES) {
    const following = at + HEADER_BYTES + wordAt(data, at);
    if (following > end) break;
    take(wordAt(data, at + 4), data, at + HEADER_BYTES, following);
    at = following;
  }
  // A copy: the buffer is used for the next read.
  if (at < end) kept = concat([part(data, at, end)]);
}

function take(number, data, at, end) {
  if (data[at] === LOAD) load(parse(utf8(data, at + 1, end)));
  else answer(number, data, at + 1, end);
}

function load(given) {
  budget = given.log_bytes;
  outside = scopeOf(0);
  // A hook finds here no more of this machine than it must.
  process.argv = [process.argv[0]];
  process.execArgv = [];
  if (given.checks) {
    begin = (number, text, request, call, finish) => {
      const { script, file } = parse(text);
      finish('result', stringify(contract.check(script, file)));
    };
  } else {
    given.onFatal = fatal;
    if (!given.egress) advise();
    given.extras = given.egress ? openNetwork(given.egress) : closedNetwork();
    const hook = contract.prepare(given, say);
    begin = hook.start.bind(hook);
  }
  send(0, READY, '\x01');
}

/** Let code of the hook reach what it may; return what `require('hookledger')` offers for that. */
function openNetwork(egress) {
  if (egress) require('./egress').install(egress);
  else deny();
  const { bindDeadline, ...offered } = require('./http');
  bindDeadline(remaining);
  return offered;
}

/** The same without a list, to say what to write; made only when a script asks for it. */
function closedNetwork() {
  const offered = {};
  for (const name of ['http', 'HttpError', 'NetworkDenied', 'RateLimited']) {
    Object.defineProperty(offered, name, { enumerable: true, get: () => openNetwork(null)[name] });
  }
  return offered;
}

/** Milliseconds that the running call still has. */
function remaining() {
  const { invocation } = current();
  return invocation ? invocation.deadline - now() : Infinity;
}

function answer(number, data, at, end) {
  const startBefore = doubleAt(data, at);
  const timeout = doubleAt(data, at + 8);
  const requestAt = at + CALL_HEAD + data[at + 16];
  const payloadAt = requestAt + wordAt(data, at + 17);
  if (TheNumber(monotonic()) / 1e9 > startBefore) {
    send(number, SKIPPED, '');
    return;
  }
  const scope = (open[number] = scopeOf(number));
  const finish = (outcome, text) => close(scope, outcome === 'result' ? RESULT : ERROR, text);
  const request = payloadAt > requestAt ? parse(utf8(data, requestAt, payloadAt)) : null;
  const call = {
    id: utf8(data, at + CALL_HEAD, requestAt),
    deadline: new TheDate(now() + timeout * 1000),
  };
  begin(number, utf8(data, payloadAt, end), request, call, finish);
}

/** Send the one answer of a call; a hook that answers again is not heard. */
function close(scope, kind, text) {
  const { number } = scope;
  if (number === 0) return;
  if (kind === ERROR && isOutOfMemory(text)) exit(EXIT_OUT_OF_MEMORY);
  sayDropped(scope);
  scope.number = 0;
  delete open[number];
  // Late lines may be as many again after each call, so that they never flood.
  outside = scopeOf(0);
  send(number, kind, text);
}

/** Take a line; `number` is the call's, 0 if there is none. One that has ended has no lines. */
function say(number, level, stream, text) {
  const scope = open[number] || outside;
  const line = `${text}`;
  let at = 0;
  do {
    const body = cut(line, at, at + LONGEST_LINE);
    const length = byteLength(body) + 2;
    const cost = length < LINE_COST ? LINE_COST : length;
    if (cost > scope.remaining) {
      scope.remaining = 0;
      scope.dropped += 1;
      return;
    }
    scope.remaining -= cost;
    sendLine(scope.number, LEVELS[level] ?? LEVELS.info, STREAMS[stream] ?? STREAMS.log, body);
    at += LONGEST_LINE;
  } while (at < line.length);
}

function sayDropped(scope) {
  if (scope.dropped === 0) return;
  const text = `${scope.dropped} more lines were dropped: a call may write ${budget} bytes of log`;
  scope.dropped = 0;
  sendLine(scope.number, LEVELS.warning, STREAMS.log, text);
}

/** End with the reason, for the calls that still run: which of them threw it is not known. */
function fatal(error) {
  try {
    writeSync(2, `${error}\n`);
  } catch {
    // It cannot be made text, or nobody reads it.
  }
  writeLast(() => exit(EXIT_UNCAUGHT));
  if (socket.writableLength === 0) exit(EXIT_UNCAUGHT);
}

function send(number, kind, text) {
  const length = byteLength(text);
  const frame = header(number, kind, length);
  putUtf8(frame, text, FRAME_HEAD, length);
  write(frame);
}

function sendLine(number, level, stream, text) {
  const length = byteLength(text);
  const frame = header(number, LOG, length + 2);
  frame[FRAME_HEAD] = level;
  frame[FRAME_HEAD + 1] = stream;
  putUtf8(frame, text, FRAME_HEAD + 2, length);
  write(frame);
}

function header(number, kind, length) {
  const frame = allocUnsafe(FRAME_HEAD + length);
  putWord(frame, 0, length + 1);
  putWord(frame, 4, number);
  frame[8] = kind;
  return frame;
}

function wordAt(data, at) {
  return (data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)) >>> 0;
}

function putWord(data, at, value) {
  data[at] = value;
  data[at + 1] = value >>> 8;
  data[at + 2] = value >>> 16;
  data[at + 3] = value >>> 24;
}

function doubleAt(data, at) {
  for (let index = 0; index < 8; index += 1) doubleBytes[index] = data[at + index];
  return double[0];
}

function scopeOf(number) {
  return { number, remaining: budget, dropped: 0 };
}

/** Memory outside the heap that cannot be had throws; inside, V8 ends the process itself. */
function isOutOfMemory(text) {
  return (
    has(text, 'Array buffer allocation failed') ||
    has(text, 'WebAssembly.Memory(): could not allocate memory') ||
    has(text, 'ERR_MEMORY_ALLOCATION_FAILED')
  );
}
