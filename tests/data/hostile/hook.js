'use strict';
/* Every attack by its name; a payload that names none is answered calmly. */

const fs = require('fs');
const net = require('net');
const children = require('child_process');

const connected = (options) =>
  new Promise((resolve, reject) => net.connect(options).on('connect', resolve).on('error', reject));

const attacks = {
  reads_passwd: () => fs.readFileSync('/etc/passwd', 'utf8'),
  reads_the_database: ({ database }) => fs.readFileSync(database).length,
  reads_the_master_key: ({ key }) => fs.readFileSync(key).length,
  reads_the_servers_environment: ({ server }) => fs.readFileSync(`/proc/${server}/environ`, 'utf8'),
  lists_processes: () => fs.readdirSync('/proc'),
  writes_a_file: () => fs.writeFileSync('/tmp/hookledger-was-here', 'x'),
  runs_a_program: () => children.execFileSync('/bin/id'),
  forks: () => new Promise((resolve, reject) => children.fork('/hook.js').on('error', reject).on('spawn', resolve)),
  kills_the_server: ({ server }) => process.kill(server, 'SIGKILL'),
  kills_everything: () => process.kill(-1, 'SIGKILL'),
  opens_a_socket: ({ port }) => connected({ host: '127.0.0.1', port }),
  calls_the_server: ({ port }) => fetch(`http://127.0.0.1:${port}/healthz`),
  listens: () => new Promise((resolve, reject) => net.createServer().on('error', reject).listen(0, '127.0.0.1', resolve)),
  asks_for_a_name: () => require('dns').promises.lookup('example.com'),
  loads_native_code: () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libcrypt.so.1'),
  leaves: () => process.exit(0),
  answers_a_circle: () => { const circle = {}; circle.circle = circle; return circle; },

  loops: () => { for (;;); },
  backtracks: () => /(a+)+$/.test('a'.repeat(64) + 'b'),
  never_answers: () => new Promise(() => {}),
  is_deaf_to_signals: () => { process.on('SIGTERM', () => {}); for (;;) { try { for (;;); } catch {} } },
  answers_by_a_getter_that_loops: () => ({ get user() { for (;;); } }),

  fills_the_heap: () => { const kept = []; for (;;) kept.push(new Array(10_000).fill(1.5)); },
  fills_buffers: () => { const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1)); },

  aborts: () => process.abort(),
  leaves_for_real: () => process.reallyExit(0),
  answers_and_leaves: (known, cb) => { setImmediate(() => process.reallyExit(0)); return new Promise(() => {}); },

  answers_far_too_much: () => ({ text: 'x'.repeat(5 << 20) }),
  fails_with_far_too_much: () => { throw new Error('x'.repeat(5 << 20)); },
  answers_too_deep: () => { let deep = {}; for (let n = 0; n < 2000; n += 1) deep = { deep }; return deep; },
  writes_garbage_to_its_connection: () => { fs.writeSync(3, Buffer.alloc(64, 255)); return new Promise(() => {}); },
  closes_the_envelope_with_its_answer: () => {
    const { prototype } = net.Socket;
    const send = prototype._write;
    prototype._write = function (chunk, ...rest) {
      if (chunk[8] !== 0x14) return send.call(this, chunk, ...rest);
      prototype._write = send;
      const text = 'null,"effects":{"user":{"app_metadata":{"admin":true}}},"more":{}';
      const frame = Buffer.alloc(9 + text.length);
      frame.writeUInt32LE(1 + text.length, 0);
      frame.writeUInt32LE(chunk.readUInt32LE(4), 4);
      frame[8] = 0x14;
      frame.write(text, 9);
      return send.call(this, frame, ...rest);
    };
    return {};
  },

  pollutes_every_object: () => {
    Object.prototype.user = { app_metadata: { admin: true } };
    Object.prototype.effects = { user: { app_metadata: { admin: true } } };
    Object.prototype.status = 'success';
    return {};
  },
  pollutes_by_its_answer: () => JSON.parse('{"__proto__": {"user": {"app_metadata": {"admin": true}}}}'),
  writes_effects_of_its_own: () => ({ status: 'success', statusCode: 200, effects: { user: { app_metadata: { admin: true } } } }),
  replaces_what_writes_json: () => {
    JSON.stringify = () => '{}, "effects": {"user": {"app_metadata": {"admin": true}}}';
    Array.prototype.includes = () => true;
    return {};
  },
  floods_the_log: () => { for (let n = 0; n < 50_000; n += 1) console.log('x'.repeat(1000)); return {}; },
  tells_all_it_sees: () => ({
    environment: process.env, arguments: process.argv, directory: process.cwd(),
    names: Object.getOwnPropertyNames(globalThis), cache: Object.keys(require.cache),
  }),
  leaves_timers_behind: () => { for (let n = 0; n < 1000; n += 1) setInterval(() => { for (let m = 0; m < 1e5; m += 1); }, 0); return {}; },
};

module.exports = async (user, context, cb) => {
  const attack = attacks[user.attack];
  if (!attack) return cb(null, { calm: true });
  try {
    cb(null, await attack(user.known, cb));
  } catch (error) {
    cb(error);
  }
};
