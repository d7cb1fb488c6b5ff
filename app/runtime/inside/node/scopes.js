'use strict';
/*
 * Whom output and failures belong to. The scope follows callbacks, timers and promises, so calls
 * that take turns on one event loop do not mix.
 */

const { AsyncLocalStorage } = require('node:async_hooks');

/** Where lines go: a call, or, with number 0, the time outside of calls. */
class Scope {
  /**
   * @param {number} number of the call, 0 for none
   * @param {(number: number, level: string, stream: string, text: string) => void} say
   */
  constructor(number, say) {
    this.number = number;
    this.say = say;
    this.ended = false;
    /** What was written after the last line break, by stream. */
    this.stdout = '';
    this.stderr = '';
    /** Set by `console.group`. */
    this.indent = '';
  }
}

const scopes = new AsyncLocalStorage();
let outside = new Scope(0, () => {});

/** The scope of the running code. */
function current() {
  return scopes.getStore() ?? outside;
}

/** Say who takes the lines that belong to no call. */
function setOutside(scope) {
  outside = scope;
}

module.exports = { Scope, current, run: scopes.run.bind(scopes), setOutside };
