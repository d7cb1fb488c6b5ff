const crypto = require('crypto');

const BREACHED = new Set(['5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8']);

module.exports = function (user, context, cb) {
  const hash = crypto.createHash('sha1').update(user.password).digest('hex').toUpperCase();
  if (BREACHED.has(hash)) return cb(new PreUserRegistrationError(`breached, ${hash.slice(0, 5)}`, 'This password is known to thieves.'));
  const fingerprint = crypto.createHmac('sha256', context.webtask.secrets.PEPPER).update(user.email).digest('base64');
  return cb(null, { user: { app_metadata: { fingerprint } } });
};
