'use strict';
/*
 * Whether a hook answers by returning. Auth0 read no return values; a function that has no way to
 * call back could only time out there, so giving its return value a meaning changes no other hook.
 */

/** Parameters that are names and patterns alone: `length` counts neither defaults nor the rest. */
const PLAIN_FUNCTION = /^(?:async\s*)?(?:function\b\s*)?[\w$]*\s*\(([^()=.]*)\)\s*(?:=>|\{)/;
const ONE_NAME = /^(?:async\s+)?[\w$]+\s*=>/;
const REACHES_ARGUMENTS = /\barguments\b|\beval\b|\[native code\]/;

/**
 * Tell whether a function has no way to call back when called with `count` arguments, of which the
 * last is the callback: then what it returns is its answer.
 *
 * Said only of functions whose text leaves no doubt. Where there is doubt (`...all`, `cb = x`,
 * `arguments`, a bound function) the callback is waited for: to take a return value for an answer
 * could let pass what the callback was to refuse.
 */
function answersByReturning(hook, count) {
  if (hook.length >= count) return false;
  const text = Function.prototype.toString.call(hook);
  return (PLAIN_FUNCTION.test(text) || ONE_NAME.test(text)) && !REACHES_ARGUMENTS.test(text);
}

module.exports = { answersByReturning };
