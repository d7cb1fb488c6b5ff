module.exports = (user, context, cb) => cb(new PreUserRegistrationError('Sign-ups are closed.'));
