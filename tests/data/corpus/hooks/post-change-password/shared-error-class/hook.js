module.exports = function (user, context, cb) {
  const seen = [typeof PreUserRegistrationError, typeof SendPhoneMessageError, typeof ExtensibilityUserError];
  console.warn(seen.join(' '));
  cb(new PreUserRegistrationError('could not revoke sessions'));
};
