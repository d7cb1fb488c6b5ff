'use strict';
/*
 * When a host takes requests again, by what it says; the rules are those of `rate_limits.py`.
 */

const TOO_MANY = 429;
const UNAVAILABLE = 503;
const MOST_RETRIES = 4;
const FIRST_PAUSE = 0.25;
const EARLIEST_MOMENT = 1e9;
const EARLIEST_IN_MILLISECONDS = 1e12;
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Seconds after which to try again, or null not to; `now` in Unix seconds. */
function pauseBeforeRetry(method, status, headers, tried, now) {
  if (tried > MOST_RETRIES) return null;
  const asked = retryAfter(headers, now);
  if (status === TOO_MANY) return asked ?? (reset(headers, now) || FIRST_PAUSE * 2 ** (tried - 1));
  return status === UNAVAILABLE && IDEMPOTENT.has(method) ? asked : null;
}

/** Seconds for which the host takes no further request; 0 if it takes some. */
function pauseBeforeNext(headers, now) {
  const remaining = number(limit(headers, 'remaining'));
  return remaining === null || remaining > 0 ? 0 : (reset(headers, now) ?? 0);
}

function reset(headers, now) {
  let moment = number(limit(headers, 'reset'));
  if (moment === null) return null;
  if (moment >= EARLIEST_IN_MILLISECONDS) moment /= 1000;
  return moment >= EARLIEST_MOMENT ? Math.max(moment - now, 0) : moment;
}

function limit(headers, what) {
  return headers[`x-ratelimit-${what}`] ?? headers[`ratelimit-${what}`];
}

function retryAfter(headers, now) {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const seconds = number(text);
  if (seconds !== null) return seconds;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? null : Math.max(moment / 1000 - now, 0);
}

function number(text) {
  if (text === undefined || text.trim() === '') return null;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : null;
}

module.exports = { IDEMPOTENT, pauseBeforeNext, pauseBeforeRetry };
