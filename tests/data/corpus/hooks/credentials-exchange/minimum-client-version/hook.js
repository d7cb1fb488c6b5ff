'use strict';
const semver = require('semver@7.5.4');
const MINIMUM = '2.3.0';

module.exports = (client, scope, audience, context, cb) => {
  const version = semver.coerce(client.metadata.sdk);
  if (version === null) return cb(new InvalidRequestError('Say which SDK you use.'));
  if (semver.lt(version, MINIMUM)) {
    return cb(new InvalidRequestError(`SDK ${version} is too old; ${MINIMUM} is the oldest.`));
  }
  return cb(null, { scope, 'https://acme.example/sdk': version.version });
};
