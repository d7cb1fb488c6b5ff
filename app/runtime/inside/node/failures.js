'use strict';
/*
 * Failures that nobody caught: a throw in a timer, a rejection without a handler. They belong to
 * the call whose code they came from.
 */

const { Call, describe } = require('./call');
const { say } = require('./output');
const { current } = require('./scopes');

const EXIT_UNCAUGHT = 70;

/**
 * Answer calls with the failures of theirs that nobody caught.
 *
 * @param {string} folder cut from stacks
 * @param {((error: unknown) => void) | undefined} onFatal told that the process must end: after an
 *     exception that nobody caught, nothing in it is sure to be whole
 */
function install(folder, onFatal) {
  process.on('uncaughtException', (error) => {
    attribute(error, folder);
    if (onFatal) onFatal(error);
    else process.reallyExit(EXIT_UNCAUGHT);
  });
  process.on('unhandledRejection', (reason) => attribute(reason, folder));
  process.exit = (code) => {
    throw new Error(
      `The hook called process.exit(${code ?? ''}); a hook ends by calling its callback.`,
    );
  };
}

function attribute(error, folder) {
  const scope = current();
  if (scope instanceof Call) scope.fail(error);
  else say('error', 'log', `An error that belongs to no call: ${describe(error, folder)}`);
}

module.exports = { install };
