'use strict';
/*
 * `require` as hooks know it: modules of Node.js, `hookledger`, and the hook's own packages, with
 * or without a version: `require('lodash')`, `require('@scope/name@1.2.3/lib/part')`.
 */

const { existsSync, readFileSync } = require('node:fs');
const { createRequire, isBuiltin } = require('node:module');
const { join } = require('node:path');

const OWN_MODULE = 'hookledger';
/** Name, scoped or not; version; path inside the package. */
const PACKAGE = /^((?:@[^/@]+\/)?[^/@]+)(?:@([^/]+))?((?:\/[^/]+)*\/?)$/;
const FILE = /^(\.{0,2}\/|\.{1,2}$|file:)/;

/**
 * Make the `require` of a script.
 *
 * @param {string | null} packages the folder that holds `node_modules`
 * @param {object} own what `require('hookledger')` returns
 * @param {NodeModule} module the script's
 */
function makeRequire(packages, own, module) {
  const nodeRequire = createRequire(join(packages ?? '/', 'hook.js'));
  const found = new Map();

  function resolve(id) {
    if (typeof id !== 'string' || id === '') {
      throw new TypeError(`require() takes the name of a module, not ${JSON.stringify(id)}.`);
    }
    if (id === OWN_MODULE || isBuiltin(id)) return id;
    if (!found.has(id)) found.set(id, nodeRequire.resolve(nameIn(packages, id)));
    return found.get(id);
  }

  function require(id) {
    return id === OWN_MODULE ? own : nodeRequire(resolve(id));
  }

  require.resolve = resolve;
  require.cache = nodeRequire.cache;
  require.main = module;
  return require;
}

/** The name without its version, once that is known to be the installed one. */
function nameIn(packages, id) {
  if (FILE.test(id)) {
    throw notFound(
      `require('${id}') names a file, but a hook is a single file: ` +
        'put the code into the script, or require a package.',
    );
  }
  const [, name, version, path] = PACKAGE.exec(id) ?? [];
  if (name === undefined || id.split('/').includes('..')) {
    throw notFound(`require('${id}') is neither a package nor a module of Node.js.`);
  }
  const installed = packages === null ? null : versionIn(join(packages, 'node_modules', name));
  if (installed === null) {
    throw notFound(
      `The package '${name}' is not among this hook's dependencies; ` +
        'add it there with an exact version.',
    );
  }
  if (version !== undefined && version !== installed) {
    throw notFound(
      `require('${id}'): version ${installed} of '${name}' is installed. ` +
        "Require that one, or change the hook's dependencies.",
    );
  }
  return name + path;
}

function versionIn(folder) {
  const description = join(folder, 'package.json');
  return existsSync(description) ? JSON.parse(readFileSync(description, 'utf8')).version : null;
}

function notFound(message) {
  const error = new Error(message);
  // Scripts tell optional packages by it.
  error.code = 'MODULE_NOT_FOUND';
  return error;
}

module.exports = { makeRequire };
