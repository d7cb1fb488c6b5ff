'use strict';
/*
 * For a hook without a `network` list: whoever asks for the network is told what to write. The
 * kernel refuses every socket anyway; what is needed for the sentence is loaded when it is needed,
 * since it costs each worker 3 MB and 8 ms.
 */

const Module = require('node:module');

const NAMES = new Set(['net', 'tls', 'dns', 'dns/promises', 'http', 'https', 'http2']);

let withdraw = () => {};

function advise() {
  const { _load: load } = Module;
  const { fetch } = globalThis;

  const loadAndDeny = (Module._load = function (request, ...rest) {
    if (NAMES.has(String(request).replace('node:', ''))) deny();
    return load.call(this, request, ...rest);
  });
  const fetchAndDeny = (globalThis.fetch = function (...asked) {
    deny();
    return fetch.apply(this, asked);
  });
  // What the script has put in their places stays.
  withdraw = () => {
    if (Module._load === loadAndDeny) Module._load = load;
    if (globalThis.fetch === fetchAndDeny) globalThis.fetch = fetch;
  };
}

/** From now on every connection fails, and says why. */
function deny() {
  withdraw();
  require('./egress').install(null);
}

module.exports = { advise, deny };
