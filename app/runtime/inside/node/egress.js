'use strict';
/*
 * How a Node.js hook reaches the network: every connection of `net` and `tls`, and so of `http`,
 * `fetch` and of packages, becomes a tunnel through the hook's proxy, without the script's doing.
 *
 * Whatever a socket is connected to, the kernel connects it to the proxy (`notifications.py`). What
 * is here makes that useful, and says why when it fails; it keeps nobody in.
 */

const dns = require('node:dns');
const net = require('node:net');
const tls = require('node:tls');

const HOST = '127.0.0.1';
const END_OF_HEAD = '\r\n\r\n';
const LONGEST_ANSWER = 16384;
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3}) ?([^\r\n]*)/;
const CODES = { 403: 'EACCES', 502: 'ECONNREFUSED', 503: 'EMFILE', 504: 'ETIMEDOUT' };
/** Benchmarking addresses (RFC 2544), which no host has: they stand for names until connecting. */
const STAND_IN = '198.18.';

const connectSocket = net.Socket.prototype.connect;
const connectTls = tls.connect;
const standIns = new Map();

let egress = null;
let installed = false;

/** The hook may not reach this place. */
class NetworkDenied extends Error {
  constructor(message) {
    super(message);
    this.code = 'EACCES';
  }
}
Object.defineProperty(NetworkDenied.prototype, 'name', { value: 'NetworkDenied', writable: true, configurable: true });

/**
 * Send connections through the proxy from now on.
 *
 * @param {{port: number, hosts: string[], authorities: string | null} | null} given where the proxy
 *     is, what it leads to, and certificates (PEM) to trust besides; null: no connection is made
 */
function install(given) {
  egress = given;
  if (installed) return;
  installed = true;
  net.Socket.prototype.connect = connect;
  tls.connect = connectSecurely;
  dns.lookup = lookup;
  dns.promises.lookup = lookupPromised;
}

function connect(...args) {
  const [options, listener] = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args);
  if (listener) this.once('connect', listener);
  const denial = whyNot(this, options);
  if (denial) {
    this.connecting = true;
    process.nextTick(() => this.destroy(denial));
    return this;
  }
  const place = placeOf(options);
  openTunnel(this, place);
  const { noDelay, keepAlive, keepAliveInitialDelay } = options;
  return connectSocket.call(this, { host: HOST, port: egress.port, noDelay, keepAlive, keepAliveInitialDelay });
}

function whyNot(socket, options) {
  if (options.path) return new NetworkDenied(`Not connected to ${options.path}: a hook has no local sockets.`);
  if (egress === null) {
    const place = placeOf(options);
    return new NetworkDenied(`Not connected to ${place}: add "${place}" to network in hook.toml.`);
  }
  if (options.onread || (socket instanceof tls.TLSSocket && !socket._parent)) {
    return new NetworkDenied('A hook connects with net.connect, without onread, or with tls.connect.');
  }
  return null;
}

/** `host:port` as a manifest has it. */
function placeOf({ host, port }) {
  const name = standIns.get(host) ?? (host || 'localhost');
  return `${net.isIPv6(name) ? `[${name}]` : name}:${port}`;
}

/** Hold back that a socket is connected until the proxy has said so of its tunnel. */
function openTunnel(socket, place) {
  let answer = '';
  const { emit, push } = socket;
  const own = { emit: Object.hasOwn(socket, 'emit'), push: Object.hasOwn(socket, 'push') };

  socket.emit = (event, ...rest) => {
    if (event === 'ready') return true;
    if (event !== 'connect') return emit.call(socket, event, ...rest);
    const fail = (error) => error && socket.destroy(error);
    socket._writeGeneric(false, `CONNECT ${place} HTTP/1.1${END_OF_HEAD}`, 'latin1', fail);
    // What is written and read meanwhile waits, as before any connection.
    socket.connecting = true;
    socket._handle.reading = true;
    socket._handle.readStart();
    return true;
  };
  socket.push = (chunk) => {
    answer += chunk === null ? '' : chunk.latin1Slice();
    const end = answer.indexOf(END_OF_HEAD);
    if (end >= 0) settle(answer.slice(0, end), answer.slice(end + END_OF_HEAD.length));
    else if (chunk === null || answer.length > LONGEST_ANSWER) settle('', '');
    return true;
  };

  function settle(head, rest) {
    restore('emit', emit);
    restore('push', push);
    const [, status, reason] = STATUS_LINE.exec(head) ?? [head, '0', `the way to ${place} was closed`];
    if (status !== '200') {
      socket.destroy(failure(status, reason));
      return;
    }
    socket.connecting = false;
    socket.emit('connect');
    socket.emit('ready');
    if (rest && !socket.destroyed) socket.push(Buffer.from(rest, 'latin1'));
  }

  function restore(name, method) {
    if (own[name]) socket[name] = method;
    else delete socket[name];
  }
}

function failure(status, reason) {
  const message = `${reason}.`;
  if (status === '403') return new NetworkDenied(message);
  return Object.assign(new Error(message), { code: CODES[status] ?? 'ECONNRESET', syscall: 'connect' });
}

/** `tls.connect` over a tunnel: as over any stream that the caller brings. */
function connectSecurely(...args) {
  const [given, listener] = net._normalizeArgs(args);
  const more = args.slice(1, 3).find((argument) => argument !== null && typeof argument === 'object');
  const options = { ...given, ...more };
  if (options.socket) return connectTls(options, listener);
  const socket = new net.Socket();
  const secured = connectTls({ ...trusting(options), socket }, listener);
  socket.on('error', (error) => secured.destroy(error));
  secured.once('close', () => socket.destroy());
  if (options.timeout) secured.setTimeout(options.timeout);
  socket.connect(options.path ? { path: options.path } : { host: options.host, port: options.port });
  return secured;
}

function trusting(options) {
  const authorities = egress?.authorities;
  if (!authorities || options.ca || options.secureContext) return options;
  return { ...options, ca: [...tls.rootCertificates, authorities] };
}

function lookup(name, options, callback = options) {
  const { all = false } = typeof options === 'object' && options !== null ? options : {};
  let address;
  try {
    address = standInFor(name);
  } catch (error) {
    process.nextTick(callback, error);
    return;
  }
  const family = net.isIP(address);
  if (all) process.nextTick(callback, null, [{ address, family }]);
  else process.nextTick(callback, null, address, family);
}

async function lookupPromised(name, options) {
  const address = standInFor(name);
  const found = { address, family: net.isIP(address) };
  return options?.all ? [found] : found;
}

/** There is no resolver here: the proxy resolves names. */
function standInFor(name) {
  if (net.isIP(name)) return name;
  const host = String(name).toLowerCase();
  const entries = egress?.hosts ?? [];
  if (!entries.some((entry) => entry.toLowerCase().startsWith(`${host}:`))) {
    throw new NetworkDenied(`No address of ${host}: add it, with its port, to network in hook.toml.`);
  }
  for (const [address, known] of standIns) if (known === host) return address;
  const number = standIns.size + 1;
  const address = `${STAND_IN}${number >> 8}.${number & 0xff}`;
  standIns.set(address, host);
  return address;
}

module.exports = { NetworkDenied, install };
