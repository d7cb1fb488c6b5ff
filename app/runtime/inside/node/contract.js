'use strict';
/*
 * A Node.js hook as Auth0 ran it: what its script finds, what its function is given, what counts as
 * its answer. Facts: auth0-ext-compilers 6.1.0, webtask-runtime; where they are silent, decisions:
 * docs/auth0-compatibility.md. Knows neither sockets nor confinement.
 */

const Module = require('node:module');
const { dirname, join } = require('node:path');
const { Call } = require('./call');
const { check, compilationError, compile } = require('./compilation');
const { CLASSES, defineGlobals } = require('./errors');
const failures = require('./failures');
const { Response, makeRequest } = require('./generic');
const output = require('./output');
const { makeRequire } = require('./packages');
const { Scope, current, run, setOutside } = require('./scopes');
const { answersByReturning } = require('./signature');
const { Webtask, copy } = require('./webtask');

const { parse } = JSON;
const CONTEXT = 'context';
const GENERIC = 'generic';

let installed = false;

/**
 * Run a script, once, and return the hook. Never throws: what is wrong with the script, every call
 * is answered with. A process has one hook; preparing another replaces it.
 *
 * @param {object} load `{script, file, name, trigger, parameters, secrets, packages, meta, extras,
 *     onFatal}`; `packages` is the folder that holds `node_modules`, or null
 * @param {(scope: number, level: string, stream: string, text: string) => void} say
 * @returns {Hook}
 */
function prepare(load, say) {
  const outside = new Scope(0, say);
  const folder = load.packages ? join(load.packages, '/') : '';
  setOutside(outside);
  defineGlobals(load.trigger);
  if (!installed) {
    installed = true;
    output.install();
    failures.install(folder, load.onFatal);
  }
  const hook = new Hook(load, say, folder);
  run(outside, () => hook.load());
  output.flush(outside);
  return hook;
}

class Hook {
  constructor(load, say, folder) {
    const { script, file, trigger, parameters, packages, extras } = load;
    this.script = script;
    this.file = file;
    this.trigger = trigger;
    this.parameters = parameters ?? [];
    this.packages = packages ?? null;
    this.extras = extras;
    this.say = say;
    this.folder = folder;
    this.webtask = new Webtask(load);
    /** Set by `load`. */
    this.invoke = null;
    this.returns = false;
  }

  /** Say what is wrong with the script's syntax: `{message, line}` each. */
  check() {
    return check(this.script, this.file);
  }

  /**
   * Run one call; calls may overlap.
   *
   * @param {number} number names the call in `say`; not 0
   * @param {string} text the payload's JSON
   * @param {{headers: object, query: object, params: object} | null} request
   * @param {{id: string, deadline: Date}} invocation
   * @param {(kind: 'result' | 'error', json: string) => void} finish called exactly once
   */
  start(number, text, request, invocation, finish) {
    const call = new Call(number, invocation, finish, this.say, this.folder);
    run(call, answer, this, call, text, request);
  }

  load() {
    try {
      const hook = this.runScript();
      const isGeneric = this.trigger === GENERIC;
      this.invoke = isGeneric ? this.genericInvocation(hook) : this.invocation(hook);
      this.returns = answersByReturning(hook, isGeneric ? 2 : this.parameters.length + 1);
    } catch (error) {
      this.invoke = () => {
        throw error;
      };
    }
  }

  runScript() {
    const path = join(this.packages ?? '/', this.file);
    const module = new Module(path);
    module.filename = path;
    module.paths = this.packages === null ? [] : [join(this.packages, 'node_modules')];
    module.require = makeRequire(this.packages, this.ownModule(), module);
    let script;
    try {
      // Where packages lie, so that `import()` finds them; the folder is cut from stacks.
      script = compile(this.script, this.folder + this.file);
    } catch (error) {
      throw compilationError(error, this.folder);
    }
    script.call(module.exports, module.exports, module.require, module, path, dirname(path));
    module.loaded = true;
    return exported(module.exports, this.parameters);
  }

  ownModule() {
    const own = {
      ...CLASSES,
      log: output.log,
      /** The running call: `{id, deadline}`, or null outside of calls. */
      invocation: () => current().invocation ?? null,
    };
    // Not copied: some are made only when a script asks for them.
    return Object.freeze(Object.defineProperties(own, Object.getOwnPropertyDescriptors(this.extras ?? {})));
  }

  /** A function that calls the hook with members of the payload by position, then the callback. */
  invocation(hook) {
    const { parameters, webtask } = this;
    const at = parameters.indexOf(CONTEXT);
    return (call, text, request, callback) => {
      const payload = parse(text);
      const given = [];
      for (const name of parameters) given.push(payload?.[name]);
      if (at >= 0) {
        // A copy: also a `webtask` that the caller has sent is replaced.
        const context = copy({}, given[at]);
        context.webtask = webtask.of(call.invocation.id, payload, text, request);
        given[at] = context;
      }
      given.push(callback);
      return hook(...given);
    };
  }

  /** A function that calls a webtask: `(context, cb)`, or with three parameters the raw form. */
  genericInvocation(hook) {
    const isRaw = hook.length === 3;
    return (call, text, request, callback) => {
      const context = this.webtask.of(call.invocation.id, parse(text), text, request);
      if (!isRaw) return hook(context, callback);
      const response = new Response(
        (answer) => call.succeed(answer),
        (error) => call.fail(error),
      );
      return hook(context, makeRequest(context), response);
    };
  }
}

/** Call the hook; the scope of `call` is the current one. */
function answer(hook, call, text, request) {
  const callback = (error, result) => call.callBack(error, result);
  let returned;
  try {
    returned = hook.invoke(call, text, request, callback);
    if (typeof returned?.then === 'function') {
      // A rejection answers also where the value does not count: nobody else would hear of it.
      const succeed = hook.returns ? (result) => call.succeed(result) : undefined;
      returned.then(succeed, (error) => call.fail(error));
      return;
    }
  } catch (error) {
    call.fail(error);
    return;
  }
  if (hook.returns) call.succeed(returned);
}

/** The function that a module exports, also as compilers of ES modules write `export default`. */
function exported(exports, parameters) {
  if (typeof exports === 'function') return exports;
  if (typeof exports?.default === 'function') return exports.default;
  const kind = exports === null ? 'null' : typeof exports;
  const wanted = [...parameters, 'cb'].join(', ');
  throw new Error(
    `The script exports no function, but ${kind === 'object' ? 'an object' : kind}: ` +
      `write \`module.exports = function (${wanted}) { … };\`.`,
  );
}

module.exports = { check, prepare };
