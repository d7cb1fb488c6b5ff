module.exports = function (recipient, text, context, cb) {
  const blocked = context.webtask.secrets.BLOCKED.split(',');
  const prefix = blocked.find((country) => recipient.startsWith(country));
  if (prefix) {
    return cb(new SendPhoneMessageError(`no messages to ${prefix}`, 'We cannot reach this number.'));
  }
  return cb(null, {});
};
