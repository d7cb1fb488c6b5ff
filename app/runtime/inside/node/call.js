'use strict';
/*
 * One call of a hook: answered exactly once, whatever the hook does.
 */

const { errorText, resultText, unserialisableText } = require('./answers');
const { flush } = require('./output');
const { Scope } = require('./scopes');

class Call extends Scope {
  /**
   * @param {number} number by which the caller knows the call
   * @param {{id: string, deadline: Date}} invocation
   * @param {(kind: 'result' | 'error', json: string) => void} finish
   * @param {Function} say takes a line
   * @param {string} folder cut from stacks
   */
  constructor(number, invocation, finish, say, folder) {
    super(number, say);
    this.invocation = invocation;
    this.finish = finish;
    this.folder = folder;
    this.warned = false;
  }

  /** Answer as the hook's callback is called: an error that is truthy, or a result. */
  callBack(error, result) {
    if (this.ended) this.warnOnce();
    else if (error) this.fail(error);
    else this.succeed(result);
  }

  /** Answer with a result, unless the call has been answered. */
  succeed(result) {
    if (this.ended) return;
    let text;
    try {
      text = resultText(result);
    } catch (error) {
      this.end('error', unserialisableText(error));
      return;
    }
    this.end('result', text);
  }

  /** Answer with an error, unless the call has been answered: then the error becomes a line. */
  fail(error) {
    if (this.ended) this.sayLate(error);
    else this.end('error', errorText(error, this.folder));
  }

  end(kind, text) {
    flush(this);
    this.ended = true;
    this.finish(kind, text);
  }

  warnOnce() {
    if (this.warned) return;
    this.warned = true;
    const text = 'The callback was called again; only its first call counts.';
    this.say(this.number, 'warning', 'log', text);
  }

  sayLate(error) {
    const text = `After its answer the call failed: ${describe(error, this.folder)}`;
    for (const line of text.split('\n')) this.say(this.number, 'error', 'log', line);
  }
}

/** An error as text for a log. */
function describe(error, folder) {
  const { stack, message } = JSON.parse(errorText(error, folder));
  return String(stack ?? message);
}

module.exports = { Call, describe };
