'use strict';
/*
 * `context.webtask.storage`: one JSON document for a hook, with the conflict model of webtasks.
 * It lives in this process alone and goes with it; a hook must be ready to find it empty.
 */

const LONGEST_DOCUMENT = 500_000;
const MODIFIED = 'Item was modified since it was read.';
const UNREAD =
  'When calling storage.set without having called storage.get before, ' +
  'you must specify the .force option.';

/** The document; `etag` is null while there is none. */
class Document {
  constructor() {
    this.text = undefined;
    this.etag = null;
    this.revision = 0;
  }

  replace(text) {
    this.revision += 1;
    this.text = text;
    this.etag = text === undefined ? null : String(this.revision);
  }

  read() {
    return this.text === undefined ? undefined : JSON.parse(this.text);
  }
}

/** One call's view: knows what the call has read, so that it cannot overwrite what it has not. */
class Storage {
  #document;

  constructor(document) {
    this.#document = document;
    /** undefined before anything was read. */
    this.etag = undefined;
  }

  /** `get([options,] callback(error, data))` */
  get(options, callback) {
    const [, done] = given(options, callback);
    if (typeof done !== 'function') throw new Error('Callback must be a function.');
    this.etag = this.#document.etag;
    process.nextTick(done, null, this.#document.read());
  }

  /** `set(data, [options,] [callback(error)])`; options: `force`, `etag`; no data deletes. */
  set(data, options, callback) {
    const [{ force, etag }, done = ignore] = given(options, callback);
    if (typeof done !== 'function') throw new Error('Callback must be a function.');
    const expected = etag === undefined ? this.etag : etag;
    const isDeleted = data === undefined || data === null;
    if (expected === undefined && !force && !isDeleted) throw new Error(UNREAD);
    process.nextTick(done, this.replace(isDeleted ? undefined : data, expected, force));
  }

  replace(data, expected, force) {
    const document = this.#document;
    if (!force && expected !== undefined && expected !== document.etag) {
      this.etag = document.etag;
      return Object.assign(new Error(MODIFIED), { code: 409, conflict: document.read() });
    }
    let text;
    try {
      text = JSON.stringify(data);
    } catch (error) {
      return error;
    }
    if (text !== undefined && Buffer.byteLength(text) > LONGEST_DOCUMENT) {
      const message = `The document is longer than ${LONGEST_DOCUMENT} bytes.`;
      return Object.assign(new Error(message), { code: 413 });
    }
    document.replace(text);
    this.etag = document.etag;
    return null;
  }
}

function given(options, callback) {
  if (callback === undefined && typeof options === 'function') return [{}, options];
  if (typeof options !== 'object' && options !== undefined) {
    throw new Error('Options must be an object.');
  }
  return [options ?? {}, callback];
}

function ignore() {}

module.exports = { Document, Storage };
