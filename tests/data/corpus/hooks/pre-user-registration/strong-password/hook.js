const { isStrongPassword, normalizeEmail } = require('validator');

module.exports = async (user, context, cb) => {
  if (!isStrongPassword(user.password, { minLength: 10, minSymbols: 0 })) {
    return cb(new PreUserRegistrationError('weak password', 'Mix letters, capitals and digits.'));
  }
  return cb(null, { user: { app_metadata: { mailbox: normalizeEmail(user.email) } } });
};
