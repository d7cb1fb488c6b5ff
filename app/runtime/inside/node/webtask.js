'use strict';
/*
 * `context.webtask`: what a webtask knew of its request and of itself. Members and the order in
 * which `data` is merged: webtask-runtime, `lib/context.js`.
 */

const { Document, Storage } = require('./storage');

/** Between Auth0's server and its hooks; no business of a script's. */
const PLATFORM_SECRET = 'auth0-extension-secret';
const PLATFORM_QUERY = 'webtask_';

const PROTOTYPE = {
  /** What remains in JSON: a hook that answers with its whole context must not tell its secrets. */
  toJSON() {
    const { id, meta, params, query } = this;
    return { id, meta, params, query };
  },
};

/** The part that is the same for all calls of a hook. */
class Webtask {
  constructor({ name, trigger, secrets, meta }) {
    const { [PLATFORM_SECRET]: hidden, ...own } = secrets ?? {};
    this.secrets = Object.freeze(own);
    this.meta = Object.freeze({
      'auth0-extension': 'runtime',
      'auth0-extension-name': trigger,
      'hook-name': name,
      ...meta,
    });
    this.document = new Document();
  }

  /**
   * Make one call's `context.webtask`.
   *
   * @param {string} id of the invocation
   * @param {unknown} body the payload
   * @param {string} text the payload as it came
   * @param {{headers?: object, query?: object, params?: object} | null} request
   */
  of(id, body, text, request) {
    const query = {};
    for (const name in request?.query) {
      if (!name.startsWith(PLATFORM_QUERY)) put(query, name, request.query[name]);
    }
    const params = copy({}, request?.params);
    const headers = {};
    for (const name in request?.headers) put(headers, name.toLowerCase(), request.headers[name]);
    const data = copy(copy(copy(copy({}, body), query), params), this.secrets);
    return {
      __proto__: PROTOTYPE,
      data,
      headers,
      id,
      params,
      query,
      secrets: this.secrets,
      meta: this.meta,
      storage: new Storage(this.document),
      token: undefined,
      body,
      body_raw: text,
      create_token,
      create_token_url,
    };
  }
}

/**
 * Put the members of an object, if it is one, into `target`; return that. Member by member: for
 * objects that differ from call to call, spreading takes 1.2 µs, this 0.1.
 */
function copy(target, source) {
  if (typeof source === 'object' && !Array.isArray(source)) {
    for (const name in source) put(target, name, source[name]);
  }
  return target;
}

function put(target, name, value) {
  // Assigned, it would be the prototype: members that nobody sent would seem to be there.
  if (name !== '__proto__') target[name] = value;
}

const create_token = missing('create_token');
const create_token_url = missing('create_token_url');

function missing(name) {
  return (...given) => {
    const error = new Error(
      `context.webtask.${name} does not exist here: there are no webtasks to make a token for.`,
    );
    const callback = given.at(-1);
    if (typeof callback !== 'function') throw error;
    process.nextTick(callback, error);
  };
}

module.exports = { Webtask, copy };
