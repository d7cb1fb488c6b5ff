module.exports = function (user, context, cb) {
  if (!user.username) throw new PreUserRegistrationError('no user name', 'Choose a user name.');
  const letters = user.username.match(/[a-z]/g).length;
  cb(null, { user: { user_metadata: { letters } } });
};
