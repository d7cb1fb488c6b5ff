'use strict';
/*
 * `require('hookledger').http`: HTTP within a call, as `context.http` is in Python hooks
 * (`http_client.py`). It ends with the call's deadline and waits when the other side asks for it.
 * Redirects are answers: they are not followed.
 */

const http = require('node:http');
const https = require('node:https');
const { setTimeout: sleep } = require('node:timers/promises');
const { NetworkDenied } = require('./egress');
const { IDEMPOTENT, pauseBeforeNext, pauseBeforeRetry } = require('./rate_limits');

const MOST_JITTER = 0.2;
const KEEP = { keepAlive: true, maxFreeSockets: 4 };
const ROADS = {
  'http:': { send: http.request, agent: new http.Agent(KEEP) },
  'https:': { send: https.request, agent: new https.Agent(KEEP) },
};

/** No usable answer was had. Members are shown to whoever called the hook: no query, no body. */
class HttpError extends Error {
  constructor(message, status = null) {
    super(message);
    if (status !== null) this.status = status;
  }
}

/** The other side takes no further request before this one's time is over. */
class RateLimited extends HttpError {
  constructor(message, retryAfter) {
    super(message, 429);
    this.retryAfter = retryAfter;
  }
}

for (const kind of [HttpError, RateLimited]) {
  Object.defineProperty(kind.prototype, 'name', { value: kind.name, writable: true, configurable: true });
}

/** An answer, read to its end. */
class Response {
  #name;

  constructor(name, status, headers, content) {
    this.#name = name;
    this.status = status;
    this.headers = headers;
    this.content = content;
  }

  get ok() {
    return this.status < 400;
  }

  get text() {
    return this.content.toString('utf8');
  }

  json() {
    try {
      return JSON.parse(this.text);
    } catch (error) {
      throw new HttpError(`${this.#name} was answered ${this.status} without JSON: ${error.message}.`, this.status);
    }
  }

  raiseForStatus() {
    if (this.ok) return this;
    const whose = this.status >= 500 ? 'the server failed' : 'it was refused';
    throw new HttpError(`${this.#name} was answered ${this.status}: ${whose}.`, this.status);
  }
}

let remaining = () => Infinity;
/** By origin: the moment, in milliseconds, from which on it takes requests again. */
const closedUntil = new Map();

/**
 * Say how long the running call may still take.
 *
 * @param {() => number} milliseconds
 */
function bindDeadline(milliseconds) {
  remaining = milliseconds;
}

/**
 * Send a request and return the answer, whatever its status.
 *
 * @param {string} method
 * @param {string | URL} url
 * @param {{headers?: object, params?: object, json?: any, data?: string | Buffer | object,
 *     timeout?: number}} options `data` as an object is sent as a form; `timeout` in seconds
 */
async function request(method, url, options = {}) {
  const asked = describe(method, url, options);
  const endsAt = Date.now() + Math.min(remaining(), (options.timeout ?? Infinity) * 1000);
  await waitFor(asked, endsAt);
  for (let tried = 1; ; tried += 1) {
    const response = await exchange(asked, endsAt);
    const now = Date.now() / 1000;
    const closed = pauseBeforeNext(response.headers, now);
    if (closed > 0) closedUntil.set(asked.url.origin, Date.now() + closed * 1000);
    const pause = pauseBeforeRetry(asked.method, response.status, response.headers, tried, now);
    if (pause === null || !(await rest(pause, endsAt))) return response;
  }
}

function describe(method, url, { headers = {}, params = {}, json, data }) {
  const target = new URL(url);
  if (!(target.protocol in ROADS)) throw new TypeError(`${url} is no http:// or https:// address.`);
  if (target.username || target.password) {
    throw new TypeError('Put no credentials into an address; send an `Authorization` header.');
  }
  for (const [name, value] of Object.entries(params)) {
    for (const each of [value].flat()) target.searchParams.append(name, each);
  }
  const [body, kind] = encode(json, data);
  const fields = { 'user-agent': 'hookledger', accept: '*/*', 'accept-encoding': 'identity' };
  if (kind) fields['content-type'] = kind;
  for (const [name, value] of Object.entries(headers)) fields[name.toLowerCase()] = value;
  if (body !== null) fields['content-length'] = String(body.length);
  const upper = method.toUpperCase();
  return { method: upper, url: target, fields, body, name: `${upper} ${target.origin}${target.pathname}` };
}

function encode(json, data) {
  if (json !== undefined && data !== undefined) throw new TypeError('A request has `json` or `data`, not both.');
  if (json !== undefined) return [Buffer.from(JSON.stringify(json)), 'application/json'];
  if (data === undefined) return [null, ''];
  if (typeof data === 'string') return [Buffer.from(data), 'text/plain; charset=utf-8'];
  if (ArrayBuffer.isView(data)) return [Buffer.from(data), ''];
  return [Buffer.from(new URLSearchParams(data).toString()), 'application/x-www-form-urlencoded'];
}

async function exchange(asked, endsAt) {
  try {
    return await exchangeOnce(asked, endsAt);
  } catch (error) {
    if (!error.reused || !IDEMPOTENT.has(asked.method)) throw error;
    // The connection was closed at the very moment when it was taken for another request.
    return exchangeOnce(asked, endsAt);
  }
}

function exchangeOnce({ method, url, fields, body, name }, endsAt) {
  const { send, agent } = ROADS[url.protocol];
  return new Promise((resolve, reject) => {
    const sending = send(url, { method, headers: fields, agent });
    const late = () => sending.destroy(new HttpError(`${name} was not answered in time.`));
    const timer = endsAt === Infinity ? undefined : setTimeout(late, Math.max(endsAt - Date.now(), 0));
    const fail = (error) => {
      clearTimeout(timer);
      if (error instanceof HttpError || error instanceof NetworkDenied) return reject(error);
      const failed = new HttpError(`${name} failed: ${error.message}.`);
      const reused = sending.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      Object.defineProperty(failed, 'reused', { value: reused });
      return reject(failed);
    };
    sending.on('error', fail);
    sending.on('response', (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () => {
        clearTimeout(timer);
        resolve(new Response(name, answer.statusCode, answer.headers, Buffer.concat(chunks)));
      });
    });
    sending.end(body);
  });
}

async function waitFor(asked, endsAt) {
  const { origin } = asked.url;
  const seconds = ((closedUntil.get(origin) ?? 0) - Date.now()) / 1000;
  if (seconds > 0 && !(await rest(seconds, endsAt))) {
    throw new RateLimited(
      `${asked.url.host} takes no further request for ${seconds.toFixed(1)} s, which is longer than ` +
        `there is time for: not sent was ${asked.name}.`,
      seconds,
    );
  }
  closedUntil.delete(origin);
}

/** Wait a little longer than asked; false, at once, if there is no time for it. */
async function rest(seconds, endsAt) {
  const milliseconds = (seconds + Math.random() * Math.min(MOST_JITTER, seconds + 0.01)) * 1000;
  if (Date.now() + milliseconds >= endsAt) return false;
  await sleep(milliseconds);
  return true;
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete'].map((name) => [
  name,
  (url, options) => request(name, url, options),
]);

module.exports = {
  http: { request, ...Object.fromEntries(methods) },
  HttpError,
  NetworkDenied,
  RateLimited,
  bindDeadline,
};
