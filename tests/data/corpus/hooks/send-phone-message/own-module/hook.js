const { SendPhoneMessageError, log, invocation } = require('hookledger');

module.exports = function (recipient, text, context, cb) {
  log.warn('sends %d characters', text.length);
  const left = invocation().deadline - Date.now();
  if (!(left > 0)) return cb(new SendPhoneMessageError('no time left'));
  if (invocation().id !== context.webtask.id) return cb(new Error('another call'));
  return cb(null, { inTime: true });
};
