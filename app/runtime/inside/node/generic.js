'use strict';
/*
 * The trigger `generic`: a plain webtask, `(context, cb)` or `(context, request, response)`.
 */

const { Readable, Writable } = require('node:stream');

/** What a raw webtask reads of its request: a stream of the payload's text. */
function makeRequest(webtask) {
  const request = Readable.from([Buffer.from(webtask.body_raw)]);
  const { headers, query, body } = webtask;
  const line = { method: 'POST', url: '/', httpVersion: '1.1' };
  return Object.assign(request, line, { headers, query, body });
}

/** What a raw webtask answers with: `http.ServerResponse` as far as one answer needs it. */
class Response extends Writable {
  /**
   * @param {(answer: {statusCode: number, headers: object, body: string}) => void} answered
   * @param {(error: Error) => void} failed
   */
  constructor(answered, failed) {
    super();
    this.statusCode = 200;
    this.headersSent = false;
    this.fields = {};
    this.chunks = [];
    this.on('error', failed);
    this.on('finish', () => {
      const body = Buffer.concat(this.chunks).toString();
      answered({ statusCode: this.statusCode, headers: this.fields, body });
    });
  }

  writeHead(statusCode, reason, headers = typeof reason === 'object' ? reason : {}) {
    this.statusCode = statusCode;
    for (const [name, value] of Object.entries(headers ?? {})) this.setHeader(name, value);
    this.headersSent = true;
    return this;
  }

  setHeader(name, value) {
    this.fields[name.toLowerCase()] = value;
    return this;
  }

  getHeader(name) {
    return this.fields[name.toLowerCase()];
  }

  getHeaders() {
    return { ...this.fields };
  }

  hasHeader(name) {
    return this.getHeader(name) !== undefined;
  }

  removeHeader(name) {
    delete this.fields[name.toLowerCase()];
  }

  _write(chunk, encoding, done) {
    this.headersSent = true;
    this.chunks.push(chunk);
    done();
  }
}

module.exports = { Response, makeRequest };
