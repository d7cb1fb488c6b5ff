'use strict';
/*
 * Auth0's error classes, and at which points scripts see them as globals. Classes, members and
 * scoping: auth0-ext-compilers 6.1.0, `lib/errors` and `lib/compilers`.
 */

/** An error that a hook makes for its caller to understand: told by its own `name`. */
class ExtensibilityUserError extends Error {
  constructor(message) {
    super(message);
    this.name = this.constructor.name;
  }
}

/** Refuses a sign-up; the second text is for the person who signs up. */
class PreUserRegistrationError extends ExtensibilityUserError {
  constructor(message, friendlyMessage) {
    super(message);
    this.friendlyMessage = friendlyMessage ?? message;
  }
}

/** A message was not delivered. */
class SendPhoneMessageError extends ExtensibilityUserError {
  constructor(message, friendlyMessage) {
    super(message);
    this.friendlyMessage = friendlyMessage ?? message;
  }
}

/** The token request asks for a scope it may not have (`invalid_scope`). */
class InvalidScopeError extends ExtensibilityUserError {}

/** The token request is malformed (`invalid_request`). */
class InvalidRequestError extends ExtensibilityUserError {}

/** The token cannot be issued now (`server_error`). */
class ServerError extends ExtensibilityUserError {}

const CLASSES = {
  ExtensibilityUserError,
  PreUserRegistrationError,
  SendPhoneMessageError,
  InvalidScopeError,
  InvalidRequestError,
  ServerError,
};

const BASE = ['ExtensibilityUserError'];
const REGISTRATION = [...BASE, 'PreUserRegistrationError'];

/** Names of the classes by trigger; a trigger that is not listed sees all of them. */
const IN_SCOPE = {
  __proto__: null,
  'credentials-exchange': [...BASE, 'InvalidScopeError', 'InvalidRequestError', 'ServerError'],
  'pre-user-registration': REGISTRATION,
  'post-user-registration': REGISTRATION,
  // Auth0 compiled this point with the code of the two above.
  'post-change-password': REGISTRATION,
  'send-phone-message': [...BASE, 'SendPhoneMessageError'],
  'password-exchange': BASE,
  generic: BASE,
};

/**
 * Make a trigger's classes globals, and no others.
 *
 * Globals instead of text put before the script: lines keep their numbers, and the script may
 * declare a name of its own, as in `const { ServerError } = require('hookledger')`.
 */
function defineGlobals(trigger) {
  const names = IN_SCOPE[trigger] ?? Object.keys(CLASSES);
  for (const [name, value] of Object.entries(CLASSES)) {
    if (names.includes(name)) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    } else {
      delete globalThis[name];
    }
  }
}

module.exports = { CLASSES, defineGlobals };
