'use strict';
/*
 * A result or an error as JSON. An error is told by all its own members, enumerable or not; `name`
 * is one of them only where a class sets it (auth0-ext-compilers 6.1.0, `lib/adapter.js`).
 */

const { isNativeError } = require('node:util').types;

const { parse, stringify } = JSON;
const { getOwnPropertyNames } = Object;
// Scripts may put methods of their own in the place of these.
const { bind, call } = Function.prototype;
const [includes, replace] = [String.prototype.includes, String.prototype.replace].map(
  (each) => bind.call(call, each),
);

const UNSERIALISABLE_RESULT = 'Error when JSON serializing the result of the extension point';
const UNSERIALISABLE_ERROR = 'Error serializing error: ';
const STACK_CHARACTERS = 16_384;
const HALF_OR_ESCAPE = /\\(?:u(d[89a-f]..)|.)/g;
const OUR_FRAMES = [`(${__dirname}/`, `at ${__dirname}/`, '(node:async_hooks:'];

/** JSON text of a result, '' for undefined; throws if there is none. */
function resultText(value) {
  if (value === undefined) return '';
  const text = stringify(value);
  if (text === undefined) throw new TypeError(`A ${typeof value} cannot be expressed in JSON`);
  return whole(text);
}

/** JSON without halves of characters, as of an emoji that was cut: they have no UTF-8. */
function whole(text) {
  if (!includes(text, '\\ud')) return text;
  return replace(text, HALF_OR_ESCAPE, (escape, half) => (half ? '\\ufffd' : escape));
}

/** JSON text of the error that a result which is not JSON is answered with. */
function unserialisableText(error) {
  return whole(stringify({ message: UNSERIALISABLE_RESULT, error_description: messageOf(error) }));
}

/**
 * JSON text of an error.
 *
 * @param {unknown} thrown anything; what is no Error is wrapped in one
 * @param {string} folder the path that is cut from stacks, with its slash; '' for none
 */
function errorText(thrown, folder) {
  const error = asError(thrown);
  const members = {};
  for (const name of getOwnPropertyNames(error)) {
    if (name !== '__proto__') members[name] = memberOf(error, name, folder);
  }
  try {
    return whole(stringify(members));
  } catch (failure) {
    return serialisablePart(members, failure);
  }
}

function asError(thrown) {
  if (isNativeError(thrown) || thrown instanceof Error) return thrown;
  return new Error(messageOf(thrown));
}

function messageOf(thrown) {
  try {
    return String(thrown?.message || thrown || 'Unknown error');
  } catch {
    return 'Unknown error';
  }
}

function memberOf(error, name, folder) {
  try {
    const value = error[name];
    return name === 'stack' && typeof value === 'string' ? readableStack(value, folder) : value;
  } catch (failure) {
    return `(reading it failed: ${messageOf(failure)})`;
  }
}

/** What can be said of an error of which some member has no JSON. */
function serialisablePart(members, failure) {
  const part = { error_description: messageOf(members) };
  for (const name of getOwnPropertyNames(members)) {
    try {
      part[name] = parse(stringify(members[name]));
    } catch {
      // This is the one, or one of them.
    }
  }
  part.message = UNSERIALISABLE_ERROR + messageOf(failure);
  return whole(stringify(part));
}

/** A stack of the script's frames and its packages', not ours nor where they lie. */
function readableStack(stack, folder) {
  let text = stack
    .split('\n')
    .filter((line) => !OUR_FRAMES.some((frame) => line.includes(frame)))
    .join('\n');
  if (folder !== '') text = text.replaceAll(folder, '');
  if (text.length <= STACK_CHARACTERS) return text;
  const half = STACK_CHARACTERS / 2;
  return `${text.slice(0, half)}\n…\n${text.slice(-half)}`;
}

module.exports = { errorText, resultText, unserialisableText };
