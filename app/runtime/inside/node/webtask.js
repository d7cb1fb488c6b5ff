'use strict';
/*
 * `context.webtask`: what a webtask knew of its request and of itself. Members and the order in
 * which `data` is merged: webtask-runtime, `lib/context.js`.
 */

const { Document, Storage } = require('./storage');

/** Between Auth0's server and its hooks; no business of a script's. */
const PLATFORM_SECRET = 'auth0-extension-secret';
const PLATFORM_QUERY = 'webtask_';

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
    const query = withoutPlatforms(request?.query);
    const params = { ...request?.params };
    return {
      data: { ...members(body), ...query, ...params, ...this.secrets },
      headers: lowerCased(request?.headers),
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

function lowerCased(headers) {
  const named = {};
  for (const name in headers) named[name.toLowerCase()] = headers[name];
  return named;
}

function withoutPlatforms(query) {
  const kept = {};
  for (const name in query) {
    if (!name.startsWith(PLATFORM_QUERY)) kept[name] = query[name];
  }
  return kept;
}

/** The value, if it has members to copy. */
function members(value) {
  return typeof value === 'object' && !Array.isArray(value) ? value : null;
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

module.exports = { Webtask, members };
